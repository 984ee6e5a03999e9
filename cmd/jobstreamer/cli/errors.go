package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
)

// explained is an error in the words of a user of the commands, with what can
// be done about it.
type explained struct {
	error
	text string
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.error }

// explainError says an error so that something can be done about it.
func (s *session) explainError(err error) error {
	var (
		p    *client.Problem
		gone *url.Error
	)
	switch {
	case err == nil, errors.Is(err, ErrPrinted), errors.As(err, new(*explained)):
		return err
	case s.ctx.Err() != nil && errors.Is(err, context.Canceled):
		return &explained{err, "interrupted"}
	case client.Code(err) == "no_such_route":
		return &explained{err, joinLines(fmt.Sprintf("the control bus at %s does not know how to do this", s.url),
			"It is older than this command, or something else listens there.")}
	case errors.As(err, &p):
		return &explained{err, joinLines(problemText(p), s.adviceFor(p.Code))}
	case errors.As(err, &gone):
		return &explained{err, joinLines(fmt.Sprintf("cannot reach the control bus at %s: %v", s.url, dialReason(gone)),
			"Is it running there? --server or a context says where it is; `jobstreamer dev` runs one here.")}
	}
	return err
}

// shortReason returns the first line of an explained error, without the advice
// below it.
func (s *session) shortReason(err error) string {
	line, _, _ := strings.Cut(s.explainError(err).Error(), "\n")
	return line
}

// joinLines are those that are not empty, each below the other.
func joinLines(all ...string) string {
	var b strings.Builder
	for _, l := range all {
		if l != "" {
			b.WriteString("\n" + l)
		}
	}
	return strings.TrimPrefix(b.String(), "\n")
}

// problemText is what the control bus says: its detail, and each fault below it
// if they are not the same.
func problemText(p *client.Problem) string {
	all := []string{p.Detail}
	if p.Detail == "" {
		all[0] = fmt.Sprintf("%s (%d)", p.Title, p.Status)
	}
	for _, f := range p.Errors {
		if f.String() != p.Detail {
			all = append(all, "  "+f.String())
		}
	}
	if p.Code == "outcome_unknown" && p.ExecutionID != 0 {
		all = append(all, fmt.Sprintf("  it would be execution %d", p.ExecutionID))
	}
	return PrintableText(joinLines(all...))
}

// adviceFor is what to do about a problem of that code.
func (s *session) adviceFor(code string) string {
	command := map[string]string{
		"no_such_app":           s.serverCommandLine("app list"),
		"no_such_job":           s.appCommandLine("job list"),
		"no_such_job_execution": s.appCommandLine("execution list"),
		"no_such_agent":         s.serverCommandLine("agent list"),
		"no_such_revision":      s.serverCommandLine("app revisions APP"),
	}[code]
	switch {
	case command != "":
		return fmt.Sprintf("`%s` shows which there are.", command)
	case code == "login_required" && s.client.HasToken():
		return fmt.Sprintf("What was sent is good no more. `%s` makes a new token; JOBSTREAMER_TOKEN takes a key.", s.serverCommandLine("login USER"))
	case code == "login_required":
		return fmt.Sprintf("`%s` logs in; programs send a key in JOBSTREAMER_TOKEN.", s.serverCommandLine("login USER"))
	case code == "authentication_failed":
		return fmt.Sprintf("The user or the password is wrong. `%s` asks again.", s.serverCommandLine("login USER"))
	case code == "forbidden":
		return fmt.Sprintf("`%s` shows what you may do, `%s` makes you somebody else.", s.serverCommandLine("user roles"), s.serverCommandLine("login USER"))
	case code == "unavailable":
		return "Try again in a moment; `jobstreamer doctor` says what is wrong with a bus."
	}
	return ""
}

// dialReason is why there was no answer, without what the user knows anyway.
func dialReason(err *url.Error) error {
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return fmt.Errorf("there is no host %s", dns.Name)
	case errors.As(err, &op) && op.Err != nil:
		err.Err = op.Err
	}
	text := err.Err.Error()
	return errors.New(strings.TrimPrefix(text, "connect: "))
}

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

// explained is an error with a text for users of the commands, which includes
// advice.
type explained struct {
	error
	text string
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.error }

// explainError returns an error with a text that tells the user what to do.
func (inv *invocation) explainError(err error) error {
	var (
		p    *client.Problem
		gone *url.Error
	)
	switch {
	case err == nil, errors.Is(err, ErrPrinted), errors.As(err, new(*explained)):
		return err
	case inv.ctx.Err() != nil && errors.Is(err, context.Canceled):
		return &explained{err, "interrupted"}
	case client.Code(err) == "no_such_route":
		return &explained{err, joinLines(fmt.Sprintf("the control bus at %s does not support this command", inv.url),
			"It is older than this command, or another program listens at this address.")}
	case errors.As(err, &p):
		return &explained{err, joinLines(problemText(p), inv.adviceFor(p.Code))}
	case errors.As(err, &gone) && inv.tlsAdvice(err) != "":
		return &explained{err, joinLines(fmt.Sprintf("cannot speak to the control bus at %s: %v", inv.url, tlsReason(err)), inv.tlsAdvice(err))}
	case errors.As(err, &gone):
		return &explained{err, joinLines(fmt.Sprintf("cannot reach the control bus at %s: %v", inv.url, dialReason(gone)),
			"Is it running? Set its address with --server or a context, or start one here with `jobstreamer dev`.")}
	case wantsTLS(err):
		return &explained{err, joinLines(fmt.Sprintf("the control bus at %s speaks TLS only", inv.url), "Use https:// in --server.")}
	}
	return err
}

// shortReason returns the first line of an explained error, without the advice
// below it.
func (inv *invocation) shortReason(err error) string {
	line, _, _ := strings.Cut(inv.explainError(err).Error(), "\n")
	return line
}

// joinLines joins the texts that are not empty, each on its own line.
func joinLines(all ...string) string {
	var b strings.Builder
	for _, l := range all {
		if l != "" {
			b.WriteString("\n" + l)
		}
	}
	return strings.TrimPrefix(b.String(), "\n")
}

// problemText returns the detail of a problem, followed by its faults if they
// say more than the detail.
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
		all = append(all, fmt.Sprintf("  if it was started, it is execution %d", p.ExecutionID))
	}
	return PrintableText(joinLines(all...))
}

// adviceFor returns the advice for a problem with the given code.
func (inv *invocation) adviceFor(code string) string {
	command := map[string]string{
		"no_such_app":           inv.serverCommandLine("app list"),
		"no_such_job":           inv.appCommandLine("job list"),
		"no_such_job_execution": inv.appCommandLine("execution list"),
		"no_such_agent":         inv.serverCommandLine("agent list"),
		"no_such_revision":      inv.serverCommandLine("app revisions APP"),
	}[code]
	switch {
	case command != "":
		return fmt.Sprintf("See what exists with `%s`.", command)
	case code == "login_required" && inv.client.HasToken():
		return fmt.Sprintf("The token or key is no longer valid. Get a new token with `%s`, or set a key in JOBSTREAMER_TOKEN.", inv.serverCommandLine("login USER"))
	case code == "login_required":
		return fmt.Sprintf("Log in with `%s`; for a program, set a key in JOBSTREAMER_TOKEN.", inv.serverCommandLine("login USER"))
	case code == "authentication_failed":
		return fmt.Sprintf("Wrong user or password. Try again with `%s`.", inv.serverCommandLine("login USER"))
	case code == "forbidden":
		return fmt.Sprintf("See your roles with `%s`, or log in as another user with `%s`.", inv.serverCommandLine("user roles"), inv.serverCommandLine("login USER"))
	case code == "unavailable":
		return "Try again in a moment, or find the cause with `jobstreamer doctor`."
	}
	return ""
}

// dialReason returns the reason why a request failed, without its method and
// URL.
func dialReason(err *url.Error) error {
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return fmt.Errorf("unknown host %s", dns.Name)
	case errors.As(err, &op) && op.Err != nil:
		err.Err = op.Err
	}
	text := err.Err.Error()
	return errors.New(strings.TrimPrefix(text, "connect: "))
}

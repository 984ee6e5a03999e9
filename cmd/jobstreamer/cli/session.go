package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
)

// session is one command on its way: with whom it speaks, and of which
// application.
type session struct {
	*CLI
	ctx      context.Context
	client   *client.Client
	url, app string // url is for people
}

// openSession makes the session that flags, environment and contexts say.
func (c *CLI) openSession(ctx context.Context) (*session, error) {
	if err := c.checkOutput(); err != nil {
		return nil, err
	}
	if c.watch && c.every < 100*time.Millisecond {
		return nil, usageErrorf("--interval %s: want 100ms or more", c.every)
	}
	is, err := c.resolveContext()
	if err != nil {
		return nil, err
	}
	s := &session{CLI: c, ctx: ctx, url: shownURL(cmp.Or(is.Server, client.DefaultURL)), app: cmp.Or(is.App, "default")}
	s.client, err = c.newClient(is.Server, is.Token)
	if err != nil {
		return nil, UsageError{err}
	}
	return s, nil
}

func (c *CLI) newClient(url, token string) (*client.Client, error) {
	return client.New(client.Config{URL: url, UserAgent: "jobstreamer/" + c.Version, Token: token})
}

func (c *CLI) checkOutput() error {
	if !slices.Contains(outputs, cmp.Or(c.output, formatTable)) {
		return usageErrorf("--output %s: want one of %s", c.output, strings.Join(outputs, ", "))
	}
	return nil
}

// resolveContext is the context to use, with what flags and environment say in
// its place.
func (c *CLI) resolveContext() (savedContext, error) {
	all := contexts{c.Dir}
	server, name := c.namedServer()
	is, err := savedContext{}, error(nil)
	switch {
	case name != "":
		is, err = all.loadContext(name)
	case server == "" && all.selectedName() != "":
		is, err = all.loadContext(all.selectedName())
	case server != "": // what a login left is for this control bus, however it is named
		at, _ := all.loadContext(all.nameForServer(server))
		is.Server, is.Token = at.Server, at.Token
	}
	if server != "" && !sameServer(server, is.Server) {
		is.Token = "" // it is for the server of the context
	}
	is.Server = cmp.Or(server, is.Server)
	is.Token = cmp.Or(c.flagOrEnv(c.token, "TOKEN"), is.Token)
	is.App = cmp.Or(c.flagOrEnv(c.app, "APP"), is.App)
	return is, err
}

// namedServer are the control bus and the context that flags or the environment
// name.
func (c *CLI) namedServer() (server, name string) {
	server, name = c.flagOrEnv(c.server, "SERVER"), c.flagOrEnv(c.context, "CONTEXT")
	if server == c.Env["JOBSTREAMER_SERVER"] && name != c.Env["JOBSTREAMER_CONTEXT"] {
		server = "" // the context was named on the command line, which wins over the environment
	}
	return server, name
}

// flagOrEnv is a flag's value or that of the environment. Completion asks
// before the environment was given to the flags.
func (c *CLI) flagOrEnv(flag, name string) string { return cmp.Or(flag, c.Env["JOBSTREAMER_"+name]) }

// appCommandLine is a command line for the same server and application.
func (s *session) appCommandLine(command string) string {
	return s.serverCommandLine(command + s.flagText("app", s.CLI.app))
}

// serverCommandLine is a command line for the same server.
func (s *session) serverCommandLine(command string) string {
	return "jobstreamer " + command + s.flagText("context", s.context) + s.flagText("server", s.server)
}

// CommandAt is a command line for the control bus at address: it names that one
// if commands of this user go elsewhere.
func (c *CLI) CommandAt(address, command string) string {
	is, err := c.resolveContext()
	at := cmp.Or(is.Server, client.DefaultURL)
	if err != nil || at != address && at != strings.Replace(address, "//127.0.0.1:", "//localhost:", 1) {
		command += " --server " + address
	}
	if err != nil || is.App != "" && is.App != "default" {
		command += " --app default"
	}
	return "jobstreamer " + command
}

// flagText is a flag as it was given on the command line. What the environment
// says it says again.
func (s *session) flagText(name, value string) string {
	if value == "" || value == s.Env["JOBSTREAMER_"+strings.ToUpper(name)] {
		return ""
	}
	return " --" + name + " " + value
}

// shownURL is a URL without its password.
func shownURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(invalid URL)"
	}
	return u.Redacted()
}

// IsTerminal reports whether stream is a terminal.
func IsTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// pageTo is a page of output that goes to w in the end; drawn is where it is
// drawn.
func (s *session) pageTo(end, drawn io.Writer) *page {
	p := &page{Writer: drawn, live: IsTerminal(end), now: time.Now(), zone: time.Local}
	if s.output != formatWide {
		p.width, _ = s.windowSize(end)
	}
	p.color = p.live && !s.noColor && s.Env["NO_COLOR"] == "" && s.Env["TERM"] != "dumb"
	if zone, err := time.LoadLocation(s.Env["TZ"]); err == nil && s.Env["TZ"] != "" {
		p.zone = zone
	}
	return p
}

// outPage is a page on standard output.
func (s *session) outPage() *page { return s.pageTo(s.Out, s.Out) }

// printsTables says whether people read what is printed.
func (c *CLI) printsTables() bool {
	return c.output == "" || c.output == formatTable || c.output == formatWide
}

// printDone says what was done. Programs go by the exit status.
func (s *session) printDone(format string, args ...any) {
	if s.printsTables() {
		fmt.Fprintf(s.Out, format, args...)
	}
}

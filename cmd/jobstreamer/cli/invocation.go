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

// invocation is one running command, with its client, its application and the
// settings of its flags.
type invocation struct {
	*CLI
	ctx      context.Context
	client   *client.Client
	url, app string // url has no password: it is for messages
}

// newInvocation returns an invocation with the server, application and token
// that the flags, the environment or a context set.
func (c *CLI) newInvocation(ctx context.Context) (*invocation, error) {
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
	inv := &invocation{CLI: c, ctx: ctx, url: shownURL(cmp.Or(is.Server, client.DefaultURL)), app: cmp.Or(is.App, "default")}
	inv.client, err = c.newClient(is.Server, is.Token)
	if err != nil {
		return nil, UsageError{err}
	}
	return inv, nil
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
func (inv *invocation) appCommandLine(command string) string {
	return inv.serverCommandLine(command + inv.flagText("app", inv.CLI.app))
}

// serverCommandLine is a command line for the same server.
func (inv *invocation) serverCommandLine(command string) string {
	return "jobstreamer " + command + inv.flagText("context", inv.context) + inv.flagText("server", inv.server)
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
func (inv *invocation) flagText(name, value string) string {
	if value == "" || value == inv.Env["JOBSTREAMER_"+strings.ToUpper(name)] {
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
func (inv *invocation) pageTo(end, drawn io.Writer) *page {
	p := &page{Writer: drawn, live: IsTerminal(end), now: time.Now(), zone: time.Local}
	if inv.output != formatWide {
		p.width, _ = inv.windowSize(end)
	}
	p.color = p.live && !inv.noColor && inv.Env["NO_COLOR"] == "" && inv.Env["TERM"] != "dumb"
	if zone, err := time.LoadLocation(inv.Env["TZ"]); err == nil && inv.Env["TZ"] != "" {
		p.zone = zone
	}
	return p
}

// outPage is a page on standard output.
func (inv *invocation) outPage() *page { return inv.pageTo(inv.Out, inv.Out) }

// printsTables says whether people read what is printed.
func (c *CLI) printsTables() bool {
	return c.output == "" || c.output == formatTable || c.output == formatWide
}

// printDone says what was done. Programs go by the exit status.
func (inv *invocation) printDone(format string, args ...any) {
	if inv.printsTables() {
		fmt.Fprintf(inv.Out, format, args...)
	}
}

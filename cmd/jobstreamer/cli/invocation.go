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
	inv.client, err = c.newClient(is)
	if err != nil {
		return nil, UsageError{err}
	}
	return inv, nil
}

// newClient returns a client for a context. --server-ca overrides its
// authorities.
func (c *CLI) newClient(is savedContext) (*client.Client, error) {
	return client.New(client.Config{
		URL: is.Server, CAFile: cmp.Or(c.flagOrEnv(c.serverCA, "SERVER_CA"), is.ServerCA),
		UserAgent: "jobstreamer/" + c.Version, Token: is.Token,
	})
}

func (c *CLI) checkOutput() error {
	if !slices.Contains(outputs, cmp.Or(c.output, formatTable)) {
		return usageErrorf("--output %s: want one of %s", c.output, strings.Join(outputs, ", "))
	}
	return nil
}

// resolveContext returns the context to use. Flags and the environment override
// its values.
func (c *CLI) resolveContext() (savedContext, error) {
	all := contexts{c.Dir}
	server, name := c.namedServer()
	is, err := savedContext{}, error(nil)
	switch {
	case name != "":
		is, err = all.loadContext(name)
	case server == "" && all.selectedName() != "":
		is, err = all.loadContext(all.selectedName())
	case server != "": // use the token of any context for this control bus
		at, _ := all.loadContext(all.nameForServer(server))
		is.Server, is.ServerCA, is.Token = at.Server, at.ServerCA, at.Token
	}
	if server != "" && !sameServer(server, is.Server) {
		is.Token, is.ServerCA = "", "" // they belong to the context's server
	}
	is.Server = cmp.Or(server, is.Server)
	is.Token = cmp.Or(c.flagOrEnv(c.token, "TOKEN"), is.Token)
	is.App = cmp.Or(c.flagOrEnv(c.app, "APP"), is.App)
	return is, err
}

// namedServer returns the control bus and the context that flags or the
// environment name.
func (c *CLI) namedServer() (server, name string) {
	server, name = c.flagOrEnv(c.server, "SERVER"), c.flagOrEnv(c.context, "CONTEXT")
	if server == c.Env["JOBSTREAMER_SERVER"] && name != c.Env["JOBSTREAMER_CONTEXT"] {
		server = "" // the context was named on the command line, which wins over the environment
	}
	return server, name
}

// flagOrEnv returns the value of a flag, or of its environment variable:
// completion runs before the environment is applied to the flags.
func (c *CLI) flagOrEnv(flag, name string) string { return cmp.Or(flag, c.Env["JOBSTREAMER_"+name]) }

// appCommandLine returns a command line for the same server and application.
func (inv *invocation) appCommandLine(command string) string {
	return inv.serverCommandLine(command + inv.flagText("app", inv.CLI.app))
}

// serverCommandLine returns a command line for the same server.
func (inv *invocation) serverCommandLine(command string) string {
	return "jobstreamer " + command + inv.flagText("context", inv.context) + inv.flagText("server", inv.server) + inv.flagText("server-ca", inv.serverCA)
}

// CommandAt returns a command line for the control bus at address. It names the
// address if this user's commands would go to another control bus.
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

// flagText returns a flag as it was given on the command line, or "" if its
// value comes from the environment.
func (inv *invocation) flagText(name, value string) string {
	if value == "" || value == inv.Env["JOBSTREAMER_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))] {
		return ""
	}
	return " --" + name + " " + value
}

// shownURL returns a URL without its password.
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

// pageTo returns a page that writes to drawn. end is the stream that will show
// it, whose terminal decides on width and colors.
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

// outPage returns a page on standard output.
func (inv *invocation) outPage() *page { return inv.pageTo(inv.Out, inv.Out) }

// printsTables reports whether the output is for people.
func (c *CLI) printsTables() bool {
	return c.output == "" || c.output == formatTable || c.output == formatWide
}

// printDone writes a message about the completed work. Other formats print
// nothing, because programs use the exit status.
func (inv *invocation) printDone(format string, args ...any) {
	if inv.printsTables() {
		fmt.Fprintf(inv.Out, format, args...)
	}
}

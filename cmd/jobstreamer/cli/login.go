package cli

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
)

// Logins returns the commands for logins, users and keys.
func (c *CLI) Logins() []*cobra.Command {
	return []*cobra.Command{c.loginCommand(), c.logoutCommand(), c.userCommand(), c.keyCommand(), c.agentTokenCommand(), c.auditCommand()}
}

func (c *CLI) loginCommand() *cobra.Command {
	var fromInput, byBrowser bool
	cmd := c.serverCommand("login [USER]", "Log in to a control bus", func(inv *invocation, args []string) error {
		switch {
		case len(args) > 0 && byBrowser:
			return usageErrorf("give a user or --browser, not both: with --browser the login provider says who you are")
		case len(args) > 0:
			return inv.logIn(func(bare *client.Client) (user, token string, err error) {
				return inv.logInByPassword(bare, args[0], fromInput)
			})
		case fromInput:
			return usageErrorf("--password-stdin requires a user")
		}
		return inv.logIn(inv.logInByBrowser)
	})
	cmd.Long = `Logs in and saves the token in the context, in a file that other users cannot read; later commands send it. The token is valid for 30 minutes. A
key is valid until it is revoked: ` + "`jobstreamer key create USER --save`" + `. The context is the selected one, the one of --context, or the one for the
control bus of --server, which is added if it does not exist.

The command asks for the password without showing it; programs pass it on standard input with --password-stdin.

Without a user, or with --browser, the login is at the login provider of the control bus (OpenID Connect): the command prints a URL, opens it if there is a
terminal, and waits until a browser on this machine comes back from the provider.`
	cmd.Example = `  jobstreamer login ann
  jobstreamer login ann --server https://jobs.example.com
  jobstreamer login --browser --server https://jobs.example.com
  pass jobs/ann | jobstreamer login ann --context prod --password-stdin`
	passwordFlag(cmd, &fromInput)
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.BoolVar(&byBrowser, "browser", false, "log in with a browser at the login provider of the control bus")
	})
	c.serverFlags(cmd)
	return cmd
}

// tokenContext is the context that stores a token.
type tokenContext struct {
	context string
	savedContext
	isNew bool
}

// tokenContext returns the context for the control bus of the command, or a new
// one.
func (inv *invocation) tokenContext() (tokenContext, error) {
	all := contexts{inv.Dir}
	server, name := inv.namedServer()
	if name != "" && server != "" {
		is, err := all.loadContext(name)
		if err == nil && !sameServer(is.Server, server) {
			err = usageErrorf("--server %s is not the server of the context %s; use only one of the two", shownURL(server), name)
		}
		return tokenContext{name, is, false}, err
	}
	if name == "" && server == "" {
		name = all.selectedName()
	}
	server = cmp.Or(server, client.DefaultURL)
	if name == "" {
		name = all.nameForServer(server)
	}
	if name != "" {
		is, err := all.loadContext(name)
		return tokenContext{name, is, false}, err
	}
	name, err := all.unusedName(server)
	if err != nil {
		return tokenContext{}, err
	}
	ca, err := absolutePath(inv.flagOrEnv(inv.serverCA, "SERVER_CA"))
	return tokenContext{name, savedContext{Server: server, ServerCA: ca}, true}, err
}

// absolutePath returns the path of a file that a context names: a command may
// run in another folder than the one that saved it.
func absolutePath(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	return filepath.Abs(file)
}

// nameForServer returns the name of a context for a control bus, preferably the
// selected one, or "" if there is none.
func (c contexts) nameForServer(server string) string {
	names, _ := c.listNames()
	for _, name := range append([]string{c.selectedName()}, names...) {
		if is, err := c.loadContext(name); name != "" && err == nil && sameServer(is.Server, server) {
			return name
		}
	}
	return ""
}

func sameServer(a, b string) bool { return strings.TrimRight(a, "/") == strings.TrimRight(b, "/") }

// unusedName returns a name for a new context, derived from the host.
func (c contexts) unusedName(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" && u.Scheme != "unix" {
		return "", usageErrorf("--server %s: want a URL such as http://host:45102", shownURL(server))
	}
	host := u.Host
	if u.Scheme == "unix" {
		host = "unix-" + filepath.Base(u.Path)
	}
	base := strings.Trim(strings.NewReplacer(":", "-", "[", "", "]", "").Replace(host), "-.")
	for n := 1; ; n++ {
		name := base
		if n > 1 {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		if err := checkContextName(name); err != nil {
			return "", err
		}
		if _, err := c.loadContext(name); errors.Is(err, errNoContext) {
			return name, nil
		}
	}
}

// saveToken saves a token or key in a context.
func (inv *invocation) saveToken(a tokenContext, token string) error {
	all := contexts{inv.Dir}
	a.Token = token
	if err := all.saveContext(a.context, a.savedContext); err != nil {
		return err
	}
	if all.selectedName() == "" {
		if err := all.selectContext(a.context); err != nil {
			return err
		}
	}
	if token != "" && inv.Env["JOBSTREAMER_TOKEN"] != "" {
		fmt.Fprintln(inv.Err, "JOBSTREAMER_TOKEN is set: commands send its value, not the saved one.")
	}
	return nil
}

// logIn calls ask, which returns the user and the token, and saves the token.
func (inv *invocation) logIn(ask func(bare *client.Client) (user, token string, err error)) error {
	a, err := inv.tokenContext()
	if err != nil {
		return err
	}
	bare, err := inv.newClient(savedContext{Server: a.Server, ServerCA: a.ServerCA})
	if err != nil {
		return UsageError{err}
	}
	defer bare.Close()
	switch _, err := bare.Account(inv.ctx); {
	case err == nil:
		fmt.Fprintf(inv.Out, "The control bus at %s requires no login; nothing was saved.\n", inv.url)
		return nil
	case client.Code(err) != "login_required":
		return err
	}
	inv.warnOfPlainText(a.Server)
	user, token, err := ask(bare)
	if err != nil {
		return err
	}
	if err := inv.saveToken(a, token); err != nil {
		return err
	}
	fmt.Fprintf(inv.Out, "%s is logged in at %s for 30 minutes; the token is saved in the context %s.\n", user, inv.url, a.context)
	return nil
}

// logInByPassword asks for a password.
func (inv *invocation) logInByPassword(bare *client.Client, user string, fromInput bool) (_, token string, err error) {
	password, err := inv.readPassword(user, fromInput, false)
	if err != nil {
		return "", "", err
	}
	token, err = bare.Login(inv.ctx, user, password)
	return user, token, err
}

// warnOfPlainText warns that others on the network can read the password.
func (inv *invocation) warnOfPlainText(server string) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" || u.Hostname() == "localhost" {
		return
	}
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsLoopback() {
		return
	}
	fmt.Fprintf(inv.Err, "%s passwords and tokens are sent to %s without encryption; use https\n", inv.pageTo(inv.Err, inv.Err).inColor(yellow, "warning:"), u.Host)
}

func (c *CLI) logoutCommand() *cobra.Command {
	cmd := c.serverCommand("logout", "Log out and delete the saved token", func(inv *invocation, _ []string) error {
		a, err := inv.tokenContext()
		if err != nil {
			return err
		}
		if a.Token == "" {
			return fmt.Errorf("the context %s has no token", a.context)
		}
		own, err := inv.newClient(a.savedContext)
		if err != nil {
			return err
		}
		defer own.Close()
		ended := own.Logout(inv.ctx)
		if err := inv.saveToken(a, ""); err != nil {
			return err
		}
		if ended != nil {
			fmt.Fprintf(inv.Err, "The saved token was deleted, but the control bus did not end it: it can stay valid until 30 minutes after the login.\n")
			return ended
		}
		text := "The token of the context %s was invalidated and deleted.\n"
		if strings.HasPrefix(a.Token, keyMark) {
			text = "The key of the context %s was deleted here. It stays valid until it is revoked with `jobstreamer key revoke USER`.\n"
		}
		fmt.Fprintf(inv.Out, text, a.context)
		return nil
	})
	c.serverFlags(cmd)
	return cmd
}

// keyMark is the beginning of every key.
const keyMark = "js_"

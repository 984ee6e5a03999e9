package cli

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
)

// Logins are the commands for users, and for who one is.
func (c *CLI) Logins() []*cobra.Command {
	return []*cobra.Command{c.loginCommand(), c.logoutCommand(), c.userCommand(), c.keyCommand()}
}

func (c *CLI) loginCommand() *cobra.Command {
	var fromInput bool
	cmd := c.serverCommand("login USER", "Log in to a control bus that asks for it", func(s *session, args []string) error {
		return s.logIn(args[0], fromInput)
	})
	cmd.Long = `Logs in, and keeps the token in the context, in a file that nobody else may read: other commands send it then. It is good for 30 minutes; a
key is until it is revoked: ` + "`jobstreamer key create USER --save`" + `. The context is the selected one, that of --context, or that of the control bus that
--server names, which is added if there is none.

The password is asked for, and not shown; programs give it on standard input with --password-stdin.`
	cmd.Example = `  jobstreamer login ann
  jobstreamer login ann --server https://jobs.example.com
  pass jobs/ann | jobstreamer login ann --context prod --password-stdin`
	passwordFlag(cmd, &fromInput)
	c.serverFlags(cmd)
	return cmd
}

// tokenContext is where a token is kept.
type tokenContext struct {
	context string
	savedContext
	isNew bool
}

// tokenContext finds the context for the control bus that is spoken with, or
// makes one up.
func (s *session) tokenContext() (tokenContext, error) {
	all := contexts{s.Dir}
	server, name := s.namedServer()
	if name != "" && server != "" {
		is, err := all.loadContext(name)
		if err == nil && !sameServer(is.Server, server) {
			err = usageErrorf("--server %s is not that of the context %s: want one of the two", shownURL(server), name)
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
	return tokenContext{name, savedContext{Server: server}, true}, err
}

// nameForServer is the name of a context for a control bus, the selected one
// before others; empty if there is none.
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

// unusedName is a name for a new context, after the host.
func (c contexts) unusedName(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return "", usageErrorf("--server %s: want a URL such as http://host:45102", shownURL(server))
	}
	base := strings.Trim(strings.NewReplacer(":", "-", "[", "", "]", "").Replace(u.Host), "-.")
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

// saveToken saves a token or key where other commands find it.
func (s *session) saveToken(a tokenContext, token string) error {
	all := contexts{s.Dir}
	a.Token = token
	if err := all.saveContext(a.context, a.savedContext); err != nil {
		return err
	}
	if all.selectedName() == "" {
		if err := all.selectContext(a.context); err != nil {
			return err
		}
	}
	if token != "" && s.Env["JOBSTREAMER_TOKEN"] != "" {
		fmt.Fprintln(s.Err, "JOBSTREAMER_TOKEN is set: commands send that one, not what was saved.")
	}
	return nil
}

func (s *session) logIn(user string, fromInput bool) error {
	a, err := s.tokenContext()
	if err != nil {
		return err
	}
	bare, err := s.newClient(a.Server, "")
	if err != nil {
		return UsageError{err}
	}
	defer bare.Close()
	switch _, err := bare.Account(s.ctx); {
	case err == nil:
		fmt.Fprintf(s.Out, "The control bus at %s asks for no login; nothing was saved.\n", s.url)
		return nil
	case client.Code(err) != "login_required":
		return err
	}
	s.warnOfPlainText(a.Server)
	password, err := s.readPassword(user, fromInput, false)
	if err != nil {
		return err
	}
	token, err := bare.Login(s.ctx, user, password)
	if err != nil {
		return err
	}
	if err := s.saveToken(a, token); err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "%s is logged in at %s for 30 minutes; the context %s has the token.\n", user, s.url, a.context)
	return nil
}

// warnOfPlainText says that others on the network can read a password.
func (s *session) warnOfPlainText(server string) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" || u.Hostname() == "localhost" {
		return
	}
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsLoopback() {
		return
	}
	fmt.Fprintf(s.Err, "%s the password goes to %s without encryption; https would have it\n", s.pageTo(s.Err, s.Err).inColor(yellow, "warning:"), u.Host)
}

func (c *CLI) logoutCommand() *cobra.Command {
	cmd := c.serverCommand("logout", "End a login, and forget its token", func(s *session, _ []string) error {
		a, err := s.tokenContext()
		if err != nil {
			return err
		}
		if a.Token == "" {
			return fmt.Errorf("the context %s has no token", a.context)
		}
		own, err := s.newClient(a.Server, a.Token)
		if err != nil {
			return err
		}
		defer own.Close()
		ended := own.Logout(s.ctx)
		if err := s.saveToken(a, ""); err != nil {
			return err
		}
		if ended != nil {
			fmt.Fprintf(s.Err, "The token was forgotten here, but not ended there: it may be good for 30 minutes after its login.\n")
			return ended
		}
		text := "The token of the context %s was ended and forgotten.\n"
		if strings.HasPrefix(a.Token, keyMark) {
			text = "The key of the context %s was forgotten. It is good until it is revoked: `jobstreamer key revoke USER`.\n"
		}
		fmt.Fprintf(s.Out, text, a.context)
		return nil
	})
	c.serverFlags(cmd)
	return cmd
}

// keyMark begins every key.
const keyMark = "js_"

func (c *CLI) keyCommand() *cobra.Command {
	return groupCommand("key", "Keys: how programs log in",
		`A key lets a program in as a user, until the keys of the user are revoked. A user may make keys for themselves, an admin for everybody. They are shown
once, when they are made.`,
		c.keyCreate(), c.keyRevoke())
}

func (c *CLI) keyCreate() *cobra.Command {
	var keep bool
	cmd := c.serverCommand("create USER", "Make a key for programs, and print it, this once", func(s *session, args []string) error {
		key, err := s.client.NewKey(s.ctx, args[0])
		if err != nil {
			return err
		}
		if !keep {
			fmt.Fprintf(s.Err, "This is the only time that the key of %s is shown.\n", args[0])
			fmt.Fprintln(s.Out, key)
			return nil
		}
		a, err := s.tokenContext()
		if err == nil {
			err = s.saveToken(a, key)
		}
		if err != nil { // it must not be lost
			fmt.Fprintln(s.Out, key)
			return err
		}
		fmt.Fprintf(s.Out, "The context %s has a key of %s now.\n", a.context, args[0])
		return nil
	})
	cmd.Example = `  jobstreamer key create ci > key
  JOBSTREAMER_TOKEN=$(cat key) jobstreamer job list
  jobstreamer key create ann --save`
	help.Section(cmd.Flags(), "What", func(f *pflag.FlagSet) {
		f.BoolVar(&keep, "save", false, "keep it in the context in place of the token, and do not print it")
	})
	c.serverFlags(cmd)
	return cmd
}

func (c *CLI) keyRevoke() *cobra.Command {
	var sure bool
	cmd := c.serverCommand("revoke USER", "Make all keys of a user useless", func(s *session, args []string) error {
		if err := s.confirm(sure, "Revoke all keys of "+args[0]+"?"); err != nil {
			return err
		}
		if err := s.client.RevokeKeys(s.ctx, args[0]); err != nil {
			return err
		}
		s.printDone("The keys of %s are useless now.\n", args[0])
		return nil
	})
	yesFlag(cmd, &sure)
	c.serverFlags(cmd)
	return cmd
}

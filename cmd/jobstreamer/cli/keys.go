package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

func (c *CLI) keyCommand() *cobra.Command {
	return groupCommand("key", "Manage keys, with which programs log in",
		`A key lets a program log in as a user until the key expires or is revoked. Users can create keys for themselves, admins for everyone. A key is shown only
once, when it is created. It can be limited to applications, to a role and to a time; it never allows more than its user may do.`,
		c.keyList(), c.keyCreate(), c.keyRevoke())
}

func (c *CLI) keyList() *cobra.Command {
	cmd := c.serverCommand("list [USER]", "List the keys of a user, by default your own", func(inv *invocation, args []string) error {
		if len(args) == 0 {
			me, err := inv.client.Account(inv.ctx)
			if err != nil {
				return err
			}
			args = []string{me.ID}
		}
		return showList(inv, func(c *client.Client, p client.Page) (rest.List[rest.KeyInfo], error) {
			return c.Keys(inv.ctx, args[0], p)
		}, drawKeys)
	})
	c.pageFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func drawKeys(p *page, list rest.List[rest.KeyInfo]) {
	t := newTable("KEY", "APPLICATIONS", "ROLE", "CREATED", "EXPIRES")
	for i := range list.Results {
		k := &list.Results[i]
		apps, role, expires := "all", "the user's", any("never")
		if len(k.Apps) > 0 {
			apps = strings.Join(k.Apps, ",")
		}
		if k.Role != "" {
			role = "at most " + k.Role
		}
		if !k.ExpireTime.IsZero() {
			expires = p.timeCell(k.ExpireTime)
		}
		t.addRow(k.Name, apps, role, p.timeCell(k.CreateTime), expires)
	}
	drawList(p, t, list, "No keys.")
}

func (c *CLI) keyCreate() *cobra.Command {
	var keep bool
	var ttl time.Duration
	var want rest.NewKey
	cmd := c.serverCommand("create USER", "Create a key for a program and print it, only this once", func(inv *invocation, args []string) error {
		if ttl < 0 || ttl > 0 && ttl < time.Second {
			return usageErrorf("--ttl %s: want at least 1s, or 0 for a key that does not expire", ttl)
		}
		if want.Role != "" && !slices.Contains(roles, want.Role) {
			return usageErrorf("--role %q: want %s", want.Role, strings.Join(roles, ", "))
		}
		want.TTL = int64(ttl / time.Second)
		return inv.createKey(args[0], want, keep)
	})
	cmd.Long = `Creates a key for a program and prints it, only this once. Without limits the key allows what its user may do. In each application the lower one counts of
--role and the role that the user has when the key is used. A key with limits cannot create keys, or change users and tokens of agents.`
	cmd.Example = `  jobstreamer key create ci > key
  JOBSTREAMER_TOKEN=$(cat key) jobstreamer job list
  jobstreamer key create robot --name nightly --apps billing --role operator --ttl 720h
  jobstreamer key create ann --save`
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.StringVar(&want.Name, "name", "", "`NAME` name by which the key can be revoked (default: one derived from the key)")
		f.StringSliceVar(&want.Apps, "apps", nil, "`NAMES` applications in which the key is valid (default: all)")
		f.StringVar(&want.Role, "role", "", "`ROLE` highest role that the key gives: admin, operator or watcher (default: the user's)")
		f.DurationVar(&ttl, "ttl", 0, "`DURATION` time after which the key expires, such as 720h; 0 means never")
		f.BoolVar(&keep, "save", false, "save the key in the context, in place of the token, instead of printing it")
	})
	completeFlag(cmd, "role", cobra.FixedCompletions(roles, cobra.ShellCompDirectiveNoFileComp))
	c.serverFlags(cmd)
	return cmd
}

func (inv *invocation) createKey(user string, limits rest.NewKey, keep bool) error {
	made, err := inv.client.NewKey(inv.ctx, user, limits)
	if err != nil {
		return err
	}
	if !keep {
		fmt.Fprintf(inv.Err, "This is the only time that the key %s of %s is shown.\n", made.Name, user)
		fmt.Fprintln(inv.Out, made.Key)
		return nil
	}
	a, err := inv.tokenContext()
	if err == nil {
		err = inv.saveToken(a, made.Key)
	}
	if err != nil { // the key must not be lost
		fmt.Fprintln(inv.Out, made.Key)
		return err
	}
	fmt.Fprintf(inv.Out, "The key %s of %s was saved in the context %s.\n", made.Name, user, a.context)
	return nil
}

func (c *CLI) keyRevoke() *cobra.Command {
	var sure bool
	cmd := c.serverCommand("revoke USER [KEY]", "Revoke a key of a user, or all of them", func(inv *invocation, args []string) error {
		if len(args) == 2 {
			return inv.revokeKey(args[0], args[1], sure)
		}
		if err := inv.confirm(sure, "Revoke all keys of "+args[0]+"?"); err != nil {
			return err
		}
		if err := inv.client.RevokeKeys(inv.ctx, args[0]); err != nil {
			return err
		}
		inv.printDone("All keys of %s were revoked.\n", args[0])
		return nil
	})
	cmd.Example = `  jobstreamer key list robot
  jobstreamer key revoke robot nightly
  jobstreamer key revoke robot`
	yesFlag(cmd, &sure)
	c.serverFlags(cmd)
	return cmd
}

func (inv *invocation) revokeKey(user, name string, sure bool) error {
	if err := inv.confirm(sure, "Revoke the key "+name+" of "+user+"?"); err != nil {
		return err
	}
	if err := inv.client.RevokeKey(inv.ctx, user, name); err != nil {
		return err
	}
	inv.printDone("The key %s of %s was revoked.\n", name, user)
	return nil
}

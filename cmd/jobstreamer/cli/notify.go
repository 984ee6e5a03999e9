package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

func (c *CLI) notifyCommand() *cobra.Command {
	return groupCommand("notify", "Test the senders of notifications, and see what was not sent",
		`A notification of a job names its type: the name of a sender of the control bus (--senders), or any other word for its notificator.`,
		c.notifyList(), c.notifyTest(), c.notifyDead())
}

func (c *CLI) notifyList() *cobra.Command {
	cmd := c.serverCommand("list", "List the senders of the control bus", func(inv *invocation, _ []string) error {
		return showAnswer(inv, func(c *client.Client) (rest.Senders, error) { return c.Senders(inv.ctx) }, drawSenders)
	})
	c.showFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func drawSenders(p *page, all rest.Senders) {
	if len(all.Results) == 0 {
		fmt.Fprintln(p, "No senders: the control bus was started without --senders and --notificator-url.")
		return
	}
	t := newTable("TYPE", "KIND")
	for _, s := range all.Results {
		name := "(any other)"
		if s.Name != nil {
			name = *s.Name
		}
		t.addRow(name, s.Kind)
	}
	p.writeTable(t)
}

func (c *CLI) notifyTest() *cobra.Command {
	var types []string
	cmd := c.serverCommand("test", "Send a test notification, and print what happened", func(inv *invocation, _ []string) error {
		return inv.testNotifications(types)
	})
	cmd.Long = `Sends a test notification once, without retries, and prints what happened. Without --type it tests each sender of the control bus, but not its
notificator. Only admins may do this. The exit status is 1 if a notification was not sent.`
	cmd.Example = `  jobstreamer notify test
  jobstreamer notify test --type mail:ann@example.com`
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.StringArrayVar(&types, "type", nil, "`TYPE` type of the notification: the name of a sender, for a sender of mail maybe with :RECIPIENT; can be repeated")
	})
	c.quietFlag(cmd)
	c.serverFlags(cmd)
	return cmd
}

// testNotifications tests the types, or all senders if there are none. It goes
// on after a failure.
func (inv *invocation) testNotifications(types []string) error {
	if len(types) == 0 {
		all, err := inv.client.Senders(inv.ctx)
		if err != nil {
			return err
		}
		for _, s := range all.Results {
			if s.Name != nil {
				types = append(types, *s.Name)
			}
		}
		if len(types) == 0 {
			return errors.New("the control bus has no senders to test (--senders); to test its notificator, give a --type")
		}
	}
	failed := false
	for _, kind := range types {
		is, err := inv.client.TestNotification(inv.ctx, kind)
		if err != nil {
			return err
		}
		if !is.Sent {
			failed = true
			fmt.Fprintf(inv.Err, "%s: not sent by %s to %s: %s\n", printable(kind), is.Kind, printable(is.Host), printable(is.Reason))
		} else if inv.printsTables() {
			fmt.Fprintf(inv.Out, "%s: sent by %s to %s in %d ms\n", printable(kind), is.Kind, printable(is.Host), is.Duration)
		}
	}
	if failed {
		return ErrPrinted
	}
	return nil
}

func (c *CLI) notifyDead() *cobra.Command {
	var limit int
	cmd := c.serverCommand("dead", "List the notifications that were not sent, newest first", func(inv *invocation, _ []string) error {
		if limit < 1 || limit > 1000 {
			return usageErrorf("--limit %d: want a number from 1 to 1000", limit)
		}
		return showAnswer(inv, func(c *client.Client) (rest.DeadNotifications, error) {
			return c.DeadNotifications(inv.ctx, limit)
		}, drawDeadNotifications)
	})
	cmd.Long = `Lists the notifications that were not sent, newest first: those that the receiver refused, or that failed ten times. The control bus keeps them for 30 days.`
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.IntVarP(&limit, "limit", "n", 20, "`NUMBER` maximum number of entries, up to 1000")
	})
	c.showFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func drawDeadNotifications(p *page, all rest.DeadNotifications) {
	if len(all.Results) == 0 {
		fmt.Fprintln(p, "No notification is dead.")
		return
	}
	t := newTable("TIME", "TYPE", ">TRIES", "NOTIFICATION", "REASON")
	for i := range all.Results {
		d := &all.Results[i]
		t.addRow(p.timeCell(d.DeadTime), d.Type, d.Attempts, d.Text, d.Reason)
	}
	p.writeTable(t)
}

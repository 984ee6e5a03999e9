package cli

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

func (c *CLI) notifyCommand() *cobra.Command {
	return groupCommand("notify", "Test the senders of notifications, and see and resend what was not sent",
		`A notification of a job names its type: the name of a sender of the control bus (--senders), or any other word for its notificator.`,
		c.notifyList(), c.notifyTest(), c.notifyDead(), c.notifyResend())
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
	cmd.Long = `Lists the notifications that were not sent, newest first: those that the receiver refused, or that failed ten times. The control bus keeps them for 30 days,
and resend sends them again by their numbers.`
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
	t := newTable(">NUMBER", "TIME", "TYPE", ">TRIES", "NOTIFICATION", "REASON")
	for i := range all.Results {
		d := &all.Results[i]
		t.addRow(d.Number, p.timeCell(d.DeadTime), d.Type, d.Attempts, d.Text, d.Reason)
	}
	p.writeTable(t)
}

func (c *CLI) notifyResend() *cobra.Command {
	all := false
	cmd := c.serverCommand("resend [NUMBER...]", "Send notifications again that were not sent", func(inv *invocation, args []string) error {
		return inv.resendNotifications(args, all)
	})
	cmd.Long = `Queues notifications again that were not sent, by their numbers in the output of dead. They are new ones for the control bus, with ten attempts, and
leave the list of dead ones. Only admins may do this. The exit status is 1 if a notification was refused; it stays in the list.`
	cmd.Example = `  jobstreamer notify resend 17 18
  jobstreamer notify resend --all`
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.BoolVar(&all, "all", false, "send all again, at most the newest 1000")
	})
	c.quietFlag(cmd)
	c.serverFlags(cmd)
	return cmd
}

// resendNotifications sends the dead notifications with the numbers again, or
// all.
func (inv *invocation) resendNotifications(args []string, all bool) error {
	sent := rest.NewResend{All: all}
	switch {
	case all && len(args) > 0:
		return usageErrorf("--all: want no numbers beside it")
	case !all && (len(args) == 0 || len(args) > 1000):
		return usageErrorf("want 1 to 1000 numbers of dead notifications, or --all")
	}
	for _, arg := range args {
		number, err := strconv.ParseInt(arg, 10, 64)
		if err != nil || number < 1 {
			return usageErrorf("%s: want the number of a dead notification, as 17", printable(arg))
		}
		sent.Numbers = append(sent.Numbers, number)
	}
	is, err := inv.client.ResendNotifications(inv.ctx, sent)
	if err != nil {
		return err
	}
	for _, r := range is.Refused {
		fmt.Fprintf(inv.Err, "%d: not queued: %s\n", r.Number, printable(r.Reason))
	}
	if inv.printsTables() {
		fmt.Fprintf(inv.Out, "%s queued again.\n", countText(is.Queued, "notification", "notifications"))
		if is.More {
			fmt.Fprintln(inv.Out, "There are older ones, which were left alone.")
		}
	}
	if len(is.Refused) > 0 {
		return ErrPrinted
	}
	return nil
}

package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

func (c *CLI) agentTokenCommand() *cobra.Command {
	return groupCommand("agent-token", "Manage the tokens with which agents connect",
		`An agent connects to NATS with a token. It allows the agent to run jobs of its applications, and nothing else.`,
		c.agentTokenList(), c.agentTokenCreate(), c.agentTokenRevoke())
}

func (c *CLI) agentTokenList() *cobra.Command {
	cmd := c.serverCommand("list", "List the tokens of agents", func(inv *invocation, _ []string) error {
		return showList(inv, func(c *client.Client, p client.Page) (rest.List[rest.AgentToken], error) {
			return c.AgentTokens(inv.ctx, p)
		}, drawAgentTokens)
	})
	c.pageFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func drawAgentTokens(p *page, list rest.List[rest.AgentToken]) {
	t := newTable("AGENT", "APPLICATIONS", "POOLS", "CREATED", "BY", "EXPIRES")
	for _, token := range list.Results {
		pools, expires := "all", any("never")
		if len(token.Pools) > 0 {
			pools = strings.Join(token.Pools, ",")
		}
		if !token.ExpireTime.IsZero() {
			expires = p.timeCell(token.ExpireTime)
		}
		t.addRow(token.Name, strings.Join(token.Apps, ","), pools, p.timeCell(token.CreateTime), creatorOf(&token), expires)
	}
	drawList(p, t, list, "No tokens.")
}

// creatorOf says who made a token.
func creatorOf(t *rest.AgentToken) string {
	switch {
	case t.CreatedBy != "":
		return t.CreatedBy
	case t.PublicKey != "":
		return "join token"
	}
	return "no login"
}

func (c *CLI) agentTokenCreate() *cobra.Command {
	var want rest.NewAgentToken
	var ttl time.Duration
	var file string
	cmd := c.serverCommand("create AGENT", "Create a token for an agent", func(inv *invocation, args []string) error {
		want.Name, want.TTL = args[0], int64(ttl/time.Second)
		if ttl < 0 || ttl > 0 && ttl < time.Second {
			return usageErrorf("--ttl %s: want at least 1s, or 0 for a token that does not expire", ttl)
		}
		return inv.createAgentToken(want, file)
	})
	cmd.Long = `Creates a token for an agent and writes its credentials into a file that other users cannot read. The agent connects with
` + "`jobstreamer agent --nats-creds FILE`" + `.`
	cmd.Example = `  jobstreamer agent-token create a1 --apps default,billing -o a1.creds
  jobstreamer agent --name a1 --apps default,billing --nats-creds a1.creds`
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.StringSliceVar(&want.Apps, "apps", []string{defaultApp}, "`NAMES` applications whose jobs the agent may run")
		f.StringSliceVar(&want.Pools, "pools", nil, "`NAMES` pools whose jobs the agent may run (default: all)")
		f.DurationVar(&ttl, "ttl", 0, "`DURATION` time after which the credentials expire, such as 720h; 0 means never")
		f.StringVarP(&file, "output", "o", "", "`FILE` new file for the credentials (default: AGENT.creds)")
	})
	c.serverFlags(cmd)
	return cmd
}

// createAgentToken opens the file first: credentials that cannot be written
// would be lost.
func (inv *invocation) createAgentToken(want rest.NewAgentToken, file string) (err error) {
	if file == "" {
		file = want.Name + ".creds"
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(file))
		}
	}()
	inv.warnOfPlainText(inv.client.URL())
	made, err := inv.client.NewAgentToken(inv.ctx, want)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(made.Credentials); err != nil {
		return fmt.Errorf("write the credentials: %w; revoke the token and create another one", err)
	}
	inv.printDone("The credentials of agent %s are in %s.\n", want.Name, file)
	return nil
}

func (c *CLI) agentTokenRevoke() *cobra.Command {
	var sure bool
	cmd := c.serverCommand("revoke AGENT", "Revoke the token of an agent and close its connections", func(inv *invocation, args []string) error {
		if err := inv.confirm(sure, "Revoke the token of agent "+args[0]+"? Its running jobs will be lost."); err != nil {
			return err
		}
		if err := inv.client.RevokeAgentToken(inv.ctx, args[0]); err != nil {
			return err
		}
		inv.printDone("The token of agent %s was revoked.\n", args[0])
		return nil
	})
	yesFlag(cmd, &sure)
	c.serverFlags(cmd)
	return cmd
}

package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/bus/accounts"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
)

// newNATSConfig returns the command that prints how a NATS elsewhere keeps
// agents apart.
func newNATSConfig(p *program) *cobra.Command {
	var dir, store string
	cmd := &cobra.Command{
		Use: "nats-config", GroupID: groupSet, Short: "Print the accounts for the configuration of an external NATS",
		Long: `Prints the part of a nats-server configuration that gives the control bus and each agent an account of its own. It is the same for
all servers of a cluster. The first call makes the keys and stores them in --nats-keys, which only control buses need.`,
		Example: `  jobstreamer nats-config --nats-keys /etc/jobstreamer/keys --store /var/lib/nats/accounts > /etc/nats/accounts.conf
  jobstreamer serve --nats-url nats://n1:4222 --nats-keys /etc/jobstreamer/keys`,
		RunE: func(*cobra.Command, []string) error {
			if dir == "" {
				return usageError{fmt.Errorf("--nats-keys: want a directory")}
			}
			keys, err := accounts.OpenKeys(dir)
			if err != nil {
				return err
			}
			text, err := keys.ServerConfig(store)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(p.out, text)
			return err
		},
	}
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.StringVar(&dir, "nats-keys", "", "`DIR` directory for the keys; control buses need it too")
		f.StringVar(&store, "store", "./accounts", "`DIR` directory in which the nats-server stores the accounts")
	})
	return cmd
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/bus/accounts"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
)

// natsContext is a context file of the nats command.
type natsContext struct {
	Description string `json:"description"`
	URL         string `json:"url"`
	Creds       string `json:"creds"`
}

// newNATSContext returns the command that lets people look at the bus with the
// nats command.
func newNATSContext(p *program) *cobra.Command {
	var data, url, name string
	var full, choose bool
	cmd := &cobra.Command{
		Use: "nats-context", GroupID: groupSet, Short: "Write a context for the nats command",
		Long: `Writes a context with which the nats command connects to the NATS of a control bus on this machine. It may watch all
messages of JobStreamer and read the state of streams and consumers. With --full it may do everything that the control bus
may do.`,
		Example: `  jobstreamer nats-context --select
  nats sub 'jobstreamer.>'`,
		RunE: func(*cobra.Command, []string) error { return p.writeNATSContext(data, url, name, full, choose) },
	}
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.StringVar(&data, "data", defaultData(p.env), "`DIR` data directory of the control bus")
		f.StringVar(&url, "nats-url", "nats://127.0.0.1:4222", "`URL` address of NATS")
		f.StringVar(&name, "name", "jobstreamer", "`NAME` name of the context")
		f.BoolVar(&full, "full", false, "allow everything, such as changing and deleting streams")
		f.BoolVar(&choose, "select", false, "make it the context that the nats command uses by default")
	})
	return cmd
}

func (p *program) writeNATSContext(data, url, name string, full, choose bool) error {
	if name != filepath.Base(name) || name == "." {
		return usageError{fmt.Errorf("--name %s: want a name without separators", name)}
	}
	keys, err := accounts.ReadKeys(data)
	if errors.Is(err, os.ErrNotExist) {
		return usageError{fmt.Errorf("--data %s: no control bus with --agent-accounts has run there", data)}
	}
	if err != nil {
		return err
	}
	credentials, err := keys.LookCredentials(full)
	if err != nil {
		return err
	}
	dir := filepath.Join(configHome(p.env), "nats")
	creds := filepath.Join(dir, name+".creds")
	text, err := json.MarshalIndent(natsContext{"control bus in " + data, url, creds}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "context"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(creds, credentials, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "context", name+".json"), text, 0o600); err != nil {
		return err
	}
	if !choose {
		fmt.Fprintf(p.out, "The context %s was written. Use it with `nats --context %[1]s sub 'jobstreamer.>'`.\n", name)
		return nil
	}
	if err := os.WriteFile(filepath.Join(dir, "context.txt"), []byte(name), 0o600); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "The nats command uses the context %s now, as in `nats sub 'jobstreamer.>'`.\n", name)
	return nil
}

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
	CA          string `json:"ca,omitempty"`
	Cert        string `json:"cert,omitempty"`
	Key         string `json:"key,omitempty"`
}

// newNATSContext returns the command that lets people look at the bus with the
// nats command.
func newNATSContext(p *program) *cobra.Command {
	var data, name string
	var is natsContext
	var full, choose bool
	cmd := &cobra.Command{
		Use: "nats-context", GroupID: groupSet, Short: "Write a context for the nats command",
		Long: `Writes a context with which the nats command connects to the NATS of a control bus on this machine. It may watch all
messages of JobStreamer and read the state of streams and consumers. With --full it may do everything that the control bus
may do.`,
		Example: `  jobstreamer nats-context --select
  nats sub 'jobstreamer.>'`,
		RunE: func(*cobra.Command, []string) error { return p.writeNATSContext(data, name, is, full, choose) },
	}
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.StringVar(&data, "data", defaultData(p.env), "`DIR` data directory of the control bus; for an external NATS, the directory of --nats-keys")
		f.StringVar(&is.URL, "nats-url", "nats://127.0.0.1:4222", "`URL` address of NATS")
		f.StringVar(&is.CA, "nats-ca", "", "`FILE` PEM file with the authorities that sign the certificate of NATS")
		f.StringVar(&is.Cert, "nats-cert", "", "`FILE` PEM file with a certificate for the nats command")
		f.StringVar(&is.Key, "nats-key", "", "`FILE` PEM file with the private key of --nats-cert")
		f.StringVar(&name, "name", "jobstreamer", "`NAME` name of the context")
		f.BoolVar(&full, "full", false, "allow everything, such as changing and deleting streams")
		f.BoolVar(&choose, "select", false, "make it the context that the nats command uses by default")
	})
	return cmd
}

func (p *program) writeNATSContext(data, name string, is natsContext, full, choose bool) error {
	if name != filepath.Base(name) || name == "." {
		return usageError{fmt.Errorf("--name %s: want a name without separators", name)}
	}
	if err := is.checkFiles(); err != nil {
		return err
	}
	keys, err := accounts.ReadKeys(data)
	if errors.Is(err, os.ErrNotExist) {
		return usageError{fmt.Errorf("--data %s: no control bus has made keys there: start it first, or name its data directory, or the directory of --nats-keys", data)}
	}
	if err != nil {
		return err
	}
	credentials, err := keys.LookCredentials(full)
	if err != nil {
		return err
	}
	dir := natsConfigDir(p.env)
	if dir == "" {
		return usageError{errors.New("HOME: want a home directory, or XDG_CONFIG_HOME, for the context")}
	}
	is.Description, is.Creds = "control bus in "+data, filepath.Join(dir, name+".creds")
	text, err := json.MarshalIndent(is, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "context"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(is.Creds, credentials, 0o600); err != nil {
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

// checkFiles makes the paths of the files absolute, and returns a usage error
// for one that cannot be read or lacks its other half.
func (c *natsContext) checkFiles() error {
	if (c.Cert == "") != (c.Key == "") {
		return usageError{errors.New("--nats-cert and --nats-key must be set together")}
	}
	for flag, file := range map[string]*string{"nats-ca": &c.CA, "nats-cert": &c.Cert, "nats-key": &c.Key} {
		if *file == "" {
			continue
		}
		if err := checkReadable(flag, *file); err != nil {
			return err
		}
		path, err := filepath.Abs(*file)
		if err != nil {
			return fmt.Errorf("--%s: %w", flag, err)
		}
		*file = path
	}
	return nil
}

// natsConfigDir returns the directory in which the nats command keeps its
// contexts, or "" if the environment names no home. It is the same on every
// system.
func natsConfigDir(env map[string]string) string {
	if dir := env["XDG_CONFIG_HOME"]; dir != "" {
		return filepath.Join(dir, "nats")
	}
	return belowHome(env, ".config", "nats")
}

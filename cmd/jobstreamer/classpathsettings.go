package main

import (
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/deploy"
)

// classPathSettings define which folders the class paths of applications may
// name.
type classPathSettings struct {
	roots []string
}

func (s *classPathSettings) addFlags(f *pflag.FlagSet) {
	f.StringSliceVar(&s.roots, "classpath-root", nil, "`DIRS` folders on this machine from which everyone who may deploy can deploy jars and class folders; only admins of all applications can deploy from others")
}

// deployConfig returns cfg with these settings, and with the data directory of
// the bus, if it has one, closed to class paths.
func (s *classPathSettings) deployConfig(cfg deploy.Config, data string) deploy.Config {
	cfg.Roots = s.roots
	if data != "" {
		cfg.Closed = []string{data}
	}
	return cfg
}

package main

import (
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/deploy"
)

// classPathSettings define which folders the class paths of applications may
// name.
type classPathSettings struct {
	roots                 []string
	maxBytes, maxAppBytes int64
}

func (s *classPathSettings) addFlags(f *pflag.FlagSet) {
	f.StringSliceVar(&s.roots, "classpath-root", nil, "`DIRS` folders on this machine from which everyone who may deploy can deploy jars and class folders; only admins of all applications can deploy from others")
	f.Int64Var(&s.maxBytes, "max-jar-bytes", 10<<30, "`BYTES` maximum size of all stored jars; 0 means no limit")
	f.Int64Var(&s.maxAppBytes, "max-app-jar-bytes", 2<<30, "`BYTES` maximum size of the jars of one deployment; 0 means no limit")
	f.Lookup("max-jar-bytes").DefValue, f.Lookup("max-app-jar-bytes").DefValue = "10 GiB", "2 GiB"
}

// deployConfig returns cfg with these settings, and with the data directory of
// the bus, if it has one, closed to class paths.
func (s *classPathSettings) deployConfig(cfg deploy.Config, data string) deploy.Config {
	cfg.Roots, cfg.MaxBytes, cfg.MaxAppBytes = s.roots, s.maxBytes, s.maxAppBytes
	if data != "" {
		cfg.Closed = []string{data}
	}
	return cfg
}

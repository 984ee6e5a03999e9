package main

import (
	"fmt"
	"log/slog"

	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/bus/notify/senders"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
)

// notifySettings say where notifications go.
type notifySettings struct {
	notificator string // URL; empty: none
	senders     string // file; empty: none
}

func (s *notifySettings) addFlags(flags *pflag.FlagSet) {
	help.Section(flags, "Notifications", func(f *pflag.FlagSet) {
		f.StringVar(&s.senders, "senders", "", "`FILE` YAML file with the senders of notifications: webhooks, mail, chats; a notification names its sender by its type")
		f.StringVar(&s.notificator, "notificator-url", "", "`URL` address to which notifications of all other types are posted, each at URL/TYPE, such as http://localhost:2121")
	})
}

// loadSenders reads the senders of the file, if there is one.
func (s *notifySettings) loadSenders(log *slog.Logger) (senders.Set, error) {
	if s.senders == "" {
		return nil, nil
	}
	set, secrets, err := senders.Load(s.senders)
	if err != nil {
		return nil, usageError{fmt.Errorf("--senders: %w", err)}
	}
	for _, file := range secrets {
		warnOfReadable(log, "senders", file)
	}
	return set, nil
}

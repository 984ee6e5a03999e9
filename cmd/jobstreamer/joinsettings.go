package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/accounts"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// joinSettings say which agents may join a control bus.
type joinSettings struct {
	file  string // with the join token; empty: none may
	apps  []string
	ttl   time.Duration
	token string // from the file
}

func (s *joinSettings) addFlags(flags *pflag.FlagSet) {
	help.Section(flags, "Agents that join", func(f *pflag.FlagSet) {
		f.StringVar(&s.file, "join-token-file", "", "`FILE` file with the join token, a random secret of at least 16 characters; an agent that knows it gets credentials for NATS")
		f.StringSliceVar(&s.apps, "join-apps", nil, "`NAMES` applications for which agents may join; * stands for all")
		f.DurationVar(&s.ttl, "join-ttl", 0, "`DURATION` time after which the credentials of agents that joined expire; they renew them before; 0 means never")
	})
}

// checkFlags reads the join token, and refuses contradictory flags. keys says
// whether agents have accounts of their own.
func (s *joinSettings) checkFlags(keys bool) (err error) {
	switch {
	case s.file == "" && len(s.apps) > 0:
		return usageError{errors.New("--join-apps requires --join-token-file")}
	case s.file == "" && s.ttl != 0:
		return usageError{errors.New("--join-ttl requires --join-token-file")}
	case s.file == "":
		return nil
	case !keys:
		return usageError{errors.New("--join-token-file requires accounts of agents: leave out --agent-accounts=false and --nats-user, or set --nats-keys for an external NATS")}
	case len(s.apps) == 0:
		return usageError{errors.New("--join-token-file requires --join-apps: the applications for which agents may join, or * for all")}
	case s.ttl < 0 || s.ttl > 0 && s.ttl < time.Second:
		return usageError{fmt.Errorf("--join-ttl %s: want at least 1s, or 0 for credentials that do not expire", s.ttl)}
	}
	for _, app := range s.apps {
		if app != bus.AnyApp && !subjects.ValidName(app) {
			return usageError{fmt.Errorf("--join-apps %s: want names of applications, or *", app)}
		}
	}
	s.token, err = readJoinToken(s.file)
	return err
}

// newJoins returns the joins of the settings.
func (s *joinSettings) newJoins(tokens *accounts.Tokens, log *slog.Logger) *accounts.Joins {
	log.Info("agents may join with the join token", "apps", s.apps)
	return accounts.NewJoins(accounts.JoinConfig{Tokens: tokens, Token: s.token, Apps: s.apps, TTL: s.ttl, Log: log})
}

// readJoinToken returns the join token in a file that other users cannot read.
func readJoinToken(file string) (string, error) {
	if err := checkSecretFile("join-token-file", file); err != nil {
		return "", err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", usageError{fmt.Errorf("--join-token-file: %w", err)}
	}
	token := strings.TrimSpace(string(text))
	if len(token) < accounts.MinJoinToken || strings.ContainsAny(token, " \t\r\n") {
		return "", usageError{fmt.Errorf("--join-token-file %s: want one line with a random secret of at least %d characters", file, accounts.MinJoinToken)}
	}
	return token, nil
}

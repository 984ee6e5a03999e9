package native_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
)

// This program is an agent. It runs its own batchlets and shell commands.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	a, err := agent.New(agent.Config{
		URL:     "nats://localhost:4222",
		Options: []nats.Option{nats.UserCredentials("shop.creds")},
		Apps:    []string{"shop"},
		DataDir: "/var/lib/shop-agent",
		Runtime: native.New(native.Config{}),
	}, agent.Batchlet("shop.Import", importOrders))
	if err != nil {
		slog.Error("agent", "err", err)
		os.Exit(1)
	}
	if err := a.Run(ctx); err != nil { // until Ctrl-C
		slog.Error("agent", "err", err)
		os.Exit(1)
	}
}

// importOrders continues where it was stopped: the next attempt, or a restart,
// loads what it saved.
func importOrders(ctx context.Context, s *agent.StepContext) (string, error) {
	var at struct{ Row int }
	if _, err := s.Load(&at); err != nil {
		return "", err
	}
	file := s.Properties["file"]
	if file == "" {
		return "", errors.New("want the property file")
	}
	for ; at.Row < 1000; at.Row++ {
		if ctx.Err() != nil { // stopped: context.Cause returns why
			s.Log.Warn("stopped", "row", at.Row)
			return "", s.Save(at)
		}
		if at.Row%100 == 0 {
			if err := s.Save(at); err != nil {
				return "", err
			}
		}
	}
	return fmt.Sprintf("%d ROWS", at.Row), nil // transitions can match it
}

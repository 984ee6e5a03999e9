package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// batchlets are what every agent of this program can run without anything installed.
func batchlets() []agent.Option {
	return []agent.Option{
		agent.Batchlet("jobstreamer.Noop", noop),
		agent.Batchlet("jobstreamer.Say", say),
		agent.Batchlet("jobstreamer.Sleep", sleep),
		agent.Batchlet("jobstreamer.Fail", fail),
	}
}

// noop does nothing: what is left is what dispatching costs.
func noop(context.Context, *agent.StepContext) (string, error) { return "", nil }

// say writes the property "message" to the output.
func say(_ context.Context, s *agent.StepContext) (string, error) {
	s.Log.Info(s.Properties["message"])
	return "", nil
}

// sleep waits for the property "time", such as 2s, or until it is stopped.
func sleep(ctx context.Context, s *agent.StepContext) (string, error) {
	d, err := time.ParseDuration(s.Properties["time"])
	if err != nil {
		return "", fmt.Errorf("property time: want a duration such as 2s: %w", err)
	}
	s.Log.Info("sleeping for " + d.String())
	select {
	case <-time.After(d):
		return "", nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// fail fails with the property "message".
func fail(_ context.Context, s *agent.StepContext) (string, error) {
	return "", errors.New(s.Properties["message"])
}

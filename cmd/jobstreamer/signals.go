package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/cli"
)

// untilSignal returns a context that ends with ctx or at the first SIGINT or
// SIGTERM, when it also calls say. A second signal calls force and ends the
// process, even if the shell makes its background jobs ignore SIGINT.
func untilSignal(ctx context.Context, say, force func()) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	over := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-signals:
			cancel()
			say()
		case <-over:
			return
		}
		select {
		case <-signals:
			force()
			os.Exit(cli.ExitInterrupted)
		case <-over:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(over)
		<-ended
		cancel()
	}
}

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// untilSignal returns a context that ends with ctx or at the first SIGINT or SIGTERM; say is called then. After that signals have their
// usual effect again, so a second one ends the process at once.
func untilSignal(ctx context.Context, say func()) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() {
		stop()
		say()
	})
	return ctx, stop
}

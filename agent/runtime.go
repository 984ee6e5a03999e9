package agent

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Why the context of a body ended, by [context.Cause].
var (
	ErrStopped = errors.New("stopped on request")
	ErrDropped = errors.New("dropped: the control bus has given the attempt up")
	ErrFenced  = errors.New("fenced off: somebody else has decided about the execution")
	ErrContact = errors.New("no contact to the control bus")
	ErrLeaving = errors.New("the agent is leaving")
)

// Runtime runs jobs. Run is called for many attempts at a time.
type Runtime interface {
	// Open is called once, before any work.
	Open(Host) error
	// Run runs one attempt to its end. When ctx ends it ends the body, first
	// kindly, and after Host.Grace by force where it can; the Outcome is then
	// stopped, unless the body was done.
	Run(ctx context.Context, w *Work, r *Reporter) Outcome
	// Close is called when no attempt runs any more.
	Close() error
}

// Host is what a runtime gets to know of its agent.
type Host struct {
	DataDir   string // empty: nothing is kept
	Grace     time.Duration
	Batchlets map[string]BatchletFunc
	Log       *slog.Logger
}

// Work is one attempt of one execution, claimed.
type Work struct {
	*subjects.Request
	Agent string
	Log   *LogSink
}

// Outcome is how an attempt ended.
type Outcome struct {
	BatchStatus     subjects.BatchStatus // completed, failed or stopped
	ExitStatus      string
	Exception       string
	RestartPosition string // with stopped: where a restart begins
}

// Failure is the Outcome of what went wrong.
func Failure(err error) Outcome {
	return Outcome{BatchStatus: subjects.Failed, ExitStatus: "FAILED", Exception: err.Error()}
}

package agent

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Causes of the end of a body's context, returned by [context.Cause].
var (
	ErrStopped = errors.New("stopped on request")
	ErrDropped = errors.New("dropped: the control bus no longer accepts this attempt")
	ErrFenced  = errors.New("fenced: the control bus has already ended this attempt")
	ErrContact = errors.New("no contact with the broker")
	ErrLeaving = errors.New("the agent is leaving")
)

// Runtime runs the bodies of jobs. Run is called concurrently.
type Runtime interface {
	// Open is called once, before any Run.
	Open(Host) error
	// Run runs one attempt to its end. When ctx ends, it asks the body to stop,
	// and after Host.Grace ends it by force where it can. The Outcome is
	// stopped then, unless the body had finished already.
	Run(ctx context.Context, w *Work, r *Reporter) Outcome
	// Close is called once, after the last Run has returned.
	Close() error
}

// Host tells a runtime about its agent.
type Host struct {
	DataDir   string // empty: the agent keeps nothing
	Grace     time.Duration
	Batchlets map[string]BatchletFunc
	Artifacts Artifacts
	Log       *slog.Logger
}

// Work is one claimed attempt of an execution.
type Work struct {
	*subjects.Request
	Agent   string
	Log     *LogSink
	Secrets *Secrets // of the application; nil if there are none
}

// Outcome tells how an attempt ended.
type Outcome struct {
	BatchStatus     subjects.BatchStatus // completed, failed or stopped
	ExitStatus      string
	Exception       string
	RestartPosition string // if stopped: where a restart begins
}

// Failure returns the Outcome of an attempt that failed with err.
func Failure(err error) Outcome {
	return Outcome{BatchStatus: subjects.Failed, ExitStatus: "FAILED", Exception: err.Error()}
}

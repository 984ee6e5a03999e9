package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	// outputTimeout limits how long the end of an attempt waits for its lines
	// of output while none of them is stored.
	outputTimeout = 2 * time.Second
	// endTimeout limits how long a terminal result may take before it goes to
	// the outbox.
	endTimeout = 2500 * time.Millisecond
)

// attempt is the handling of one delivery of a request, from the fetch until
// its terminal result is stored or in the outbox. A request that is delivered
// twice has two of them.
type attempt struct {
	name     subjects.Attempt
	request  *subjects.Request
	baseLog  *slog.Logger
	output   *LogSink
	reporter *Reporter
	secrets  *Secrets

	bodyCtx    context.Context // of the runtime's Run
	cancelBody context.CancelCauseFunc
	// publishCtx is the context of all results. It outlives bodyCtx, except
	// when the attempt must not publish any more.
	publishCtx       context.Context
	cancelPublishing context.CancelCauseFunc
	stopRequested    atomic.Bool // a stop command has arrived
}

// logger returns a logger for the agent's operator; it names the attempt.
func (a *attempt) logger() *slog.Logger {
	return a.baseLog.With("app", a.name.App, "job", a.name.Job, "execution", a.name.ID, "attempt", a.name.Attempt)
}

// interrupt ends the body. It also ends all publishing, unless the cause is a
// stop or the agent's leaving.
func (a *attempt) interrupt(cause error) {
	a.cancelBody(cause)
	// A body that waits for room in the log must end, too.
	a.output.limitPatience(outputTimeout)
	switch {
	case errors.Is(cause, ErrStopped):
		a.stopRequested.Store(true)
		a.reporter.announceStop()
	case errors.Is(cause, ErrLeaving):
		if !a.requeuesIfLost() {
			a.reporter.announceStop()
		}
	default:
		a.cancelPublishing(cause)
	}
}

func (a *attempt) cancelContexts() {
	a.cancelBody(context.Canceled)
	a.cancelPublishing(context.Canceled)
}

// runAttempt runs a claimed attempt and publishes its end.
func (ra *runningAgent) runAttempt(a *attempt) {
	work := &Work{Request: a.request, Agent: ra.cfg.Name, Log: a.output, Secrets: a.secrets}
	outcome := ra.callRuntime(a, work)
	// For the agent's own log and the lines below; the reporter does the same.
	outcome.ExitStatus, outcome.Exception = a.secrets.Redact(outcome.ExitStatus), a.secrets.Redact(outcome.Exception)
	a.reporter.isEnding.Store(true)
	why := a.endCause()
	switch {
	case errors.Is(why, ErrFenced), errors.Is(why, ErrDropped):
		ra.giveUpAttempt(a, outcome, why)
		return
	case a.requeuesIfLost() && cutShort(outcome, why):
		a.logger().Info("attempt ended without a result, the bus requests the next one", "err", why)
		a.reporter.closeWithoutEnd()
		a.output.agentLine("warn", fmt.Sprintf("attempt %d ends without a result, the bus requests the next one: %v", a.name.Attempt, why))
		a.output.closeAndWait(outputTimeout)
		return
	case errors.Is(why, ErrContact) && cutShort(outcome, why):
		outcome = Failure(why)
	}
	a.output.closeAndWait(outputTimeout)
	ra.publishEnd(a, outcome)
}

// endCause returns why the attempt was interrupted, or nil. A cause that ended
// publishing comes first, because nothing overrules it.
func (a *attempt) endCause() error {
	if a.publishCtx.Err() != nil {
		return context.Cause(a.publishCtx)
	}
	return context.Cause(a.bodyCtx)
}

// cutShort reports whether the agent stopped the body without a stop command.
func cutShort(o Outcome, why error) bool {
	return o.BatchStatus == subjects.Stopped && (errors.Is(why, ErrContact) || errors.Is(why, ErrLeaving))
}

// requeuesIfLost reports whether the bus requests another attempt if this one
// is lost.
func (a *attempt) requeuesIfLost() bool {
	e := &a.request.Execution
	return e.OnAgentLost == subjects.LostRequeue && !a.stopRequested.Load() &&
		(e.MaxAttempts == 0 || a.request.Attempt < e.MaxAttempts)
}

// callRuntime runs the body. A panic in the runtime fails the attempt, not the
// agent.
func (ra *runningAgent) callRuntime(a *attempt, w *Work) (o Outcome) {
	defer func() {
		if p := recover(); p != nil {
			why := a.secrets.Redact(fmt.Sprint(p))
			a.logger().Error("panic in the runtime", "err", why, "stack", a.secrets.Redact(string(debug.Stack())))
			o = Failure(fmt.Errorf("panic in the runtime: %s", why))
		}
	}()
	if o = ra.cfg.Runtime.Run(a.bodyCtx, w, a.reporter); !isTerminal(o.BatchStatus) {
		o = Failure(fmt.Errorf("the runtime returned the batch status %q, want completed, failed or stopped", o.BatchStatus))
	}
	return o
}

func isTerminal(s subjects.BatchStatus) bool {
	return s == subjects.Completed || s == subjects.Failed || s == subjects.Stopped
}

// publishEnd stores the terminal result. If that takes longer than endTimeout,
// the result goes to the outbox.
func (ra *runningAgent) publishEnd(a *attempt, o Outcome) {
	rec := a.reporter.closeWithEnd(o, a.output.Dropped())
	if a.publishCtx.Err() == nil {
		ctx, cancel := context.WithTimeout(a.publishCtx, endTimeout)
		defer cancel()
		_, err := ra.results.storeResult(ctx, rec)
		if err == nil {
			return
		}
		if errors.Is(err, errRefused) {
			ra.giveUpAttempt(a, o, ErrFenced)
			return
		}
		a.logger().Warn("terminal result not stored, retrying", "batch_status", o.BatchStatus, "err", err)
	}
	if why := a.endCause(); errors.Is(why, ErrDropped) {
		ra.giveUpAttempt(a, o, why)
		return
	}
	ra.outbox.keepResult(&keptResult{Attempt: a.name, Result: rec})
}

// giveUpAttempt ends an attempt whose results do not count any more. Its
// outcome is written to the execution's log instead.
func (ra *runningAgent) giveUpAttempt(a *attempt, o Outcome, why error) {
	a.logger().Warn("outcome of an attempt not published", "batch_status", o.BatchStatus, "exit_status", o.ExitStatus, "err", why)
	a.output.agentLine("warn", fmt.Sprintf("attempt %d on %s: %v; its outcome was %s %s %s",
		a.name.Attempt, ra.cfg.Name, why, o.BatchStatus, o.ExitStatus, o.Exception))
	a.output.closeAndWait(outputTimeout)
}

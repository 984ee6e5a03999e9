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
	linesTimeout = 2 * time.Second         // without a line being stored: then the end of an attempt does not wait for its lines any longer
	endTimeout   = 2500 * time.Millisecond // for its end to be stored before it goes to the outbox
)

// attempt is one handling of one delivery, from the fetch until its terminal
// result is stored or in the outbox.
type attempt struct {
	name     subjects.Attempt
	request  *subjects.Request
	base     *slog.Logger
	lines    *LogSink
	reporter *Reporter

	body          context.Context // of the runtime
	endBody       context.CancelCauseFunc
	publishing    context.Context // of results; outlives body, unless nothing may be published any more
	endPublishing context.CancelCauseFunc
	asked         atomic.Bool // somebody asked for a stop
}

// log is for what the agent's operator should see.
func (a *attempt) log() *slog.Logger {
	return a.base.With("app", a.name.App, "job", a.name.Job, "execution", a.name.ID, "attempt", a.name.Attempt)
}

// end ends the body, and all publishing too if the cause forbids it.
func (a *attempt) end(cause error) {
	a.endBody(cause)
	a.lines.hasten(linesTimeout) // a body that waits for the broker must end, too
	switch {
	case errors.Is(cause, ErrStopped):
		a.asked.Store(true)
		a.reporter.stopping()
	case errors.Is(cause, ErrLeaving):
		if !a.requeued() {
			a.reporter.stopping()
		}
	default:
		a.endPublishing(cause)
	}
}

func (a *attempt) release() {
	a.endBody(context.Canceled)
	a.endPublishing(context.Canceled)
}

// run runs a claimed attempt and publishes its end.
func (l *life) run(a *attempt) {
	work := &Work{Request: a.request, Agent: l.cfg.Name, Log: a.lines}
	outcome := l.runBody(a, work)
	a.reporter.isEnding.Store(true)
	why := a.cause()
	switch {
	case errors.Is(why, ErrFenced), errors.Is(why, ErrDropped):
		l.giveUp(a, outcome, why)
		return
	case a.requeued() && cutShort(outcome, why):
		a.log().Info("attempt handed over to the next one", "err", why)
		a.reporter.abandon()
		a.lines.agent("warn", fmt.Sprintf("attempt %d ends here: %v", a.name.Attempt, why))
		a.lines.close(linesTimeout)
		return
	case errors.Is(why, ErrContact) && cutShort(outcome, why):
		outcome = Failure(why)
	}
	a.lines.close(linesTimeout)
	l.publishEnd(a, outcome)
}

// cause says why the attempt was ended from outside: what ended publishing
// comes first, since nothing overrules it.
func (a *attempt) cause() error {
	if a.publishing.Err() != nil {
		return context.Cause(a.publishing)
	}
	return context.Cause(a.body)
}

// cutShort says that an attempt was stopped although nobody asked for it.
func cutShort(o Outcome, why error) bool {
	return o.BatchStatus == subjects.Stopped && (errors.Is(why, ErrContact) || errors.Is(why, ErrLeaving))
}

// requeued says that the bus requests a further attempt if this one is lost.
func (a *attempt) requeued() bool {
	e := &a.request.Execution
	return e.OnAgentLost == subjects.LostRequeue && !a.asked.Load() &&
		(e.MaxAttempts == 0 || a.request.Attempt < e.MaxAttempts)
}

// runBody calls the runtime. A panic is the attempt's, not the agent's.
func (l *life) runBody(a *attempt, w *Work) (o Outcome) {
	defer func() {
		if p := recover(); p != nil {
			a.log().Error("panic in the runtime", "err", p, "stack", string(debug.Stack()))
			o = Failure(fmt.Errorf("panic in the runtime: %v", p))
		}
	}()
	if o = l.cfg.Runtime.Run(a.body, w, a.reporter); !terminal(o.BatchStatus) {
		o = Failure(fmt.Errorf("the runtime ended with the batch status %q", o.BatchStatus))
	}
	return o
}

func terminal(s subjects.BatchStatus) bool {
	return s == subjects.Completed || s == subjects.Failed || s == subjects.Stopped
}

// publishEnd stores the terminal result, or leaves it to the outbox if that
// does not succeed at once.
func (l *life) publishEnd(a *attempt, o Outcome) {
	rec := a.reporter.close(o, a.lines.Dropped())
	if a.publishing.Err() == nil {
		ctx, cancel := context.WithTimeout(a.publishing, endTimeout)
		defer cancel()
		_, err := l.pub.store(ctx, rec)
		if err == nil {
			return
		}
		if errors.Is(err, errRefused) {
			l.giveUp(a, o, ErrFenced)
			return
		}
		a.log().Warn("end not stored yet", "batch_status", o.BatchStatus, "err", err)
	}
	if why := a.cause(); errors.Is(why, ErrDropped) {
		l.giveUp(a, o, why)
		return
	}
	l.outbox.add(&kept{Attempt: a.name, Record: rec})
}

// giveUp keeps what an attempt knows as a line of output, since no result of it
// counts any more.
func (l *life) giveUp(a *attempt, o Outcome, why error) {
	a.log().Warn("attempt given up", "batch_status", o.BatchStatus, "exit_status", o.ExitStatus, "err", why)
	a.lines.agent("warn", fmt.Sprintf("attempt %d on %s: %v; here it was %s %s %s",
		a.name.Attempt, l.cfg.Name, why, o.BatchStatus, o.ExitStatus, o.Exception))
	a.lines.close(linesTimeout)
}

package notify

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
)

// AlertsLease is the lease that only a bus with a notificator holds.
const AlertsLease = "alerts"

// Config of a [Notifier].
type Config struct {
	Bus        *bus.Bus
	Index      *index.Index
	Executions *execution.Service
	URL        string            // of the notificator; empty: nothing is sent
	Transport  http.RoundTripper // to the notificator; default: a new one
	Every      time.Duration     // between two checks of running executions; default 5 s
}

// Notifier sends notifications and runs the time monitors.
type Notifier struct {
	b          *bus.Bus
	x          *index.Index
	executions *execution.Service
	every      time.Duration
	poster     *poster // nil: nothing is sent
	inFlight   *inFlight
}

// New returns a Notifier that works when Run does. The error is a
// [bus.FieldError] about the URL, which it does not show.
func New(cfg Config) (*Notifier, error) {
	n := &Notifier{b: cfg.Bus, x: cfg.Index, executions: cfg.Executions, every: cmp.Or(cfg.Every, 5*time.Second), inFlight: newInFlight()}
	if cfg.URL == "" {
		return n, nil
	}
	var err error
	n.poster, err = newPoster(cfg.URL, cfg.Transport)
	return n, err
}

// Run works until ctx ends. The index must run meanwhile, and the execution
// service must not end before Run.
func (n *Notifier) Run(ctx context.Context) error {
	if err := n.x.WaitReady(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.runTimeMonitor(ctx, "time-monitor", bus.ActionStop, bus.ActionAbandon) })
	if n.poster != nil {
		defer n.poster.closeIdle()
		g.Go(func() error { return n.runTimeMonitor(ctx, AlertsLease, bus.ActionAlert) })
		g.Go(func() error { return n.followResults(ctx) })
	}
	return g.Wait()
}

// Sends reports whether there is a notificator to send to.
func (n *Notifier) Sends() bool { return n.poster != nil }

// Alert sends the alert of a time monitor without retries. Errors: StateError
// no_notificator, [ErrNotSent].
func (n *Notifier) Alert(ctx context.Context, e *bus.Execution, m *bus.TimeMonitor) error {
	if n.poster == nil {
		return bus.State(bus.CodeNoNotificator, "this control bus has no notificator (--notificator-url)")
	}
	return n.poster.postOnce(ctx, n.alertMessage(e, m))
}

// alertMessage returns the message that an execution takes too long.
func (n *Notifier) alertMessage(e *bus.Execution, m *bus.TimeMonitor) message {
	return n.newMessage(e, m.Type, alertBody(n.x.JobName(e.App, e.Job), m.Minutes))
}

func (n *Notifier) newMessage(e *bus.Execution, kind string, body []byte) message {
	return message{kind, body, n.b.Log.With("app", e.App, "job", e.Job, "execution", e.ID, "type", kind)}
}

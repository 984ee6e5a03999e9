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
	Transport  http.RoundTripper // to it; default: one of its own
	Every      time.Duration     // between two looks at what runs; default 5 s
}

// Notifier notifies, and sees to what takes too long.
type Notifier struct {
	b     *bus.Bus
	x     *index.Index
	life  *execution.Service
	every time.Duration
	post  *poster // nil: nothing is sent
	hands *hands
}

// New returns a Notifier that works when Run does. The error is a
// [bus.FieldError] about the URL, which it does not show.
func New(cfg Config) (*Notifier, error) {
	n := &Notifier{b: cfg.Bus, x: cfg.Index, life: cfg.Executions, every: cmp.Or(cfg.Every, 5*time.Second), hands: newHands()}
	if cfg.URL == "" {
		return n, nil
	}
	var err error
	n.post, err = newPoster(cfg.URL, cfg.Transport)
	return n, err
}

// Run works until ctx ends. The index must run as long, and longer than Run the
// service.
func (n *Notifier) Run(ctx context.Context) error {
	if err := n.x.WaitReady(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.mind(ctx, "time-monitor", bus.ActionStop, bus.ActionAbandon) })
	if n.post != nil {
		defer n.post.close()
		g.Go(func() error { return n.mind(ctx, AlertsLease, bus.ActionAlert) })
		g.Go(func() error { return n.follow(ctx) })
	}
	return g.Wait()
}

// Sends reports whether there is a notificator to send to.
func (n *Notifier) Sends() bool { return n.post != nil }

// Alert sends what a time monitor sends when an execution takes too long.
// Errors: StateError no_notificator, [ErrNotSent].
func (n *Notifier) Alert(ctx context.Context, e *bus.Execution, m *bus.TimeMonitor) error {
	if n.post == nil {
		return bus.State(bus.CodeNoNotificator, "this control bus has no notificator (--notificator-url)")
	}
	return n.post.once(ctx, n.alert(e, m))
}

// alert is the message that an execution takes too long.
func (n *Notifier) alert(e *bus.Execution, m *bus.TimeMonitor) message {
	return n.message(e, m.Type, alertBody(n.x.JobName(e.App, e.Job), m.Minutes))
}

func (n *Notifier) message(e *bus.Execution, kind string, body []byte) message {
	return message{kind, body, n.b.Log.With("app", e.App, "job", e.Job, "execution", e.ID, "type", kind)}
}

package notify

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/bus/notify/senders"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// AlertsLease is the lease that only a bus with a sender or a notificator holds.
const AlertsLease = "alerts"

// silentLease is the lease for alerts of the buses that cannot send. Alerts are
// created once, so that both leases may be held at the same time.
const silentLease = "alerts-unsent"

// Config of a [Notifier].
type Config struct {
	Bus        *bus.Bus
	Index      *index.Index
	Executions *execution.Service
	Senders    senders.Set
	URL        string            // of the notificator, which gets the types that name no sender; empty: none
	Transport  http.RoundTripper // to the notificator; default: a new one
	Every      time.Duration     // between two checks of running executions; default 5 s
	TimeZone   *time.Location    // of promises that name none; default UTC
	MaxDelay   time.Duration     // longest delay between two attempts; default 1 h
}

// Notifier sends notifications and runs the time monitors.
type Notifier struct {
	b          *bus.Bus
	x          *index.Index
	executions *execution.Service
	every      time.Duration
	maxDelay   time.Duration
	zone       *time.Location
	alerts     *alertBook
	senders    senders.Set
	poster     *poster                  // nil: there is no notificator
	slots      map[string]chan struct{} // of each sender; "" is the notificator
	inFlight   *inFlight
}

// New returns a Notifier that works when Run does. The error is a
// [bus.FieldError] about the URL, which it does not show.
func New(cfg Config) (*Notifier, error) {
	n := &Notifier{
		b: cfg.Bus, x: cfg.Index, executions: cfg.Executions, every: cmp.Or(cfg.Every, 5*time.Second), senders: cfg.Senders,
		maxDelay: cmp.Or(cfg.MaxDelay, time.Hour), zone: cmp.Or(cfg.TimeZone, time.UTC), alerts: newAlertBook(),
		slots: map[string]chan struct{}{"": make(chan struct{}, maxPosts)}, inFlight: newInFlight(),
	}
	for name := range cfg.Senders {
		n.slots[name] = make(chan struct{}, maxPosts)
	}
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
	g.Go(func() error { return n.followAlerts(ctx) })
	lease := silentLease
	if n.sends() {
		lease = AlertsLease
	}
	g.Go(func() error { return n.runAlerts(ctx, lease) })
	if n.sends() {
		if n.poster != nil {
			defer n.poster.closeIdle()
		}
		g.Go(func() error { return n.followResults(ctx) })
		g.Go(func() error { return n.deliverNotifications(ctx) })
	}
	return g.Wait()
}

// sends reports whether this bus can send anything.
func (n *Notifier) sends() bool { return n.poster != nil || len(n.senders) > 0 }

// noSenderError means that a type names no sender and there is no notificator.
type noSenderError struct{ name string }

func (e *noSenderError) Error() string {
	return fmt.Sprintf("this control bus has no sender %s (--senders) and no notificator (--notificator-url)", e.name)
}

// senderOf returns the sender of a type of notifications, and the key of its
// slots. If the type is never sent, the error says why.
func (n *Notifier) senderOf(kind string) (s senders.Sender, slots string, err error) {
	name, recipient := senders.SplitType(kind)
	if s, ok := n.senders[name]; ok {
		return s, name, s.Accepts(recipient)
	}
	if n.poster == nil {
		return nil, "", &noSenderError{name}
	}
	return n.poster, "", nil
}

// WhyUnsent returns why notifications of a type are never sent, or "".
func (n *Notifier) WhyUnsent(kind string) string {
	if _, _, err := n.senderOf(kind); err != nil {
		return err.Error()
	}
	return ""
}

// SenderInfo describes a sender to people.
type SenderInfo struct {
	Name string // empty: the notificator
	Kind string
	Host string
}

// Senders returns the senders in the order of their names, with the notificator
// last.
func (n *Notifier) Senders() (all []SenderInfo) {
	for _, name := range n.senders.Names() {
		kind, host := n.senders[name].Target()
		all = append(all, SenderInfo{name, kind, host})
	}
	if n.poster != nil {
		kind, host := n.poster.Target()
		all = append(all, SenderInfo{"", kind, host})
	}
	return all
}

// ErrNotSent means that a message was not sent. The error says why.
var ErrNotSent = errors.New("the notification was not sent")

// notSentError is an [ErrNotSent] with the reason alone as its text.
type notSentError struct{ reason error }

func (e *notSentError) Error() string { return e.reason.Error() }

// Is makes errors.Is(err, ErrNotSent) true.
func (e *notSentError) Is(target error) bool { return target == ErrNotSent }

// Alert sends the alert of a time monitor without retries. Errors: StateError
// no_notificator, [ErrNotSent].
func (n *Notifier) Alert(ctx context.Context, e *bus.Execution, m *bus.TimeMonitor) error {
	if why := n.WhyUnsent(m.Type); why != "" {
		return bus.State(bus.CodeNoNotificator, "%s", why)
	}
	if n.sendOnce(ctx, n.alertMessage(e, m)) != nil {
		return ErrNotSent // the log has the reason, which is for operators
	}
	return nil
}

// Test sends a test message of a type without retries, in the name of a user,
// and returns its sender. Errors: StateError no_notificator, [ErrNotSent] with
// the reason.
func (n *Notifier) Test(ctx context.Context, kind, user string) (by SenderInfo, err error) {
	s, name, err := n.senderOf(kind)
	if err != nil {
		return by, bus.State(bus.CodeNoNotificator, "%s", err)
	}
	by.Name = name
	by.Kind, by.Host = s.Target()
	text := "This is a test, sent by the control bus " + n.b.Name()
	if user != "" {
		text += " for " + user
	}
	return by, n.sendOnce(ctx, &senders.Message{
		ID: "test-" + strings.ToLower(rand.Text()), Kind: senders.KindTest, Type: kind, Time: subjects.Now(), Text: text + ".",
	})
}

// sendOnce sends a message without retries.
func (n *Notifier) sendOnce(ctx context.Context, m *senders.Message) error {
	err := n.sendMessage(ctx, m)
	if err != nil {
		n.logOf(m).Warn("notification not sent", "err", err)
		return &notSentError{err}
	}
	n.logOf(m).Info("notification sent")
	return nil
}

// sendMessage sends a message once, when its sender has a free slot. The end of
// ctx does not cancel what has begun: another bus would send the message a
// second time.
func (n *Notifier) sendMessage(ctx context.Context, m *senders.Message) error {
	s, slots, err := n.senderOf(m.Type)
	if err != nil {
		return &senders.Refusal{Err: err}
	}
	select {
	case n.slots[slots] <- struct{}{}:
		defer func() { <-n.slots[slots] }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.Send(context.WithoutCancel(ctx), m)
}

func (n *Notifier) logOf(m *senders.Message) *slog.Logger {
	log := n.b.Log.With("type", m.Type, "notification", m.ID)
	if m.App != "" {
		log = log.With("app", m.App, "job", m.Job)
	}
	if m.Execution != nil {
		log = log.With("execution", m.Execution.ID)
	}
	return log
}

// statusMessage returns the message that an execution has reached a status.
func (n *Notifier) statusMessage(e *bus.Execution, kind, id string) *senders.Message {
	x := e.Execution
	x.StepExecutions = make([]subjects.StepExecution, len(e.StepExecutions))
	for i := range e.StepExecutions {
		x.StepExecutions[i] = e.StepExecutions[i]
		x.StepExecutions[i].StepData, x.StepExecutions[i].Values = subjects.StepData{}, nil
		x.StepExecutions[i].Partitions = nil
	}
	return &senders.Message{
		ID: id, Kind: senders.KindStatus, Type: kind, Time: subjects.Now(),
		App: e.App, Job: n.x.JobName(e.App, e.Job), Key: e.Job, Execution: &x,
	}
}

// alertMessage returns the message that an execution takes too long.
func (n *Notifier) alertMessage(e *bus.Execution, tm *bus.TimeMonitor) *senders.Message {
	m := n.statusMessage(e, tm.Type, fmt.Sprintf("alert-%d", e.ID))
	m.Kind, m.Late, m.Text = senders.KindAlert, tm.Minutes, overrunText(e.ID, tm.Minutes)
	return m
}

func overrunText(id int64, minutes int) string {
	return fmt.Sprintf("execution %d takes longer than %s", id, time.Duration(minutes)*time.Minute)
}

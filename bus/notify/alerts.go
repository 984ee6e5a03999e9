package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/notify/senders"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// maxAlertAge is the age from which nobody is notified of an alert any more.
const maxAlertAge = 24 * time.Hour

// alertBook has all stored alerts.
type alertBook struct {
	mu  sync.Mutex
	all map[string]bus.Entry[bus.Alert]
}

func newAlertBook() *alertBook { return &alertBook{all: map[string]bus.Entry[bus.Alert]{}} }

func (k *alertBook) put(key string, a *bus.Alert, rev uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if a == nil {
		delete(k.all, key)
	} else if rev > k.all[key].Revision {
		k.all[key] = bus.Entry[bus.Alert]{Key: key, Value: *a, Revision: rev}
	}
}

func (k *alertBook) has(key string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.all[key]
	return ok
}

// unnotified returns the alerts of which nobody was notified yet.
func (k *alertBook) unnotified(now time.Time) (all []bus.Entry[bus.Alert]) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.all {
		if !e.Value.Notified && e.Value.Type != "" && now.Sub(e.Value.Time.Std()) < maxAlertAge {
			all = append(all, e)
		}
	}
	return all
}

// Alerts returns the last limit alerts that match, newest first.
func (n *Notifier) Alerts(limit int, match func(*bus.Alert) bool) (all []bus.Alert) {
	n.alerts.mu.Lock()
	for _, e := range n.alerts.all {
		if match(&e.Value) {
			all = append(all, e.Value)
		}
	}
	n.alerts.mu.Unlock()
	slices.SortFunc(all, func(a, b bus.Alert) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(a.Key(), b.Key()))
	})
	return all[:min(limit, len(all))]
}

// followAlerts reads all alerts, and each new one, until ctx ends.
func (n *Notifier) followAlerts(ctx context.Context) error {
	return bus.RetryWatch(ctx, func() error {
		return n.b.Alerts.Tolerant(n.b.Log).Watch(ctx, n.alerts.put, func() {})
	})
}

// raiseAlert raises an alert, unless that was done before. The alert is stored
// first; its notification follows from what is stored, so that neither is lost
// if the bus dies.
func (n *Notifier) raiseAlert(ctx context.Context, a *bus.Alert) error {
	key := a.Key()
	if n.alerts.has(key) {
		return nil
	}
	a.Time, a.Name = subjects.Now(), n.x.JobName(a.App, a.Job)
	rev, err := n.b.Alerts.Create(ctx, key, *a)
	if errors.Is(err, bus.ErrExists) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("raise alert: %w", err)
	}
	n.alerts.put(key, a, rev)
	n.b.Log.Warn("alert", "app", a.App, "job", a.Name, "rule", a.Rule, "execution", a.Execution, "text", a.Text)
	n.b.Event("alert", a.Rule, []string{a.App, a.Job}, a)
	return nil
}

// queueAlerts queues the notifications of alerts, and notes in each alert that
// this was done. If the note fails, the next round queues it again, and the
// broker drops the repetition.
func (n *Notifier) queueAlerts(ctx context.Context) error {
	if !n.sends() { // another bus does, or nobody
		return nil
	}
	var all error
	for _, e := range n.alerts.unnotified(time.Now()) {
		a := e.Value
		m := &senders.Message{
			ID: "alert-" + e.Key, Kind: senders.KindAlert, Type: a.Type, Time: a.Time, App: a.App, Job: a.Name, Key: a.Job, Text: a.Text, Late: a.Minutes,
		}
		if a.Execution != 0 {
			if rec, err := n.b.Executions.Get(ctx, bus.ExecutionKey(a.App, a.Job, a.Execution)); err == nil {
				m.Execution = n.statusMessage(&rec.Value, a.Type, m.ID).Execution
			}
		}
		err := n.queueMessage(ctx, m)
		if err == nil {
			a.Notified = true
			var rev uint64
			if rev, err = n.b.Alerts.Update(ctx, e.Key, a, e.Revision); err == nil {
				n.alerts.put(e.Key, &a, rev)
			}
		}
		if err != nil && !errors.Is(err, bus.ErrChanged) {
			all = errors.Join(all, fmt.Errorf("notify of alert %s: %w", e.Key, err))
		}
	}
	return all
}

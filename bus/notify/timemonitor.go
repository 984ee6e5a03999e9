package notify

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// timeMonitor handles executions that take too long, for some of the actions.
type timeMonitor struct {
	*Notifier
	actions []string

	mu        sync.Mutex
	handled   map[int64]bool       // running executions that were handled; their records are not read again
	toAbandon map[int64]index.Live // executions to be abandoned when they have stopped
}

// runTimeMonitor runs a time monitor as a leased task until ctx ends.
func (n *Notifier) runTimeMonitor(ctx context.Context, lease string, actions ...string) error {
	return n.b.RunLeasedTask(ctx, lease, n.every, n.newTimeMonitor(actions...).checkRunning)
}

func (n *Notifier) newTimeMonitor(actions ...string) *timeMonitor {
	return &timeMonitor{Notifier: n, actions: actions, handled: map[int64]bool{}, toAbandon: map[int64]index.Live{}}
}

// checkRunning handles each running execution that is overdue.
func (m *timeMonitor) checkRunning(ctx context.Context) error {
	now := time.Now()
	running := map[int64]bool{}
	var g errgroup.Group
	g.SetLimit(maxPosts)
	for _, l := range m.x.Live() {
		running[l.ID] = true
		if tm := m.timeMonitorOf(&l); tm != nil && !m.isHandled(l.ID) && isOverdue(&l, tm, now) {
			g.Go(func() error { return m.handleOverdue(ctx, l, tm) })
		}
	}
	err := g.Wait()
	m.mu.Lock()
	maps.DeleteFunc(m.handled, func(id int64, _ bool) bool { return !running[id] })
	m.mu.Unlock()
	return errors.Join(err, m.abandonStopped(ctx))
}

// timeMonitorOf returns the job's time monitor if its action is one of m's, or
// nil.
func (m *timeMonitor) timeMonitorOf(l *index.Live) *bus.TimeMonitor {
	def, _, ok := m.x.Definition(l.App, l.Job)
	if !ok || def.Settings.TimeMonitor == nil || !slices.Contains(m.actions, def.Settings.TimeMonitor.Action) {
		return nil
	}
	return def.Settings.TimeMonitor
}

func isOverdue(l *index.Live, tm *bus.TimeMonitor, now time.Time) bool {
	return !l.StartTime.IsZero() && now.Sub(l.StartTime.Std()) >= time.Duration(tm.Minutes)*time.Minute
}

func (m *timeMonitor) isHandled(id int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.handled[id]
}

// handleOverdue carries out the time monitor of an execution, unless that was
// done before.
func (m *timeMonitor) handleOverdue(ctx context.Context, l index.Live, tm *bus.TimeMonitor) error {
	e, first, err := m.executions.Overrun(ctx, l.App, l.Job, l.ID, tm.Action)
	if bus.HasCode(err, bus.CodeNoSuchExecution) { // deleted meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	if first {
		m.b.Log.Info("execution takes too long", "app", l.App, "job", l.Job, "execution", l.ID, "minutes", tm.Minutes, "action", tm.Action)
	}
	// A bus that has written the action may have died before it raised the alert.
	if e.Monitored == bus.ActionAlert && tm.Action == bus.ActionAlert {
		err := m.raiseAlert(ctx, &bus.Alert{
			App: l.App, Job: l.Job, Rule: bus.RuleTimeMonitor, Execution: l.ID, Type: tm.Type, Minutes: tm.Minutes,
			Due: subjects.TimeOf(l.StartTime.Std().Add(time.Duration(tm.Minutes) * time.Minute)), Text: overrunText(l.ID, tm.Minutes),
		})
		if err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.handled[l.ID] = true
	if e.Monitored == bus.ActionAbandon { // maybe by another bus that ended before the execution stopped
		m.toAbandon[l.ID] = l
	}
	return nil
}

// abandonStopped abandons the executions of toAbandon that have stopped.
func (m *timeMonitor) abandonStopped(ctx context.Context) error {
	var all error
	for id, l := range m.toAbandon {
		sum, ok := m.x.Find(id)
		if ok && !sum.BatchStatus.Ended() {
			continue
		}
		if ok && (sum.BatchStatus == subjects.Stopped || sum.BatchStatus == subjects.Failed) {
			_, err := m.executions.Abandon(ctx, l.App, l.Job, id)
			var state *bus.StateError
			if err != nil && !errors.As(err, &state) {
				all = errors.Join(all, err)
				continue
			}
			if err != nil {
				m.b.Log.Warn("execution not abandoned", "app", l.App, "job", l.Job, "execution", id, "err", err)
			}
		}
		delete(m.toAbandon, id)
	}
	return all
}

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

// monitor sees to executions that take too long, by some of the actions.
type monitor struct {
	*Notifier
	actions []string

	mu      sync.Mutex
	noted   map[int64]bool       // what runs and was seen to, so that its record is not read again
	leaving map[int64]index.Live // to be abandoned when it has stopped
	alerts  sync.WaitGroup
}

// mind is the chore of a monitor.
func (n *Notifier) mind(ctx context.Context, lease string, actions ...string) error {
	m := n.newMonitor(actions...)
	defer m.alerts.Wait()
	return n.b.RunLeasedTask(ctx, lease, n.every, m.round)
}

func (n *Notifier) newMonitor(actions ...string) *monitor {
	return &monitor{Notifier: n, actions: actions, noted: map[int64]bool{}, leaving: map[int64]index.Live{}}
}

// round looks at all that runs.
func (m *monitor) round(ctx context.Context) error {
	now := time.Now()
	running := map[int64]bool{}
	var g errgroup.Group
	g.SetLimit(atOnce)
	for _, l := range m.x.Live() {
		running[l.ID] = true
		if tm := m.of(&l); tm != nil && !m.seen(l.ID) && late(&l, tm, now) {
			g.Go(func() error { return m.see(ctx, l, tm) })
		}
	}
	err := g.Wait()
	m.mu.Lock()
	maps.DeleteFunc(m.noted, func(id int64, _ bool) bool { return !running[id] })
	m.mu.Unlock()
	return errors.Join(err, m.abandon(ctx))
}

// of is the job's time monitor, if it is this one's to act.
func (m *monitor) of(l *index.Live) *bus.TimeMonitor {
	def, _, ok := m.x.Definition(l.App, l.Job)
	if !ok || def.Settings.TimeMonitor == nil || !slices.Contains(m.actions, def.Settings.TimeMonitor.Action) {
		return nil
	}
	return def.Settings.TimeMonitor
}

func late(l *index.Live, tm *bus.TimeMonitor, now time.Time) bool {
	return !l.StartTime.IsZero() && now.Sub(l.StartTime.Std()) >= time.Duration(tm.Minutes)*time.Minute
}

func (m *monitor) seen(id int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.noted[id]
}

// see does what the time monitor wants of an execution, if nobody did.
func (m *monitor) see(ctx context.Context, l index.Live, tm *bus.TimeMonitor) error {
	e, first, err := m.life.Overrun(ctx, l.App, l.Job, l.ID, tm.Action)
	if bus.HasCode(err, bus.CodeNoSuchExecution) { // deleted meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	if first {
		m.b.Log.Info("execution takes too long", "app", l.App, "job", l.Job, "execution", l.ID, "minutes", tm.Minutes, "action", tm.Action)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noted[l.ID] = true
	if e.Monitored == bus.ActionAbandon { // noted by another bus, perhaps, which did not live to see it stopped
		m.leaving[l.ID] = l
	}
	if first && tm.Action == bus.ActionAlert {
		m.alerts.Go(func() { // it may take longer than a round
			if alert := m.alert(e, tm); !m.post.send(ctx, alert) {
				alert.log.Error("alert not sent: this control bus ends")
			}
		})
	}
	return nil
}

// abandon gives up what was to be and has stopped.
func (m *monitor) abandon(ctx context.Context) error {
	var all error
	for id, l := range m.leaving {
		sum, ok := m.x.Find(id)
		if ok && !sum.BatchStatus.Ended() {
			continue
		}
		if ok && (sum.BatchStatus == subjects.Stopped || sum.BatchStatus == subjects.Failed) {
			_, err := m.life.Abandon(ctx, l.App, l.Job, id)
			var state *bus.StateError
			if err != nil && !errors.As(err, &state) {
				all = errors.Join(all, err)
				continue
			}
			if err != nil {
				m.b.Log.Warn("execution not abandoned", "app", l.App, "job", l.Job, "execution", id, "err", err)
			}
		}
		delete(m.leaving, id)
	}
	return all
}

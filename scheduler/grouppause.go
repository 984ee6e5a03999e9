package scheduler

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	// maxPeriods is how many pauses of a group are kept, the newest ones. Older
	// ones are kept only as long as times that they concern are undecided.
	maxPeriods = 100
	// maxPassed is the limit of the count of times that passed during a pause.
	maxPassed = 100_000
)

// GroupResumed says what passed during a pause of a group.
type GroupResumed struct {
	bus.PausePeriod                  // zero if there was none
	Count           int              // nominal times that are undecided
	Schedules       int              // how many schedules have such times
	Capped          bool             // there are more times than Count
	On              []bus.GroupPause // the pauses that still concern the group
}

// PauseGroup stops all schedules of an application from firing until they are
// resumed, or all schedules if app is empty. It returns the pause. One that is
// on already stays as it is. The error may be ErrAway.
func (s *Scheduler) PauseGroup(ctx context.Context, app string, by bus.Pause) (bus.PausePeriod, error) {
	changed := false
	is, err := s.changePauses(ctx, app, func(was bus.Pauses) (*bus.Pauses, error) {
		if changed = was.Current() == nil; !changed {
			return nil, nil
		}
		p := bus.PausePeriod{From: subjects.Now(), By: by.By, Reason: by.Reason}
		if n := len(was.Periods); n > 0 {
			p.From = max(p.From, was.Periods[n-1].To) // another bus may have a clock that is ahead
		}
		was.Periods = append(slices.Clone(was.Periods), p)
		return &was, nil
	})
	if err != nil {
		return bus.PausePeriod{}, err
	}
	p := is.Periods[len(is.Periods)-1]
	if changed {
		s.bus.Event("schedule", "paused", groupSubject(app), p)
	}
	return p, nil
}

// ResumeGroup ends the pause of an application, or of all schedules if app is
// empty. What was due during the pause is skipped, or with catchUp fires like
// times that passed while no bus ran. The error may be ErrAway.
func (s *Scheduler) ResumeGroup(ctx context.Context, app, by string, catchUp bool) (done GroupResumed, err error) {
	if err := s.ledger.waitLoaded(ctx); err != nil {
		return done, fmt.Errorf("resume: the scheduler has not loaded the fires yet: %w: %w", bus.ErrAway, err)
	}
	_, err = s.changePauses(ctx, app, func(was bus.Pauses) (*bus.Pauses, error) {
		done = GroupResumed{}
		if was.Current() == nil {
			return nil, nil
		}
		was.Periods = slices.Clone(was.Periods)
		p := &was.Periods[len(was.Periods)-1]
		p.To, p.EndedBy, p.CatchUp = max(subjects.Now(), p.From), by, catchUp
		done.PausePeriod = *p
		s.countPassed(app, &done)
		was.Periods = prunePeriods(was.Periods, func(p *bus.PausePeriod) bool { return s.stillMatters(app, p) })
		return &was, nil
	})
	if err == nil && done.From != 0 {
		s.bus.Event("schedule", "resumed", groupSubject(app), done.PausePeriod)
	}
	if done.On = s.index.Pauses().On(app); app == "" {
		done.On = s.index.Pauses().AllOn()
	}
	return done, err
}

// groupSubject returns the tokens of the subject of an event about a group: all,
// or app and the application. No application can be named app, so such an event
// is about no job.
func groupSubject(app string) []string { return strings.Split(bus.PausesKey(app), ".") }

// changePauses changes the pauses of a group, unless do returns nil, and returns
// them as they are then. It shows them to the read model.
func (s *Scheduler) changePauses(ctx context.Context, app string, do func(was bus.Pauses) (*bus.Pauses, error)) (bus.Pauses, error) {
	key := bus.PausesKey(app)
	e, err := s.bus.Pauses.Change(ctx, key, func(was *bus.Pauses) (*bus.Pauses, error) {
		if was == nil {
			was = &bus.Pauses{}
		}
		return do(*was)
	})
	if err != nil {
		return bus.Pauses{}, err
	}
	if e.Revision != 0 {
		s.index.PutPauses(key, &e.Value, e.Revision)
	}
	return e.Value, nil
}

// countPassed counts what was due during a pause and is undecided.
func (s *Scheduler) countPassed(app string, done *GroupResumed) {
	for _, e := range s.index.Schedules() {
		sc := &e.Value
		if !sc.Active || app != "" && sc.App != app {
			continue
		}
		p, err := s.plans.planFor(sc)
		if err != nil {
			continue
		}
		from, to := done.From.Std().Add(-p.shift), done.To.Std().Add(-p.shift)
		if start := s.ledger.walkStart(sc, p); start.After(from) {
			from = start
		}
		if !p.hasTime(from, to) {
			continue
		}
		done.Schedules++
		for range p.timesBetween(from, to) {
			if done.Count == maxPassed {
				done.Capped = true
				break
			}
			done.Count++
		}
	}
}

// prunePeriods drops old pauses of a group, unless they matter still. Of those
// it drops who paused, and why.
func prunePeriods(all []bus.PausePeriod, matters func(*bus.PausePeriod) bool) (kept []bus.PausePeriod) {
	old := max(0, len(all)-maxPeriods)
	for i := range all[:old] {
		if p := &all[i]; matters(p) {
			kept = append(kept, bus.PausePeriod{From: p.From, To: p.To, CatchUp: p.CatchUp})
		}
	}
	return append(kept, all[old:]...)
}

// stillMatters reports whether a schedule of a group may have times during an
// old pause that are undecided.
func (s *Scheduler) stillMatters(app string, period *bus.PausePeriod) bool {
	for _, e := range s.index.Schedules() {
		sc := &e.Value
		if app != "" && sc.App != app || sc.Since >= period.To {
			continue
		}
		p, err := s.plans.planFor(sc)
		if err != nil || p.isDue(s.ledger.walkStart(sc, p), period.To.Std()) {
			return true
		}
	}
	return false
}

// GroupPauses returns the pauses that are on and concern the schedules of an
// application, that of all schedules first.
func (s *Scheduler) GroupPauses(app string) []bus.GroupPause { return s.index.Pauses().On(app) }

// AllGroupPauses returns all pauses that are on.
func (s *Scheduler) AllGroupPauses() []bus.GroupPause { return s.index.Pauses().AllOn() }

// refreshPauses makes the read model have all pauses that were stored before the
// call. It mostly asks for no more than the newest revision, once for all that
// call it meanwhile.
func (s *Scheduler) refreshPauses(ctx context.Context) error {
	return s.pauseReads.share(ctx, func(ctx context.Context) error {
		newest, err := bus.NewestRevision(ctx, s.bus, s.bus.Pauses)
		if err != nil || newest <= s.index.Pauses().Revision() {
			return err
		}
		all, _, err := bus.Snapshot(ctx, s.bus, s.bus.Pauses)
		for i := range all {
			s.index.PutPauses(all[i].Key, &all[i].Value, all[i].Revision)
		}
		return err
	})
}

// pausesOf returns the pauses of an application as the read model has them.
func (s *Scheduler) pausesOf(app string) pauseSpans { return s.spans.spansFor(s.index.Pauses(), app) }

// watchPauses wakes all schedules and triggers when pauses change, until ctx
// ends.
func (s *Scheduler) watchPauses(ctx context.Context) error {
	changed := s.index.PausesChanged()
	for {
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
		changed = s.index.PausesChanged() // before the walks read the pauses, or a change may be lost
		for _, e := range s.index.Schedules() {
			s.wakes.addSchedule(e.Value.Key())
		}
		s.sweepTriggers(false)
	}
}

// spanCache caches the spans of each application for one set of pauses.
type spanCache struct {
	mu    sync.Mutex
	set   *bus.PauseSet
	byApp map[string]pauseSpans
}

func (c *spanCache) spansFor(set *bus.PauseSet, app string) pauseSpans {
	if set == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.set != set {
		c.set, c.byApp = set, map[string]pauseSpans{}
	}
	spans, known := c.byApp[app]
	if !known {
		var periods []bus.PausePeriod
		for _, p := range []*bus.Pauses{set.Of(""), set.Of(app)} {
			if p != nil {
				periods = append(periods, p.Periods...)
			}
		}
		spans = spansOf(periods...)
		c.byApp[app] = spans
	}
	return spans
}

// sharedRead lets callers at the same time share one read. Each gets the result
// of a read that begins after its call.
type sharedRead struct {
	mu            sync.Mutex
	running, next *pendingRead
}

type pendingRead struct {
	done chan struct{}
	err  error
}

// share calls read, or waits for another caller to do so. One that has begun is
// not cancelled by the end of ctx, but by a timeout, because others may wait.
func (r *sharedRead) share(ctx context.Context, read func(context.Context) error) error {
	r.mu.Lock()
	mine, before := r.next, r.running
	joins := mine != nil
	if !joins {
		mine = &pendingRead{done: make(chan struct{})}
		r.next = mine
	}
	r.mu.Unlock()
	if joins {
		return mine.wait(ctx)
	}
	if before != nil {
		<-before.done // it has a timeout
	}
	r.mu.Lock()
	r.running, r.next = mine, nil
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bus.AckTimeout)
	defer cancel()
	mine.err = read(ctx)
	close(mine.done)
	return mine.err
}

func (p *pendingRead) wait(ctx context.Context) error {
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// isHeld reports whether a pause is on that concerns the schedules of an
// application.
func (s *Scheduler) isHeld(app string) bool { return s.pausesOf(app).isOn() }

// heldUntil returns the moment up to which a walk decides what is due.
func (s *Scheduler) heldUntil(sc *bus.Schedule, now time.Time) time.Time {
	at := moment{now: now, pauses: s.pausesOf(sc.App), occasion: atWalk}
	return at.decidesUntil(sc)
}

package scheduler

import (
	"iter"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/calendars"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// simScheduler decides with the functions of the scheduler. Each bus has a
// ledger and a cache of plans of its own.
type simScheduler struct {
	simFunctions
	w       *simWorld
	key     bus.ScheduleKey
	ledgers [simBuses]*ledger
	plans   [simBuses]*planCache
	sets    [simBuses]*calendars.Set
	spans   spanCache
}

// simFunctions are the functions of the scheduler that decide. A test can
// replace one of them by a wrong one.
type simFunctions struct {
	walkStart  func(l *ledger, sc *bus.Schedule, p *plan) time.Time
	decisions  func(p *plan, sc *bus.Schedule, start time.Time, at moment) iter.Seq[outcome]
	nextSince  func(was *bus.Schedule, now subjects.Time, o occasion) (since subjects.Time, decideFirst bool)
	sources    func(p *plan, sc *bus.Schedule, fire time.Time) []time.Time
	create     func(s *simStore, f bus.Fire, b int, at simMillis) (stored *simFire, created bool)
	executions func(f *bus.Fire, s *simStore) (id int64) // of an open fire
}

func schedulerFunctions() simFunctions {
	return simFunctions{
		walkStart: (*ledger).walkStart, decisions: (*plan).decisions, nextSince: nextSince, sources: (*plan).passedSources,
		create:     (*simStore).createFire,
		executions: func(f *bus.Fire, _ *simStore) int64 { return f.Execution },
	}
}

func newSimScheduler(w *simWorld, sc *simSchedule, f simFunctions) *simScheduler {
	s := &simScheduler{simFunctions: f, w: w, key: sc.key}
	for b := range simBuses {
		s.forgetAll(b)
	}
	return s
}

func (s *simScheduler) forgetAll(b int) {
	s.ledgers[b] = newLedger()
	s.plans[b] = newPlans(time.UTC, func() *calendars.Set { return s.sets[b] })
}

func (s *simScheduler) learnFire(b int, f *bus.Fire) {
	s.ledgers[b].addDecision(s.key.FireKey(f.Nominal.Std().Unix()), f)
}

// planOf returns the plan by which a bus goes.
func (s *simScheduler) planOf(b int, v simView) *plan {
	s.sets[b] = s.w.changes[v.set].set
	p, err := s.plans[b].planFor(v.version.stored)
	if err != nil {
		panic(err)
	}
	return p
}

func (s *simScheduler) nextDue(b int, v simView, after simMillis) simMillis {
	due := s.planOf(b, v).dueAfter(time.UnixMilli(after))
	if due.IsZero() {
		return simNever
	}
	return due.UnixMilli()
}

func (s *simScheduler) hasDue(b int, v simView, now simMillis) bool {
	p, is := s.planOf(b, v), v.version.stored
	at := moment{now: time.UnixMilli(now), pauses: s.spansOf(v), occasion: atWalk}
	return p.isDue(s.walkStart(s.ledgers[b], is, p), at.decidesUntil(is))
}

func (s *simScheduler) spansOf(v simView) pauseSpans {
	return s.spans.spansFor(s.w.pauses[v.pauses].set, s.key.App())
}

func (s *simScheduler) hasPassed(b int, v simView, now simMillis) bool {
	p := s.planOf(b, v)
	return p.hasTime(s.walkStart(s.ledgers[b], v.version.stored, p), time.UnixMilli(now))
}

func (s *simScheduler) decideTimes(b int, v simView, at simMoment) (fires []bus.Fire) {
	p := s.planOf(b, v)
	m := moment{now: time.UnixMilli(at.now).UTC(), pauses: s.spansOf(v), occasion: at.occasion}
	m.downUntil, m.unledUntil = s.w.lives[b][at.life].leadershipAt(at).unattendedUntil(m.now)
	for st := range s.decisions(p, v.version.stored, s.walkStart(s.ledgers[b], v.version.stored, p), m) {
		fires = append(fires, p.fireOf(v.version.stored, st))
	}
	return fires
}

// leadershipAt returns what a process knows of its leadership at a moment.
func (l *simLife) leadershipAt(at simMoment) *leadership {
	known := &leadership{}
	for i := range at.phase + 1 {
		p := &l.phases[i]
		known.addRenewal(p.leads, time.UnixMilli(p.from+l.clock))
		// Of the renewals that follow with the same answer, the last one counts.
		last := p.from + (min(p.to-1, at.at)-p.from)/simRenewal*simRenewal
		known.lastRenewal = time.UnixMilli(last + l.clock)
	}
	return known
}

func (s *simScheduler) checkFire(v simView, f bus.Fire, store *simStore) bus.Fire {
	if f.Skipped != "" || v.version.stored.Calendar == "" {
		return f
	}
	p := s.planOf(0, v)
	if p.moved == nil {
		return f
	}
	sources := s.sources(p, v.version.stored, f.Nominal.Std())
	for _, t := range sources {
		if store.decisionOf(t.Unix()) == nil {
			return f
		}
	}
	if len(sources) == 0 {
		return f
	}
	return p.fireOf(v.version.stored, outcome{nominal: f.Nominal.Std(), skipped: skippedDecided})
}

func (s *simScheduler) nextBegin(was *simVersion, now simMillis, o occasion) (simMillis, bool) {
	since, decideFirst := s.nextSince(was.stored, subjects.Time(now), o)
	return simMillis(since), decideFirst
}

func (s *simScheduler) createFire(store *simStore, f bus.Fire, b int, at simMillis) (*simFire, bool) {
	return s.create(store, f, b, at)
}

func (s *simScheduler) submitFire(b int, f *simFire, store *simStore) {
	store.submit(f.Execution, f.second)
	s.ledgers[b].removeOpen(s.key.FireKey(f.second))
}

func (s *simScheduler) finishOpen(b int, store *simStore) {
	for _, o := range s.ledgers[b].openFires(s.key) {
		if f := store.fires[o.nominal]; store.executions[o.execution] == nil && f.Open() && f.Execution == o.execution {
			store.submit(s.executions(&f.Fire, store), o.nominal)
		}
		s.ledgers[b].removeOpen(o.key)
	}
}

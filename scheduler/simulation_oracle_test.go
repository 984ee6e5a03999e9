package scheduler

import (
	"fmt"
	"hash/fnv"
	"slices"
	"sort"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// simRules decides by the rules as the documentation of the package states them.
// It has the list of all nominal times of the world, and sorts those that are
// undecided into late ones, unled ones and the others.
type simRules struct {
	w     *simWorld
	sc    *simSchedule
	known [simBuses]map[uint64]int64 // the newest decision of each generation
	lists map[simListKey][]simNominal
}

type simListKey struct {
	def    *simDefinition
	change simMillis // of the calendar
}

func newSimRules(w *simWorld, sc *simSchedule) *simRules {
	r := &simRules{w: w, sc: sc, lists: map[simListKey][]simNominal{}}
	for b := range simBuses {
		r.forgetAll(b)
	}
	return r
}

func (r *simRules) forgetAll(b int) { r.known[b] = map[uint64]int64{} }

func (r *simRules) learnFire(b int, f *bus.Fire) {
	r.known[b][f.Generation] = max(r.known[b][f.Generation], f.Nominal.Std().Unix())
}

// timesOf returns all nominal times of a definition with the calendars after a
// number of changes.
func (r *simRules) timesOf(def *simDefinition, set int) []simNominal {
	key := simListKey{def: def}
	plain := r.w.changes[set].plain
	if def.Calendar != "" {
		key.change = plain.lastChange(def.Calendar)
	}
	if _, done := r.lists[key]; !done {
		r.lists[key] = def.nominalTimes(plain)
	}
	return r.lists[key]
}

// shift returns how much later than its nominal times the schedule fires: a
// hash of its key, within the jitter.
func (d *simDefinition) shift() simMillis {
	if d.Jitter == "" {
		return 0
	}
	jitter, _ := time.ParseDuration(d.Jitter)
	hash := fnv.New64a()
	fmt.Fprintf(hash, "%s.%s", d.App, d.Job)
	return simMillis(hash.Sum64()%uint64(jitter/time.Second)) * simSecond
}

func (r *simRules) nextDue(_ int, v simView, after simMillis) simMillis {
	times, shift := r.timesOf(v.version.def, v.set), v.version.def.shift()
	i := sort.Search(len(times), func(i int) bool { return times[i].at*1000+shift > after })
	if i == len(times) {
		return simNever
	}
	return times[i].at*1000 + shift
}

// begin returns the moment after which a bus decides: the last change of the
// schedule or of its calendar, or the newest decision that it knows of the
// version.
func (r *simRules) begin(b int, v simView) simMillis {
	return max(r.lastChange(v), r.known[b][v.version.stored.Generation]*1000)
}

func (r *simRules) lastChange(v simView) simMillis {
	is := v.version.stored
	if is.Calendar != "" && is.Active { // nothing was decided during a pause
		if at := r.w.changes[v.set].plain.lastChange(is.Calendar); at > simMillis(is.UpdateTime) {
			return at
		}
	}
	return simMillis(is.Since)
}

func (r *simRules) hasDue(b int, v simView, now simMillis) bool {
	due := r.nextDue(b, v, r.begin(b, v)+v.version.def.shift())
	return due <= min(now, r.heldSince(v))
}

// pausesOf returns the pauses that concern the schedule.
func (r *simRules) pausesOf(v simView) []simPause {
	all := r.w.pauses[v.pauses].plain
	return slices.Concat(all[""], all[r.sc.key.App()])
}

// heldSince returns the moment after which a walk decides nothing that is due,
// because a pause is on: where it began, or one that others joined to it. A
// schedule that was resumed meanwhile, and makes up for its own pause, waits from
// the beginning of that.
func (r *simRules) heldSince(v simView) simMillis {
	held := simNever
	pauses := r.pausesOf(v)
	for _, p := range pauses {
		if p.to == 0 {
			held = min(held, p.from)
		}
	}
	if held == simNever {
		return simNever
	}
	for joined := true; joined; {
		joined = false
		for _, p := range pauses {
			if p.to >= held && p.from < held {
				held, joined = p.from, true
			}
		}
	}
	is := v.version.stored
	if v.version.isCatchUp() && simMillis(is.Since) < held && simMillis(is.UpdateTime) > held {
		return simMillis(is.Since)
	}
	return held
}

func (r *simRules) hasPassed(b int, v simView, now simMillis) bool {
	return len(r.between(v, r.begin(b, v), now)) > 0
}

// between returns the nominal times after a moment and up to another.
func (r *simRules) between(v simView, after, upTo simMillis) []simNominal {
	times := r.timesOf(v.version.def, v.set)
	first := sort.Search(len(times), func(i int) bool { return times[i].at*1000 > after })
	end := sort.Search(len(times), func(i int) bool { return times[i].at*1000 > upTo })
	return times[first:max(first, end)]
}

func (r *simRules) decideTimes(b int, v simView, at simMoment) []bus.Fire {
	d, begin := v.version.def, r.begin(b, v)
	l := simDecisions{def: d, generation: v.version.stored.Generation}
	if !v.version.stored.Active {
		if at.occasion == atWalk { // only the edit that ends a pause decides its times
			return nil
		}
		l.skipAll(r.between(v, begin, at.now), "paused")
		return l.fires
	}
	policy, reason := d.Misfire, "misfire"
	if at.occasion != atWalk {
		policy, reason = bus.MisfireSkip, "edited"
	}
	kinds := r.kindsAt(v, at, policy)
	until := at.now
	if at.occasion == atWalk {
		until = min(until, r.heldSince(v))
	}
	times := r.between(v, begin, until-d.shift())
	l.add(times, l.reasons(times, kinds, policy, reason), kinds)
	if at.occasion != atWalk && d.shift() > 0 { // what would be due only after the edit
		early := r.between(v, max(begin, at.now-d.shift()), at.now)
		switch {
		case r.heldSince(v) < simNever:
			l.skipAll(early, "paused")
		case at.occasion == atEdit:
			l.fireAll(early, false)
		default:
			l.skipAll(early, reason)
		}
	}
	return l.fires
}

// simKinds says what kind of time a moment at which something was due is.
type simKinds struct {
	kindOf func(due simMillis) string
	bounds []simMillis // where kinds may begin and end
}

// kindsAt returns the kinds as a bus sees them at a moment.
func (r *simRules) kindsAt(v simView, at simMoment, policy string) simKinds {
	d := v.version.def
	running, leading := r.w.lives[at.bus][at.life].sinceWhen(at)
	pauses := r.pausesOf(v)
	k := simKinds{bounds: []simMillis{running - simSecond, leading - simSecond, at.now - d.misfireAfter, at.now - d.window}}
	for _, p := range pauses {
		k.bounds = append(k.bounds, p.from, p.to)
	}
	slices.Sort(k.bounds)
	k.kindOf = func(due simMillis) string {
		isPaused, catchUp := false, true
		for _, p := range pauses {
			if p.from < due && (p.to == 0 || due <= p.to) {
				isPaused, catchUp = true, catchUp && p.catchUp
			}
		}
		isLate := due < at.now-d.misfireAfter || due <= running-simSecond || isPaused
		switch {
		case isPaused && !catchUp:
			return "paused"
		case isLate && d.window > 0 && at.occasion == atWalk && due < at.now-d.window:
			return "too old"
		case isLate:
			return "late"
		case due <= leading-simSecond && policy != bus.MisfireFireAll:
			return "unled"
		}
		return "on time"
	}
	return k
}

// isWhole reports whether all moments between two times are of one kind.
func (k *simKinds) isWhole(from, to simMillis) bool {
	kind := k.kindOf(from)
	for _, b := range k.bounds {
		for near := b - 1; near <= b+1; near++ {
			if from <= near && near <= to && k.kindOf(near) != kind {
				return false
			}
		}
	}
	return true
}

// reasons returns for each time the reason why it is skipped, or how it fires:
// empty, or late.
func (l *simDecisions) reasons(times []simNominal, k simKinds, policy, reason string) []string {
	all := make([]string, len(times))
	left, fires := l.def.limit, false
	for i := len(times) - 1; i >= 0; i-- {
		kind := k.kindOf(times[i].at*1000 + l.def.shift())
		switch {
		case kind == "paused":
			all[i] = "paused"
		case kind == "too old":
			all[i] = "catch_up_window"
		case kind == "on time":
			fires = true
		case kind == "late" && policy == bus.MisfireFireAll:
			all[i] = "late"
			if left--; left < 0 {
				all[i] = "catch_up_limit"
			}
		case fires, kind == "late" && policy == bus.MisfireSkip:
			all[i] = reason
		case kind == "late":
			all[i], fires = "late", true
		default:
			fires = true
		}
	}
	return all
}

// add adds the decisions about times. Skipped times of one kind that follow each
// other are a run.
func (l *simDecisions) add(times []simNominal, reasons []string, k simKinds) {
	shift := l.def.shift()
	for i := 0; i < len(times); {
		switch reasons[i] {
		case "", "late":
			l.fireAll(times[i:i+1], reasons[i] == "late")
			i++
		default:
			end := i + 1
			for end < len(times) && reasons[end] == reasons[i] && k.isWhole(times[end-1].at*1000+shift, times[end].at*1000+shift) {
				end++
			}
			l.skipAll(times[i:end], reasons[i])
			i = end
		}
	}
}

// sinceWhen returns since when a process has run, and since when it has led,
// without a gap. A process that does not lead has led since now.
func (l *simLife) sinceWhen(at simMoment) (running, leading simMillis) {
	running, leading = l.phases[at.phase].from, at.at
	if l.phases[at.phase].leads {
		leading = running
	}
	for i := at.phase; i > 0 && l.phases[i-1].to == l.phases[i].from; i-- {
		running = l.phases[i-1].from
	}
	return running + l.clock, leading + l.clock
}

// simDecisions collects the decisions of a moment.
type simDecisions struct {
	def        *simDefinition
	generation uint64
	fires      []bus.Fire
}

// fireAll fires times.
func (l *simDecisions) fireAll(times []simNominal, caughtUp bool) {
	for _, t := range times {
		f := bus.Fire{Generation: l.generation, Nominal: subjects.Time(t.at * 1000), CaughtUp: caughtUp}
		f.Date = time.Unix(t.date*daySeconds, 0).UTC().Format(time.DateOnly)
		if len(t.from) > 0 {
			f.From = subjects.Time(t.from[0] * 1000)
		}
		l.fires = append(l.fires, f)
	}
}

// skipAll skips times. More than 24 share the key of the newest.
func (l *simDecisions) skipAll(times []simNominal, reason string) {
	if n := len(times); n > 24 {
		l.fires = append(l.fires, bus.Fire{
			Generation: l.generation, Nominal: subjects.Time(times[n-1].at * 1000), Skipped: reason,
			SkippedFrom: subjects.Time(times[0].at * 1000), SkippedCount: n,
		})
		return
	}
	for _, t := range times {
		l.fires = append(l.fires, bus.Fire{Generation: l.generation, Nominal: subjects.Time(t.at * 1000), Skipped: reason})
	}
}

// checkFire skips a moved time if all times that were moved to it have been
// decided before the last change: they were no holidays then.
func (r *simRules) checkFire(v simView, f bus.Fire, s *simStore) bus.Fire {
	if f.Skipped != "" || f.From.IsZero() || simMillis(f.From) > r.lastChange(v) {
		return f
	}
	second := f.Nominal.Std().Unix()
	for _, t := range r.timesOf(v.version.def, v.set) {
		if t.at != second {
			continue
		}
		for _, source := range t.from {
			if source <= second && s.decisionOf(source) == nil {
				return f
			}
		}
	}
	return bus.Fire{Generation: f.Generation, Nominal: f.Nominal, Skipped: "decided"}
}

func (r *simRules) nextBegin(was *simVersion, now simMillis, o occasion) (simMillis, bool) {
	if o == atCatchUp && !was.stored.Active {
		return simMillis(was.stored.Since), false
	}
	return now, true
}

func (r *simRules) createFire(s *simStore, f bus.Fire, b int, at simMillis) (*simFire, bool) {
	return s.createFire(f, b, at)
}

func (r *simRules) submitFire(_ int, f *simFire, s *simStore) { s.submit(f.Execution, f.second) }

// finishOpen submits everything that was ever decided to fire.
func (r *simRules) finishOpen(_ int, s *simStore) {
	for _, f := range s.open {
		s.submit(f.Execution, f.second)
	}
}

// undecided returns nominal times that have no decision although they should,
// whichever bus and whenever: those of each version of the schedule, from its
// beginning until the edit that ended it. During a few seconds around a change
// of its calendar, it depends on the buses by which days they go.
func (r *simRules) undecided(s *simStore) (missing []string) {
	for i, v := range s.versions {
		if v.stored == nil {
			continue
		}
		until := min(r.w.to-simHour, r.heldSince(simView{version: v, pauses: len(r.w.pauses) - 1})) - v.def.shift()
		if i+1 < len(s.versions) {
			if until = s.versions[i+1].edited; s.versions[i+1].isCatchUp() {
				continue // the next version decides them
			}
		} else if !v.stored.Active {
			continue // the pause goes on
		}
		for set := range r.w.changes {
			from, to := r.inForce(v, set, until)
			for _, t := range r.between(simView{version: v, set: set}, from, to) {
				if s.decisionOf(t.at) == nil {
					missing = append(missing, fmt.Sprintf("undecided: %s of generation %d", simText(t.at*1000), v.stored.Generation))
				}
			}
		}
	}
	return missing
}

// isCatchUp reports whether the version makes up for the times of a pause.
func (v *simVersion) isCatchUp() bool { return v.stored != nil && v.stored.Since < v.stored.UpdateTime }

// inForce returns between which moments the times of a version are those by the
// days after a number of changes. The times of a pause are those by the days at
// its end.
func (r *simRules) inForce(v *simVersion, set int, until simMillis) (from, to simMillis) {
	changedAfter := func(i int) simMillis {
		if i+1 < len(r.w.changes) {
			return r.w.changes[i+1].at
		}
		return simNever
	}
	begin := simMillis(v.stored.Since)
	fixed := simMillis(v.stored.UpdateTime) // the times up to it are those by the days at it
	if !v.stored.Active {
		fixed = until
	}
	const unsure = 2 * simMinute
	from, to = r.w.changes[set].written+unsure, min(until, changedAfter(set)-unsure)
	if from <= fixed+unsure && fixed < changedAfter(set)-unsure {
		return begin, to
	}
	return max(from, fixed), to
}

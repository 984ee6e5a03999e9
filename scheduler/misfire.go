package scheduler

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	// defaultCatchUp is the number of misfires of a schedule that the policy
	// fire_all fires, unless the schedule sets another. It skips older ones.
	defaultCatchUp = 1000
	maxCatchUp     = 100_000
	// maxSingleSkips is the longest run of skipped misfires that has a key for
	// each. A longer run shares one key.
	maxSingleSkips = 24
	// maxSkippedCount is the limit of the count in a shared key.
	maxSkippedCount = 1_000_000

	skippedMisfire = "misfire"
	skippedLimit   = "catch_up_limit"
	skippedWindow  = "catch_up_window"
	skippedPaused  = "paused"  // passed during a pause
	skippedEdited  = "edited"  // undecided and late at an edit, a pause or the removal of the schedule
	skippedDeleted = "deleted" // undecided at the deletion of the job
	skippedDecided = "decided" // moved from times that were decided before a change

	minMisfireAfter = time.Second
	maxMisfireAfter = 24 * time.Hour
)

// outcome is the decision about a nominal time, before it is stored.
type outcome struct {
	nominal      time.Time
	caughtUp     bool      // a misfire that fires
	skipped      string    // the reason, if it does not fire
	blocker      int64     // the execution because of which it is skipped
	skippedFrom  time.Time // the oldest time of a skipped run that ends with nominal
	skippedCount int
}

// lateness determines which nominal times are late, and what becomes of them.
type lateness struct {
	policy     string
	reason     string    // the reason with which late times are skipped
	lateUntil  time.Time // times up to this are misfires
	unledUntil time.Time // later times up to this passed while no bus led
	tooOld     time.Time // no misfire fires up to this; zero: none is too old
	limit      int       // the number of misfires that fire_all fires
	pauses     pauseSpans
}

// occasion is the event that makes the scheduler decide the nominal times of a
// schedule.
type occasion int

const (
	atWalk     occasion = iota // the times are due
	atEdit                     // the schedule changes; misfires are skipped
	atEnd                      // the schedule is paused or removed; misfires are skipped
	atCatchUp                  // the schedule is resumed, and makes up for its pause
	atDeletion                 // the job is deleted; nothing fires any more
)

// moment is when a bus decides the nominal times of a schedule, and what the bus
// knows about the time before.
type moment struct {
	now                   time.Time
	downUntil, unledUntil time.Time // those of [leadership.unattendedUntil]
	pauses                pauseSpans
	occasion              occasion
}

// decisions returns the outcomes of the schedule's nominal times after start
// that a bus decides at a moment, in order. start is that of [ledger.walkStart].
// They depend on nothing else. Only an edit decides the times of a pause: a bus
// that has not heard of the pause may walk, and the resumption may make up for
// them.
func (p *plan) decisions(sc *bus.Schedule, start time.Time, at moment) iter.Seq[outcome] {
	switch {
	case !sc.Active && at.occasion == atWalk:
		return func(func(outcome) bool) {}
	case !sc.Active:
		return func(yield func(outcome) bool) { p.yieldSkipped(start, at.now, skippedPaused, yield) }
	}
	l := latenessOf(sc, at.now, at.downUntil, at.unledUntil, at.occasion)
	l.pauses = at.pauses
	return p.outcomesUntil(start, at.decidesUntil(sc), l, at.occasion)
}

// decidesUntil returns the moment up to which the bus decides what is due. A walk
// decides nothing that is due during a pause that is on: only its end tells what
// becomes of that. An edit decides everything.
func (m *moment) decidesUntil(sc *bus.Schedule) time.Time {
	if held := m.pauses.heldSince(sc); m.occasion == atWalk && !held.IsZero() && held.Before(m.now) {
		return held
	}
	return m.now
}

// fireOf returns the decision to store about an outcome. It has no execution
// yet.
func (p *plan) fireOf(sc *bus.Schedule, st outcome) bus.Fire {
	f := bus.Fire{
		Generation: sc.Generation, Nominal: subjects.TimeOf(st.nominal), CaughtUp: st.caughtUp, Skipped: st.skipped,
		BlockedBy: st.blocker,
	}
	if st.skippedCount > 1 {
		f.SkippedFrom, f.SkippedCount = subjects.TimeOf(st.skippedFrom), st.skippedCount
	}
	if st.skipped == "" {
		f.Parameters, f.Priority, f.Pool = sc.Parameters, sc.Priority, sc.Pool
		if sc.Overlap != bus.OverlapAllow {
			f.Overlap = sc.Overlap
		}
		d := p.decisionAt(st.nominal)
		f.Date = d.Date.String()
		if !d.From.IsZero() {
			f.From = subjects.TimeOf(d.From)
		}
	}
	return f
}

// latenessOf returns which of the schedule's nominal times up to now are late.
// downUntil and unledUntil are those of [leadership.unattendedUntil].
func latenessOf(sc *bus.Schedule, now, downUntil, unledUntil time.Time, o occasion) lateness {
	l := lateness{policy: sc.Misfire, reason: skippedMisfire, lateUntil: downUntil, unledUntil: unledUntil}
	l.limit = cmp.Or(sc.CatchUpLimit, defaultCatchUp)
	if window, err := time.ParseDuration(sc.CatchUpWindow); err == nil && o == atWalk && sc.Misfire != bus.MisfireSkip {
		l.tooOld = now.Add(-window - 1)
	}
	switch o {
	case atEdit, atEnd:
		l.policy, l.reason = bus.MisfireSkip, skippedEdited
	case atDeletion:
		return lateness{policy: bus.MisfireSkip, reason: skippedDeleted, lateUntil: now}
	}
	after, err := time.ParseDuration(cmp.Or(sc.After, bus.DefaultMisfireAfter))
	if err != nil { // written by a newer version
		after, _ = time.ParseDuration(bus.DefaultMisfireAfter)
	}
	if late := now.Add(-after - 1); late.After(l.lateUntil) {
		l.lateUntil = late
	}
	return l
}

// dueOutcomes returns the outcomes of the nominal times after from and up to
// now, in order.
//
//	from ---- misfires ---- lateUntil ---- nobody led ---- unledUntil ---- on time ---- now
//
// For misfires the policy decides: fire_all fires each of them up to a limit,
// skip fires none, and fire_once fires the newest unless another time fires
// after it. Those that are older than the catch-up window are skipped.
// Times that passed while nobody led are not misfires. The policy fire_all
// fires each of them. The other policies fire the newest unless a time that is
// on time follows: a takeover then loses no lone fire, and does not start many
// executions at once. Times that are on time fire.
//
// Pauses of the application or of all schedules cut pieces out of that. Their
// times are skipped, or they are misfires, however late they are.
func (p *plan) dueOutcomes(from, now time.Time, l lateness) iter.Seq[outcome] {
	return func(yield func(outcome) bool) {
		pieces := l.piecesBetween(from, now)
		fire := p.firesOf(pieces, &l)
		for i := range pieces {
			if !p.yieldPiece(&pieces[i], fire[i], &l, yield) {
				return
			}
		}
	}
}

// piece is a range of nominal times that are treated alike: those after from, up
// to and including to.
type piece struct {
	from, to time.Time
	kind     pieceKind
}

type pieceKind int

const (
	onTime   pieceKind = iota
	unled              // passed while no bus led
	misfired           // misfires
	tooOld             // misfires before the catch-up window
	paused
)

// piecesBetween cuts the time after from, up to and including to, into pieces.
func (l *lateness) piecesBetween(from, to time.Time) (all []piece) {
	addUntil := func(kind pieceKind, until time.Time) {
		if until = earlier(until, to); !until.After(from) {
			return
		}
		if n := len(all); n > 0 && all[n-1].kind == kind {
			all[n-1].to = until
		} else {
			all = append(all, piece{from, until, kind})
		}
		from = until
	}
	addUnpaused := func(until time.Time) {
		addUntil(tooOld, earlier(earlier(l.tooOld, l.lateUntil), until))
		addUntil(misfired, earlier(l.lateUntil, until))
		if l.policy != bus.MisfireFireAll {
			addUntil(unled, earlier(l.unledUntil, until))
		}
		addUntil(onTime, until)
	}
	for _, span := range l.pauses.between(from, to) {
		addUnpaused(span.from)
		if span.catchUp {
			addUntil(tooOld, earlier(l.tooOld, span.to))
			addUntil(misfired, span.to)
		} else {
			addUntil(paused, span.to)
		}
	}
	addUnpaused(to)
	return all
}

// firesOf returns for each piece how many of its newest times may fire. It has
// no meaning for times that are on time, which all fire.
func (p *plan) firesOf(pieces []piece, l *lateness) []int {
	fire := make([]int, len(pieces))
	oldest := slices.IndexFunc(pieces, func(pc piece) bool { return pc.kind == unled || pc.kind == misfired })
	firesLater, left := false, l.limit
	for i := len(pieces) - 1; i >= oldest && oldest >= 0; i-- {
		pc := &pieces[i]
		switch {
		case pc.kind == misfired && l.policy == bus.MisfireFireAll:
			if fire[i] = left; i > oldest {
				left -= len(p.newestBetween(pc.from, pc.to, left))
			}
		case pc.kind == misfired && l.policy == bus.MisfireSkip, pc.kind == tooOld, pc.kind == paused, firesLater:
		default:
			fire[i] = 1
			firesLater = i > oldest && p.hasTime(pc.from, pc.to)
		}
	}
	return fire
}

// yieldPiece yields the outcomes of a piece, of whose newest times so many may
// fire.
func (p *plan) yieldPiece(pc *piece, fire int, l *lateness, yield func(outcome) bool) bool {
	switch pc.kind {
	case paused:
		return p.yieldSkipped(pc.from, pc.to, skippedPaused, yield)
	case tooOld:
		return p.yieldSkipped(pc.from, pc.to, skippedWindow, yield)
	case misfired:
		reason := l.reason
		if l.policy == bus.MisfireFireAll {
			reason = skippedLimit
		}
		return p.yieldMisfires(pc.from, pc.to, fire, reason, true, yield)
	case unled:
		return p.yieldMisfires(pc.from, pc.to, fire, l.reason, false, yield)
	}
	for t := range p.timesBetween(pc.from, pc.to) {
		if !yield(outcome{nominal: t}) {
			return false
		}
	}
	return true
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// outcomesUntil returns the outcomes of the nominal times after from that are due
// at now, in order. Except at a walk, it adds those of the times that have
// passed but are not due before now because of the jitter: the next generation
// begins at now. They fire early, or are skipped if nothing fires any more or a
// pause is on.
func (p *plan) outcomesUntil(from, now time.Time, l lateness, o occasion) iter.Seq[outcome] {
	isHeld := l.pauses.isOn()
	due := now.Add(-p.shift)
	l.lateUntil, l.unledUntil = l.lateUntil.Add(-p.shift), l.unledUntil.Add(-p.shift)
	if !l.tooOld.IsZero() {
		l.tooOld = l.tooOld.Add(-p.shift)
	}
	l.pauses = l.pauses.earlierBy(p.shift)
	return func(yield func(outcome) bool) {
		for st := range p.dueOutcomes(from, due, l) {
			if !yield(st) {
				return
			}
		}
		if p.shift == 0 || o == atWalk {
			return
		}
		if from.Before(due) {
			from = due
		}
		switch {
		case isHeld:
			p.yieldSkipped(from, now, skippedPaused, yield)
			return
		case o != atEdit:
			p.yieldSkipped(from, now, l.reason, yield)
			return
		}
		for t := range p.timesBetween(from, now) {
			if !yield(outcome{nominal: t}) {
				return
			}
		}
	}
}

// yieldMisfires yields the nominal times after from and up to to. The newest
// keep times fire, and older times are skipped.
func (p *plan) yieldMisfires(from, to time.Time, keep int, reason string, late bool, yield func(outcome) bool) bool {
	newest := p.newestBetween(from, to, keep+1)
	if len(newest) > keep {
		if !p.yieldSkipped(from, newest[0], reason, yield) {
			return false
		}
		newest = newest[1:]
	}
	for _, t := range newest {
		if !yield(outcome{nominal: t, caughtUp: late}) {
			return false
		}
	}
	return true
}

// yieldSkipped yields the nominal times after from and up to to as skipped. A
// long run becomes a single outcome of its newest time.
func (p *plan) yieldSkipped(from, to time.Time, reason string, yield func(outcome) bool) bool {
	var single []time.Time
	count := 0
	for t := range p.timesBetween(from, to) {
		if count++; count <= maxSingleSkips {
			single = append(single, t)
		}
		if count == maxSkippedCount {
			break
		}
	}
	if count > maxSingleSkips {
		newest := p.newestBetween(from, to, 1)[0]
		return yield(outcome{nominal: newest, skipped: reason, skippedFrom: single[0], skippedCount: count})
	}
	for _, t := range single {
		if !yield(outcome{nominal: t, skipped: reason}) {
			return false
		}
	}
	return true
}

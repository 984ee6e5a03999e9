package scheduler

import (
	"cmp"
	"iter"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

const (
	// maxCaughtUp is how many misfires of a schedule fire_all fires; the ones
	// before are skipped.
	maxCaughtUp = 1000
	// maxSingle is how many misfires are skipped with a key each. More of them
	// share one.
	maxSingle = 24
	// maxCount is how far the misfires of a shared key are counted.
	maxCount = 1_000_000

	skippedMisfire = "misfire"
	skippedEdited  = "edited"  // a misfire that an edit, a pause or a deletion of the schedule found undecided
	skippedDeleted = "deleted" // a time that the deletion of the job found undecided

	minAfter = time.Second
	maxAfter = 24 * time.Hour
)

// step is what is to be decided about a nominal time.
type step struct {
	nominal  time.Time
	caughtUp bool      // fired, but late
	skipped  string    // why it is not fired
	from     time.Time // if count > 1: the oldest of the skipped times that nominal is the newest of
	count    int
}

// lateness says which nominal times are late, and what becomes of those.
type lateness struct {
	policy string
	reason string    // why a late time is skipped
	late   time.Time // times until then are misfires
	unled  time.Time // times after late, until then, passed while no bus led: not later than misfire_after, but all at once
}

// occasion is why the scheduler decides the nominal times of a schedule.
type occasion int

const (
	atWalk     occasion = iota // they are due
	atEdit                     // the schedule changes; misfires are skipped
	atDeletion                 // the job is deleted; nothing fires any more
)

// latenessOf returns which of the schedule's nominal times until now are late.
// The times missed and unled are those of [watch.watched].
func latenessOf(sc *bus.Schedule, now, missed, unled time.Time, o occasion) lateness {
	l := lateness{policy: sc.Misfire, reason: skippedMisfire, late: missed, unled: unled}
	switch o {
	case atEdit:
		l.policy, l.reason = bus.MisfireSkip, skippedEdited
	case atDeletion:
		return lateness{policy: bus.MisfireSkip, reason: skippedDeleted, late: now}
	}
	after, err := time.ParseDuration(cmp.Or(sc.After, bus.DefaultMisfireAfter))
	if err != nil { // written by a version that knows more
		after, _ = time.ParseDuration(bus.DefaultMisfireAfter)
	}
	if late := now.Add(-after - 1); late.After(l.late) {
		l.late = late
	}
	return l
}

// due returns what is to be decided about the nominal times between from and
// now, in order.
//
//	from ---- misfires ---- late ---- nobody led ---- unled ---- on time ---- now
//
// Of the misfires fire_once fires the newest unless something follows, fire_all
// each, skip none. Of what passed while nobody led, but is no misfire, fire_all
// fires each, and the others the newest unless something on time follows: so
// one fire is not lost when another bus takes over, and many are not made at
// once. What is on time is fired.
func (p *plan) due(from, now time.Time, l lateness) iter.Seq[step] {
	return func(yield func(step) bool) {
		if l.late.After(from) {
			if !p.misfires(from, l.late, p.catchUp(l.late, now, l.policy), l.reason, true, yield) {
				return
			}
			from = l.late
		}
		if l.unled.After(from) && l.policy != bus.MisfireFireAll {
			if !p.misfires(from, l.unled, p.catchUp(l.unled, now, bus.MisfireFireOnce), l.reason, false, yield) {
				return
			}
			from = l.unled
		}
		for t := range p.between(from, now) {
			if !yield(step{nominal: t}) {
				return
			}
		}
	}
}

// catchUp is how many of the late times until late are fired.
func (p *plan) catchUp(late, now time.Time, policy string) int {
	switch policy {
	case bus.MisfireSkip:
		return 0
	case bus.MisfireFireAll:
		return maxCaughtUp
	}
	if t := p.next(late); !t.IsZero() && !t.After(now) {
		return 0
	}
	return 1
}

// misfires yields the nominal times between from and to: the newest are fired,
// as many as keep says, the others skipped.
func (p *plan) misfires(from, to time.Time, keep int, reason string, late bool, yield func(step) bool) bool {
	newest := p.newest(from, to, keep+1)
	if len(newest) > keep {
		if !p.skip(from, newest[0], reason, yield) {
			return false
		}
		newest = newest[1:]
	}
	for _, t := range newest {
		if !yield(step{nominal: t, caughtUp: late}) {
			return false
		}
	}
	return true
}

// skip yields the nominal times between from and to as skipped, many of them as
// one.
func (p *plan) skip(from, to time.Time, reason string, yield func(step) bool) bool {
	var single []time.Time
	count := 0
	for t := range p.between(from, to) {
		if count++; count <= maxSingle {
			single = append(single, t)
		}
		if count == maxCount {
			break
		}
	}
	if count > maxSingle {
		return yield(step{nominal: to, skipped: reason, from: single[0], count: count})
	}
	for _, t := range single {
		if !yield(step{nominal: t, skipped: reason}) {
			return false
		}
	}
	return true
}

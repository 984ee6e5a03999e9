package scheduler

import (
	"iter"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

const (
	// maxCaughtUp is how many misfires of a schedule fire_all fires; the ones before are skipped.
	maxCaughtUp = 1000
	// maxSingle is how many misfires are skipped with a key each. More of them share one.
	maxSingle = 24
	// maxCount is how far the misfires of a shared key are counted.
	maxCount = 1_000_000

	skippedMisfire = "misfire"
)

// step is what is to be decided about a nominal time.
type step struct {
	nominal  time.Time
	caughtUp bool      // fired, but late
	skipped  string    // why it is not fired
	from     time.Time // if count > 1: the oldest of the skipped times that nominal is the newest of
	count    int
}

// due returns what is to be decided about the nominal times between from and now, in order. What was due
// no longer than onTime ago is fired. What was due before is a misfire: fire_once fires the newest unless
// something on time follows, fire_all each, skip none.
func (p *plan) due(from, now time.Time, policy string, onTime time.Duration) iter.Seq[step] {
	return func(yield func(step) bool) {
		late := now.Add(-onTime - 1) // the end of what is late
		if late.After(from) {
			if !p.misfires(from, late, p.catchUp(late, now, policy), yield) {
				return
			}
			from = late
		}
		for t := range p.between(from, now) {
			if !yield(step{nominal: t}) {
				return
			}
		}
	}
}

// catchUp is how many of the misfires until late are fired.
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

// misfires yields the misfires between from and late: the newest are fired, as many as keep says, the others skipped.
func (p *plan) misfires(from, late time.Time, keep int, yield func(step) bool) bool {
	newest := p.newest(from, late, keep+1)
	if len(newest) > keep {
		if !p.skip(from, newest[0], yield) {
			return false
		}
		newest = newest[1:]
	}
	for _, t := range newest {
		if !yield(step{nominal: t, caughtUp: true}) {
			return false
		}
	}
	return true
}

// skip yields the nominal times between from and to as misfires, many of them as one.
func (p *plan) skip(from, to time.Time, yield func(step) bool) bool {
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
		return yield(step{nominal: to, skipped: skippedMisfire, from: single[0], count: count})
	}
	for _, t := range single {
		if !yield(step{nominal: t, skipped: skippedMisfire}) {
			return false
		}
	}
	return true
}

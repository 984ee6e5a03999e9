package calendar

import (
	"iter"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/clock"
)

// Plan combines a schedule with a calendar. It has no state.
type Plan struct {
	// Schedule returns the first time of the schedule strictly after t, a whole
	// second, or the zero time. It goes by the clocks of t's location.
	Schedule     func(t time.Time) time.Time
	Days         *Days
	Zone         *time.Location
	Substitution Substitution
}

// Decision says what becomes of a time: it fires, or a holiday keeps it from
// firing.
type Decision struct {
	Time  time.Time // a whole second, in the plan's zone
	Date  Date      // the business date of Time
	Fires bool
	// If Time fires: the first time of the schedule that was moved to it, or
	// zero if the schedule names Time itself.
	From time.Time
	// If Time does not fire: the time that fires instead, or zero.
	To time.Time
	// Time was not moved, because To is the schedule's following time and comes
	// first.
	StoodIn bool
	// The holiday that keeps Time, or From, from firing.
	Why *Reason
	// How a change of the clocks affects Time.
	Clock clock.Change
}

// Next returns the first fire strictly after t. ok is false if there is none by
// the end of 2299. That can be the case for a schedule that fires at other
// times: all of them may be holidays.
func (p *Plan) Next(t time.Time) (d Decision, ok bool) {
	q := p.newSearch()
	return q.decideNext(t.Unix())
}

// Decisions returns all fires, and all times of the schedule on holidays, after
// from and up to and including to, in order. So consecutive windows, each of
// which begins where the previous one ended, contain every time exactly once.
func (p *Plan) Decisions(from, to time.Time) iter.Seq[Decision] {
	return func(yield func(Decision) bool) {
		q := p.newSearch()
		fire, fires := q.decideNext(from.Unix())
		closed, date, excluded := q.nextExcluded(from.Unix())
		for {
			fires = fires && !fire.Time.After(to)
			excluded = excluded && closed <= to.Unix()
			switch {
			case fires && (!excluded || fire.Time.Unix() <= closed):
				if !yield(fire) {
					return
				}
				fire, fires = q.decideNext(fire.Time.Unix())
			case excluded:
				if !yield(q.decideExcluded(closed, date)) {
					return
				}
				closed, date, excluded = q.nextExcluded(closed)
			default:
				return
			}
		}
	}
}

package cron

import (
	"iter"
	"time"
)

// Schedule is a parsed expression. It is immutable, so several goroutines may
// use it.
type Schedule struct {
	text                            string
	seconds, minutes, hours, months set
	years                           yearSet
	days                            dayMasks
	firstTime                       int  // the first fire of a day, in seconds since midnight
	fixed                           bool // the hour is fixed: see the package comment
}

// String returns the expression in a normal form: upper case letters, single
// spaces, no leading zeros, */5 for /5, and no year of *. Parsing that text
// returns an equal schedule.
func (s *Schedule) String() string { return s.text }

// Never reports whether no date from 1970 to 2299 matches, as with 31 February.
// Never is false for a schedule whose years are all in the past: it has fired,
// but Next now returns the zero time.
func (s *Schedule) Never() bool {
	_, ok := s.nextCivil(-1)
	return !ok
}

// Between returns the fires after from, up to and including to, in the location
// of from. So consecutive windows, each of which begins where the previous one
// ended, contain every fire exactly once.
func (s *Schedule) Between(from, to time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		for t := s.Next(from); !t.IsZero() && !t.After(to); t = s.Next(t) {
			if !yield(t) {
				return
			}
		}
	}
}

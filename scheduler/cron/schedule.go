package cron

import (
	"iter"
	"time"
)

// Schedule is an expression that was understood. It does not change and may be
// used by several goroutines.
type Schedule struct {
	text                            string
	seconds, minutes, hours, months set
	years                           yearSet
	days                            dayMasks
	firstTime                       int  // the first time of a day, in seconds
	fixed                           bool // the hour is fixed: see the package comment
}

// String returns the expression with upper case letters, single spaces, no
// leading zeros, */5 for /5 and without a year that is *. Parsing it gives the
// same schedule.
func (s *Schedule) String() string { return s.text }

// Never reports whether no date from 1970 to 2299 matches, as for 31 February.
// A schedule whose years are over is another thing: its Next returns the zero
// time.
func (s *Schedule) Never() bool {
	_, ok := s.after(-1)
	return !ok
}

// Between returns the fires after from, up to and including to, in from's
// location. So windows that begin where the last one ended miss none and repeat
// none.
func (s *Schedule) Between(from, to time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		for t := s.Next(from); !t.IsZero() && !t.After(to); t = s.Next(t) {
			if !yield(t) {
				return
			}
		}
	}
}

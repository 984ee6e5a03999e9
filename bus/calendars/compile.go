package calendars

import (
	"fmt"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar/ical"
)

// Compiled is a calendar with its business days. As long as neither it nor a
// calendar that it is made of changes, all sets return the same pointer.
type Compiled struct {
	Days *calendar.Days
	// When the calendar, or one that it is made of, last changed.
	Since time.Time
	parts map[string]bool // keys of the calendar and of those that it is made of
}

// Compile returns the business days of the calendar with a key. The error is
// [bus.ErrNotFound] if there is no such calendar, and else one of
// [calendar.Compile].
func (s *Set) Compile(key string) (*Compiled, error) {
	e, ok := s.Get(key)
	if !ok {
		return nil, fmt.Errorf("calendar %q: %w", key, bus.ErrNotFound)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.compiled[key]; c != nil {
		return c, nil
	}
	shown := s.Shown(&e.Value)
	c := &Compiled{Since: e.Value.Since.Std(), parts: map[string]bool{key: true}}
	var err error
	c.Days, err = calendar.Compile(&shown, calendar.Sources{Recurrence: ical.Dates, Calendar: func(name string) (*calendar.Calendar, error) {
		other, ok := s.Named(name)
		if !ok {
			return nil, nil
		}
		c.parts[other.Key] = true
		if t := other.Value.Since.Std(); t.After(c.Since) {
			c.Since = t
		}
		shown := s.Shown(&other.Value)
		return &shown, nil
	}})
	if err != nil {
		return nil, err
	}
	s.compiled[key] = c
	return c, nil
}

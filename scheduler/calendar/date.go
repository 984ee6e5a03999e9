package calendar

import (
	"fmt"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/clock"
)

// Date is a day without a time: the number of days since 31 December of the
// year 0. The zero Date is no date.
type Date int32

// The first and last date that a calendar covers.
const (
	FirstDate Date = 719163 // 1970-01-01
	LastDate  Date = 839692 // 2299-12-31
)

// Earlier dates exist, but only as a text that is refused later.
const minDate Date = 1 // 0001-01-01

// DateAt returns the date of a year from 1, a month from 1 to 12 and a day of
// that month. The day may be beyond the month: 32 January is 1 February.
func DateAt(year, month, day int) Date {
	return FirstDate + Date(clock.DayOf(year, month)+day-1)
}

// DateOf returns the date that the clocks of t's location show.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return DateAt(y, int(m), d)
}

// ParseDate parses a date of the form 2026-12-25.
func ParseDate(text string) (Date, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || t.Year() < 1 {
		return 0, fmt.Errorf("want a date such as 2026-12-25, got %q", text)
	}
	return DateOf(t), nil
}

// IsZero reports whether d is no date.
func (d Date) IsZero() bool { return d == 0 }

// Split returns the year, the month from 1 and the day from 1.
func (d Date) Split() (year, month, day int) { return clock.DateOf(int(d - FirstDate)) }

// Weekday returns the day of the week.
func (d Date) Weekday() time.Weekday { return time.Weekday(d % 7) }

// String returns a text such as 2026-12-25, or an empty text for no date.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	y, m, day := d.Split()
	return fmt.Sprintf("%04d-%02d-%02d", y, m, day)
}

// MarshalText returns the text of String.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText parses the text of String.
func (d *Date) UnmarshalText(text []byte) (err error) {
	*d = 0
	if len(text) > 0 {
		*d, err = ParseDate(string(text))
	}
	return err
}

// civilAt returns the civil time sec seconds after midnight.
func (d Date) civilAt(sec int) clock.Civil { return clock.CivilAt(int(d-FirstDate), sec) }

// dateOfCivil returns the date of a civil time.
func dateOfCivil(c clock.Civil) Date {
	if c < 0 {
		return max(minDate, FirstDate+Date((c+1)/clock.SecondsPerDay)-1)
	}
	return FirstDate + Date(c.DayNumber())
}

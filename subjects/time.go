package subjects

import (
	"fmt"
	"time"
)

// Time is a moment in milliseconds since 1970, UTC. Its JSON form is RFC 3339
// with milliseconds. Zero means "not yet".
type Time int64

const timeFormat = "2006-01-02T15:04:05.000Z"

// Now returns the present time.
func Now() Time { return TimeOf(time.Now()) }

// WallClock returns the present time without a reading of the monotonic clock,
// which stops while a machine sleeps.
func WallClock() time.Time { return time.Now().Round(0) }

// WallSince returns the time since t by the wall clock. It is negative if the
// clock was set back.
func WallSince(t time.Time) time.Duration { return WallClock().Sub(t.Round(0)) }

// TimeOf truncates t to milliseconds. The zero time stays zero.
func TimeOf(t time.Time) Time {
	if t.IsZero() {
		return 0
	}
	return Time(t.UnixMilli())
}

// Std returns t as the standard library's type, in UTC; zero for zero.
func (t Time) Std() time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(t)).UTC()
}

// IsZero reports whether t is not known yet.
func (t Time) IsZero() bool { return t == 0 }

func (t Time) String() string {
	if t == 0 {
		return ""
	}
	return t.Std().Format(timeFormat)
}

// MarshalJSON writes a string, or null for zero.
func (t Time) MarshalJSON() ([]byte, error) {
	if t == 0 {
		return []byte("null"), nil
	}
	b := make([]byte, 0, len(timeFormat)+2)
	b = append(b, '"')
	b = t.Std().AppendFormat(b, timeFormat)
	return append(b, '"'), nil
}

// UnmarshalJSON reads any RFC 3339 time, or null.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*t = 0
		return nil
	}
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return fmt.Errorf("want a time such as %q, got %.40s", timeFormat, b)
	}
	s := string(b[1 : len(b)-1])
	if s == "" {
		*t = 0
		return nil
	}
	v, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return fmt.Errorf("want a time such as %q, got %.40q", timeFormat, s)
	}
	*t = TimeOf(v)
	return nil
}

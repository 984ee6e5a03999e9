package scheduler

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/cron"
)

// timetable returns the first nominal time after t, a whole second in the
// location of t, or the zero time if there is none. It knows no start, no end
// and no jitter. The start and the end of a schedule bound its times.
type timetable func(t time.Time) time.Time

// macros are short forms of expressions.
var macros = map[string]string{
	"@hourly": "0 0 * * * ?", "@daily": "0 0 0 * * ?", "@midnight": "0 0 0 * * ?", "@weekly": "0 0 0 ? * SUN",
	"@monthly": "0 0 0 1 * ?", "@yearly": "0 0 0 1 1 ?", "@annually": "0 0 0 1 1 ?",
}

const (
	everyPrefix = "@every "
	minEvery    = time.Second
	maxEvery    = 366 * 24 * time.Hour

	wantAt    = "a time such as 2026-12-31T23:00, or with an offset 2026-12-31T23:00:00+01:00"
	wantEvery = "@every and a duration of whole seconds from 1s to 8784h, such as @every 90s"
	wantBound = "a date such as 2026-12-31, or a time such as 2026-12-31T23:00 or 2026-12-31T23:00:00+01:00"
)

// timetableOf returns the timetable of a schedule in a zone.
func timetableOf(sc *bus.Schedule, zone *time.Location) (timetable, error) {
	switch {
	case sc.At != "":
		return timetableAt(sc, zone)
	case strings.HasPrefix(sc.Cron, everyPrefix):
		every, err := parseEvery(sc.Cron)
		if err != nil {
			return nil, err
		}
		anchor, err := parseBound(sc.Start, zone, false)
		return timetableEvery(anchor, every), err
	}
	c, err := parseCron(sc.Cron)
	if err != nil {
		return nil, err
	}
	if sc.DST == bus.DSTBoth {
		return c.NextInBothPasses, nil
	}
	return c.Next, nil
}

func parseCron(expr string) (*cron.Schedule, error) {
	if full, ok := macros[expr]; ok {
		expr = full
	}
	return cron.Parse(expr)
}

func parseEvery(expr string) (time.Duration, error) {
	every, err := time.ParseDuration(strings.TrimPrefix(expr, everyPrefix))
	if err == nil && (every < minEvery || every > maxEvery || every%time.Second != 0) {
		err = errors.New("no whole seconds, or out of range")
	}
	return every, err
}

// timetableEvery returns the times whose distance from the anchor is a multiple
// of every. They do not depend on when a bus was started. The zero anchor is
// the beginning of 1970 in UTC.
func timetableEvery(anchor time.Time, every time.Duration) timetable {
	origin, step := int64(0), int64(every/time.Second)
	if !anchor.IsZero() {
		origin = anchor.Unix()
	}
	return func(t time.Time) time.Time {
		n := max(t.Unix()-origin, -1)
		if n >= 0 {
			n /= step
		}
		return time.Unix(origin+(n+1)*step, 0).In(t.Location())
	}
}

// timetableAt returns the timetable of a schedule that fires once. A time
// without an offset may fall on a change of the clocks. It then follows the
// rules of a cron expression with that date.
func timetableAt(sc *bus.Schedule, zone *time.Location) (timetable, error) {
	at, hasOffset, err := parseWallTime(sc.At)
	if err != nil {
		return nil, err
	}
	if !hasOffset {
		expr := fmt.Sprintf("%d %d %d %d %d ? %d", at.Second(), at.Minute(), at.Hour(), at.Day(), at.Month(), at.Year())
		return timetableOf(&bus.Schedule{Cron: expr, DST: sc.DST}, zone)
	}
	return func(t time.Time) time.Time {
		if !at.After(t) {
			return time.Time{}
		}
		return at.In(t.Location())
	}, nil
}

// parseWallTime parses a time with or without an offset. The result without one
// has the fields of the wall clock, in UTC. Fractions of a second are refused.
func parseWallTime(text string) (t time.Time, hasOffset bool, err error) {
	for _, layout := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04Z07:00"} {
		if t, err = time.Parse(layout, text); err == nil {
			return t, true, wholeSecond(t)
		}
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err = time.Parse(layout, text); err == nil {
			return t, false, wholeSecond(t)
		}
	}
	return t, false, err
}

func wholeSecond(t time.Time) error {
	if t.Nanosecond() != 0 || t.Year() < cron.MinYear || t.Year() > cron.MaxYear {
		return errors.New("no whole second of the years that schedules know")
	}
	return nil
}

// parseBound parses the start or the end of a schedule, and returns the zero
// time for none. A date as the end includes the whole day. The time of a date
// is a midnight of the clocks of the zone, or what they show first after it.
func parseBound(text string, zone *time.Location, isEnd bool) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	day, err := time.Parse(time.DateOnly, text)
	if err == nil && !isEnd {
		return firstShown(day, zone)
	}
	if err == nil {
		next, err := firstShown(day.AddDate(0, 0, 1), zone)
		return next.Add(-time.Second), err
	}
	t, hasOffset, err := parseWallTime(text)
	if err != nil || hasOffset {
		return t, err
	}
	return firstShown(t, zone)
}

// firstShown returns the first instant at which the clocks of the zone show the
// wall time, or after a gap a later one. The fields of wall are those of the
// clock.
func firstShown(wall time.Time, zone *time.Location) (time.Time, error) {
	if err := wholeSecond(wall); err != nil {
		return time.Time{}, err
	}
	expr := fmt.Sprintf("%d %d %d %d %d ? %d", wall.Second(), wall.Minute(), wall.Hour(), wall.Day(), wall.Month(), wall.Year())
	c, err := cron.Parse(expr)
	if err != nil {
		return time.Time{}, err
	}
	if t := c.Next(time.Unix(0, 0).Add(-time.Second).In(zone)); !t.IsZero() {
		return t, nil
	}
	return time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone), nil
}

package scheduler

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/cron"
)

// plan says which nominal times a schedule asks for.
type plan struct {
	cron *cron.Schedule
	loc  *time.Location
}

// Faults are all that is wrong with a schedule's cron_notation, time_zone,
// calendar, misfire and misfire_after.
func Faults(sc bus.Schedule) (all []*bus.FieldError) {
	add := func(path, want, got string) {
		all = append(all, &bus.FieldError{Path: path, Want: want, Got: got})
	}
	switch c, err := cron.Parse(sc.Cron); {
	case err != nil:
		why := strings.TrimPrefix(err.Error(), fmt.Sprintf("cron %q: ", sc.Cron)) // the expression is not said twice
		add("/cron_notation", "a Quartz cron expression: "+why, cmp.Or(sc.Cron, `""`))
	case c.Never():
		add("/cron_notation", "an expression that fires: no date matches", sc.Cron)
	}
	if _, err := zoneOf(&sc, time.UTC); err != nil {
		add("/time_zone", "an IANA time zone such as Europe/Berlin", sc.TimeZone)
	}
	if sc.Calendar != "" {
		add("/calendar", "no calendar: this version knows none", sc.Calendar)
	}
	switch sc.Misfire {
	case "", bus.MisfireFireOnce, bus.MisfireFireAll, bus.MisfireSkip:
	default:
		add("/misfire", bus.MisfireFireOnce+", "+bus.MisfireFireAll+" or "+bus.MisfireSkip, sc.Misfire)
	}
	if after, err := time.ParseDuration(sc.After); sc.After != "" && (err != nil || after < minAfter || after > maxAfter) {
		add("/misfire_after", "a duration from 1s to 24h, such as "+bus.DefaultMisfireAfter+" or 5m", sc.After)
	}
	return all
}

// judged is the plan of a schedule, or the first of its [Faults].
func judged(sc *bus.Schedule, zone *time.Location) (*plan, error) {
	if wrong := Faults(*sc); len(wrong) > 0 {
		return nil, wrong[0]
	}
	return newPlan(sc, zone)
}

// newPlan is the plan of a schedule that was judged before it was stored.
func newPlan(sc *bus.Schedule, zone *time.Location) (*plan, error) {
	c, err := cron.Parse(sc.Cron)
	if err == nil {
		zone, err = zoneOf(sc, zone)
	}
	if err != nil {
		return nil, err
	}
	return &plan{c, zone}, nil
}

// zoneOf is the schedule's time zone, or the one of schedules that name none.
func zoneOf(sc *bus.Schedule, zone *time.Location) (*time.Location, error) {
	switch sc.TimeZone {
	case "":
		return zone, nil
	case "Local": // which would be another one at each bus
		return nil, errors.New("time zone Local")
	}
	return time.LoadLocation(sc.TimeZone)
}

// next is the first nominal time after t, or zero.
func (p *plan) next(t time.Time) time.Time { return p.cron.Next(t.In(p.loc)) }

// between are the nominal times after from, up to and including to.
func (p *plan) between(from, to time.Time) iter.Seq[time.Time] {
	return p.cron.Between(from.In(p.loc), to)
}

// newest returns the n newest of the nominal times between from and to, oldest
// first. It does not go through all of them.
func (p *plan) newest(from, to time.Time, n int) []time.Time {
	for back := time.Minute; ; back *= 2 {
		start, whole := to.Add(-back), false
		if back <= 0 || !start.After(from) {
			start, whole = from, true
		}
		var last []time.Time
		for t := range p.between(start, to) {
			if last = append(last, t); len(last) >= 2*n+64 {
				last = append(last[:0], last[len(last)-n:]...)
			}
		}
		if whole || len(last) >= n {
			return last[max(0, len(last)-n):]
		}
	}
}

// plans keeps the plan of each schedule: to read a time zone takes longer than
// to decide a fire.
type plans struct {
	zone *time.Location // of schedules that name none
	mu   sync.Mutex
	made map[string]made
}

type made struct {
	cron, zone string
	plan       *plan
}

func newPlans(zone *time.Location) *plans { return &plans{zone: zone, made: map[string]made{}} }

// of returns the schedule's plan, or a [bus.FieldError].
func (p *plans) of(sc *bus.Schedule) (*plan, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m, ok := p.made[sc.Key()]; ok && m.cron == sc.Cron && m.zone == sc.TimeZone {
		return m.plan, nil
	}
	pl, err := newPlan(sc, p.zone)
	if err == nil {
		p.made[sc.Key()] = made{sc.Cron, sc.TimeZone, pl}
	}
	return pl, err
}

func (p *plans) forget(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.made, key)
}

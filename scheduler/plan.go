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

// Check returns a [bus.FieldError] if a schedule's cron_notation, time_zone, calendar or misfire is wrong.
func Check(sc bus.Schedule) error {
	p, err := newPlan(&sc, time.UTC)
	if err != nil {
		return err
	}
	if p.cron.Never() {
		return &bus.FieldError{Path: "/cron_notation", Want: "an expression that fires: no date matches", Got: sc.Cron}
	}
	if sc.Calendar != "" {
		return &bus.FieldError{Path: "/calendar", Want: "no calendar: this version knows none", Got: sc.Calendar}
	}
	switch sc.Misfire {
	case "", bus.MisfireFireOnce, bus.MisfireFireAll, bus.MisfireSkip:
		return nil
	}
	return &bus.FieldError{Path: "/misfire", Want: bus.MisfireFireOnce + ", " + bus.MisfireFireAll + " or " + bus.MisfireSkip, Got: sc.Misfire}
}

func newPlan(sc *bus.Schedule, zone *time.Location) (*plan, error) {
	c, err := cron.Parse(sc.Cron)
	if err != nil {
		want := "a Quartz cron expression: " + err.Error()
		var at *cron.Error
		if errors.As(err, &at) { // the expression is not said twice
			want = "a Quartz cron expression: " + strings.TrimPrefix(err.Error(), fmt.Sprintf("cron %q: ", sc.Cron))
		}
		return nil, &bus.FieldError{Path: "/cron_notation", Want: want, Got: cmp.Or(sc.Cron, `""`)}
	}
	if sc.TimeZone != "" {
		zone, err = time.LoadLocation(sc.TimeZone)
		if err != nil || sc.TimeZone == "Local" { // which would be another one at each bus
			return nil, &bus.FieldError{Path: "/time_zone", Want: "an IANA time zone such as Europe/Berlin", Got: sc.TimeZone}
		}
	}
	return &plan{c, zone}, nil
}

// next is the first nominal time after t, or zero.
func (p *plan) next(t time.Time) time.Time { return p.cron.Next(t.In(p.loc)) }

// between are the nominal times after from, up to and including to.
func (p *plan) between(from, to time.Time) iter.Seq[time.Time] {
	return p.cron.Between(from.In(p.loc), to)
}

// newest returns the n newest of the nominal times between from and to, oldest first. It does not go through all of them.
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

// plans keeps the plan of each schedule: to read a time zone takes longer than to decide a fire.
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

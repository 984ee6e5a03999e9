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

// plan computes the nominal times of a schedule.
type plan struct {
	cron *cron.Schedule
	loc  *time.Location
}

// Faults returns everything that is wrong with a schedule, apart from its job.
func Faults(sc bus.Schedule) (all []*bus.FieldError) {
	add := func(path, want, got string) {
		all = append(all, &bus.FieldError{Path: path, Want: want, Got: got})
	}
	var wrong *bus.FieldError
	if errors.As(bus.CheckScheduleName(sc.Name), &wrong) {
		all = append(all, wrong)
	}
	switch c, err := cron.Parse(sc.Cron); {
	case err != nil:
		// Got repeats the expression already.
		why := strings.TrimPrefix(err.Error(), fmt.Sprintf("cron %q: ", sc.Cron))
		add("/cron_notation", "a Quartz cron expression: "+why, cmp.Or(sc.Cron, `""`))
	case c.Never():
		add("/cron_notation", "an expression that fires: no date matches", sc.Cron)
	}
	if _, err := zoneOf(&sc, time.UTC); err != nil {
		add("/time_zone", "an IANA time zone such as Europe/Berlin", sc.TimeZone)
	}
	if sc.Calendar != "" {
		add("/calendar", "no calendar: calendars are not supported yet", sc.Calendar)
	}
	switch sc.Misfire {
	case "", bus.MisfireFireOnce, bus.MisfireFireAll, bus.MisfireSkip:
	default:
		add("/misfire", bus.MisfireFireOnce+", "+bus.MisfireFireAll+" or "+bus.MisfireSkip, sc.Misfire)
	}
	if after, err := time.ParseDuration(sc.After); sc.After != "" && (err != nil || after < minMisfireAfter || after > maxMisfireAfter) {
		add("/misfire_after", "a duration from 1s to 24h, such as "+bus.DefaultMisfireAfter+" or 5m", sc.After)
	}
	return all
}

// checkedPlan returns the plan of a schedule, or the first of its [Faults].
// zone is for a schedule that names none.
func checkedPlan(sc *bus.Schedule, zone *time.Location) (*plan, error) {
	if wrong := Faults(*sc); len(wrong) > 0 {
		return nil, wrong[0]
	}
	return newPlan(sc, zone)
}

// newPlan returns the plan of a schedule that was checked before it was stored.
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

// zoneOf returns the schedule's time zone, or zone if the schedule names none.
func zoneOf(sc *bus.Schedule, zone *time.Location) (*time.Location, error) {
	switch sc.TimeZone {
	case "":
		return zone, nil
	case "Local": // it may be a different zone on each bus
		return nil, errors.New("time zone Local")
	}
	return time.LoadLocation(sc.TimeZone)
}

// nextAfter returns the first nominal time after t, or the zero time.
func (p *plan) nextAfter(t time.Time) time.Time { return p.cron.Next(t.In(p.loc)) }

// timesBetween returns the nominal times after from, up to and including to.
func (p *plan) timesBetween(from, to time.Time) iter.Seq[time.Time] {
	return p.cron.Between(from.In(p.loc), to)
}

// newestBetween returns the newest n of the times of timesBetween, oldest
// first. It searches backwards in growing windows, so it does not visit all
// times.
func (p *plan) newestBetween(from, to time.Time, n int) []time.Time {
	for back := time.Minute; ; back *= 2 {
		start, whole := to.Add(-back), false
		if back <= 0 || !start.After(from) {
			start, whole = from, true
		}
		var last []time.Time
		for t := range p.timesBetween(start, to) {
			if last = append(last, t); len(last) >= 2*n+64 {
				last = append(last[:0], last[len(last)-n:]...)
			}
		}
		if whole || len(last) >= n {
			return last[max(0, len(last)-n):]
		}
	}
}

// planCache caches the plan of each schedule. Loading a time zone takes longer
// than deciding a fire.
type planCache struct {
	zone    *time.Location // for schedules that name none
	mu      sync.Mutex
	entries map[bus.ScheduleKey]cachedPlan
}

type cachedPlan struct {
	cron, zone string
	plan       *plan
}

func newPlans(zone *time.Location) *planCache {
	return &planCache{zone: zone, entries: map[bus.ScheduleKey]cachedPlan{}}
}

// planFor returns the schedule's plan, or an error if this version cannot parse
// the schedule.
func (p *planCache) planFor(sc *bus.Schedule) (*plan, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m, ok := p.entries[sc.Key()]; ok && m.cron == sc.Cron && m.zone == sc.TimeZone {
		return m.plan, nil
	}
	pl, err := newPlan(sc, p.zone)
	if err == nil {
		p.entries[sc.Key()] = cachedPlan{sc.Cron, sc.TimeZone, pl}
	}
	return pl, err
}

func (p *planCache) dropPlan(key bus.ScheduleKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.entries, key)
}

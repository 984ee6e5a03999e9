package scheduler

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// plan computes the nominal times of a schedule, and when they are due.
type plan struct {
	times      timetable
	loc        *time.Location
	start, end time.Time // the first and the last instant of nominal times; zero: none
	// A nominal time is due this much later. It is the same for all times of a
	// schedule, so their order and distances stay.
	shift time.Duration
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
	addTimeFaults(&sc, add)
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
	if sc.Overlap != "" && !slices.Contains(bus.OverlapPolicies(), sc.Overlap) {
		add("/overlap", strings.Join(bus.OverlapPolicies(), ", "), sc.Overlap)
	}
	if sc.CatchUpLimit < 0 || sc.CatchUpLimit > maxCatchUp {
		add("/catch_up_limit", fmt.Sprintf("a whole number from 1 to %d", maxCatchUp), strconv.Itoa(sc.CatchUpLimit))
	}
	if sc.CatchUpLimit != 0 && sc.Misfire != bus.MisfireFireAll {
		add("/catch_up_limit", "no limit unless misfire is "+bus.MisfireFireAll, strconv.Itoa(sc.CatchUpLimit))
	}
	if window, err := time.ParseDuration(sc.CatchUpWindow); sc.CatchUpWindow != "" && (err != nil || window < minMisfireAfter) {
		add("/catch_up_window", "a duration from 1s, such as 12h", sc.CatchUpWindow)
	}
	if sc.CatchUpWindow != "" && sc.Misfire == bus.MisfireSkip {
		add("/catch_up_window", "no window with misfire "+bus.MisfireSkip+", which fires no misfire", sc.CatchUpWindow)
	}
	switch sc.Priority {
	case "", subjects.High, subjects.Normal, subjects.Low:
	default:
		add("/priority", subjects.High+", "+subjects.Normal+" or "+subjects.Low, sc.Priority)
	}
	if errors.As(execution.CheckParameters(sc.Parameters), &wrong) {
		all = append(all, wrong)
	}
	return all
}

// addTimeFaults adds what is wrong with the fields that set the nominal times.
func addTimeFaults(sc *bus.Schedule, add func(path, want, got string)) {
	every := strings.HasPrefix(sc.Cron, everyPrefix)
	switch {
	case sc.At != "" && sc.Cron != "":
		add("/at", "either at or cron_notation, not both", sc.At)
	case sc.At != "":
		if _, err := timetableAt(sc, time.UTC); err != nil {
			add("/at", wantAt, sc.At)
		}
	case every:
		if _, err := parseEvery(sc.Cron); err != nil {
			add("/cron_notation", wantEvery, sc.Cron)
		}
	default:
		addCronFaults(sc.Cron, add)
	}
	_, offset, _ := parseWallTime(sc.At)
	switch {
	case sc.DST != "" && sc.DST != bus.DSTOnce && sc.DST != bus.DSTBoth:
		add("/dst", bus.DSTOnce+" or "+bus.DSTBoth, sc.DST)
	case sc.DST == bus.DSTBoth && every:
		add("/dst", "no dst: @every does not follow the clocks of a zone", sc.DST)
	case sc.DST == bus.DSTBoth && sc.At != "" && offset:
		add("/dst", "no dst: a time with an offset occurs once", sc.DST)
	}
	if jitter, err := time.ParseDuration(sc.Jitter); sc.Jitter != "" && (err != nil || jitter < minJitter || jitter > maxJitter) {
		add("/jitter", "a duration from 1s to 24h, such as 5m", sc.Jitter)
	}
	addBoundFaults(sc, add)
}

func addCronFaults(expr string, add func(path, want, got string)) {
	switch c, err := parseCron(expr); {
	case strings.HasPrefix(expr, "@") && err != nil:
		add("/cron_notation", strings.Join(slices.Sorted(maps.Keys(macros)), ", ")+", "+wantEvery, expr)
	case err != nil:
		// Got repeats the expression already.
		why := strings.TrimPrefix(err.Error(), fmt.Sprintf("cron %q: ", expr))
		add("/cron_notation", "a Quartz cron expression: "+why, cmp.Or(expr, `""`))
	case c.Never():
		add("/cron_notation", "an expression that fires: no date matches", expr)
	}
}

func addBoundFaults(sc *bus.Schedule, add func(path, want, got string)) {
	if sc.At != "" {
		for path, bound := range map[string]string{"/start": sc.Start, "/end": sc.End} {
			if bound != "" {
				add(path, "no start and no end beside at", bound)
			}
		}
		return
	}
	zone, err := zoneOf(sc, time.UTC)
	if err != nil {
		zone = time.UTC
	}
	start, startErr := parseBound(sc.Start, zone, false)
	if startErr != nil {
		add("/start", wantBound, sc.Start)
	}
	end, endErr := parseBound(sc.End, zone, true)
	switch {
	case endErr != nil:
		add("/end", wantBound, sc.End)
	case startErr == nil && !end.IsZero() && end.Before(start):
		add("/end", "a time that is not before start", sc.End)
	}
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
	zone, err := zoneOf(sc, zone)
	if err != nil {
		return nil, err
	}
	p := &plan{loc: zone, shift: shiftOf(sc)}
	if p.times, err = timetableOf(sc, zone); err != nil {
		return nil, err
	}
	if p.start, err = parseBound(sc.Start, zone, false); err != nil {
		return nil, err
	}
	p.end, err = parseBound(sc.End, zone, true)
	return p, err
}

const (
	minJitter = time.Second
	maxJitter = 24 * time.Hour
)

// shiftOf returns how much later than its nominal times a schedule fires: a part
// of its jitter in whole seconds. It is a hash of the key of the schedule, so
// every bus computes the same, and it does not change.
func shiftOf(sc *bus.Schedule) time.Duration {
	jitter, err := time.ParseDuration(sc.Jitter)
	seconds := uint64(jitter / time.Second)
	if err != nil || seconds == 0 {
		return 0
	}
	hash := fnv.New64a()
	hash.Write([]byte(sc.Key().String()))
	return time.Duration(hash.Sum64()%seconds) * time.Second
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
func (p *plan) nextAfter(t time.Time) time.Time {
	if !p.start.IsZero() && t.Before(p.start) {
		t = p.start.Add(-time.Second)
	}
	next := p.times(t.In(p.loc))
	if !p.end.IsZero() && next.After(p.end) {
		return time.Time{}
	}
	return next
}

// dueAfter returns the first moment after t at which a nominal time is due, or
// the zero time.
func (p *plan) dueAfter(t time.Time) time.Time {
	next := p.nextAfter(t.Add(-p.shift))
	if next.IsZero() {
		return next
	}
	return next.Add(p.shift)
}

// timesBetween returns the nominal times after from, up to and including to.
func (p *plan) timesBetween(from, to time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		for t := p.nextAfter(from); !t.IsZero() && !t.After(to); t = p.nextAfter(t) {
			if !yield(t) {
				return
			}
		}
	}
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
	fields planFields
	plan   *plan
}

// planFields are the fields of a schedule that its plan depends on.
type planFields struct{ cron, at, zone, start, end, dst, jitter string }

func planFieldsOf(sc *bus.Schedule) planFields {
	return planFields{sc.Cron, sc.At, sc.TimeZone, sc.Start, sc.End, sc.DST, sc.Jitter}
}

func newPlans(zone *time.Location) *planCache {
	return &planCache{zone: zone, entries: map[bus.ScheduleKey]cachedPlan{}}
}

// planFor returns the schedule's plan, or an error if this version cannot parse
// the schedule.
func (p *planCache) planFor(sc *bus.Schedule) (*plan, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fields := planFieldsOf(sc)
	if m, ok := p.entries[sc.Key()]; ok && m.fields == fields {
		return m.plan, nil
	}
	pl, err := newPlan(sc, p.zone)
	if err == nil {
		p.entries[sc.Key()] = cachedPlan{fields, pl}
	}
	return pl, err
}

func (p *planCache) dropPlan(key bus.ScheduleKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.entries, key)
}

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
	"github.com/job-streamer/job-streamer-control-bus/bus/calendars"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// plan computes the nominal times of a schedule, and when they are due. With a
// calendar these are its times on business days, and those that were moved off
// holidays.
type plan struct {
	times      timetable
	moved      *calendar.Plan      // the times with a calendar; nil without one
	counted    *calendar.DayPlan   // the times, if the schedule counts business days
	calendar   *calendars.Compiled // nil for none
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
	if !slices.Contains(calendar.Substitutions(), sc.Substitution.Or()) {
		add("/substitution", "none, next, previous or true", string(sc.Substitution))
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
	if sc.Pool != "" && !subjects.ValidName(sc.Pool) {
		add("/pool", "1 to 128 characters from A-Z a-z 0-9 _ -", sc.Pool)
	}
	if errors.As(execution.CheckParameters(sc.Parameters), &wrong) {
		all = append(all, wrong)
	}
	return all
}

// addTimeFaults adds what is wrong with the fields that set the nominal times.
func addTimeFaults(sc *bus.Schedule, add func(path, want, got string)) {
	every := strings.HasPrefix(sc.Cron, everyPrefix)
	if len(sc.BusinessDays) == 0 && (sc.Of != "" || len(sc.Months) > 0) {
		add("/business_days", "numbers of business days such as [1, -1]: of and months belong to them", "")
	}
	switch {
	case len(sc.BusinessDays) > 0:
		addCountFaults(sc, add)
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
	case sc.DST == bus.DSTBoth && len(sc.BusinessDays) > 0:
		add("/dst", "no dst beside business_days", sc.DST)
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

// addCountFaults adds what is wrong with the business days of a schedule.
func addCountFaults(sc *bus.Schedule, add func(path, want, got string)) {
	if sc.Cron != "" {
		add("/cron_notation", "no cron_notation beside business_days", sc.Cron)
	}
	days := countOf(sc)
	var wrong calendar.Errors
	if errors.As(days.Validate(), &wrong) {
		for _, e := range wrong {
			add(e.Path, e.Want, e.Got)
		}
	}
	if sc.Substitution.Or() != calendar.NoSubstitution {
		add("/substitution", "none: business days are no holidays", string(sc.Substitution))
	}
}

func countOf(sc *bus.Schedule) calendar.BusinessDays {
	return calendar.BusinessDays{Counts: sc.BusinessDays, Of: sc.Of, Months: sc.Months, At: sc.At}
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
	if sc.At != "" && len(sc.BusinessDays) == 0 {
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

// newPlan returns the plan of a schedule that was checked before it was stored.
// c is its calendar, nil if it names none. zone is for a schedule that names
// none.
func newPlan(sc *bus.Schedule, zone *time.Location, c *calendars.Compiled) (*plan, error) {
	zone, err := zoneOf(sc, zone)
	if err != nil {
		return nil, err
	}
	p := &plan{loc: zone, shift: shiftOf(sc), calendar: c}
	if p.start, err = parseBound(sc.Start, zone, false); err != nil {
		return nil, err
	}
	if p.end, err = parseBound(sc.End, zone, true); err != nil {
		return nil, err
	}
	if len(sc.BusinessDays) > 0 {
		return p, p.countDays(sc)
	}
	if p.times, err = timetableOf(sc, zone); err != nil {
		return nil, err
	}
	if c != nil {
		p.moved = &calendar.Plan{Schedule: p.boundedTimes, Days: c.Days, Zone: zone, Substitution: sc.Substitution.Or()}
	}
	return p, nil
}

// countDays makes p the plan of a schedule that counts business days.
func (p *plan) countDays(sc *bus.Schedule) (err error) {
	if p.calendar == nil {
		p.calendar = weekends()
	}
	days := countOf(sc)
	p.counted, err = days.Plan(p.calendar.Days, p.loc)
	p.times = func(t time.Time) time.Time {
		d, ok := p.counted.Next(t)
		if !ok {
			return time.Time{}
		}
		return d.Time
	}
	return err
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
	return loadZone(sc.TimeZone)
}

// zones has the time zones that were loaded, by name. A zone takes kilobytes,
// and loading it takes longer than deciding a fire.
var zones sync.Map

func loadZone(name string) (*time.Location, error) {
	if z, ok := zones.Load(name); ok {
		return z.(*time.Location), nil
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	first, _ := zones.LoadOrStore(name, z)
	return first.(*time.Location), nil
}

// boundedTimes is the timetable of the schedule between its start and its end.
func (p *plan) boundedTimes(t time.Time) time.Time {
	if !p.start.IsZero() && t.Before(p.start) {
		t = p.start.Add(-time.Second).In(t.Location())
	}
	next := p.times(t)
	if !p.end.IsZero() && next.After(p.end) {
		return time.Time{}
	}
	return next
}

// nominalAfter returns the first time of the schedule after t, whatever its
// calendar is, or the zero time.
func (p *plan) nominalAfter(t time.Time) time.Time { return p.boundedTimes(t.In(p.loc)) }

// nextAfter returns the first nominal time after t, or the zero time.
func (p *plan) nextAfter(t time.Time) time.Time {
	if p.moved == nil {
		return p.nominalAfter(t)
	}
	d, ok := p.moved.Next(t)
	if !ok {
		return time.Time{}
	}
	return d.Time
}

// decisionAt returns what the plan says about its nominal time t.
func (p *plan) decisionAt(t time.Time) calendar.Decision {
	before := t.Add(-time.Second)
	switch {
	case p.moved != nil:
		if d, ok := p.moved.Next(before); ok && d.Time.Equal(t) {
			return d
		}
	case p.counted != nil:
		if d, ok := p.counted.Next(before); ok && d.Time.Equal(t) {
			return d
		}
	}
	t = t.In(p.loc)
	return calendar.Decision{Time: t, Date: calendar.DateOf(t), Fires: true}
}

// startOf returns the moment after which the plan decides nominal times: the
// last change of the schedule or of its calendar. A calendar that changed during
// a pause does not count. Nothing was decided before that change, and the times
// of a pause are those by the calendar at its end.
func (p *plan) startOf(sc *bus.Schedule) time.Time {
	since := sc.Since.Std()
	if p.calendar == nil || !sc.Active || p.calendar.Since.Before(sc.UpdateTime.Std()) || p.calendar.Since.Before(since) {
		return since
	}
	return p.calendar.Since
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

// isDue reports whether a nominal time after start is due at now.
func (p *plan) isDue(start, now time.Time) bool {
	next := p.nextAfter(start)
	return !next.IsZero() && !next.Add(p.shift).After(now)
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

// hasTime reports whether timesBetween returns any time.
func (p *plan) hasTime(from, to time.Time) bool {
	t := p.nextAfter(from)
	return !t.IsZero() && !t.After(to)
}

// countBetween counts the times of timesBetween, up to a million.
func (p *plan) countBetween(from, to time.Time) (n int) {
	for range p.timesBetween(from, to) {
		if n++; n == maxSkippedCount {
			break
		}
	}
	return n
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

// planCache caches plans. Parsing an expression takes longer than deciding a
// fire, and many schedules have the same plan.
type planCache struct {
	zone      *time.Location // for schedules that name none
	calendars func() *calendars.Set
	mu        sync.RWMutex
	plans     map[string]cachedPlan // by planText
}

type cachedPlan struct {
	calendar *calendars.Compiled
	plan     *plan
}

// planText appends the fields of a schedule that its plan depends on to b.
func planText(b []byte, sc *bus.Schedule) []byte {
	for _, field := range []string{sc.Cron, sc.At, sc.TimeZone, sc.Start, sc.End, sc.DST, sc.Calendar, string(sc.Substitution), sc.Of} {
		b = append(append(b, field...), 0)
	}
	for _, numbers := range [][]int{sc.BusinessDays, sc.Months} {
		for _, n := range numbers {
			b = append(strconv.AppendInt(b, int64(n), 10), ',')
		}
		b = append(b, 0)
	}
	if sc.Jitter != "" { // the key decides by how much the schedule is late
		b = append(append(append(b, sc.Jitter...), 0), sc.Key().String()...)
	}
	return b
}

func newPlans(zone *time.Location, set func() *calendars.Set) *planCache {
	return &planCache{zone: zone, calendars: set, plans: map[string]cachedPlan{}}
}

// planFor returns the schedule's plan with its calendar as it is now, or an
// error if this version cannot parse the schedule or its calendar does not
// exist.
func (p *planCache) planFor(sc *bus.Schedule) (*plan, error) {
	c, err := p.compile(sc)
	if err != nil {
		return nil, err
	}
	text := planText(make([]byte, 0, 128), sc)
	p.mu.RLock()
	m, ok := p.plans[string(text)]
	p.mu.RUnlock()
	if ok && m.calendar == c {
		return m.plan, nil
	}
	pl, err := newPlan(sc, p.zone, c)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if m, ok := p.plans[string(text)]; ok && m.calendar == c { // another goroutine was faster
		return m.plan, nil
	}
	p.plans[string(text)] = cachedPlan{c, pl}
	return pl, nil
}

// compile returns the calendar of a schedule, nil if it names none.
func (p *planCache) compile(sc *bus.Schedule) (*calendars.Compiled, error) {
	if sc.Calendar == "" {
		return nil, nil
	}
	return p.calendars().Compile(sc.Calendar)
}

// checkedPlan returns the plan of a schedule that is not stored, or the first of
// its [Faults].
func (p *planCache) checkedPlan(sc *bus.Schedule) (*plan, error) {
	if wrong := Faults(*sc); len(wrong) > 0 {
		return nil, wrong[0]
	}
	c, err := p.compile(sc)
	if err != nil {
		return nil, err
	}
	return newPlan(sc, p.zone, c)
}

// dropOthers drops all plans but these.
func (p *planCache) dropOthers(used map[*plan]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.plans, func(_ string, m cachedPlan) bool { return !used[m.plan] })
}

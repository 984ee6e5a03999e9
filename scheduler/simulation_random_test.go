package scheduler

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// simSchedule is a schedule of a simulation, and what people do to it.
type simSchedule struct {
	number int
	key    bus.ScheduleKey
	edits  []simEdit
}

// simEdit is what somebody asks a bus to do with a schedule.
type simEdit struct {
	at   simMillis
	bus  int
	what string         // set, pause, resume, catch up, remove
	def  *simDefinition // of set
}

// randomSimSchedule makes a schedule with the edits of a year.
func randomSimSchedule(w *simWorld, number int) *simSchedule {
	r := rand.New(rand.NewPCG(w.seed, uint64(1000+number)))
	s := &simSchedule{number: number, key: bus.NewScheduleKey(simApps[number%2], fmt.Sprintf("j%d", number), "")}
	def := s.randomDefinition(w, r)
	s.edits = []simEdit{{at: w.from + 30*simSecond + between(r, 0, simMinute), bus: 0, what: "set", def: def}}
	edits := r.IntN(9)
	if def.isDense() {
		edits *= 3
	}
	for range edits {
		e := simEdit{at: randomMoment(w, r, def)}
		switch r.IntN(10) {
		case 0, 1:
			e.what, e.def = "set", s.randomDefinition(w, r)
			if def.isDense() { // other seconds within the same hours
				other := *def
				other.randomSeconds(r)
				e.def = &other
			}
			def = e.def
		case 2:
			e.what = "remove"
			again := simEdit{at: e.at + between(r, simSecond, 20*simDay), what: "set", def: def}
			s.edits = append(s.edits, again)
		case 3, 4:
			e.what = "resume"
		default:
			e.what = "pause"
			length := between(r, simSecond, 10*simDay)
			if r.IntN(3) == 0 {
				length = between(r, simSecond, simMinute)
			}
			s.edits = append(s.edits, simEdit{at: e.at + length, what: []string{"resume", "catch up"}[r.IntN(2)]})
		}
		s.edits = append(s.edits, e)
	}
	slices.SortStableFunc(s.edits, func(a, b simEdit) int { return int(a.at - b.at) })
	for i := range s.edits {
		if s.edits[i].bus = w.anyBusAt(s.edits[i].at, r); s.edits[i].bus < 0 || s.edits[i].at > w.to-simDay {
			s.edits[i].what = ""
		}
	}
	s.edits = slices.DeleteFunc(s.edits, func(e simEdit) bool { return e.what == "" })
	return s
}

// randomMoment returns a moment for an edit: any, after an outage, or close to a
// nominal time.
func randomMoment(w *simWorld, r *rand.Rand, def *simDefinition) simMillis {
	at := between(r, w.from+5*simMinute, w.to-simDay)
	switch r.IntN(3) {
	case 0:
		times := def.rawTimes()
		if n := len(times); n > 0 {
			if near := times[r.IntN(n)].at*1000 + between(r, -2*simSecond, 3*simSecond); near > w.from+5*simMinute && near < w.to-simDay {
				return near
			}
		}
	case 1:
		if len(w.gaps) > 0 {
			return w.gaps[r.IntN(len(w.gaps))] + between(r, -simMinute, 30*simSecond)
		}
	}
	return at
}

// randomDefinition makes a definition. Most schedules fire at most a few times a
// day; those that fire more often do so for some hours or days of the year.
func (s *simSchedule) randomDefinition(w *simWorld, r *rand.Rand) *simDefinition {
	d := &simDefinition{zone: w.zones[r.IntN(len(w.zones))], days: func(time.Time) bool { return true }}
	d.App, d.Job, d.Active = s.key.App(), s.key.Job(), r.IntN(20) > 0
	d.TimeZone = d.zone.name
	switch kind := r.IntN(100); {
	case kind < 55:
		d.randomDaily(r)
	case kind < 65:
		d.randomHours(w, r)
	case kind < 75:
		d.randomDense(w, r)
	case kind < 83:
		d.randomEvery(w, r)
	case kind < 86:
		d.randomAt(w, r)
	default:
		d.randomCounts(r)
	}
	// Many moved times a day take minutes.
	if (d.Cron != "" || len(d.counts) > 0) && len(d.clocks) < 100 && r.IntN(3) == 0 {
		d.Calendar = simCalendarKeys[r.IntN(len(simCalendarKeys))]
		if len(d.counts) == 0 {
			d.Substitution = []bus.Substitution{"", "none", "next", "previous", "true"}[r.IntN(5)]
		}
	}
	if r.IntN(8) == 0 {
		d.Jitter = []string{"1s", "30s", "5m", "2h"}[r.IntN(4)]
	}
	d.randomMisfires(r)
	return d
}

func (d *simDefinition) randomMisfires(r *rand.Rand) {
	d.Misfire = []string{"", bus.MisfireFireOnce, bus.MisfireFireAll, bus.MisfireFireAll, bus.MisfireSkip}[r.IntN(5)]
	d.misfireAfter, d.limit = simMinute, 1000
	if r.IntN(3) == 0 {
		d.misfireAfter = []simMillis{simSecond, 5 * simSecond, simHour, simDay}[r.IntN(4)]
		d.After = (time.Duration(d.misfireAfter) * time.Millisecond).String()
	}
	if d.Misfire == bus.MisfireFireAll && r.IntN(2) == 0 {
		d.limit = []int{1, 3, 30}[r.IntN(3)]
		d.CatchUpLimit = d.limit
	}
	if d.Misfire != bus.MisfireSkip && r.IntN(4) == 0 {
		d.window = []simMillis{10 * simMinute, 6 * simHour, 3 * simDay}[r.IntN(3)]
		d.CatchUpWindow = (time.Duration(d.window) * time.Millisecond).String()
	}
}

// randomDaily makes a cron expression of a few clock times.
func (d *simDefinition) randomDaily(r *rand.Rand) {
	second, minutes := r.IntN(3)/2*r.IntN(60), randomValues(r, 60, 1+r.IntN(4)/3)
	hours := randomValues(r, []int{24, 24, 4}[r.IntN(3)], 1+r.IntN(5)/3)
	d.fixed = true
	if r.IntN(6) == 0 {
		d.both, d.DST = true, bus.DSTBoth
	}
	d.setClocks([]int{second}, minutes, hours)
	d.Cron = fmt.Sprintf("%d %s %s %s", second, listText(minutes), listText(hours), d.randomDays(r))
}

func (d *simDefinition) setClocks(seconds, minutes, hours []int) {
	for _, h := range hours {
		for _, m := range minutes {
			for _, s := range seconds {
				d.clocks = append(d.clocks, int64(h*3600+m*60+s))
			}
		}
	}
}

// randomDays sets the days of the schedule and returns the fields for day, month
// and weekday.
func (d *simDefinition) randomDays(r *rand.Rand) string {
	switch r.IntN(10) {
	case 0, 1, 2:
		return "* * ?"
	case 3:
		on := randomValues(r, 28, 1+r.IntN(4))
		d.days = func(t time.Time) bool { return slices.Contains(on, t.Day()-1) }
		return listText(addOne(on)) + " * ?"
	case 4, 5, 6:
		on := randomValues(r, 7, 1+r.IntN(5))
		d.days = func(t time.Time) bool { return slices.Contains(on, int(t.Weekday())) }
		return "? * " + listText(addOne(on))
	case 7:
		weekday, nth := r.IntN(7), r.IntN(4)
		d.days = func(t time.Time) bool { return int(t.Weekday()) == weekday && (t.Day()-1)/7 == nth }
		return fmt.Sprintf("? * %d#%d", weekday+1, nth+1)
	}
	months := randomValues(r, 12, 1+r.IntN(6))
	d.days = func(t time.Time) bool {
		return slices.Contains(months, int(t.Month())-1) && t.AddDate(0, 0, 1).Day() == 1
	}
	return "L " + listText(addOne(months)) + " ?"
}

// randomHours makes a cron expression that repeats by the hour, in one month.
func (d *simDefinition) randomHours(w *simWorld, r *rand.Rand) {
	minutes, step, first := randomValues(r, 60, 1), 1+r.IntN(8), r.IntN(3)
	var hours []int
	for h := first; h < 24; h += step {
		hours = append(hours, h)
	}
	d.setClocks([]int{0}, minutes, hours)
	month := r.IntN(12)
	d.days = func(t time.Time) bool { return int(t.Month())-1 == month }
	d.Cron = fmt.Sprintf("0 %s %d/%d * %d ?", listText(minutes), first, step, month+1)
}

// randomDense makes a cron expression that fires every few minutes or seconds,
// between two bounds.
func (d *simDefinition) randomDense(w *simWorld, r *rand.Rand) {
	hours := randomValues(r, 24, 24)
	if r.IntN(2) == 0 {
		step := []int{2, 5, 15}[r.IntN(3)]
		var minutes []int
		for m := 0; m < 60; m += step {
			minutes = append(minutes, m)
		}
		d.setClocks([]int{0}, minutes, hours)
		d.Cron = fmt.Sprintf("0 0/%d * * * ?", step)
		d.randomBounds(w, r, 4*simDay)
		return
	}
	d.randomSeconds(r)
	d.randomBounds(w, r, 3*simHour)
}

// isDense reports whether the schedule fires every few seconds.
func (d *simDefinition) isDense() bool { return len(d.clocks) > 5000 }

// randomSeconds makes a cron expression that fires every few seconds.
func (d *simDefinition) randomSeconds(r *rand.Rand) {
	first, step := r.IntN(5), 5+r.IntN(10)
	var seconds []int
	for s := first; s < 60; s += step {
		seconds = append(seconds, s)
	}
	d.clocks = nil
	d.setClocks(seconds, randomValues(r, 60, 60), randomValues(r, 24, 24))
	d.Cron = fmt.Sprintf("%d/%d * * * * ?", first, step)
}

// randomEvery makes a schedule of equal distances.
func (d *simDefinition) randomEvery(w *simWorld, r *rand.Rand) {
	switch r.IntN(3) {
	case 0:
		d.every = 60 * int64(1+r.IntN(30))
		d.randomBounds(w, r, 2*simDay)
	case 1:
		d.every = 3600*int64(6+r.IntN(60)) + int64(r.IntN(100))
	default:
		d.every = daySeconds
		d.randomBounds(w, r, 300*simDay)
	}
	d.Cron = "@every " + (time.Duration(d.every) * time.Second).String()
	if d.bounds[0] != nil {
		d.anchor = *d.bounds[0]
	}
}

// randomBounds sets the start and the end: dates, wall times, or times with an
// offset.
func (d *simDefinition) randomBounds(w *simWorld, r *rand.Rand, longest simMillis) {
	from := between(r, w.from-simDay, w.to-simDay) / 1000
	if len(w.gaps) > 0 && r.IntN(4) > 0 { // so that an outage hits it
		from = (w.gaps[r.IntN(len(w.gaps))] - between(r, 0, longest/4)) / 1000
	}
	from = max(from, (w.from-30*simDay)/1000)
	to := from + between(r, longest/4, longest)/1000
	for i, u := range []int64{from, to} {
		text := &d.Start
		if i == 1 {
			text = &d.End
		}
		wall := time.Unix(d.zone.clock(u), 0).UTC()
		switch r.IntN(3) {
		case 0:
			*text = time.Unix(u, 0).In(d.zone.loc).Format(time.RFC3339)
		case 1:
			*text = wall.Format("2006-01-02T15:04:05")
			u = d.zone.reach(wall.Unix())
		default:
			if longest < simDay {
				*text = wall.Format("2006-01-02T15:04:05")
				u = d.zone.reach(wall.Unix())
				break
			}
			*text = wall.Format(time.DateOnly)
			n := floorDay(wall.Unix())
			if u = d.zone.reach(n * daySeconds); i == 1 {
				u = d.zone.reach((n+1)*daySeconds) - 1
			}
		}
		d.bounds[i] = &u
	}
	if *d.bounds[1] < *d.bounds[0] {
		d.End, d.bounds[1] = "", nil
	}
}

// randomAt makes a schedule that fires once.
func (d *simDefinition) randomAt(w *simWorld, r *rand.Rand) {
	u := between(r, w.from, w.to-simDay) / 1000
	if r.IntN(2) == 0 {
		d.At, d.once = time.Unix(u, 0).In(d.zone.loc).Format(time.RFC3339), u
		return
	}
	c := d.zone.clock(u)
	d.At = time.Unix(c, 0).UTC().Format("2006-01-02T15:04:05")
	d.fixed = true
	if r.IntN(4) == 0 {
		d.both, d.DST = true, bus.DSTBoth
	}
	d.clocks = []int64{c - floorDay(c)*daySeconds}
	d.days = func(t time.Time) bool { return t.Unix() == floorDay(c)*daySeconds }
}

// randomCounts makes a schedule by business days.
func (d *simDefinition) randomCounts(r *rand.Rand) {
	limit := 10
	if r.IntN(2) == 0 {
		d.of = []int{1, 15, 31}[r.IntN(3)]
		d.Of = map[int]string{1: "1", 15: "15", 31: "last"}[d.of]
	}
	for _, n := range randomValues(r, limit, 1+r.IntN(3)) {
		d.counts = append(d.counts, (n+1)*(1-2*r.IntN(2)))
	}
	d.BusinessDays = d.counts
	sec := int64(r.IntN(30*60)) * 60
	d.clocks = []int64{sec}
	d.At = fmt.Sprintf("%02d:%02d", sec/3600, sec/60%60)
}

func randomValues(r *rand.Rand, limit, n int) []int {
	v := r.Perm(limit)[:n]
	slices.Sort(v)
	return v
}

func addOne(v []int) (all []int) {
	for _, n := range v {
		all = append(all, n+1)
	}
	return all
}

func listText(v []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(v), "[]"), " ", ",")
}

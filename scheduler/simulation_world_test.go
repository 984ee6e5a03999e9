package scheduler

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/calendars"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// simMillis is a moment of a simulation in milliseconds since 1970. The clocks
// of the buses may be ahead of it or behind it.
type simMillis = int64

const (
	simSecond = simMillis(1000)
	simMinute = 60 * simSecond
	simHour   = 60 * simMinute
	simDay    = 24 * simHour

	simBuses = 3
	// simNever is later than everything that happens.
	simNever = simMillis(1) << 60
)

// simWorld is what happens to all schedules of a simulation: when buses run and
// lead, how far their clocks and their read models are off, and how calendars
// change. It is made from a seed and does not depend on what the buses decide.
type simWorld struct {
	seed     uint64
	from, to simMillis
	zones    []*simZone
	lives    [simBuses][]simLife
	changes  []simCalendarChange // by the time at which they are written
	pauses   []simPauseChange    // of groups, likewise
	gaps     []simMillis         // when a bus leads again after nobody did
	timeline []simTick
}

// simTick is what happens at a moment: a process starts, or begins to lead, or
// somebody changes a calendar, or a bus learns of that.
type simTick struct {
	at     simMillis
	bus    int
	life   int
	leads  bool
	learns bool // of a change of a calendar or of a pause
	change int  // the number of the change of a calendar that a bus is about to make, or 0
}

// simRenewal is how often a bus renews the lease, or tries to.
const simRenewal = simMillis(leaseEvery / time.Millisecond)

// simLife is a process of a bus.
type simLife struct {
	from, to simMillis
	clock    simMillis // by how much its clock is ahead
	lag      simMillis // how long it takes until it knows what other buses wrote
	phases   []simPhase
}

// simPhase is a time during which a bus renews the lease with the same answer.
// The process is suspended between two phases with a gap.
type simPhase struct {
	from, to simMillis
	leads    bool
}

// simCalendarChange is a change of a calendar: a bus reads its clock and decides
// what is due by the days of before, and then writes the calendar.
type simCalendarChange struct {
	at, written simMillis
	bus         int
	key         string
	set         *calendars.Set // all calendars after it
	plain       *simCalendars  // the same, for the plain rules
}

// simPauseChange begins or ends a pause of an application, or of all schedules.
type simPauseChange struct {
	written simMillis
	bus     int
	set     *bus.PauseSet         // all pauses after it
	plain   map[string][]simPause // the same, for the plain rules
}

// simPause is a pause of a group.
type simPause struct {
	from, to simMillis // to 0: it is on
	catchUp  bool
}

// roll returns a number that depends on nothing but the seed and the arguments.
func (w *simWorld) roll(what string, parts ...int64) uint64 {
	h := w.seed
	for _, c := range []byte(what) {
		h = mixBits(h ^ uint64(c))
	}
	for _, p := range parts {
		h = mixBits(h ^ uint64(p))
	}
	return h
}

// mixBits is the mixing function of SplitMix64.
func mixBits(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// newSimWorld makes a world that lasts some days.
func newSimWorld(seed uint64, days int) *simWorld {
	r := rand.New(rand.NewPCG(seed, 1))
	from := time.Date(2024+r.IntN(6), time.Month(1+r.IntN(12)), 1+r.IntN(28), 0, 0, 0, 0, time.UTC)
	w := &simWorld{seed: seed, from: from.UnixMilli(), to: from.AddDate(0, 0, days).UnixMilli()}
	for _, name := range []string{"UTC", "Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe", "Asia/Kolkata"} {
		w.zones = append(w.zones, newSimZone(name, w.from/1000-80*86400, w.to/1000+80*86400))
	}
	w.makeLives(r)
	w.makeCalendars(r)
	w.makePauses(r)
	w.makeTimeline()
	return w
}

// makeTimeline collects what happens to all schedules.
func (w *simWorld) makeTimeline() {
	for b := range simBuses {
		for i := range w.lives[b] {
			l := &w.lives[b][i]
			w.timeline = append(w.timeline, simTick{at: l.from, bus: b, life: i})
			for _, p := range l.phases {
				if p.leads {
					w.timeline = append(w.timeline, simTick{at: p.from, bus: b, life: i, leads: true})
				}
			}
			learn := func(written simMillis) {
				if seen := written + l.lag; l.from <= seen && seen < l.to {
					w.timeline = append(w.timeline, simTick{at: seen, bus: b, life: i, learns: true})
				}
			}
			for c := range w.changes {
				learn(w.changes[c].written)
			}
			for c := range w.pauses {
				learn(w.pauses[c].written)
			}
		}
	}
	for i := range w.changes {
		if c := &w.changes[i]; i > 0 {
			w.timeline = append(w.timeline, simTick{at: c.at, bus: c.bus, change: i},
				simTick{at: c.written, bus: c.bus, learns: true})
		}
	}
	for i := range w.pauses {
		if c := &w.pauses[i]; i > 0 {
			w.timeline = append(w.timeline, simTick{at: c.written, bus: c.bus, learns: true})
		}
	}
	slices.SortStableFunc(w.timeline, func(a, b simTick) int { return cmp.Compare(a.at, b.at) })
}

// simCluster makes the lives of the buses, from one incident to the next.
type simCluster struct {
	w      *simWorld
	r      *rand.Rand
	leader int            // -1: none
	alive  [simBuses]bool // the last life is not over
	starts [simBuses]simMillis
}

// makeLives lets a few hundred incidents happen to the buses. The last hour is
// calm, so everything that is left undecided is decided then.
func (w *simWorld) makeLives(r *rand.Rand) {
	c := &simCluster{w: w, r: r, leader: -1}
	for b := range simBuses {
		c.start(b, w.from+between(r, 0, 20*simSecond))
	}
	now := w.from + 25*simSecond
	c.lead(0, now)
	for {
		now += between(r, simMinute, 50*simHour)
		if r.IntN(4) == 0 { // when many schedules are due
			now = (now/simHour+1)*simHour + between(r, -2*simSecond, 3*simSecond)
		}
		if now > w.to-simDay {
			break
		}
		now = c.incident(now)
	}
	if c.leader < 0 {
		c.lead(c.anyAlive(now), now+simMinute)
	}
	for b := range simBuses {
		if c.alive[b] {
			c.last(b).to = w.to
			c.endPhase(b, w.to)
		}
	}
}

func between(r *rand.Rand, low, high simMillis) simMillis { return low + r.Int64N(high-low) }

func (c *simCluster) last(b int) *simLife { return &c.w.lives[b][len(c.w.lives[b])-1] }

func (c *simCluster) start(b int, at simMillis) {
	life := simLife{from: at, to: simNever, clock: between(c.r, -700, 700), lag: between(c.r, 5, 300)}
	if c.r.IntN(5) == 0 {
		life.lag = between(c.r, simSecond, 20*simSecond)
	}
	c.w.lives[b] = append(c.w.lives[b], life)
	c.alive[b], c.starts[b] = true, at
	c.beginPhase(b, at, false)
}

func (c *simCluster) beginPhase(b int, at simMillis, leads bool) {
	l := c.last(b)
	l.phases = append(l.phases, simPhase{at, simNever, leads})
}

func (c *simCluster) endPhase(b int, at simMillis) {
	l := c.last(b)
	l.phases[len(l.phases)-1].to = at
}

func (c *simCluster) stop(b int, at simMillis) {
	if !c.alive[b] {
		return
	}
	c.endPhase(b, at)
	c.last(b).to, c.alive[b] = at, false
	if c.leader == b {
		c.leader = -1
	}
}

// lead makes a bus get the lease.
func (c *simCluster) lead(b int, at simMillis) {
	c.endPhase(b, at)
	c.beginPhase(b, at, true)
	c.leader = b
}

func (c *simCluster) unlead(b int, at simMillis) {
	c.endPhase(b, at)
	c.beginPhase(b, at, false)
}

// anyAlive returns a bus that runs and does not lead, or -1.
func (c *simCluster) anyAlive(simMillis) int {
	first := c.r.IntN(simBuses)
	for i := range simBuses {
		if b := (first + i) % simBuses; c.alive[b] && b != c.leader {
			return b
		}
	}
	return -1
}

// incident lets something happen at a moment at which a bus leads, and returns
// when it is over: a bus leads again.
func (c *simCluster) incident(now simMillis) simMillis {
	switch c.r.IntN(8) {
	case 0, 1:
		return c.outage(now)
	case 2, 3:
		return c.crash(now)
	case 4:
		return c.suspend(now)
	case 5:
		return c.handover(now)
	}
	return c.restartOther(now)
}

// outage stops all buses for a time.
func (c *simCluster) outage(now simMillis) simMillis {
	for b := range simBuses {
		c.stop(b, now+between(c.r, 0, 5*simSecond))
	}
	length := between(c.r, simSecond, 10*simMinute)
	switch c.r.IntN(4) {
	case 0:
		length = between(c.r, simMinute, 8*simHour)
	case 1:
		length = between(c.r, simHour, 80*simHour)
	}
	back := now + 5*simSecond + length
	if back > c.w.to-simDay/2 {
		back = c.w.to - simDay/2
	}
	first := c.r.IntN(simBuses)
	c.start(first, back)
	leads := back + between(c.r, 1, 3*simSecond)
	c.lead(first, leads)
	c.w.gaps = append(c.w.gaps, leads)
	for b := range simBuses {
		if b != first {
			c.start(b, back+between(c.r, 0, simMinute))
		}
	}
	return back + 2*simMinute
}

// crash kills the leader. Another bus leads once the lease has expired.
func (c *simCluster) crash(now simMillis) simMillis {
	dead := c.leader
	c.stop(dead, now)
	next := c.anyAlive(now)
	free := now + between(c.r, 10*simSecond, 20*simSecond)
	c.lead(next, free)
	c.w.gaps = append(c.w.gaps, free)
	c.start(dead, now+between(c.r, 2*simSecond, 9*simSecond))
	return free + simMinute
}

// suspend stops the process of the leader for longer than the lease lasts.
func (c *simCluster) suspend(now simMillis) simMillis {
	b := c.leader
	c.endPhase(b, now)
	c.leader = -1
	c.alive[b] = false
	next := c.anyAlive(now)
	free := now + between(c.r, 14*simSecond, 20*simSecond)
	c.lead(next, free)
	c.w.gaps = append(c.w.gaps, free)
	wakes := now + between(c.r, 22*simSecond, 5*simMinute)
	c.alive[b] = true
	c.beginPhase(b, wakes, false)
	return wakes + simMinute
}

// handover gives the lease to another bus. For some seconds both buses believe
// that they lead.
func (c *simCluster) handover(now simMillis) simMillis {
	was := c.leader
	c.lead(c.anyAlive(now), now)
	c.unlead(was, now+between(c.r, 1, 15*simSecond))
	return now + simMinute
}

// restartOther restarts a bus that does not lead.
func (c *simCluster) restartOther(now simMillis) simMillis {
	b := c.anyAlive(now)
	c.stop(b, now)
	c.start(b, now+between(c.r, simSecond, 3*simMinute))
	return now + 4*simMinute
}

// lifeAt returns the number of the life of a bus at a moment, or -1.
func (w *simWorld) lifeAt(b int, at simMillis) int {
	i, _ := slices.BinarySearchFunc(w.lives[b], at, func(l simLife, at simMillis) int { return cmp.Compare(l.to, at+1) })
	if i < len(w.lives[b]) && w.lives[b][i].from <= at {
		return i
	}
	return -1
}

// phaseAt returns the number of the phase at a moment, or -1 if the process is
// suspended.
func (l *simLife) phaseAt(at simMillis) int {
	for i := len(l.phases) - 1; i >= 0; i-- {
		if p := &l.phases[i]; p.from <= at && at < p.to {
			return i
		}
	}
	return -1
}

// actsAt returns when a process can do what it wants to do at a moment: later if
// it is suspended, never if it is dead.
func (l *simLife) actsAt(at simMillis) simMillis {
	if at >= l.to {
		return simNever
	}
	for i := range l.phases {
		if at < l.phases[i].to {
			return max(at, l.phases[i].from)
		}
	}
	return simNever
}

// anyBusAt returns a bus that has run for some seconds, or -1.
func (w *simWorld) anyBusAt(at simMillis, r *rand.Rand) int {
	first := r.IntN(simBuses)
	for i := range simBuses {
		b := (first + i) % simBuses
		if l := w.lifeAt(b, at); l >= 0 && w.lives[b][l].from < at-simSecond && w.lives[b][l].phaseAt(at) >= 0 {
			return b
		}
	}
	return -1
}

var simCalendarKeys = []string{"c0", "c1", "c2", "c3", "c4", "c5"}

// makeCalendars makes calendars and lets them change. Some are made of others.
func (w *simWorld) makeCalendars(r *rand.Rand) {
	var set *calendars.Set
	plain := &simCalendars{}
	revision := uint64(0)
	put := func(key string, since simMillis) {
		c := randomSimCalendar(r, key, w)
		revision++
		set = set.With(key, &bus.Calendar{Calendar: c, Since: subjects.Time(since)}, revision)
		plain = plain.with(key, &c, since)
	}
	for _, key := range simCalendarKeys {
		put(key, w.from)
	}
	w.changes = []simCalendarChange{{written: w.from - simSecond, bus: -1, set: set, plain: plain}}
	at := w.from + simDay
	for {
		if at += between(r, simDay, 12*simDay); at > w.to-2*simDay {
			return
		}
		if r.IntN(3) == 0 && len(w.gaps) > 0 { // soon after an outage
			at = max(at, w.gaps[r.IntN(len(w.gaps))]+between(r, 2*simSecond, 20*simSecond))
			if at > w.to-2*simDay {
				return
			}
		}
		b := w.anyBusAt(at, r)
		if b < 0 {
			continue
		}
		life := &w.lives[b][w.lifeAt(b, at)]
		written := at + between(r, 200, 4*simSecond)
		if life.actsAt(written) != written {
			continue
		}
		change := simCalendarChange{at: at, written: written, bus: b, key: simCalendarKeys[r.IntN(len(simCalendarKeys))]}
		put(change.key, at+life.clock)
		change.set, change.plain = set, plain
		w.changes = append(w.changes, change)
	}
}

var simApps = []string{"a", "b"}

// makePauses pauses the applications, and all schedules, a few times.
func (w *simWorld) makePauses(r *rand.Rand) {
	var set *bus.PauseSet
	periods, plain := map[string][]bus.PausePeriod{}, map[string][]simPause{}
	w.pauses = []simPauseChange{{written: w.from - simSecond, bus: -1}}
	var next [3]simMillis // when the pause of a group begins or ends
	groups := append([]string{""}, simApps...)
	for g := range groups {
		next[g] = w.from + between(r, simDay, 20*simDay)
	}
	for {
		g := 0
		for i := range groups {
			if next[i] < next[g] {
				g = i
			}
		}
		at, of := next[g], groups[g]
		if at > w.to-simDay {
			return
		}
		next[g] += simSecond
		b := w.anyBusAt(at, r)
		if b < 0 {
			continue
		}
		now := at + w.lives[b][w.lifeAt(b, at)].clock
		list, mine := slices.Clone(periods[of]), slices.Clone(plain[of])
		if n := len(list); n > 0 && list[n-1].IsOn() {
			now = max(now, int64(list[n-1].From))
			list[n-1].To, list[n-1].CatchUp = subjects.Time(now), r.IntN(2) == 0
			mine[n-1].to, mine[n-1].catchUp = now, list[n-1].CatchUp
			next[g] += between(r, simMinute, 40*simDay)
		} else {
			if n > 0 {
				now = max(now, int64(list[n-1].To))
			}
			list = append(list, bus.PausePeriod{From: subjects.Time(now)})
			mine = append(mine, simPause{from: now})
			length := []simMillis{simMinute, simHour, 4 * simDay}[r.IntN(3)]
			next[g] = min(next[g]+between(r, 1, length), w.to-simDay-simHour+simMillis(g))
		}
		periods[of] = list
		set = set.With(bus.PausesKey(of), &bus.Pauses{Periods: list}, uint64(len(w.pauses)))
		plain = maps.Clone(plain)
		plain[of] = mine
		w.pauses = append(w.pauses, simPauseChange{at + 1, b, set, plain})
	}
}

// randomSimCalendar returns a calendar. Only the later keys are made of earlier
// ones, so there is no cycle.
func randomSimCalendar(r *rand.Rand, key string, w *simWorld) calendar.Calendar {
	c := calendar.Calendar{Name: key}
	switch r.IntN(4) {
	case 0, 1:
		c.WeeklyHoliday[time.Saturday], c.WeeklyHoliday[time.Sunday] = true, true
	case 2:
		c.WeeklyHoliday[r.IntN(7)] = true
	}
	for range r.IntN(25) {
		day := time.UnixMilli(w.from).UTC().AddDate(0, 0, r.IntN(366))
		for range 1 + r.IntN(4) {
			c.Holidays = append(c.Holidays, calendar.Holiday{Date: calendar.DateOf(day)})
			day = day.AddDate(0, 0, 1)
		}
	}
	slices.SortFunc(c.Holidays, func(a, b calendar.Holiday) int { return cmp.Compare(a.Date, b.Date) })
	c.Holidays = slices.CompactFunc(c.Holidays, func(a, b calendar.Holiday) bool { return a.Date == b.Date })
	for range r.IntN(3) {
		c.Rules = append(c.Rules, calendar.Rule{Yearly: fmt.Sprintf("%02d-%02d", 1+r.IntN(12), 1+r.IntN(28))})
	}
	if r.IntN(3) == 0 {
		c.DayStart = []string{"02:00", "05:30", "23:00"}[r.IntN(3)]
	}
	switch key {
	case "c4":
		c.Include = []string{"c0"}
	case "c5":
		c.Exclude = []string{"c1"}
		c.Include = []string{"c4"}
	}
	return c
}

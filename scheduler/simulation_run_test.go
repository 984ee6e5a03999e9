package scheduler

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// simDecider decides the nominal times of one schedule on all buses of a run:
// with the scheduler's own functions, or by the plain rules that it is compared
// with. Its buses share nothing but what a run tells them.
type simDecider interface {
	// forgetAll begins a new process of a bus.
	forgetAll(b int)
	// learnFire tells a bus of a decision that it made, met or heard of.
	learnFire(b int, f *bus.Fire)
	// nextDue returns when the next nominal time after a moment is due, by the
	// clock of the bus. It returns simNever if there is none.
	nextDue(b int, v simView, after simMillis) simMillis
	// hasDue reports whether a time is due that the bus does not know decided.
	hasDue(b int, v simView, now simMillis) bool
	// hasPassed is hasDue for times that have passed and need not be due.
	hasPassed(b int, v simView, now simMillis) bool
	// decideTimes returns the decisions that the bus makes at a moment.
	decideTimes(b int, v simView, at simMoment) []bus.Fire
	// checkFire is called right before a decision is stored.
	checkFire(v simView, f bus.Fire, s *simStore) bus.Fire
	// nextBegin is what an edit does to the times before it.
	nextBegin(was *simVersion, now simMillis, o occasion) (since simMillis, decideFirst bool)
	// createFire creates the key of a decision.
	createFire(s *simStore, f bus.Fire, b int, at simMillis) (stored *simFire, created bool)
	// submitFire submits the execution of a decision that the bus has stored.
	submitFire(b int, f *simFire, s *simStore)
	// finishOpen submits the executions of decisions that have none.
	finishOpen(b int, s *simStore)
}

// simMoment is when a bus decides.
type simMoment struct {
	bus         int
	at, now     simMillis // the true time, and what the bus takes it for
	life, phase int
	occasion    occasion
}

// simView is what a bus goes by: a version of the schedule, and the calendars
// after a number of changes.
type simView struct {
	version *simVersion
	set     int
	pauses  int // pauses of groups, likewise
}

// simVersion is a stored version of a schedule.
type simVersion struct {
	written   simMillis
	edited    simMillis // when its edit decided, by the clock of the bus
	bus, life int
	def       *simDefinition
	stored    *bus.Schedule // nil: removed
}

// isActive reports whether the schedule exists and is not paused.
func (v *simVersion) isActive() bool { return v != nil && v.stored != nil && v.stored.Active }

// simStore is what the buckets of a schedule guarantee: a key is created once,
// and a schedule is written only over the version that the writer has read.
type simStore struct {
	fires    map[int64]*simFire  // by the second of the nominal time
	seconds  []int64             // of the fires, in order
	log      []*simFire          // as they were created
	newest   map[uint64]*simFire // of each generation
	open     map[int64]*simFire  // those that fire and have no execution
	runs     []*simFire          // those that stand for a run of skipped times
	versions []*simVersion
	// The keys for which executions were submitted, by id.
	executions map[int64][]int64
	lastID     int64
}

type simFire struct {
	bus.Fire
	second  int64
	created simMillis
	bus     int
}

func newSimStore() *simStore {
	return &simStore{fires: map[int64]*simFire{}, newest: map[uint64]*simFire{}, open: map[int64]*simFire{}, executions: map[int64][]int64{}}
}

// createFire creates the key of a decision, or returns the decision that has it.
func (s *simStore) createFire(f bus.Fire, b int, at simMillis) (stored *simFire, created bool) {
	second := f.Nominal.Std().Unix()
	if is := s.fires[second]; is != nil {
		return is, false
	}
	if f.Skipped == "" {
		s.lastID++
		f.Execution = s.lastID
	}
	n := &simFire{f, second, at, b}
	s.fires[second] = n
	s.log = append(s.log, n)
	if is := s.newest[f.Generation]; is == nil || is.second < second {
		s.newest[f.Generation] = n
	}
	if f.Skipped == "" {
		s.open[second] = n
	}
	if f.SkippedCount > 1 {
		s.runs = append(s.runs, n)
	}
	i, _ := slices.BinarySearch(s.seconds, second)
	s.seconds = slices.Insert(s.seconds, i, second)
	return n, true
}

// decisionOf returns the decision about a nominal time: that of its own key, or
// of the key that a run of skipped times shares. An edit can be stored long after
// it began. Keys of the version before it then lie within a run.
func (s *simStore) decisionOf(second int64) *simFire {
	if f := s.fires[second]; f != nil {
		return f
	}
	for _, f := range s.runs {
		if f.SkippedFrom.Std().Unix() <= second && second < f.second {
			return f
		}
	}
	return nil
}

// submit creates the execution of a fire, which is idempotent for an id.
func (s *simStore) submit(id, second int64) {
	if !slices.Contains(s.executions[id], second) {
		s.executions[id] = append(s.executions[id], second)
	}
	delete(s.open, second)
}

// current returns the stored version of the schedule, or nil.
func (s *simStore) current() *simVersion {
	if len(s.versions) == 0 {
		return nil
	}
	return s.versions[len(s.versions)-1]
}

// lastGeneration returns the newest generation that the schedule has had.
func (s *simStore) lastGeneration() (last uint64) {
	for _, v := range s.versions {
		if v.stored != nil {
			last = max(last, v.stored.Generation)
		}
	}
	return last
}

// simRun takes a schedule through a world, with one decider. It goes from event
// to event: nothing waits, and nothing happens at the same time.
type simRun struct {
	w       *simWorld
	sc      *simSchedule
	decider simDecider
	store   *simStore
	buses   [simBuses]simProcess
	events  simEvents
	count   int64
	present simMillis
}

// simProcess is the state of a process of a bus, as far as it concerns the
// schedule.
type simProcess struct {
	life    int
	seen    int // how much of the log of the store it knows
	set     int // calendars that it has read itself
	pauses  int // likewise
	timer   int // counts the timers: only the last one fires
	locked  bool
	waiting []func()
}

type simEvent struct {
	at    simMillis
	order int64
	do    func()
}

type simEvents []simEvent

func (e simEvents) Len() int { return len(e) }
func (e simEvents) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(e[i].at, e[j].at), cmp.Compare(e[i].order, e[j].order)) < 0
}
func (e simEvents) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *simEvents) Push(x any)   { *e = append(*e, x.(simEvent)) }
func (e *simEvents) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// runSchedule takes a schedule through the world and returns what was stored.
func runSchedule(w *simWorld, sc *simSchedule, d simDecider) *simStore {
	n := &simRun{w: w, sc: sc, decider: d, store: newSimStore()}
	for b := range simBuses {
		n.buses[b].life = -1
	}
	for _, e := range sc.edits {
		life := w.lifeAt(e.bus, e.at)
		n.push(e.at, func() { n.edit(e, life, e.at) })
	}
	ticks := w.timeline
	for {
		switch {
		case len(ticks) > 0 && (len(n.events) == 0 || ticks[0].at <= n.events[0].at):
			n.present = ticks[0].at
			n.onTick(&ticks[0])
			ticks = ticks[1:]
		case len(n.events) > 0 && n.events[0].at < w.to:
			e := heap.Pop(&n.events).(simEvent)
			n.present = e.at
			e.do()
		default:
			return n.store
		}
	}
}

func (n *simRun) push(at simMillis, do func()) {
	if at < simNever {
		n.count++
		heap.Push(&n.events, simEvent{at, n.count, do})
	}
}

func (n *simRun) life(b int) *simLife { return &n.w.lives[b][n.buses[b].life] }

// roll returns a number for what happens to a bus at a moment.
func (n *simRun) roll(what string, b int, at simMillis) uint64 {
	return n.w.roll(what, int64(n.sc.number), int64(b), at)
}

// onTick starts a process, or lets it begin to lead, or lets a calendar change.
func (n *simRun) onTick(t *simTick) {
	switch {
	case t.change > 0:
		n.changeCalendar(t)
	case t.learns, t.leads:
		n.wakeUp(t.bus, t.at)
	default:
		n.buses[t.bus] = simProcess{life: t.life}
		n.decider.forgetAll(t.bus)
	}
}

// leads reports whether a bus leads at a moment.
func (n *simRun) leads(b int, at simMillis) bool {
	l := n.life(b)
	p := l.phaseAt(at)
	return p >= 0 && l.phases[p].leads
}

// viewOf returns what a bus knows of the schedule and the calendars.
func (n *simRun) viewOf(b int, at simMillis) simView {
	v := simView{set: n.setOf(b, at), pauses: n.pausesOf(b, at)}
	l := n.life(b)
	for i := len(n.store.versions) - 1; i >= 0; i-- {
		s := n.store.versions[i]
		if s.written+l.lag <= at || s.written <= l.from || s.bus == b && s.life == n.buses[b].life {
			v.version = s
			return v
		}
	}
	return v
}

// knows reports whether a bus knows what a bus wrote.
func (n *simRun) knows(b int, at, written simMillis, writer int) bool {
	l := n.life(b)
	return written+l.lag <= at || written <= l.from || writer == b && written <= at
}

// setOf returns how many changes of calendars a bus knows.
func (n *simRun) setOf(b int, at simMillis) int {
	for i := len(n.w.changes) - 1; i > n.buses[b].set; i-- {
		if c := &n.w.changes[i]; n.knows(b, at, c.written, c.bus) {
			return i
		}
	}
	return n.buses[b].set
}

// pausesOf returns how many changes of pauses a bus knows.
func (n *simRun) pausesOf(b int, at simMillis) int {
	for i := len(n.w.pauses) - 1; i > n.buses[b].pauses; i-- {
		if c := &n.w.pauses[i]; n.knows(b, at, c.written, c.bus) {
			return i
		}
	}
	return n.buses[b].pauses
}

// readFires tells a bus of the decisions whose watch has reached it. Of those
// that are older than some hours it hears what a purge leaves: where a walk may
// begin, and what has no execution.
func (n *simRun) readFires(b int, at simMillis) {
	p, l := &n.buses[b], n.life(b)
	old, _ := slices.BinarySearchFunc(n.store.log, min(at-l.lag, at-4*simHour), func(f *simFire, at simMillis) int { return cmp.Compare(f.created, at) })
	if old > p.seen {
		for _, f := range n.store.newest {
			if f.created < n.store.log[old-1].created {
				n.decider.learnFire(b, &f.Fire)
			}
		}
		for _, f := range n.store.open {
			if f.created < n.store.log[old-1].created {
				n.decider.learnFire(b, &f.Fire)
			}
		}
		p.seen = old - 1
	}
	for ; p.seen < len(n.store.log); p.seen++ {
		f := n.store.log[p.seen]
		if f.created+l.lag > at && f.created > l.from {
			return
		}
		n.decider.learnFire(b, &f.Fire)
	}
}

// wakeUp starts a walk and the timer of a bus.
func (n *simRun) wakeUp(b int, at simMillis) {
	if n.buses[b].life < 0 || !n.leads(b, at) {
		return
	}
	n.wake(b, at)
	n.startTimer(b, at)
}

// wake starts a walk of a bus a little later.
func (n *simRun) wake(b int, at simMillis) {
	r := n.roll("latency", b, at)
	latency := simMillis(1 + r%60)
	switch r >> 32 % 400 {
	case 0:
		latency = simMillis(r>>8) % (40 * simSecond)
	case 1, 2, 3, 4, 5, 6, 7, 8:
		latency = simMillis(r>>8) % (3 * simSecond)
	}
	life := n.buses[b].life
	n.push(at+latency, func() { n.walk(b, life, at+latency) })
}

// startTimer wakes a bus when the next time is due that it knows of.
func (n *simRun) startTimer(b int, at simMillis) {
	p := &n.buses[b]
	p.timer++
	v := n.viewOf(b, at)
	if !v.version.isActive() {
		return
	}
	clock := n.life(b).clock
	due := n.decider.nextDue(b, v, at+clock)
	if due == simNever {
		return
	}
	life, timer := p.life, p.timer
	n.push(due-clock, func() {
		if p.life == life && p.timer == timer && n.leads(b, due-clock) {
			n.wakeUp(b, due-clock)
		}
	})
}

// act reports whether a process can act at a moment. If it is suspended, act
// calls again when it goes on.
func (n *simRun) act(b, life int, at simMillis, again func(at simMillis)) bool {
	if n.buses[b].life != life {
		return false
	}
	then := n.life(b).actsAt(at)
	if then > at {
		n.push(then, func() { again(then) })
	}
	return then == at
}

// lock locks the schedule for a process, or calls again when it is free.
func (n *simRun) lock(b int, again func()) bool {
	p := &n.buses[b]
	if p.locked {
		p.waiting = append(p.waiting, again)
		return false
	}
	p.locked = true
	return true
}

func (n *simRun) unlock(b int, at simMillis) {
	p := &n.buses[b]
	p.locked = false
	for _, again := range p.waiting {
		n.push(at, again)
	}
	p.waiting = nil
}

// walk decides what is due, if the bus leads.
func (n *simRun) walk(b, life int, at simMillis) {
	again := func(at simMillis) { n.walk(b, life, at) }
	if !n.act(b, life, at, again) || !n.leads(b, at) {
		return
	}
	if !n.lock(b, func() { n.walk(b, life, n.present) }) {
		return
	}
	n.readFires(b, at)
	n.decider.finishOpen(b, n.store)
	v := n.viewOf(b, at)
	now := at + n.life(b).clock
	if !v.version.isActive() || !n.decider.hasDue(b, v, now) {
		n.unlock(b, at)
		return
	}
	n.decide(b, at, now, atWalk, n.store.current(), func(end simMillis, result simResult) {
		n.unlock(b, end)
		switch result {
		case simFailed:
			n.retry(b, end)
		case simStale:
			n.wake(b, end)
		}
	})
}

// retry wakes a bus at its next renewal of the lease.
func (n *simRun) retry(b int, at simMillis) {
	l := n.life(b)
	if p := l.phaseAt(at); p >= 0 {
		from := l.phases[p].from
		tick := from + ((at-from)/simRenewal+1)*simRenewal
		life := n.buses[b].life
		n.push(tick, func() {
			if n.buses[b].life == life && n.leads(b, tick) {
				n.wake(b, tick)
			}
		})
	}
}

// simResult is how it ends that a bus decides.
type simResult int

const (
	simDone simResult = iota
	simFailed
	simStale
)

// decide lets a bus compute its decisions and store them, one after the other.
// What it has read may be older than what is stored by then. It may fail, or
// lose an acknowledgement.
func (n *simRun) decide(b int, at, now simMillis, o occasion, v *simVersion, done func(end simMillis, result simResult)) {
	if v == nil || v.stored == nil {
		done(at, simDone)
		return
	}
	p, l := &n.buses[b], n.life(b)
	if v.stored.Calendar != "" {
		n.refresh(b, at)
	}
	if v.stored.Active {
		n.refreshPauses(b, at)
	}
	view := simView{v, n.setOf(b, at), n.pausesOf(b, at)}
	d := &simDeciding{run: n, bus: b, life: p.life, read: at, view: view, done: done, failAt: -1, step: 2}
	d.fires = n.decider.decideTimes(b, view, simMoment{b, at, now, p.life, l.phaseAt(at), o})
	r := n.roll("decide", b, at)
	delay := simMillis(1)
	often := uint64(300)
	if o != atWalk {
		often = 40
	}
	switch r % often {
	case 0, 1, 2:
		delay = simMillis(r>>16) % (40 * simSecond)
	case 3, 4, 5, 6, 7, 8, 9, 10:
		delay = simMillis(r>>16) % (3 * simSecond)
	}
	if r>>40%60 == 0 {
		d.failAt, d.lost = int(r>>48%3), r>>56%2 == 0
	}
	n.push(at+delay, func() { d.storeNext(at + delay) })
}

// refresh lets a bus read the calendars.
func (n *simRun) refresh(b int, at simMillis) {
	newest := 0
	for i := range n.w.changes {
		if n.w.changes[i].written <= at {
			newest = i
		}
	}
	if known := n.setOf(b, at); newest > known {
		n.buses[b].set = newest
		n.wakeUp(b, at)
	}
}

// refreshPauses lets a bus read the pauses of groups.
func (n *simRun) refreshPauses(b int, at simMillis) {
	newest := 0
	for i := range n.w.pauses {
		if n.w.pauses[i].written <= at {
			newest = i
		}
	}
	if newest > n.pausesOf(b, at) {
		n.buses[b].pauses = newest
		n.wakeUp(b, at)
	}
}

// simDeciding is a bus that stores decisions.
type simDeciding struct {
	run       *simRun
	bus, life int
	read      simMillis
	view      simView
	fires     []bus.Fire
	failAt    int  // -1: it does not fail
	lost      bool // the decision is stored, but the bus does not know
	step      simMillis
	done      func(end simMillis, result simResult)
}

func (d *simDeciding) storeNext(at simMillis) {
	n := d.run
	if !n.act(d.bus, d.life, at, d.storeNext) {
		return
	}
	switch {
	case len(d.fires) == 0:
		d.done(at, simDone)
		return
	case at-d.read > simMillis(maxReadAge/time.Millisecond):
		d.done(at, simStale)
		return
	case d.failAt == 0 && !d.lost:
		d.done(at, simFailed)
		return
	}
	f, created := n.decider.createFire(n.store, n.decider.checkFire(d.view, d.fires[0], n.store), d.bus, at)
	d.fires = d.fires[1:]
	if created && f.Open() {
		if d.failAt == 0 || n.roll("submit", d.bus, at)%40 == 0 {
			n.finishLater(f, at) // the execution is not stored
		} else {
			n.decider.submitFire(d.bus, f, n.store)
		}
	}
	if d.failAt == 0 {
		d.done(at, simFailed)
		return
	}
	d.failAt--
	n.decider.learnFire(d.bus, &f.Fire)
	n.push(at+d.step, func() { d.storeNext(at + d.step) })
}

// finishLater wakes the buses at renewals of the lease until a fire has its
// execution.
func (n *simRun) finishLater(f *simFire, at simMillis) {
	n.push(at+simRenewal, func() {
		if n.store.open[f.second] == nil {
			return
		}
		for b := range simBuses {
			if n.buses[b].life >= 0 && n.leads(b, at+simRenewal) {
				n.wake(b, at+simRenewal)
			}
		}
		n.finishLater(f, at+simRenewal)
	})
}

// edit lets a bus change the schedule.
func (n *simRun) edit(e simEdit, life int, at simMillis) {
	again := func(at simMillis) { n.edit(e, life, at) }
	if !n.act(e.bus, life, at, again) || !n.lock(e.bus, func() { n.edit(e, life, n.present) }) {
		return
	}
	n.readFires(e.bus, at)
	was := n.store.current()
	is, def, o, ok := e.change(was)
	if !ok {
		n.unlock(e.bus, at)
		return
	}
	now := at + n.life(e.bus).clock
	since, decideFirst := now, false
	if was != nil && was.stored != nil {
		since, decideFirst = n.decider.nextBegin(was, now, o)
	}
	write := func(end simMillis, result simResult) {
		n.unlock(e.bus, end)
		switch {
		case result == simStale || result == simDone && n.store.current() != was:
			n.edit(e, life, end)
		case result == simDone:
			if is != nil {
				is.Generation, is.Since, is.UpdateTime = n.store.lastGeneration()+1, subjects.Time(since), subjects.Time(now)
			}
			n.write(&simVersion{end, now, e.bus, life, def, is})
		}
	}
	if decideFirst {
		n.decide(e.bus, at, now, o, was, write)
		return
	}
	end := at + 1 + simMillis(n.roll("write", e.bus, at)%50)
	n.push(end, func() {
		if n.act(e.bus, life, end, func(at simMillis) { write(at, simDone) }) {
			write(end, simDone)
		}
	})
}

// write stores a version and tells the buses of it.
func (n *simRun) write(v *simVersion) {
	n.store.versions = append(n.store.versions, v)
	for b := range simBuses {
		life := n.buses[b].life
		if life < 0 {
			continue
		}
		seen := v.written + n.life(b).lag
		if b == v.bus {
			seen = v.written
		}
		n.push(seen, func() {
			if n.buses[b].life == life {
				n.wakeUp(b, seen)
			}
		})
	}
}

// change returns the version that an edit makes. ok is false if it changes
// nothing.
func (e *simEdit) change(was *simVersion) (is *bus.Schedule, def *simDefinition, o occasion, ok bool) {
	exists := was != nil && was.stored != nil
	var v bus.Schedule
	if exists {
		v, def = *was.stored, was.def
	}
	switch e.what {
	case "set":
		v = e.def.Schedule
		return &v, e.def, atEdit, !exists || was.def != e.def || was.stored.Active != v.Active
	case "pause":
		v.Active = false
		return &v, def, atEnd, was.isActive()
	case "remove":
		return nil, def, atEnd, exists
	}
	o = map[string]occasion{"resume": atEdit, "catch up": atCatchUp}[e.what]
	v.Active = true
	return &v, def, o, exists && !was.stored.Active
}

// changeCalendar decides the due times of the schedule by the days of before, if
// it uses the calendar.
func (n *simRun) changeCalendar(t *simTick) {
	c, v := &n.w.changes[t.change], n.store.current()
	if n.buses[t.bus].life < 0 || !v.isActive() || v.stored.Calendar == "" {
		return
	}
	if !slices.Contains(n.w.changes[t.change-1].plain.parts(v.stored.Calendar), c.key) {
		return
	}
	n.readFires(t.bus, t.at)
	now := t.at + n.life(t.bus).clock
	if !n.decider.hasPassed(t.bus, simView{v, n.setOf(t.bus, t.at), 0}, now) {
		return
	}
	n.refresh(t.bus, t.at)
	n.refreshPauses(t.bus, t.at)
	view := simView{v, n.setOf(t.bus, t.at), n.pausesOf(t.bus, t.at)}
	p := &n.buses[t.bus]
	for _, f := range n.decider.decideTimes(t.bus, view, simMoment{t.bus, t.at, now, p.life, n.life(t.bus).phaseAt(t.at), atEdit}) {
		stored, created := n.decider.createFire(n.store, n.decider.checkFire(view, f, n.store), t.bus, t.at)
		n.decider.learnFire(t.bus, &stored.Fire)
		if created && stored.Open() {
			n.decider.submitFire(t.bus, stored, n.store)
		}
	}
}

package scheduler

import (
	"cmp"
	"container/heap"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// simChain is a group of jobs that start each other. Nothing starts the first
// three but a schedule; each of the others has triggers on jobs before it.
type simChain struct {
	w        *simWorld
	number   int
	jobs     []string
	triggers map[string]*bus.Triggers
}

func randomSimChain(w *simWorld, number int) *simChain {
	r := rand.New(rand.NewPCG(w.seed, uint64(1_000_000+number)))
	c := &simChain{w: w, number: number, jobs: []string{"s0", "s1", "s2"}, triggers: map[string]*bus.Triggers{}}
	for i := range 4 {
		t := &bus.Triggers{All: r.IntN(2) == 0}
		for range 1 + r.IntN(3) {
			on := []string{bus.OnCompleted, bus.OnCompleted, bus.OnFailed, bus.OnEnded, "EXIT*"}[r.IntN(5)]
			t.Jobs = append(t.Jobs, bus.Trigger{App: "a", Job: c.jobs[r.IntN(len(c.jobs))], On: on})
		}
		job := fmt.Sprintf("t%d", i)
		c.triggers[job] = t
		c.jobs = append(c.jobs, job)
	}
	return c
}

// executionsOf returns the executions of a job instance: the first one, and
// restarts of those that did not complete.
func (c *simChain) executionsOf(job string, instance int64, date string, start simMillis) (all []index.Summary) {
	for attempt := range int64(4) {
		roll := c.w.roll("execution", int64(c.number), instance, attempt)
		end := start + simMillis(roll>>8)%(3*simHour)
		e := index.Summary{
			App: "a", Job: job, ID: instance*8 + attempt, InstanceID: instance, ScheduledDate: date,
			CreateTime: subjects.Time(start), EndTime: subjects.Time(end), BatchStatus: subjects.Completed, ExitStatus: "COMPLETED",
		}
		switch roll % 10 {
		case 0, 1:
			e.BatchStatus, e.ExitStatus = subjects.Failed, "FAILED"
		case 2:
			e.BatchStatus, e.ExitStatus = subjects.Stopped, "EXIT1"
		}
		all = append(all, e)
		if e.BatchStatus == subjects.Completed || roll>>40%3 == 0 {
			break
		}
		start = end + 1 + simMillis(roll>>16)%(2*simDay)
	}
	return all
}

// firstExecutions returns the instances of the first jobs, one on most days.
func (c *simChain) firstExecutions() (all []index.Summary) {
	for day := int64(0); day*simDay < c.w.to-c.w.from-20*simDay; day++ {
		for i, job := range c.jobs[:3] {
			roll := c.w.roll("day", int64(c.number), int64(i), day)
			start := c.w.from + day*simDay + simMillis(roll>>8)%simDay
			if roll%8 > 0 {
				date := time.UnixMilli(start).UTC().Format(time.DateOnly)
				all = append(all, c.executionsOf(job, 1+day*3+int64(i), date, start)...)
			}
		}
	}
	return all
}

// instanceOf returns the job instance that a key starts.
func (c *simChain) instanceOf(key string) int64 {
	h := c.w.roll("key " + key)
	return 1<<20 + int64(h>>24)
}

// simChainRun takes a chain through a world with the functions of the scheduler.
type simChainRun struct {
	*simChain
	events  simEvents
	count   int64
	ended   []index.Summary            // by the time of their end
	byDate  map[string][]index.Summary // the same, of each date
	created map[string]bool            // keys
	fire    func(t *bus.Triggers, e *index.Summary, date string, endedFor func(by *bus.Trigger, date string) []index.Summary) (int64, bus.Fire, bool)
}

func (n *simChainRun) push(at simMillis, do func()) {
	n.count++
	heap.Push(&n.events, simEvent{at, n.count, do})
}

func (n *simChainRun) run() {
	n.addExecutions(n.firstExecutions())
	for i := range n.w.timeline {
		if t := &n.w.timeline[i]; t.leads {
			n.push(t.at, func() { n.sweep(t.bus, t.at) })
		}
	}
	for len(n.events) > 0 {
		heap.Pop(&n.events).(simEvent).do()
	}
}

// addExecutions lets executions end, and tells each bus of it.
func (n *simChainRun) addExecutions(all []index.Summary) {
	for _, e := range all {
		end := simMillis(e.EndTime)
		n.push(end, func() {
			n.ended = append(n.ended, e)
			n.byDate[e.ScheduledDate] = append(n.byDate[e.ScheduledDate], e)
		})
		for b := range simBuses {
			if life := n.w.lifeAt(b, end); life >= 0 {
				heard := end + n.w.lives[b][life].lag
				n.push(heard, func() { n.decide(b, heard, &e) })
			}
		}
	}
}

// sweep lets a bus that begins to lead look at all ends of a week.
func (n *simChainRun) sweep(b int, at simMillis) {
	for i := len(n.ended) - 1; i >= 0 && simMillis(n.ended[i].EndTime) > at-7*simDay; i-- {
		e := n.ended[i]
		n.decide(b, at, &e)
	}
}

// decide lets a bus decide what an end starts, if it leads.
func (n *simChainRun) decide(b int, at simMillis, e *index.Summary) {
	life := n.w.lifeAt(b, at)
	if life < 0 {
		return
	}
	l := &n.w.lives[b][life]
	if p := l.phaseAt(at); p < 0 || !l.phases[p].leads {
		return
	}
	known := func(by *bus.Trigger, date string) (of []index.Summary) {
		for _, is := range slices.Backward(n.byDate[date]) { // newest first
			if is.Job == by.Job && (simMillis(is.EndTime)+l.lag <= at || simMillis(is.EndTime) <= l.from) {
				of = append(of, is)
			}
		}
		return of
	}
	for job, t := range n.triggers {
		// It may fail, and the next renewal of the lease tries again.
		if n.w.roll("store", int64(n.number), int64(b), at)%50 == 0 {
			n.push(at+simRenewal, func() { n.decide(b, at+simRenewal, e) })
			return
		}
		number, f, ok := n.fire(t, e, e.ScheduledDate, known)
		if !ok {
			continue
		}
		key := triggerKey(&index.Started{App: "a", Job: job, Triggers: t}, e.App, e.Job).FireKey(number)
		if n.created[key] {
			continue
		}
		n.created[key] = true
		n.addExecutions(n.executionsOf(job, n.instanceOf(key), f.Date, at))
	}
}

// expected returns the keys of what must start, by the rules alone: an execution
// of each instance that meets a trigger, or of each date on which all are met.
func (c *simChain) expected() map[string]bool {
	byJob := map[string][]index.Summary{}
	for _, e := range c.firstExecutions() {
		byJob[e.Job] = append(byJob[e.Job], e)
	}
	all := map[string]bool{}
	for _, job := range c.jobs[3:] {
		t := c.triggers[job]
		dates := map[string]map[int]bool{} // of each date, the triggers that are met
		starts := map[string]string{}      // dates by key
		for i, by := range t.Jobs {
			for _, e := range byJob[by.Job] {
				if !isMet(by.On, &e) {
					continue
				}
				if dates[e.ScheduledDate] == nil {
					dates[e.ScheduledDate] = map[int]bool{}
				}
				dates[e.ScheduledDate][i] = true
				if !t.All {
					starts[fmt.Sprintf("a.%s.=a/%s.%d", job, by.Job, e.InstanceID)] = e.ScheduledDate
				}
			}
		}
		for date, met := range dates {
			if t.All && len(met) == len(t.Jobs) {
				day, _ := time.Parse(time.DateOnly, date)
				starts[fmt.Sprintf("a.%s.=all.%s", job, day.Format("20060102"))] = date
			}
		}
		for key, date := range starts {
			all[key] = true
			byJob[job] = append(byJob[job], c.executionsOf(job, c.instanceOf(key), date, 0)...)
		}
	}
	return all
}

// isMet reports whether the end of an execution meets a trigger.
func isMet(on string, e *index.Summary) bool {
	switch on {
	case "completed":
		return e.ExitStatus == "COMPLETED"
	case "failed":
		return e.ExitStatus == "FAILED"
	case "EXIT*":
		return e.ExitStatus == "EXIT1"
	}
	return true
}

// TestSimulationOfTriggers takes chains of jobs through a year. Executions fail
// and are restarted, and buses die, lead at the same time and miss ends.
func TestSimulationOfTriggers(t *testing.T) {
	w := newSimWorld(simSeed(t), 366)
	for _, tt := range []struct {
		name   string
		change func(number *int64, e *index.Summary)
		isOK   bool
	}{
		{"each start happens once", func(*int64, *index.Summary) {}, true},
		{"a key for each execution is found", func(number *int64, e *index.Summary) { *number = e.ID }, false},
		{"a key for each date is found", func(number *int64, e *index.Summary) { *number = dateNumber(e.ScheduledDate) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			starts, faults := 0, 0
			for i := range simSchedules / 50 {
				n := &simChainRun{simChain: randomSimChain(w, i), byDate: map[string][]index.Summary{}, created: map[string]bool{}}
				n.fire = func(t *bus.Triggers, e *index.Summary, date string, endedFor func(*bus.Trigger, string) []index.Summary) (int64, bus.Fire, bool) {
					number, f, ok := triggerFire(t, e, date, endedFor)
					tt.change(&number, e)
					return number, f, ok
				}
				n.run()
				want := n.expected()
				starts += len(want)
				if maps.Equal(n.created, want) {
					continue
				}
				faults++
				for _, key := range slices.SortedFunc(maps.Keys(want), cmp.Compare[string]) {
					if tt.isOK && !n.created[key] {
						t.Errorf("chain %d: missing %s", i, key)
						break
					}
				}
				if tt.isOK {
					t.Errorf("chain %d: %d starts, want %d", i, len(n.created), len(want))
				}
			}
			if tt.isOK != (faults == 0) {
				t.Errorf("%d chains with faults", faults)
			}
			t.Logf("%d starts, %d chains with faults", starts, faults)
		})
	}
}

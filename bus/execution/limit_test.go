package execution

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// limited writes the definition of a job that uses limits.
func (w *world) limited(id, limits string) {
	w.Helper()
	w.job(id, fmt.Sprintf(`{"id":%q,"limits":%s,"steps":[{"id":"S","batchlet":{"ref":"x"}}]}`, id, limits))
}

func (w *world) limit(name string, capacity int) {
	w.Helper()
	if _, err := w.bus.SetLimit(w.Context(), name, capacity); err != nil {
		w.Fatal(err)
	}
}

// fetchOnly takes the request of e, which must be the only one in the queue.
func (w *world) fetchOnly(e *bus.Execution) *handling {
	w.Helper()
	d := w.fetch()
	if d == nil || d.Execution.ID != e.ID {
		w.Fatalf("in the queue is %+v, want execution %d", d, e.ID)
	}
	if strings.Contains(string(d.Definition), "limits") {
		w.Errorf("an older agent would refuse the definition %s", d.Definition)
	}
	w.fetchNone()
	h := w.handle(d, "a1")
	h.claim()
	return h
}

func (w *world) fetchNone() {
	w.Helper()
	if d := w.fetch(); d != nil {
		w.Errorf("in the queue is %d, want nothing", d.Execution.ID)
	}
}

// free waits until nothing is held.
func (w *world) free() {
	w.Helper()
	for range 600 {
		e, err := w.bus.b.Ledger.Get(w.Context(), bus.LedgerKey)
		if err != nil {
			w.Fatal(err)
		}
		if len(e.Value.Held) == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	w.Error("limits are held though everything has ended")
}

func TestLimit(t *testing.T) {
	play(t, "an execution waits until there is room", func(w *world) {
		w.limit("db", 1)
		w.limited("L", `{"db":1}`)
		one, two, three := w.submit("L"), w.submit("L"), w.submit("L")
		h := w.fetchOnly(one)
		if got := w.bus.WaitingFor(w.Context(), w.get(three)); got.For != "limit db: 1 of 1 held, place 2" || got.Position != 0 {
			w.Errorf("the third waits for %+v", got)
		}
		sum, _ := w.bus.x.Find(two.ID)
		if got := w.bus.WaitingOf([]index.Summary{sum})[two.ID]; got.For != "limit db: 1 of 1 held, place 1" {
			w.Errorf("in a list, the second waits for %+v", got)
		}
		none := &bus.StoredResult{Result: subjects.Result{BatchStatus: subjects.Undispatched}}
		if err := w.bus.newRecoverer().requestNext(w.Context(), w.get(two), none, time.Now()); err != nil {
			w.Error(err)
		}
		w.fetchNone()
		for range 30 { // longer than the recoverer lets anything wait
			w.beat("a1", subjects.Attempt{ID: one.ID, Attempt: 1})
			time.Sleep(time.Second)
		}
		w.fetchNone()
		h.end(subjects.Completed)
		time.Sleep(time.Second)
		h = w.fetchOnly(two)
		h.end(subjects.Failed)
		time.Sleep(time.Second)
		if got := w.bus.WaitingFor(w.Context(), w.get(three)); !strings.Contains(got.For, "no agent") && !strings.Contains(got.For, "slots") && !strings.Contains(got.For, "agent") {
			w.Errorf("with its limit it waits for %+v", got)
		}
		w.fetchOnly(three).end(subjects.Stopped)
		w.want(three, subjects.Stopped)
		w.free()
	})

	play(t, "a job without limits is not affected", func(w *world) {
		w.limit("db", 1)
		w.limited("L", `{"db":1}`)
		w.submit("L")
		w.submit("L")
		j := w.submit("J")
		if d := w.fetch(); d == nil {
			w.Error("no request")
		}
		if d := w.fetch(); d == nil || d.Execution.ID != j.ID {
			w.Errorf("in the queue is %+v, want %d", d, j.ID)
		}
	})

	play(t, "several limits are had together, and nobody is overtaken", func(w *world) {
		w.limit("db", 3)
		w.limit("api", 1)
		w.limited("A", `{"db":1}`)
		w.limited("B", `{"db":3,"api":1}`)
		w.limited("C", `{"api":1}`)
		a := w.submit("A")
		b := w.submit("B")
		late, c := w.submit("A"), w.submit("C")
		h := w.fetchOnly(a)
		if got := w.bus.WaitingFor(w.Context(), w.get(b)); got.For != "limit db: 1 of 3 held, place 1" {
			w.Errorf("B waits for %q", got.For)
		}
		if got := w.bus.WaitingFor(w.Context(), w.get(c)); got.For != "limit api: 0 of 1 held, place 2" {
			w.Errorf("C waits for %q", got.For)
		}
		h.end(subjects.Completed)
		time.Sleep(time.Second)
		w.fetchOnly(b).end(subjects.Completed)
		time.Sleep(time.Second)
		var ids []int64
		for range 2 {
			if d := w.fetch(); d != nil {
				ids = append(ids, d.Execution.ID)
			}
		}
		if slices.Sort(ids); !slices.Equal(ids, []int64{late.ID, c.ID}) {
			w.Errorf("then %v are requested, want %d and %d", ids, late.ID, c.ID)
		}
	})

	play(t, "what waits is stopped and abandoned without having held anything", func(w *world) {
		w.limit("db", 1)
		w.limited("L", `{"db":1}`)
		first, stopped, abandoned, last := w.submit("L"), w.submit("L"), w.submit("L"), w.submit("L")
		h := w.fetchOnly(first)
		if e, err := w.bus.Stop(w.Context(), stopped.App, stopped.Job, stopped.ID); err != nil || e.BatchStatus != subjects.Stopped {
			w.Errorf("stop: %+v, %v", e, err)
		}
		if e, err := w.bus.Abandon(w.Context(), abandoned.App, abandoned.Job, abandoned.ID); err != nil || e.BatchStatus != subjects.Abandoned {
			w.Errorf("abandon: %+v, %v", e, err)
		}
		h.end(subjects.Completed)
		time.Sleep(time.Second)
		w.fetchOnly(last).end(subjects.Completed)
		w.free()
	})

	play(t, "a lost agent's execution keeps its limits for the next attempt", func(w *world) {
		w.limit("db", 1)
		w.job("L", `{"id":"L","limits":{"db":1},"on_agent_lost":"requeue","steps":[{"id":"S","batchlet":{"ref":"x"}}]}`)
		one, two := w.submit("L"), w.submit("L")
		w.fetchOnly(one)
		time.Sleep(20 * time.Second)
		d := w.fetch()
		if d == nil || d.Execution.ID != one.ID || d.Attempt != 2 {
			w.Fatalf("in the queue is %+v, want attempt 2", d)
		}
		w.fetchNone()
		h := w.handle(d, "a2")
		h.claim()
		h.end(subjects.Completed)
		time.Sleep(time.Second)
		w.fetchOnly(two)
	})

	play(t, "a limit that does not exist, or is too small", func(w *world) {
		w.limit("db", 1)
		w.limited("N", `{"none":1}`)
		w.limited("M", `{"db":2}`)
		w.limited("L", `{"db":1}`)
		none, much := w.submit("N"), w.submit("M")
		if got := w.bus.WaitingFor(w.Context(), none); got.For != "limit none does not exist" {
			w.Errorf("it waits for %q", got.For)
		}
		if got := w.bus.WaitingFor(w.Context(), much); got.For != "limit db has a capacity of 1, and the execution needs 2" {
			w.Errorf("it waits for %q", got.For)
		}
		h := w.fetchOnly(w.submit("L")) // nobody blocks it
		w.limit("none", 5)
		time.Sleep(2 * time.Second)
		w.fetchOnly(none)
		h.end(subjects.Completed)
		time.Sleep(2 * time.Second)
		w.limit("db", 2)
		time.Sleep(2 * time.Second)
		w.fetchOnly(much)
	})

	play(t, "a capacity that is lowered while it is held", func(w *world) {
		w.limit("db", 3)
		w.limited("L", `{"db":1}`)
		w.submit("L")
		w.submit("L")
		one, two := w.handle(w.fetch(), "a1"), w.handle(w.fetch(), "a1")
		one.claim()
		two.claim()
		w.limit("db", 1)
		three := w.submit("L")
		if got := w.bus.WaitingFor(w.Context(), three); got.For != "limit db: 2 of 1 held, place 1" {
			w.Errorf("it waits for %q", got.For)
		}
		one.end(subjects.Completed)
		time.Sleep(2 * time.Second)
		w.fetchNone()
		two.end(subjects.Completed)
		time.Sleep(2 * time.Second)
		w.fetchOnly(three)
	})

	play(t, "limits are set, listed and deleted", func(w *world) {
		if created, err := w.bus.SetLimit(w.Context(), "db", 3); err != nil || !created {
			w.Errorf("set: %v, %v", created, err)
		}
		if created, err := w.bus.SetLimit(w.Context(), "db", 2); err != nil || created {
			w.Errorf("set again: %v, %v", created, err)
		}
		for _, c := range []struct {
			name     string
			capacity int
		}{{"a.b", 1}, {"", 1}, {"x", 0}, {"x", 1_000_001}} {
			if _, err := w.bus.SetLimit(w.Context(), c.name, c.capacity); err == nil {
				w.Errorf("the limit %q of %d was set", c.name, c.capacity)
			}
		}
		w.limited("L", `{"db":2}`)
		e := w.submit("L")
		h := w.fetchOnly(e)
		w.submit("L")
		l, err := w.bus.Limit(w.Context(), "db")
		if err != nil || l.Capacity != 2 || l.Used != 2 || l.Waiting != 1 || !slices.Equal(l.Holders, []Holder{{"default", "L", e.ID, 2}}) {
			w.Errorf("the limit is %+v, %v", l, err)
		}
		if err := w.bus.DeleteLimit(w.Context(), "db"); !bus.HasCode(err, bus.CodeLimitInUse) || !strings.Contains(err.Error(), "default/L") {
			w.Errorf("delete: %v", err)
		}
		if err := w.redefine("L", `{"id":"L","steps":[{"id":"S","batchlet":{"ref":"x"}}]}`); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := w.bus.DeleteLimit(w.Context(), "db"); !bus.HasCode(err, bus.CodeLimitInUse) {
			w.Errorf("delete while it is waited for: %v", err)
		}
		h.end(subjects.Completed)
		time.Sleep(2 * time.Second)
		h = w.handle(w.fetch(), "a1")
		h.claim()
		if err := w.bus.DeleteLimit(w.Context(), "db"); !bus.HasCode(err, bus.CodeLimitInUse) {
			w.Errorf("delete while it is held: %v", err)
		}
		h.end(subjects.Completed)
		w.free()
		if err := w.bus.DeleteLimit(w.Context(), "db"); err != nil {
			w.Error(err)
		}
		if err := w.bus.DeleteLimit(w.Context(), "db"); !bus.HasCode(err, bus.CodeNoSuchLimit) {
			w.Errorf("delete again: %v", err)
		}
	})
}

// A bus dies between two steps, and another one goes on.
func TestLimitSurvivesItsBus(t *testing.T) {
	submitAt := func(w *world, n *node) *bus.Execution {
		w.Helper()
		e, _, err := n.Submit(w.Context(), Submission{App: "default", Job: "L"})
		if err != nil {
			w.Fatal(err)
		}
		return e
	}
	play(t, "after the record", func(w *world) {
		w.limit("db", 1)
		w.limited("L", `{"db":1}`)
		time.Sleep(time.Second)
		def, parsed, err := w.bus.jobDefinition(w.Context(), "default", "L")
		if err != nil {
			w.Fatal(err)
		}
		id, err := w.bus.b.NextID(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		rec := w.bus.newRecord(id, def, parsed, time.Now())
		if _, err := w.bus.b.Executions.Create(w.Context(), rec.Key(), *rec); err != nil {
			w.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		w.fetchOnly(rec).end(subjects.Completed)
		w.free()
	})

	play(t, "after the ledger", func(w *world) {
		w.limit("db", 1)
		w.limited("L", `{"db":1}`)
		e := submitAt(w, w.bus)
		if err := w.bus.b.PurgeRequest(w.Context(), &e.Execution); err != nil { // it was never sent
			w.Fatal(err)
		}
		w.bus.stop()
		w.node(Config{})
		time.Sleep(40 * time.Second)
		w.fetchOnly(e).end(subjects.Completed)
	})

	play(t, "after it has granted an execution of another bus", func(w *world) {
		w.limit("db", 1)
		w.limited("L", `{"db":1}`)
		one, two := submitAt(w, w.bus), submitAt(w, w.bus)
		h := w.fetchOnly(one)
		ledger, rev, err := w.bus.limits.read(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		w.bus.stop()
		h.end(subjects.Completed)
		next := ledger.Clone()
		next.Free("db=1", one.ID)
		next.Hold("db=1", two.ID)
		if _, err := w.bus.b.Ledger.Update(w.Context(), bus.LedgerKey, *next, rev); err != nil {
			w.Fatal(err)
		}
		w.node(Config{})
		time.Sleep(40 * time.Second)
		w.fetchOnly(two).end(subjects.Completed)
		w.free()
	})

	play(t, "after the end, before it frees", func(w *world) {
		w.limit("db", 1)
		w.limited("L", `{"db":1}`)
		one, two := submitAt(w, w.bus), submitAt(w, w.bus)
		h := w.fetchOnly(one)
		w.bus.p.freeLimits = func(*bus.Execution) {}
		h.end(subjects.Completed)
		w.want(one, subjects.Completed)
		w.fetchNone()
		w.bus.stop()
		w.node(Config{})
		time.Sleep(40 * time.Second)
		w.fetchOnly(two).end(subjects.Completed)
	})

	play(t, "after the record of the end is purged", func(w *world) {
		w.limit("db", 1)
		w.limited("L", `{"db":1}`)
		ledger, rev, err := w.bus.limits.read(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		next := ledger.Clone()
		next.Hold("db=1", 4711)
		if _, err := w.bus.b.Ledger.Update(w.Context(), bus.LedgerKey, *next, rev); err != nil {
			w.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		w.free()
	})
}

// Whatever buses, agents and users do, no more is held than there is, and in the
// end everything has run.
func TestLimitsHold(t *testing.T) {
	for seed := range uint64(6) {
		play(t, fmt.Sprint("seed ", seed), func(w *world) { playLimits(w, seed) })
	}
}

func playLimits(w *world, seed uint64) {
	g := rand.New(rand.NewPCG(seed, 7))
	capacity := map[string]int{"db": 3, "api": 2}
	for name, n := range capacity {
		w.limit(name, n)
	}
	needs := []string{`{"db":1}`, `{"db":2}`, `{"api":1}`, `{"db":1,"api":1}`, `{"db":3,"api":2}`}
	for i, n := range needs {
		w.limited(fmt.Sprint("L", i), n)
	}
	if err := w.bus.b.EnsurePool(w.Context(), "default", subjects.DefaultPool); err != nil {
		w.Fatal(err)
	}
	nodes := []*node{w.bus, w.node(Config{}), w.idle(Config{})}
	time.Sleep(time.Second)

	var mu sync.Mutex
	used := map[string]int{}
	use := func(e *subjects.Execution, sign int) {
		mu.Lock()
		defer mu.Unlock()
		rec, err := w.bus.b.Executions.Get(w.Context(), bus.ExecutionKey(e.App, e.Job, e.ID))
		if err != nil {
			w.Error(err)
			return
		}
		for _, n := range rec.Value.Limits.All() {
			if used[n.Limit] += sign * n.Units; used[n.Limit] > capacity[n.Limit] {
				w.Errorf("%d of %d of %s run", used[n.Limit], capacity[n.Limit], n.Limit)
			}
		}
	}
	ctx, cancel := context.WithCancel(w.Context())
	var agents sync.WaitGroup
	for i := range 8 {
		pause := time.Duration(1+g.IntN(900)) * time.Millisecond
		agents.Go(func() {
			for ctx.Err() == nil {
				d := w.fetch()
				if d == nil {
					continue
				}
				h := w.handle(d, fmt.Sprint("a", i))
				if h.say(subjects.Started, nil) != nil { // stopped meanwhile
					_ = d.msg.Ack()
					continue
				}
				use(&d.Execution, 1)
				_ = d.msg.Ack()
				time.Sleep(pause)
				use(&d.Execution, -1)
				h.end(subjects.Completed)
			}
		})
	}
	var all []*bus.Execution
	for i := range 60 {
		e, _, err := nodes[g.IntN(3)].Submit(w.Context(), Submission{App: "default", Job: fmt.Sprint("L", g.IntN(len(needs)))})
		if err != nil {
			w.Fatal(err)
		}
		all = append(all, e)
		if g.IntN(10) == 0 {
			_, _ = nodes[g.IntN(3)].Stop(w.Context(), e.App, e.Job, e.ID) // it may have ended
		}
		if i == 30 {
			nodes[1].stop() // with all that it had in hand
		}
		time.Sleep(time.Duration(g.IntN(300)) * time.Millisecond)
	}
	for _, e := range all {
		for n := 0; !w.get(e).BatchStatus.Ended(); n++ {
			if n > 3000 {
				w.Fatalf("execution %d is %s: %+v", e.ID, w.get(e).BatchStatus, w.bus.WaitingFor(w.Context(), w.get(e)))
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	cancel()
	agents.Wait()
	w.free()
}

// The rounds of limits are as far apart as that helps.
func TestRoundsOfLimits(t *testing.T) {
	// rounds submits executions at intervals and returns how many writes of the
	// ledger granted them.
	rounds := func(w *world, n, each int, interval time.Duration) uint64 {
		w.Helper()
		w.limit("db", 1000)
		w.limited("L", `{"db":1}`)
		time.Sleep(time.Second)
		_, before, err := w.bus.limits.read(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		var all sync.WaitGroup
		for range n {
			for range each {
				all.Go(func() { w.submit("L") })
			}
			time.Sleep(interval)
		}
		all.Wait()
		ledger, after, err := w.bus.limits.read(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		if used := ledger.Used()["db"]; used != n*each {
			w.Errorf("%d executions hold the limit, want %d", used, n*each)
		}
		return after - before
	}
	play(t, "executions at almost the same time share rounds", func(w *world) {
		if n := rounds(w, 60, 3, time.Millisecond); n > 30 {
			w.Errorf("%d rounds, want about 20", n)
		}
	})
	play(t, "an execution that comes alone waits for no other", func(w *world) {
		start := time.Now()
		if n := rounds(w, 20, 1, time.Millisecond); n != 20 {
			w.Errorf("%d rounds, want 20", n)
		}
		if took := time.Since(start); took > time.Second+25*time.Millisecond {
			w.Errorf("20 executions took %v", took)
		}
	})
	play(t, "a limit that is waited for is handed over without delay", func(w *world) {
		w.limit("db", 4)
		w.limited("A", `{"db":4}`)
		w.limited("B", `{"db":2}`)
		time.Sleep(time.Second)
		start := time.Now()
		for _, job := range []string{"A", "B", "B", "B"} { // one B waits when A has ended
			w.submit(job)
		}
		for range 4 {
			d := w.fetch()
			if d == nil {
				w.Fatal("no request")
			}
			h := w.handle(d, "a1")
			h.claim()
			h.end(subjects.Completed)
		}
		if took := time.Since(start); took >= roundEvery {
			w.Errorf("4 executions took %v", took)
		}
	})
}

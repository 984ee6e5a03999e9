package index

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestMain(m *testing.M) { os.Exit(bustest.Main(m)) }

// execution is execution id of job j, created at second id.
func execution(id int64, status subjects.BatchStatus) *bus.Execution {
	e := &bus.Execution{Execution: subjects.Execution{
		ID: id, InstanceID: id, App: "a", Job: "j", BatchStatus: status, Agent: "agent-1", Attempt: 1,
		Pool: "default", Priority: "normal", CreateTime: subjects.Time(id * 1000), UpdateTime: subjects.Time(id * 1000),
	}}
	if status.Ended() {
		e.ExitStatus, e.StartTime, e.EndTime = "OK", e.CreateTime+1, e.CreateTime+11
	}
	return e
}

func ids(page []Summary) []int64 {
	var all []int64
	for _, s := range page {
		all = append(all, s.ID)
	}
	return all
}

func TestExecutions(t *testing.T) {
	x := New(nil)
	rev := uint64(0)
	put := func(e *bus.Execution) {
		rev++
		x.PutExecution(e, rev)
	}
	for _, id := range []int64{5, 3, 4, 1, 2} { // ids of several buses do not come in order
		put(execution(id, subjects.Started))
	}
	if page, hits := x.Executions("a", "j", 1, 3); hits != 5 || !slices.Equal(ids(page), []int64{4, 3, 2}) {
		t.Errorf("the second to fourth newest: %v of %d", ids(page), hits)
	}
	put(execution(2, subjects.Completed))
	put(execution(3, subjects.Failed))
	x.PutExecution(execution(3, subjects.Started), 1) // an old echo
	if s, ok := x.Find(3); !ok || s.BatchStatus != subjects.Failed {
		t.Errorf("an older revision was taken in: %+v", s)
	}
	if n := len(x.Live()); n != 3 {
		t.Errorf("%d have not ended, want 3", n)
	}
	x.PutJob("a", "j", &bus.Job{App: "a", Name: "j", Definition: json.RawMessage(`{"id":"j","steps":[{"id":"s"}]}`)}, 1)
	j, ok := x.Job("a", "j")
	if want := (Stats{Total: 5, Success: 1, Failure: 1, Average: 10 * time.Millisecond}); !ok || j.Stats != want {
		t.Errorf("stats %+v, want %+v", j.Stats, want)
	}
	gone := execution(3, subjects.Failed)
	gone.DeleteTime = 1
	put(gone)
	put(execution(3, subjects.Failed)) // whoever was slow
	if _, ok := x.Find(3); ok || len(x.Doomed()) != 1 {
		t.Errorf("a deleted execution is found, or not kept for the janitor: %v", x.Doomed())
	}
	x.Remove("a", "j", 3)
	if page, hits := x.Executions("a", "j", 0, 10); hits != 4 || !slices.Equal(ids(page), []int64{5, 4, 2, 1}) || len(x.Doomed()) != 0 {
		t.Errorf("after the removal: %v of %d", ids(page), hits)
	}
	if j, _ := x.Job("a", "j"); j.Stats.Failure != 0 || j.Stats.Total != 4 {
		t.Errorf("stats after the removal: %+v", j.Stats)
	}
}

func TestWaitEnd(t *testing.T) {
	x := New(nil)
	if _, err := x.WaitEnd(t.Context(), 1); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("waiting for nothing: %v", err)
	}
	x.PutExecution(execution(1, subjects.Started), 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.WaitEnd(ctx, 1); !errors.Is(err, context.Canceled) || len(x.waiters) != 0 {
		t.Errorf("given up: %v, %d waiters left", err, len(x.waiters))
	}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if s, whole, err := x.WaitRecord(t.Context(), 1); err != nil || s.BatchStatus != subjects.Completed || whole == nil {
				t.Errorf("waited for %+v, %v, %v", s, whole, err)
			}
		})
	}
	x.PutExecution(execution(1, subjects.Completed), 2)
	wg.Wait()
}

func TestFill(t *testing.T) {
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	const n = 3000
	write(t, b, n)
	x, stop := run(t, b)
	defer stop()
	if page, hits := x.Executions("a", "j", 0, 2); hits != n || !slices.Equal(ids(page), []int64{n, n - 1}) {
		t.Fatalf("filled with %d, the newest are %v", hits, ids(page))
	}
	e := execution(n+1, subjects.Started)
	if _, err := b.Executions.Create(t.Context(), e.Key(), *e); err != nil { // by another bus
		t.Fatal(err)
	}
	if err := eventually(func() bool { _, ok := x.Find(n + 1); return ok }); err != nil {
		t.Error("a new execution of another bus is not seen")
	}
	last, err := b.Executions.Get(t.Context(), e.Key())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Executions.Purge(t.Context(), e.Key(), last.Revision, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := eventually(func() bool { _, ok := x.Find(n + 1); return !ok }); err != nil {
		t.Error("a purged execution is still listed")
	}
}

func eventually(f func() bool) error {
	for range 1000 {
		if f() {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.New("not within 10 s")
}

// write writes n records of ended executions.
func write(t testing.TB, b *bus.Bus, n int) {
	t.Helper()
	var wg sync.WaitGroup
	slots := make(chan struct{}, 256)
	for i := range n {
		wg.Add(1)
		slots <- struct{}{}
		e := execution(int64(i+1), subjects.Completed)
		b.Executions.Write(e.Key(), *e, 0, func(_ uint64, err error) {
			if err != nil {
				t.Error(err)
			}
			<-slots
			wg.Done()
		})
	}
	wg.Wait()
}

// run fills an index; stop ends it.
func run(t testing.TB, b *bus.Bus) (x *Index, stop func()) {
	t.Helper()
	x = New(b)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- x.Run(ctx) }()
	if err := x.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return x, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// A watch that ended before it came to the end of what was there has filled
// nothing.
func TestNotFilled(t *testing.T) {
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	if _, err := b.Apps.KV().PutString(t.Context(), "z", "{"); err != nil {
		t.Fatal(err)
	}
	g, ctx := errgroup.WithContext(t.Context())
	filled := 0
	followBucket(ctx, g, b.Apps, func() { filled++ }, func(string, *bus.App, uint64) {})
	if err := g.Wait(); err == nil || filled != 0 {
		t.Errorf("a value that cannot be read: %v, filled %d times", err, filled)
	}
}

// BenchmarkStart fills an index from the records that -bench finds: seconds a
// start, bytes an execution.
func BenchmarkStart(b *testing.B) {
	for _, n := range []int{30_000, 300_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			bs := bustest.Open(b, bustest.Server(b), bus.Config{})
			write(b, bs, n)
			for b.Loop() {
				before := heapBytes()
				x, stop := run(b, bs)
				b.ReportMetric(float64(heapBytes()-before)/float64(n), "B/execution")
				runtime.KeepAlive(x)
				stop()
			}
		})
	}
}

// BenchmarkList reads a page in the middle of a million executions.
func BenchmarkList(b *testing.B) {
	x := New(nil)
	for i := range 1_000_000 {
		x.PutExecution(execution(int64(i+1), subjects.Completed), uint64(i+1))
	}
	for b.Loop() {
		if page, _ := x.Executions("a", "j", 500_000, 20); len(page) != 20 {
			b.Fatal(len(page))
		}
	}
}

func heapBytes() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func ExampleIndex_Jobs() {
	x := New(nil)
	for i, name := range []string{"nightly", "report", "nightly-report"} {
		definition := json.RawMessage(fmt.Sprintf(`{"id":%q,"steps":[{"id":"s"}]}`, name))
		x.PutJob("a", name, &bus.Job{App: "a", Name: name, Definition: definition}, uint64(i+1))
	}
	page, hits := x.Jobs(JobQuery{App: "a", Words: []string{"night"}, Limit: 20})
	for _, j := range page {
		fmt.Println(j.Name)
	}
	fmt.Println(hits)
	// Output:
	// nightly
	// nightly-report
	// 2
}

// Own writes are taken in at once, and the echoes of older ones after them.
func TestNamesOutOfOrder(t *testing.T) {
	x := New(bustest.Open(t, bustest.Server(t), bus.Config{}))
	put := func(key, name string, rev uint64) {
		x.PutJob("a", key, &bus.Job{App: "a", Name: name, Definition: []byte(`{"id":"` + name + `","steps":[{"id":"s"}]}`)}, rev)
	}
	put("Y", "N", 23)
	put("X", "N", 20)
	for range 2 {
		if key, ok := x.PermanentKey("a", "N"); key != "Y" || !ok {
			t.Errorf("N is %s, %v; want Y", key, ok)
		}
		put("X", "M", 22)
	}
	if key, _ := x.PermanentKey("a", "M"); key != "X" || x.JobName("a", "X") != "M" {
		t.Errorf("M is %s", key)
	}
}

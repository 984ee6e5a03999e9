package bus_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestMain(m *testing.M) { os.Exit(bustest.Main(m)) }

func TestGroupedWrites(t *testing.T) {
	b := bustest.Open(t, bustest.Server(t), bus.Config{Group: true})
	const n = 2000
	record := func(i int) bus.Execution {
		return bus.Execution{Execution: subjects.Execution{ID: int64(i), App: "a", Job: "j"}}
	}
	write := func(rev func(i int) uint64) (revs [n]uint64, errs [n]error) {
		var wg sync.WaitGroup
		wg.Add(n)
		for i := range n {
			b.Executions.Write("a.j."+strconv.Itoa(i+1), record(i+1), rev(i), func(r uint64, err error) {
				revs[i], errs[i] = r, err
				wg.Done()
			})
		}
		wg.Wait()
		return revs, errs
	}
	revs, errs := write(func(int) uint64 { return 0 })
	for i := range n {
		e, err := b.Executions.Get(context.Background(), "a.j."+strconv.Itoa(i+1))
		if err != nil || errs[i] != nil || e.Revision != revs[i] || e.Value.ID != int64(i+1) {
			t.Fatalf("record %d: written at %d (%v), read at %d (%v) as %d", i+1, revs[i], errs[i], e.Revision, err, e.Value.ID)
		}
	}
	// Every tenth names a wrong revision: only those are refused.
	again, errs := write(func(i int) uint64 {
		if i%10 == 0 {
			return revs[i] + n + 1
		}
		return revs[i]
	})
	for i := range n {
		switch {
		case i%10 == 0 && !errors.Is(errs[i], bus.ErrChanged):
			t.Errorf("record %d at a wrong revision: %v, want it refused", i+1, errs[i])
		case i%10 != 0 && (errs[i] != nil || again[i] == revs[i]):
			t.Errorf("record %d at its revision: %d, %v", i+1, again[i], errs[i])
		}
	}
}

package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Garbage may grow to between half and four times the live heap before a
// collection. Four times is worth a tenth of a bus's throughput under load; a
// bus at rest gains nothing from it and gives the memory back.
const (
	restPercent = 50
	loadPercent = 400

	// memoryLimit is the size of the process, in bytes, from which the
	// collector works harder rather than let it grow.
	memoryLimit = 1 << 30

	// adaptEvery is the interval between two looks at the rate of allocation.
	adaptEvery = 5 * time.Second

	// collectEvery is how far apart collections should be: garbage may grow to
	// what is allocated in this time.
	collectEvery = 2 * time.Second
)

// garbage adapts the garbage collector of the process to its load.
type garbage struct {
	percent int    // as set last
	bytes   uint64 // allocated from the start of the process to the last look
}

// adaptGarbage returns a service that adapts the collector until its context
// ends. GOGC and GOMEMLIMIT, if set, are obeyed instead.
func adaptGarbage(env map[string]string) func(context.Context) error {
	if env["GOGC"] != "" || env["GOMEMLIMIT"] != "" {
		return func(context.Context) error { return nil }
	}
	debug.SetMemoryLimit(memoryLimit)
	debug.SetGCPercent(loadPercent) // a start reads all that is kept
	g := &garbage{percent: loadPercent}
	g.bytes, _ = readHeap()
	return g.keepAdapting
}

func (g *garbage) keepAdapting(ctx context.Context) error {
	tick := time.NewTicker(adaptEvery)
	defer tick.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			g.adaptPercent(now.Sub(last))
			last = now
		}
	}
}

// adaptPercent sets GOGC by what was allocated in the time since the last look.
// Somebody else may hold it: a deployment wants a small heap, and restores what
// was set before it.
func (g *garbage) adaptPercent(since time.Duration) {
	allocated, live := readHeap()
	percent := garbagePercent(float64(allocated-g.bytes)/since.Seconds(), float64(live))
	g.bytes = allocated
	if before := debug.SetGCPercent(percent); before != g.percent {
		debug.SetGCPercent(before)
		return
	}
	g.percent = percent
}

// garbagePercent returns GOGC for a rate of allocation, in bytes a second, and
// a live heap, in bytes.
func garbagePercent(rate, live float64) int {
	percent := 100 * rate * collectEvery.Seconds() / max(live, 1)
	return int(min(max(percent, restPercent), loadPercent))
}

// readHeap returns the bytes allocated since the start of the process and the
// bytes that the last collection found in use.
func readHeap() (allocated, live uint64) {
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64(), samples[1].Value.Uint64()
}

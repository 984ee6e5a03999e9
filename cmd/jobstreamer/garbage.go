package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The limits of GOGC, in percent of the live heap. The upper limit gains about
// a tenth of a bus's throughput under load. An idle bus gains nothing from it
// and returns the memory.
const (
	restPercent = 50
	loadPercent = 400

	// memoryLimit is the size of the process, in bytes, from which the
	// collector runs more often to stop its growth.
	memoryLimit = 1 << 30

	// adaptEvery is the interval between measurements of the allocation rate.
	adaptEvery = 5 * time.Second

	// collectEvery is the wanted interval between collections: garbage may grow
	// to the amount that is allocated in this time.
	collectEvery = 2 * time.Second
)

// garbage adapts the garbage collector of the process to its load.
type garbage struct {
	percent int    // the last value that was set
	bytes   uint64 // allocated from the start of the process to the last measurement
}

// adaptGarbage returns a service that adapts the collector until its context
// ends. GOGC and GOMEMLIMIT have precedence if they are set.
func adaptGarbage(env map[string]string) func(context.Context) error {
	if env["GOGC"] != "" || env["GOMEMLIMIT"] != "" {
		return func(context.Context) error { return nil }
	}
	debug.SetMemoryLimit(memoryLimit)
	debug.SetGCPercent(loadPercent) // the start reads all stored data
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

// adaptPercent sets GOGC by the bytes allocated since the last measurement. It
// leaves a value alone that someone else has set: a deployment needs a small
// heap, and restores the value afterwards.
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

// garbagePercent returns GOGC for an allocation rate in bytes per second and a
// live heap in bytes.
func garbagePercent(rate, live float64) int {
	percent := 100 * rate * collectEvery.Seconds() / max(live, 1)
	return int(min(max(percent, restPercent), loadPercent))
}

// readHeap returns the bytes allocated since the start of the process, and the
// bytes that were live at the last collection.
func readHeap() (allocated, live uint64) {
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64(), samples[1].Value.Uint64()
}

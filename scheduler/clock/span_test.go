package clock_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/clock"
)

// Spans are cached for all callers. Goroutines ask for instants from 1970 to
// 2299 in no order, of zones that change their clocks and of more locations than
// the cache holds.
func TestSpansOfManyLocations(t *testing.T) {
	var zones []*time.Location
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "America/Havana", "UTC"} {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		zones = append(zones, loc)
	}
	fixed := make([]*time.Location, 2000)
	for i := range fixed {
		fixed[i] = time.FixedZone(fmt.Sprint(i), i)
	}
	var all sync.WaitGroup
	for seed := range uint64(4) {
		all.Go(func() {
			g := rand.New(rand.NewPCG(seed, 3))
			for range 50_000 {
				loc := zones[g.IntN(len(zones))]
				if g.IntN(3) == 0 {
					loc = fixed[g.IntN(len(fixed))]
				}
				u := g.Int64N(330 * 365 * clock.SecondsPerDay)
				z := clock.SpanAt(loc, u)
				_, offset := time.Unix(u, 0).In(loc).Zone()
				if z.Offset() != int64(offset) || u < z.Start || u >= z.End {
					t.Errorf("SpanAt(%s, %d) = %+v, want one that contains it with the offset %d", loc, u, z, offset)
					return
				}
			}
		})
	}
	all.Wait()
}

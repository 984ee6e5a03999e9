package monitor

import (
	"math"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// steps are the samples of an agent that are not in its archives yet.
type steps struct {
	begin time.Time // of the step of now
	now   sum
	over  []average // steps that are over, to be written
	wrote time.Time // the end of the newest that this bus wrote
}

type average struct {
	end time.Time
	of  bus.Sample
}

// maxOver is how many steps wait for a broker that does not take them: an
// hour's.
const maxOver = 12

// add takes a sample of now.
func (s *steps) add(now time.Time, length time.Duration, p bus.Sample) {
	s.turn(now, length)
	s.now.add(p)
}

// turn ends the step of before, if it is over.
func (s *steps) turn(now time.Time, length time.Duration) {
	begin := now.Truncate(length)
	if begin.Equal(s.begin) {
		return
	}
	if m := s.now.mean(); m.Known() {
		s.over = append(s.over, average{s.begin.Add(length), m})
		s.over = s.over[max(0, len(s.over)-maxOver):]
	}
	s.begin, s.now = begin, sum{}
}

// empty says that there is nothing to be written, now or when the step is over.
func (s *steps) empty() bool { return len(s.over) == 0 && s.now == sum{} }

// sampleOf takes the figures out of a heartbeat. Loads are between 0 and 1,
// whatever an agent says; an agent that tells no memory has 0 of 0.
func sampleOf(s *subjects.Stats) bus.Sample {
	return bus.Sample{
		bus.ProcessLoad:  min(max(s.CPU.Process.Load, 0), 1),
		bus.SystemLoad:   min(max(s.CPU.System.Load, 0), 1),
		bus.PhysicalFree: free(s.Memory.Physical, s.Memory.Physical.Total > 0),
		bus.SwapFree:     free(s.Memory.Swap, s.Memory.Physical.Total > 0), // without swap 0 of it is free
	}
}

// free is what is free in MiB.
func free(m subjects.Memory, known bool) float64 {
	if !known {
		return math.NaN()
	}
	return float64(m.Free) / (1 << 20)
}

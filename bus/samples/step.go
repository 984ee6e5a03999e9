package samples

import (
	"math"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// pendingSteps holds the samples of an agent that are not in its archives yet.
type pendingSteps struct {
	begin    time.Time // of the current step
	current  sum
	finished []average // steps that have ended and must be written
	written  time.Time // the end of the newest step that this bus wrote
}

// average is the mean of a step that has ended.
type average struct {
	end    time.Time
	sample bus.Sample
}

// maxFinished is how many finished steps are kept while the broker is away:
// those of an hour.
const maxFinished = 12

// addSample adds a sample that was taken now.
func (s *pendingSteps) addSample(now time.Time, length time.Duration, p bus.Sample) {
	s.finishStep(now, length)
	s.current.add(p)
}

// finishStep finishes the current step if it has ended by now.
func (s *pendingSteps) finishStep(now time.Time, length time.Duration) {
	begin := now.Truncate(length)
	if begin.Equal(s.begin) {
		return
	}
	if m := s.current.mean(); m.Known() {
		s.finished = append(s.finished, average{s.begin.Add(length), m})
		s.finished = s.finished[max(0, len(s.finished)-maxFinished):]
	}
	s.begin, s.current = begin, sum{}
}

// isEmpty reports whether there is nothing to write, now or at the end of the
// current step.
func (s *pendingSteps) isEmpty() bool { return len(s.finished) == 0 && s.current == sum{} }

// sampleOf returns the sample of a heartbeat. Loads are limited to 0 to 1. An
// agent that does not report its memory sends a total of 0; its memory is
// unknown.
func sampleOf(s *subjects.Stats) bus.Sample {
	return bus.Sample{
		bus.ProcessLoad:  min(max(s.CPU.Process.Load, 0), 1),
		bus.SystemLoad:   min(max(s.CPU.System.Load, 0), 1),
		bus.PhysicalFree: freeMiB(s.Memory.Physical, s.Memory.Physical.Total > 0),
		bus.SwapFree:     freeMiB(s.Memory.Swap, s.Memory.Physical.Total > 0), // without swap, 0 is free
	}
}

// freeMiB returns the free memory in MiB, or NaN if it is unknown.
func freeMiB(m subjects.Memory, known bool) float64 {
	if !known {
		return math.NaN()
	}
	return float64(m.Free) / (1 << 20)
}

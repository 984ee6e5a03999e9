package agent

import (
	"testing"
	"time"
)

func TestShare(t *testing.T) {
	for _, test := range []struct{ part, whole, want float64 }{
		{1, 4, 0.25}, {0, 4, 0}, {1, 0, 0}, {0, 0, 0}, {5, 4, 1}, {-1, 4, 0}, {1, 3, 0.3333},
	} {
		if got := loadShare(test.part, test.whole); got != test.want {
			t.Errorf("share(%v, %v) = %v, want %v", test.part, test.whole, got, test.want)
		}
	}
}

// A load is the average between two samples. Heartbeats in quick succession
// share one sample.
func TestSample(t *testing.T) {
	s := newStatsSampler()
	first := s.takeSample(time.Hour)
	if first.CPU.Process.Load != 0 || first.Memory.Physical.Total == 0 {
		t.Errorf("the first sample is %+v", first)
	}
	for worked := time.Duration(first.CPU.Process.Time) + 5*time.Millisecond; s.system.readSystem().process < worked; {
	}
	if again := s.takeSample(time.Hour); again != first {
		t.Errorf("a sample at once is a new one: %+v", again)
	}
	if next := s.takeSample(time.Millisecond); next.CPU.Process.Load <= 0 || next.CPU.Process.Time < first.CPU.Process.Time {
		t.Errorf("after some work the load is %v", next.CPU.Process.Load)
	}
}

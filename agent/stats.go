package agent

import (
	"math"
	"os"
	"runtime"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// statsSampler measures the load of the machine and of this process. A load is
// the average since the previous sample. Only heartbeats take samples.
type statsSampler struct {
	system    systemReader
	sampledAt time.Time
	latest    subjects.Stats
	host      subjects.Heartbeat // the fields that describe the machine
}

// systemReading holds the counters of the machine at one moment. A counter that
// the system does not provide is zero.
type systemReading struct {
	physical, swap subjects.Memory
	busy, total    float64       // CPU time of the machine since it started, in any unit
	process        time.Duration // CPU time of this process
	loadAverage    float64       // over the last minute
}

// newStatsSampler reads the facts about the machine that never change.
func newStatsSampler() *statsSampler {
	s := &statsSampler{host: subjects.Heartbeat{OS: osName(), Arch: runtime.GOARCH, Cores: runtime.NumCPU()}}
	s.host.Host, _ = os.Hostname()
	s.host.OSVersion = osVersion()
	return s
}

// osName returns the name of the operating system for which consoles have an
// icon.
func osName() string {
	switch runtime.GOOS {
	case "linux":
		return "Linux"
	case "darwin":
		return "Mac OS X"
	case "windows":
		return "Windows"
	}
	return runtime.GOOS
}

// takeSample returns new statistics, or the latest ones if they are younger
// than half an interval.
func (s *statsSampler) takeSample(interval time.Duration) subjects.Stats {
	now := time.Now()
	if !s.sampledAt.IsZero() && now.Sub(s.sampledAt) < interval/2 {
		return s.latest
	}
	before, since := s.system.last, now.Sub(s.sampledAt)
	r := s.system.readSystem()
	s.latest.Memory.Physical, s.latest.Memory.Swap = r.physical, r.swap
	s.latest.CPU.System.LoadAverage = r.loadAverage
	s.latest.CPU.Process.Time = int64(r.process)
	if !s.sampledAt.IsZero() {
		s.latest.CPU.System.Load = loadShare(r.busy-before.busy, r.total-before.total)
		s.latest.CPU.Process.Load = loadShare(float64(r.process-before.process), float64(since)*float64(runtime.NumCPU()))
	}
	s.sampledAt, s.system.last = now, r
	return s.latest
}

// loadShare returns part divided by whole, between 0 and 1.
func loadShare(part, whole float64) float64 {
	if whole <= 0 || part <= 0 {
		return 0
	}
	return min(math.Round(part/whole*1e4)/1e4, 1)
}

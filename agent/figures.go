package agent

import (
	"math"
	"os"
	"runtime"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// figures are those of the machine and of this process. Loads are over the time
// since the last sample; only heartbeats take samples.
type figures struct {
	system system
	at     time.Time
	stats  subjects.Stats
	fixed  subjects.Heartbeat // what never changes
}

// reading is what a system tells at one moment. What it does not tell is zero.
type reading struct {
	physical, swap subjects.Memory
	busy, total    float64       // CPU time of the machine since it began, in any unit
	process        time.Duration // CPU time of this process
	loadAverage    float64       // of the last minute
}

// newFigures says where the agent is.
func newFigures() *figures {
	f := &figures{fixed: subjects.Heartbeat{OS: osName(), Arch: runtime.GOARCH, Cores: runtime.NumCPU()}}
	f.fixed.Host, _ = os.Hostname()
	f.fixed.OSVersion = osVersion()
	return f
}

// osName is the name that consoles have an icon for.
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

// sample returns new figures, or the last ones if they are younger than half an
// interval.
func (f *figures) sample(interval time.Duration) subjects.Stats {
	now := time.Now()
	if !f.at.IsZero() && now.Sub(f.at) < interval/2 {
		return f.stats
	}
	before, since := f.system.last, now.Sub(f.at)
	r := f.system.read()
	f.stats.Memory.Physical, f.stats.Memory.Swap = r.physical, r.swap
	f.stats.CPU.System.LoadAverage = r.loadAverage
	f.stats.CPU.Process.Time = int64(r.process)
	if !f.at.IsZero() {
		f.stats.CPU.System.Load = share(r.busy-before.busy, r.total-before.total)
		f.stats.CPU.Process.Load = share(float64(r.process-before.process), float64(since)*float64(runtime.NumCPU()))
	}
	f.at, f.system.last = now, r
	return f.stats
}

// share is part of whole, within 0 and 1.
func share(part, whole float64) float64 {
	if whole <= 0 || part <= 0 {
		return 0
	}
	return min(math.Round(part/whole*1e4)/1e4, 1)
}

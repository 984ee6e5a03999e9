package agent

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// system reads /proc, which needs no library.
type system struct{ last reading }

func (s *system) read() reading {
	var r reading
	memory := map[string]uint64{}
	for line := range strings.Lines(text("/proc/meminfo")) {
		if f := strings.Fields(line); len(f) >= 2 {
			kib, _ := strconv.ParseUint(f[1], 10, 64)
			memory[f[0]] = kib << 10
		}
	}
	r.physical = subjects.Memory{Free: memory["MemAvailable:"], Total: memory["MemTotal:"]}
	r.swap = subjects.Memory{Free: memory["SwapFree:"], Total: memory["SwapTotal:"]}
	r.busy, r.total = processorTimes(text("/proc/stat"))
	if f := strings.Fields(text("/proc/loadavg")); len(f) > 0 {
		r.loadAverage, _ = strconv.ParseFloat(f[0], 64)
	}
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) == nil {
		r.process = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return r
}

// processorTimes reads the first line of /proc/stat: user nice system idle iowait irq softirq steal; what
// guests use is in user and nice already.
func processorTimes(stat string) (busy, total float64) {
	line, _, _ := strings.Cut(stat, "\n")
	for i, f := range strings.Fields(line) {
		if i == 0 || i > 8 {
			continue
		}
		ticks, _ := strconv.ParseFloat(f, 64)
		total += ticks
		if i != 4 && i != 5 {
			busy += ticks
		}
	}
	return busy, total
}

func osVersion() string {
	for line := range strings.Lines(text("/etc/os-release")) {
		if v, ok := strings.CutPrefix(line, "PRETTY_NAME="); ok {
			return strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return ""
}

// text is the content of a file; one that cannot be read is empty.
func text(file string) string {
	b, _ := os.ReadFile(file)
	return string(b)
}

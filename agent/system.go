package agent

import (
	"os"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/mem"
	"github.com/shirou/gopsutil/v4/process"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

type systemReader struct{ last systemReading }

func (s *systemReader) readSystem() systemReading {
	var r systemReading
	if m, err := mem.VirtualMemory(); err == nil {
		r.physical = subjects.Memory{Free: m.Available, Total: m.Total}
	}
	if m, err := mem.SwapMemory(); err == nil {
		r.swap = subjects.Memory{Free: m.Free, Total: m.Total}
	}
	// cpu.Percent would measure since its last call by any code of the program.
	if all, err := cpu.Times(false); err == nil && len(all) == 1 {
		t := all[0]
		r.busy = t.User + t.Nice + t.System + t.Irq + t.Softirq + t.Steal
		r.total = r.busy + t.Idle + t.Iowait
	}
	if avg, err := load.Avg(); err == nil {
		r.loadAverage = avg.Load1
	}
	if self, err := process.NewProcess(int32(os.Getpid())); err == nil {
		if t, err := self.Times(); err == nil {
			r.process = time.Duration((t.User + t.System) * float64(time.Second))
		}
	}
	return r
}

func osVersion() string {
	info, err := host.Info()
	if err != nil {
		return ""
	}
	return info.Platform + " " + info.PlatformVersion
}

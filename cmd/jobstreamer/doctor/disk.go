package doctor

import (
	"fmt"
	"os"

	"github.com/nats-io/jsm.go/api"
	"github.com/shirou/gopsutil/v4/disk"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

const (
	fullShare = 0.9     // of JetStream's limit
	leastFree = 0.1     // of the disk
	enough    = 5 << 30 // bytes that are enough on any disk
)

// disk judges whether there is room left: by what JetStream keeps and may keep, if it answers, and on the disk of the data. On a disk
// that a control bus looks after, JetStream's limit is what the disk has room for.
func (x *examination) disk(info *api.JetStreamAccountStats) Check {
	c := Check{Name: "disk"}
	free := ""
	here, err := x.diskOfData()
	if err != nil {
		c.wrong("look at the disk", "the disk of %s cannot be read: %v", x.cfg.Data, err)
	}
	if here != nil {
		free = fmt.Sprintf("%s free on the disk of %s", bus.Size(int64(here.Free)), x.cfg.Data)
	}
	if info != nil {
		x.judgeLimit(&c, info, free)
	}
	if here != nil && len(c.Findings) == 0 && here.Free < enough && float64(here.Free) < leastFree*float64(here.Total) {
		c.wrong(doRoom, "the disk of %s has %s left of %s", x.cfg.Data, bus.Size(int64(here.Free)), bus.Size(int64(here.Total)))
	}
	if free != "" {
		c.Saw += "; " + free
	}
	return c
}

const doRoom = "make room on that disk or give it more; or keep less: --retain-logs, --max-log-bytes, --retain-executions"

// judgeLimit judges JetStream's limit. free says what the disk has, if that is known.
func (x *examination) judgeLimit(c *Check, info *api.JetStreamAccountStats, free string) {
	stored, limit := int64(info.Store), info.Limits.MaxStore
	c.Saw = "JetStream keeps " + bus.Size(stored)
	if limit < 0 || limit == 0 && stored == 0 {
		return
	}
	c.Saw += " of " + bus.Size(limit)
	if free != "" {
		free = " (" + free + ")"
	}
	switch left := limit - stored; {
	case bus.NextToFull(stored, limit):
		x.full = true
		c.wrong(doRoom, "no room is left: JetStream keeps %s of the %s that its disk, or its account's limit, lets it keep%s; nothing new begins, "+
			"and it goes on by itself when there is room", bus.Size(stored), bus.Size(limit), free)
	case left < enough && float64(stored) > fullShare*float64(limit):
		c.wrong(doRoom, "JetStream keeps %s of the %s that it may%s: writes will be refused", bus.Size(stored), bus.Size(limit), free)
	}
}

// NoDisk says how much is free on the disk of the data, if it is on this machine and next to full.
func NoDisk(data string) (free string, full bool) {
	x := examination{cfg: Config{Data: data}}
	u, err := x.diskOfData()
	if err != nil || u == nil || u.Free > min(u.Total/64, 64<<20) {
		return "", false
	}
	return bus.Size(int64(u.Free)), true
}

// diskOfData looks at the disk of the data, if that is on this machine.
func (x *examination) diskOfData() (*disk.UsageStat, error) {
	if x.cfg.Data == "" {
		return nil, nil
	}
	if _, err := os.Stat(x.cfg.Data); err != nil {
		return nil, nil //nolint:nilerr // the bus is elsewhere
	}
	return disk.Usage(x.cfg.Data)
}

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

// checkDisk judges whether there is room left: by what JetStream keeps and may
// keep, if it answers, and on the disk of the data. On a disk that a control
// bus looks after, JetStream's limit is what the disk has room for.
func (x *examination) checkDisk(info *api.JetStreamAccountStats) Check {
	c := Check{Name: "disk"}
	here, err := x.diskOfData()
	if err != nil {
		c.addFinding("look at the disk", "the disk of %s cannot be read: %v", x.cfg.Data, err)
	}
	if info != nil {
		x.checkStoreLimit(&c, info, here)
	}
	if here == nil {
		return c
	}
	if len(c.Findings) == 0 && here.Free < enough && float64(here.Free) < leastFree*float64(here.Total) {
		c.addFinding(x.fullDiskAdvice(info, here), "the disk of %s has %s left of %s", x.cfg.Data, bus.Size(int64(here.Free)), bus.Size(int64(here.Total)))
	}
	c.Saw += fmt.Sprintf("; %s free on the disk of %s", bus.Size(int64(here.Free)), x.cfg.Data)
	return c
}

// checkStoreLimit judges JetStream's limit. here is the disk of the data, if
// that is on this machine.
func (x *examination) checkStoreLimit(c *Check, info *api.JetStreamAccountStats, here *disk.UsageStat) {
	stored, limit := int64(info.Store), info.Limits.MaxStore
	c.Saw = "JetStream keeps " + bus.Size(stored)
	if limit < 0 || limit == 0 && stored == 0 {
		return
	}
	c.Saw += " of " + bus.Size(limit)
	const until = "nothing new begins, and all goes on by itself when there is room"
	switch left := limit - stored; {
	case bus.NextToFull(stored, limit) && here != nil && nearlyFull(here):
		x.full = true
		c.addFinding(x.fullDiskAdvice(info, here), "the disk of %s is full: %s free of %s, and %s of it is what JetStream keeps; %s",
			x.cfg.Data, bus.Size(int64(here.Free)), bus.Size(int64(here.Total)), bus.Size(stored), until)
	case bus.NextToFull(stored, limit):
		x.full = true
		c.addFinding(x.fullDiskAdvice(info, nil), "no room is left: JetStream keeps %s, and its disk or its account's limit lets it keep no more; %s", bus.Size(stored), until)
	case left < enough && float64(stored) > fullShare*float64(limit):
		c.addFinding(x.fullDiskAdvice(info, nil), "JetStream keeps %s of the %s that it may: writes will be refused", bus.Size(stored), bus.Size(limit))
	}
}

// fullDiskAdvice is the advice for a disk that is full. To keep less helps only
// where what is kept is a good part of it.
func (x *examination) fullDiskAdvice(info *api.JetStreamAccountStats, here *disk.UsageStat) string {
	switch {
	case here == nil:
		return "give JetStream a larger disk or limit, or keep less: --retain-logs, --max-log-bytes, --retain-executions"
	case info == nil || info.Store < here.Total/8:
		return "make room on that disk: most of it is other programs'"
	}
	return "give it a larger disk, or keep less: --retain-logs, --max-log-bytes, --retain-executions"
}

// nearlyFull says whether there is less left on a disk than a control bus
// leaves free.
func nearlyFull(u *disk.UsageStat) bool { return u.Free <= min(u.Total/16, 256<<20) }

// FullDisk says how much is free on the disk of the data, if it is on this
// machine and next to full.
func FullDisk(data string) (free string, full bool) {
	x := examination{cfg: Config{Data: data}}
	u, err := x.diskOfData()
	if err != nil || u == nil || !nearlyFull(u) {
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

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
	enough    = 5 << 30 // bytes that are enough on a disk of any size
)

// checkDisk checks whether there is space left: by JetStream's usage and limit,
// if JetStream answers, and on the disk of the data. A control bus with an
// embedded NATS derives JetStream's limit from the free space of its disk.
func (x *examination) checkDisk(info *api.JetStreamAccountStats) Check {
	c := Check{Name: "disk"}
	here, err := x.diskOfData()
	if err != nil {
		c.addFinding("check the disk", "cannot read the usage of the disk of %s: %v", x.cfg.Data, err)
	}
	if info != nil {
		x.checkStoreLimit(&c, info, here)
	}
	if here == nil {
		return c
	}
	if len(c.Findings) == 0 && here.Free < enough && float64(here.Free) < leastFree*float64(here.Total) {
		c.addFinding(x.fullDiskAdvice(info, here), "the disk of %s is nearly full: %s of %s free", x.cfg.Data, bus.Size(int64(here.Free)), bus.Size(int64(here.Total)))
	}
	c.Saw += fmt.Sprintf("; %s free on the disk of %s", bus.Size(int64(here.Free)), x.cfg.Data)
	return c
}

// checkStoreLimit compares JetStream's usage with its limit. here is the disk
// of the data, nil if the data is on another machine.
func (x *examination) checkStoreLimit(c *Check, info *api.JetStreamAccountStats, here *disk.UsageStat) {
	stored, limit := int64(info.Store), info.Limits.MaxStore
	c.Saw = "JetStream stores " + bus.Size(stored)
	if limit < 0 || limit == 0 && stored == 0 {
		return
	}
	c.Saw += " of " + bus.Size(limit)
	const until = "no execution starts until there is space, then everything continues by itself"
	switch left := limit - stored; {
	case bus.NextToFull(stored, limit) && here != nil && nearlyFull(here):
		x.full = true
		c.addFinding(x.fullDiskAdvice(info, here), "the disk of %s is full: %s of %s free, JetStream stores %s; %s",
			x.cfg.Data, bus.Size(int64(here.Free)), bus.Size(int64(here.Total)), bus.Size(stored), until)
	case bus.NextToFull(stored, limit):
		x.full = true
		c.addFinding(x.fullDiskAdvice(info, nil), "JetStream has no space left: it stores %s, and its disk or the limit of its account allows no more; %s", bus.Size(stored), until)
	case left < enough && float64(stored) > fullShare*float64(limit):
		c.addFinding(x.fullDiskAdvice(info, nil), "JetStream is nearly full: it stores %s of at most %s, and then refuses writes", bus.Size(stored), bus.Size(limit))
	}
}

// fullDiskAdvice returns the advice for a full disk. Keeping less data helps
// only if JetStream uses a good part of the disk.
func (x *examination) fullDiskAdvice(info *api.JetStreamAccountStats, here *disk.UsageStat) string {
	switch {
	case here == nil:
		return "give JetStream a larger disk or limit, or keep less data: --retain-logs, --max-log-bytes, --retain-executions"
	case info == nil || info.Store < here.Total/8:
		return "free space on that disk: most of it is used by other programs"
	}
	return "use a larger disk, or keep less data: --retain-logs, --max-log-bytes, --retain-executions"
}

// nearlyFull reports whether a disk has less free space than a control bus
// leaves free.
func nearlyFull(u *disk.UsageStat) bool { return u.Free <= min(u.Total/16, 256<<20) }

// FullDisk reports whether the disk of the data is nearly full, and returns its
// free space. It reports false if the data is on another machine.
func FullDisk(data string) (free string, full bool) {
	x := examination{cfg: Config{Data: data}}
	u, err := x.diskOfData()
	if err != nil || u == nil || !nearlyFull(u) {
		return "", false
	}
	return bus.Size(int64(u.Free)), true
}

// diskOfData returns the usage of the disk of the data, nil if the data is on
// another machine.
func (x *examination) diskOfData() (*disk.UsageStat, error) {
	if x.cfg.Data == "" {
		return nil, nil
	}
	if _, err := os.Stat(x.cfg.Data); err != nil {
		return nil, nil //nolint:nilerr // the bus runs on another machine
	}
	return disk.Usage(x.cfg.Data)
}

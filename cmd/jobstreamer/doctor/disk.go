package doctor

import (
	"fmt"
	"os"

	"github.com/shirou/gopsutil/v4/disk"
)

const (
	fullShare = 0.9     // of JetStream's limit
	leastFree = 0.1     // of the disk
	enough    = 5 << 30 // bytes that are enough on any disk
)

// disk judges whether there is room left.
func (x *examination) disk() Check {
	c := Check{Name: "disk"}
	const do = "keep less (--retain-logs, --max-log-bytes, --retain-executions), or give it more room"
	info, err := x.mgr.JetStreamAccountInfo()
	if err != nil {
		c.wrong("look again", "JetStream's limits cannot be read: %v", err)
		return c
	}
	c.Saw = "JetStream keeps " + size(info.Store)
	if limit := info.Limits.MaxStore; limit > 0 {
		c.Saw += " of " + size(uint64(limit))
		if float64(info.Store) > fullShare*float64(limit) {
			c.wrong(do, "JetStream keeps %s of the %s that it may: writes will be refused", size(info.Store), size(uint64(limit)))
		}
	}
	if x.cfg.Data == "" {
		return c
	}
	if _, err := os.Stat(x.cfg.Data); err != nil {
		return c // the bus is elsewhere
	}
	u, err := disk.Usage(x.cfg.Data)
	if err != nil {
		c.wrong("look at the disk", "the disk of %s cannot be read: %v", x.cfg.Data, err)
		return c
	}
	c.Saw += fmt.Sprintf("; %s free on the disk of %s", size(u.Free), x.cfg.Data)
	if u.Free < enough && float64(u.Free) < leastFree*float64(u.Total) {
		c.wrong(do, "the disk of %s has %s left of %s", x.cfg.Data, size(u.Free), size(u.Total))
	}
	return c
}

// size is a number of bytes for people.
func size(n uint64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n), -1
	for f >= unit && i < 3 {
		f /= unit
		i++
	}
	return fmt.Sprintf("%.1f %ciB", f, "KMGT"[i])
}

package doctor

import (
	"fmt"
	"time"
)

// maxSkew is the maximum difference between a clock and the broker's. Schedules
// fire by the bus's clock, the age of a request is measured by the agent's and
// the broker's, and all three write times that people compare.
const maxSkew = 5 * time.Second

// checkClocks compares the clocks of the control buses and of the agents with
// the broker's.
func (x *examination) checkClocks() Check {
	c := Check{Name: "clock"}
	const do = "synchronize the clocks of these machines with NTP (chronyc tracking, timedatectl)"
	most, n := time.Duration(0), 0
	addSkew := func(clock string, skew time.Duration) {
		n++
		most = max(most, skew, -skew)
		switch {
		case skew > maxSkew:
			c.addFinding(do, "the clock of %s is %s ahead of the broker's clock", clock, skew.Round(100*time.Millisecond))
		case skew < -maxSkew:
			c.addFinding(do, "the clock of %s is %s behind the broker's clock", clock, -skew.Round(100*time.Millisecond))
		}
	}
	buses := map[string]time.Duration{}
	for _, l := range x.leases {
		if l.Time.IsZero() {
			continue
		}
		// The difference includes the latency to the broker, so the renewal
		// with the least latency is the most exact.
		skew := l.Time.Std().Sub(l.stored)
		if was, ok := buses[l.Holder]; !ok || skew > was {
			buses[l.Holder] = skew
		}
	}
	for holder, skew := range buses {
		addSkew("control bus "+holder, skew)
	}
	for name, h := range x.heard {
		if !h.Time.IsZero() {
			addSkew("agent "+name+" on "+h.Host, h.Time.Std().Sub(h.at.Add(x.broker)))
		}
	}
	c.Saw = fmt.Sprintf("%s, at most %s from the broker's clock", countText(n, "clock"), most.Round(time.Millisecond))
	return c
}

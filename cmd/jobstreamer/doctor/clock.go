package doctor

import (
	"fmt"
	"time"
)

// maxSkew is how far a clock may be from the broker's. Schedules fire by the
// bus's clock, a request is too old to be claimed by the agent's and the
// broker's, and all three write the times that people compare.
const maxSkew = 5 * time.Second

// checkClocks compares the clocks of the control buses and of the agents with
// the broker's.
func (x *examination) checkClocks() Check {
	c := Check{Name: "clock"}
	const do = "set the clocks of these machines by NTP (chronyc tracking, timedatectl)"
	most, n := time.Duration(0), 0
	judge := func(who string, skew time.Duration) {
		n++
		most = max(most, skew, -skew)
		switch {
		case skew > maxSkew:
			c.addFinding(do, "the clock of %s is %s ahead of the broker's", who, skew.Round(100*time.Millisecond))
		case skew < -maxSkew:
			c.addFinding(do, "the clock of %s is %s behind the broker's", who, -skew.Round(100*time.Millisecond))
		}
	}
	buses := map[string]time.Duration{}
	for _, l := range x.leases {
		if l.Time.IsZero() {
			continue
		}
		// What lies between is also the way to the broker: the renewal that
		// came fastest tells most.
		skew := l.Time.Std().Sub(l.stored)
		if was, ok := buses[l.Holder]; !ok || skew > was {
			buses[l.Holder] = skew
		}
	}
	for holder, skew := range buses {
		judge("control bus "+holder, skew)
	}
	for name, h := range x.heard {
		if !h.Time.IsZero() {
			judge("agent "+name+" on "+h.Host, h.Time.Std().Sub(h.at.Add(x.broker)))
		}
	}
	c.Saw = fmt.Sprintf("%s and the broker's differ by %s at most", countText(n, "clock"), most.Round(time.Millisecond))
	return c
}

package agent

import (
	"strconv"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
)

func TestPullerAsks(t *testing.T) {
	now := time.Now()
	newTestPuller := func(slots int) *puller {
		cfg := &Config{Apps: []string{"app"}, Pools: []string{"default"}, Slots: slots}
		p := newPuller(bustest.Conn(t, bustest.Server(t)), cfg)
		return p
	}
	asked := func(p *puller) string {
		var s string
		for _, l := range p.consumers {
			s += strconv.Itoa(l.outstanding)
			if l.parked {
				s += "p"
			}
			s += " "
		}
		return s
	}
	presume := func(p *puller) {
		p.consumers = newPuller(p.nc, &Config{Apps: []string{"a"}, Pools: []string{"p"}}).consumers
	}
	for _, test := range []struct {
		name  string
		slots int
		setup func(*puller)
		want  string // outstanding requests at high, normal, low priority; p: parked
	}{
		{"nothing is known: the highest comes first", 16, presume, "16 0 0 "},
		{"nothing waits: every queue is parked", 16, func(*puller) {}, "2p 2p 2p "},
		{"one slot", 1, func(*puller) {}, "1p 1p 1p "},
		{"a queue with requests gets all slots", 16, func(p *puller) { p.consumers[1].hasMore = true }, "2p 16 2p "},
		{"the higher of two queues", 16, func(p *puller) { p.consumers[1].hasMore, p.consumers[2].hasMore = true, true }, "2p 16 0 "},
		{"now and then the lower", 16, func(p *puller) { p.consumers[1].hasMore, p.consumers[2].hasMore, p.turns = true, true, 7 }, "2p 0 16 "},
		{"no free slot, no ask", 16, func(p *puller) { p.usedSlots = 16; p.consumers[1].hasMore = true }, "0 0 0 "},
		{"some free slots", 16, func(p *puller) { p.usedSlots = 13; p.consumers[1].hasMore = true }, "1p 3 1p "},
		{"paused", 16, func(p *puller) { p.paused = true; p.consumers[1].hasMore = true }, "0 0 0 "},
		{"a queue that is to wait", 16, func(p *puller) { p.consumers[0].due = now.Add(time.Second) }, "0 2p 2p "},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newTestPuller(test.slots)
			for _, l := range p.consumers {
				l.hasMore = false // as after an answer that no request waits
			}
			test.setup(p)
			p.pullForFreeSlots(now)
			if got := asked(p); got != test.want {
				t.Errorf("asked for %q, want %q", got, test.want)
			}
		})
	}
}

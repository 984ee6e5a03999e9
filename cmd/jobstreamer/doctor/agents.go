package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// agent is what is read of the bucket of agents.
type agent struct {
	subjects.Heartbeat
	Blocked  bool          `json:"blocked"`
	LastSeen subjects.Time `json:"last_seen"`
}

// agentHeartbeat is a heartbeat, and when it came by our clock.
type agentHeartbeat struct {
	subjects.Heartbeat
	at time.Time
}

const (
	defaultInterval = 2 * time.Second
	maxListen       = time.Minute
	longGone        = 24 * time.Hour // an agent silent for longer is not expected back
)

// subscribeHeartbeats begins to take heartbeats.
func (x *examination) subscribeHeartbeats() (chan *nats.Msg, error) {
	ears := make(chan *nats.Msg, 1024)
	_, err := x.cfg.Conn.ChanSubscribe(subjects.AllHeartbeats, ears)
	return ears, err
}

// collectHeartbeats takes heartbeats until every agent that is expected was
// heard, or its time is over. It takes two seconds at least: what lags is
// looked at before and after.
func (x *examination) collectHeartbeats(ctx context.Context, ears chan *nats.Msg) (err error) {
	if x.agents, err = readBucket[agent](ctx, x, subjects.AgentsBucket); err != nil {
		return err
	}
	expected := map[string]bool{}
	limit := defaultInterval
	for name, a := range x.agents {
		if a.isExpected() {
			expected[name] = true
			limit = max(limit, subjects.LostAfter*cmp.Or(time.Duration(a.IntervalMS)*time.Millisecond, defaultInterval))
		}
	}
	limit = cmp.Or(x.cfg.Listen, min(limit, maxListen))
	x.heard = map[string]agentHeartbeat{}
	least, most := time.After(min(limit, defaultInterval)), time.After(limit)
	for enough := false; !enough || len(expected) > 0; {
		select {
		case m := <-ears:
			var h subjects.Heartbeat
			if json.Unmarshal(m.Data, &h) == nil && subjects.HeartbeatSubject(h.Agent) == m.Subject {
				x.heard[h.Agent] = agentHeartbeat{h, time.Now()}
				delete(expected, h.Agent)
			}
		case <-least:
			enough = true
		case <-most:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// isExpected says whether the agent should be heard.
func (a *agent) isExpected() bool {
	return a.Status != subjects.AgentGone && time.Since(a.LastSeen.Std()) < longGone
}

// checkAgents says which agents were not heard.
func (x *examination) checkAgents() Check {
	c := Check{Name: "agents"}
	for name, a := range x.agents {
		if _, heard := x.heard[name]; !heard && a.isExpected() {
			c.addFinding("start it again, or look at its log and at the network; what it ran is held for lost",
				"agent %s on %s is silent since %s, and did not say goodbye", name, a.Host, a.LastSeen.Std().Local().Format(time.DateTime))
		}
	}
	if len(x.heard) == 0 && len(c.Findings) == 0 {
		c.addFinding("start one: jobstreamer agent", "there is no agent: nothing runs")
	}
	if len(x.heard) == 0 {
		return c
	}
	slots, running := 0, 0
	for _, h := range x.heard {
		slots += h.Slots
		running += h.Running
	}
	c.Saw = countText(len(x.heard), "agent") + " (" + keyNames(x.heard) + "), " + countText(slots, "slot") + ", " + countText(running, "execution") + " running"
	return c
}

package doctor

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// agent is the part of a stored agent that the doctor reads.
type agent struct {
	subjects.Heartbeat
	Blocked  bool          `json:"blocked"`
	LastSeen subjects.Time `json:"last_seen"`
}

// agentHeartbeat is a heartbeat with its local time of arrival.
type agentHeartbeat struct {
	subjects.Heartbeat
	at time.Time
}

const (
	defaultInterval = 2 * time.Second
	maxListen       = time.Minute
	longGone        = 24 * time.Hour // an agent that is silent for longer is not expected back
)

// subscribeHeartbeats subscribes to the heartbeats of all agents.
func (x *examination) subscribeHeartbeats() (chan *nats.Msg, error) {
	ears := make(chan *nats.Msg, 1024)
	_, err := x.cfg.Conn.ChanSubscribe(subjects.AllHeartbeats, ears)
	return ears, err
}

// collectHeartbeats reads heartbeats until every expected agent has sent one,
// or until the time is up. It takes at least two seconds, because results are
// counted before and after it.
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

// isExpected reports whether the agent should send heartbeats.
func (a *agent) isExpected() bool {
	return a.Status != subjects.AgentGone && time.Since(a.LastSeen.Std()) < longGone
}

// checkAgents reports the agents that sent no heartbeat.
func (x *examination) checkAgents() Check {
	c := Check{Name: "agents"}
	for name, a := range x.agents {
		if _, heard := x.heard[name]; !heard && a.isExpected() {
			c.addFinding("restart the agent, or check its log and its network; the control bus treats its executions as lost",
				"agent %s on %s has sent no heartbeat since %s and has not signed off", name, a.Host, a.LastSeen.Std().Local().Format(time.DateTime))
		}
	}
	if len(x.heard) == 0 && len(c.Findings) == 0 {
		c.addFinding("start an agent: jobstreamer agent", "no agent is running: no execution can start")
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

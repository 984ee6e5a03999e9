package httpapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// heartbeat makes an agent known that is so busy.
func (e *env) heartbeat(agent, pool string, running, slots int) {
	e.t.Helper()
	data, err := json.Marshal(subjects.Heartbeat{
		Agent: agent, Life: "l", Status: subjects.AgentReady, Apps: []string{"default"}, Pools: []string{pool}, Running: running, Slots: slots, IntervalMS: 30_000, StartTime: subjects.Now(),
	})
	if err == nil {
		err = e.sendHeartbeat(agent, data)
	}
	if err != nil {
		e.t.Fatal(err)
	}
}

// Why an execution waits, and behind how many, is in its answer and in lists.
func TestWaitingFor(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("a", `"pool":"linux"`)).want(201)
	one, two := e.start("a", ""), e.start("a", "")
	at := fmt.Sprint("/default/execution/", two)
	waits := func(want string, position int) {
		t.Helper()
		eventually(t, want, func() bool {
			var v rest.Execution
			e.call("GET", at, "").want(200).into(&v)
			return v.For != nil && (*v.For == want || strings.HasSuffix(want, " since ") && strings.HasPrefix(*v.For, want)) && v.Position != nil && *v.Position == position
		})
	}
	waits("no agent serves pool linux of application default", 2)
	e.heartbeat("a1", "linux", 4, 4)
	waits("all 4 slots of agent a1, the only one of pool linux, are busy", 2)
	e.agent("a", one).says(subjects.Started, time.Now())
	waits("all 4 slots of agent a1, the only one of pool linux, are busy", 1)
	e.call("PUT", "/agent/a1/block", "")
	waits("agent a1, the only one of pool linux, is blocked since ", 1)

	_, list := e.call("GET", "/executions", "").idsOf()
	if w := list.Results[0].Waiting; w.For == nil || !strings.HasPrefix(*w.For, "agent a1, the only one of pool linux, is blocked since 2") || *w.Position != 1 {
		t.Errorf("in a list %+v", w)
	}
	if w := list.Results[1].Waiting; w.For != nil || w.Position != nil {
		t.Errorf("one that runs waits for %+v", w)
	}
	edn := string(e.call("GET", at, "", "Accept", "application/edn").body)
	if !strings.Contains(edn, `:job-execution/waiting-for "agent a1, the only one of pool linux, is blocked since 2`) || !strings.Contains(edn, ` UTC" :job-execution/queue-position 1`) {
		t.Errorf("in EDN: %s", edn)
	}
	var v rest.Execution
	if e.call("POST", "/default/job/a/executions?wait=1ms", "").want(201).into(&v); v.For == nil || *v.Position != 2 {
		t.Errorf("after a POST that waited: %+v", v.Waiting)
	}
	if e.call("PUT", fmt.Sprintf("/default/job/a/execution/%d/stop", two), "").want(200).into(&v); v.For != nil {
		t.Errorf("one that was stopped waits for %s", *v.For)
	}
}

// sendHeartbeat sends a heartbeat and blocks until the bus has answered it. The
// bus answers only to inboxes of the agent.
func (e *env) sendHeartbeat(agent string, data []byte) error {
	e.t.Helper()
	inbox := "_INBOX." + agent + ".1"
	answers, err := e.bus.NC.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	defer answers.Unsubscribe() //nolint:errcheck // it fails only without a connection
	if err := e.bus.NC.PublishRequest(subjects.HeartbeatSubject(agent), inbox, data); err != nil {
		return err
	}
	_, err = answers.NextMsg(5 * time.Second)
	return err
}

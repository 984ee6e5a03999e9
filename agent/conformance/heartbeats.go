package conformance

import (
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// heartbeats tests what heartbeats contain and when an agent sends them.
var heartbeats = []testCase{
	{"heartbeats name the execution from the fetch to the stored end", testNamedExecutions},
	{"heartbeats describe the agent", testHeartbeatFields},
	{"a change of the status is published immediately", testStatusChange},
}

func testNamedExecutions(r *room) {
	var hold func(res subjects.Result) bool // the proxy drops these results
	r.proxy.setFilter(func(f frame) bool {
		res, ok := resultIn(f)
		r.mu.Lock()
		defer r.mu.Unlock()
		return !ok || hold == nil || !hold(res)
	})
	set := func(h func(res subjects.Result) bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		hold = h
	}
	set(isClaim)
	r.startAgent()
	id := r.submitCommands(r.witnessAndWait("ran", "go"))
	naming := func(h subjects.Heartbeat) bool { return namesExecution(h, id) }
	r.awaitBeat("that names what was fetched", naming)
	if n := len(r.resultsOf(id)); n != 0 {
		r.Fatalf("%d results are stored, want none yet", n)
	}
	set(isEnd)
	pid := r.awaitWitness("ran")
	h := r.awaitBeat("that names what runs", naming)
	if a := h.Executions[0]; a.Attempt != 1 || a.App != r.app || a.Job != "job" || h.Running != 1 {
		r.Errorf("the heartbeat names %+v, running %d", a, h.Running)
	}
	r.createFile("go")
	r.waitUntil("the end of the body", func() bool { return !isAlive(pid) })
	for range 3 {
		if h := r.awaitBeat("after the body", func(subjects.Heartbeat) bool { return true }); !namesExecution(h, id) {
			r.Error("a heartbeat does not name an execution whose end is not stored")
		}
	}
	set(nil)
	r.awaitEnd(id, subjects.Completed)
}

func testHeartbeatFields(r *room) {
	p := r.startAgent()
	h := r.awaitBeat("of a ready agent", func(h subjects.Heartbeat) bool { return h.Status == subjects.AgentReady })
	if h.Agent != r.options.Name || h.Life == "" || h.Version == "" || h.Host == "" || h.OS == "" || h.Arch == "" || h.Cores < 1 {
		r.Errorf("the heartbeat does not identify the agent: %+v", h)
	}
	if len(h.Apps) != 1 || h.Apps[0] != r.app || len(h.Pools) != 1 || h.Pools[0] != subjects.DefaultPool || h.Slots != r.options.Slots {
		r.Errorf("the heartbeat says apps %q, pools %q, %d slots", h.Apps, h.Pools, h.Slots)
	}
	if h.IntervalMS != shortInterval.Milliseconds() || h.StartTime.IsZero() || h.Running != 0 || h.Executions == nil {
		r.Errorf("the heartbeat says interval %d ms, start %s, running %d, executions %v", h.IntervalMS, h.StartTime, h.Running, h.Executions)
	}
	if drift := time.Since(h.StartTime.Std()); drift < 0 || drift > time.Hour {
		r.Errorf("the agent started %v ago, at %s", drift, h.StartTime)
	}
	p.stopOrKill()
}

func testStatusChange(r *room) {
	r.options.Heartbeat = 2 * longInterval // so that only a change of the status can cause a heartbeat
	r.startAgent()
	if r.sendCommand(subjects.DrainCommand, 0, 0); !r.awaitStatusSoon(subjects.AgentBlocked) {
		r.Error("drain was not published immediately")
	}
	if r.sendCommand(subjects.ResumeCommand, 0, 0); !r.awaitStatusSoon(subjects.AgentReady) {
		r.Error("resume was not published immediately")
	}
}

// awaitStatusSoon reports whether the last heartbeat has the status within less
// than one interval.
func (r *room) awaitStatusSoon(status string) bool {
	for end := time.Now().Add(longInterval); time.Now().Before(end); time.Sleep(pollInterval) {
		if all := r.heartbeats(); all[len(all)-1].Status == status {
			return true
		}
	}
	return false
}

package conformance

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func (r *room) heartbeats() []subjects.Heartbeat {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.beats)
}

// awaitBeat waits for a heartbeat that comes from now on and is as wanted.
func (r *room) awaitBeat(what string, is func(h subjects.Heartbeat) bool) (found subjects.Heartbeat) {
	r.Helper()
	from := len(r.heartbeats())
	r.waitUntil("a heartbeat "+what, func() bool {
		all := r.heartbeats()[from:]
		i := slices.IndexFunc(all, is)
		if i >= 0 {
			found = all[i]
		}
		return i >= 0
	})
	return found
}

func namesExecution(h subjects.Heartbeat, id int64) bool {
	return slices.ContainsFunc(h.Executions, func(a subjects.Attempt) bool { return a.ID == id })
}

// settled waits until heartbeats do not name the execution any more.
func (r *room) awaitUnnamed(id int64) {
	r.Helper()
	r.awaitBeat(fmt.Sprintf("without execution %d", id), func(h subjects.Heartbeat) bool { return !namesExecution(h, id) })
}

// command sends a command to the agent of the room.
func (r *room) sendCommand(verb string, id int64, attempt int) subjects.CommandReply {
	r.Helper()
	body, _ := json.Marshal(subjects.Command{ID: id, Attempt: attempt})
	m, err := r.nc.Request(subjects.CommandSubject(r.options.Name, verb), body, deadline)
	if err != nil {
		r.Fatalf("command %s: %v", verb, err)
	}
	var reply subjects.CommandReply
	if err := json.Unmarshal(m.Data, &reply); err != nil {
		r.Fatalf("command %s is answered %q: %v", verb, m.Data, err)
	}
	return reply
}

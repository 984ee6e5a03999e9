package conformance

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// heartbeats returns the heartbeats that the room has received so far.
func (r *room) heartbeats() []subjects.Heartbeat {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.beats)
}

// awaitBeat waits for a new heartbeat that is accepts, and returns it.
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

// awaitUnnamed waits for a heartbeat that does not name the execution.
func (r *room) awaitUnnamed(id int64) {
	r.Helper()
	r.awaitBeat(fmt.Sprintf("without execution %d", id), func(h subjects.Heartbeat) bool { return !namesExecution(h, id) })
}

// sendCommand sends a command to the room's agent and returns the reply.
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

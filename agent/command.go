package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// handleCommand carries out one command and replies. Commands are idempotent,
// since they may arrive twice.
func (ra *runningAgent) handleCommand(m *nats.Msg) {
	if !ra.heartbeater.ownsName() {
		return // the agent does not own the name yet
	}
	var c subjects.Command
	verb := m.Subject[strings.LastIndexByte(m.Subject, '.')+1:]
	reply := subjects.CommandReply{Life: ra.id}
	err := error(nil)
	if len(m.Data) > 0 {
		err = json.Unmarshal(m.Data, &c)
	}
	if err == nil {
		err = ra.carryOut(verb, c)
	}
	if reply.OK = err == nil; err != nil {
		reply.Error = err.Error()
	}
	if m.Reply == "" {
		return
	}
	data, _ := json.Marshal(reply) // only strings: cannot fail
	_ = m.Respond(data)            // if the reply is lost, the sender repeats the command
}

func (ra *runningAgent) carryOut(verb string, c subjects.Command) error {
	switch verb {
	case subjects.PingCommand:
	case subjects.DrainCommand:
		ra.puller.setPaused(true)
		ra.heartbeater.setStatus(subjects.AgentBlocked)
	case subjects.ResumeCommand:
		if !ra.heartbeater.setStatus(subjects.AgentReady) {
			return fmt.Errorf("the agent is leaving")
		}
		ra.puller.setPaused(false)
	case subjects.StopCommand:
		return ra.interruptAttempt(c, ErrStopped)
	case subjects.DropCommand:
		return ra.interruptAttempt(c, ErrDropped)
	default:
		return fmt.Errorf("no such command: %.40s", verb)
	}
	return nil
}

func (ra *runningAgent) interruptAttempt(c subjects.Command, cause error) error {
	found := ra.findAttempts(c.ID, c.Attempt)
	for _, a := range found {
		a.interrupt(cause)
	}
	dropped := errors.Is(cause, ErrDropped) && ra.outbox.dropAttempt(c.ID, c.Attempt)
	if len(found) == 0 && !dropped {
		return fmt.Errorf("no attempt %d of execution %d is running here", c.Attempt, c.ID)
	}
	return nil
}

package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// command obeys one command. Commands may come twice; obeying twice does no
// harm.
func (l *life) command(m *nats.Msg) {
	if !l.heart.taken() {
		return // the name is not ours yet
	}
	var c subjects.Command
	verb := m.Subject[strings.LastIndexByte(m.Subject, '.')+1:]
	reply := subjects.CommandReply{Life: l.id}
	err := error(nil)
	if len(m.Data) > 0 {
		err = json.Unmarshal(m.Data, &c)
	}
	if err == nil {
		err = l.obey(verb, c)
	}
	if reply.OK = err == nil; err != nil {
		reply.Error = err.Error()
	}
	if m.Reply == "" {
		return
	}
	data, _ := json.Marshal(reply) // of strings: cannot fail
	_ = m.Respond(data)            // whoever asked asks again
}

func (l *life) obey(verb string, c subjects.Command) error {
	switch verb {
	case subjects.PingCommand:
	case subjects.DrainCommand:
		l.puller.pause(true)
		l.heart.setStatus(subjects.AgentBlocked)
	case subjects.ResumeCommand:
		if !l.heart.setStatus(subjects.AgentReady) {
			return fmt.Errorf("the agent is leaving")
		}
		l.puller.pause(false)
	case subjects.StopCommand:
		return l.endOne(c, ErrStopped)
	case subjects.DropCommand:
		return l.endOne(c, ErrDropped)
	default:
		return fmt.Errorf("no such command: %.40s", verb)
	}
	return nil
}

func (l *life) endOne(c subjects.Command, cause error) error {
	found := l.find(c.ID, c.Attempt)
	for _, a := range found {
		a.end(cause)
	}
	dropped := errors.Is(cause, ErrDropped) && l.outbox.drop(c.ID, c.Attempt)
	if len(found) == 0 && !dropped {
		return fmt.Errorf("no attempt %d of execution %d is running here", c.Attempt, c.ID)
	}
	return nil
}

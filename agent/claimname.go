package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// probeFor is how long claimName waits for an agent that already has the name.
const probeFor = 400 * time.Millisecond

// claimName subscribes to the commands and heartbeats of the agent's own name.
// It fails with [ErrName] if another live agent answers a ping under that name.
// Afterwards fail is called if an agent that started later appears. release
// ends the subscriptions.
//
// Before an agent owns its name it does not answer pings. So of two agents that
// start at once, neither gives up because of the other's ping; the later one
// gives up because of the heartbeat of the earlier.
func (ra *runningAgent) claimName(ctx context.Context, fail context.CancelCauseFunc) (release func(), err error) {
	var subs []*nats.Subscription
	unsubscribe := func() {
		for _, s := range subs {
			_ = s.Unsubscribe()
		}
	}
	defer func() {
		if err != nil {
			unsubscribe()
		}
	}()
	others := make(chan string, 1) // the life id of another agent with our name
	reportOther := func(life string) {
		select {
		case others <- life:
		default:
		}
	}
	subscribe := func(subject string, f nats.MsgHandler) error {
		s, err := ra.nc.Subscribe(subject, f)
		if err == nil {
			subs = append(subs, s)
		}
		return err
	}
	inbox := ra.nc.NewInbox()
	if err := subscribe(subjects.CommandSubject(ra.cfg.Name, "*"), ra.handleCommand); err != nil {
		return nil, err
	}
	if err := subscribe(subjects.HeartbeatSubject(ra.cfg.Name), func(m *nats.Msg) { ra.handleOwnHeartbeat(m, reportOther, fail) }); err != nil {
		return nil, err
	}
	if err := subscribe(inbox, func(m *nats.Msg) { handlePong(m, reportOther) }); err != nil {
		return nil, err
	}
	if err := ra.nc.PublishRequest(subjects.CommandSubject(ra.cfg.Name, subjects.PingCommand), inbox, []byte("{}")); err != nil {
		return nil, err
	}
	select {
	case life := <-others:
		return nil, fmt.Errorf("%w: %s, run %s", ErrName, ra.cfg.Name, life)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(probeFor):
	}
	ra.heartbeater.markNameTaken()
	return unsubscribe, nil
}

// handlePong reports the agent that has answered our ping. This agent does not
// answer it, since it does not own the name yet.
func handlePong(m *nats.Msg, reportOther func(string)) {
	var r subjects.CommandReply
	if m.Header.Get("Status") == "" && json.Unmarshal(m.Data, &r) == nil && r.Life != "" {
		reportOther(r.Life)
	}
}

// handleOwnHeartbeat handles a heartbeat under our name. If another agent sent
// it, the one that started later stays: that is the one its operator wanted
// last, and the earlier one may be unreachable for whoever would stop it.
func (ra *runningAgent) handleOwnHeartbeat(m *nats.Msg, reportOther func(string), fail context.CancelCauseFunc) {
	var h subjects.Heartbeat
	if json.Unmarshal(m.Data, &h) != nil || h.Life == "" || h.Life == ra.id || h.Status == subjects.AgentGone {
		return
	}
	reportOther(h.Life)
	if !ra.heartbeater.ownsName() {
		return
	}
	if cmp.Or(cmp.Compare(h.StartTime, subjects.TimeOf(ra.started)), cmp.Compare(h.Life, ra.id)) < 0 {
		ra.log.Warn("an agent that started earlier has the same name and will leave", "agent", ra.cfg.Name, "run", h.Life, "host", h.Host)
		return
	}
	ra.heartbeater.markReplaced()
	fail(fmt.Errorf("%w: %s was started later on the host %s, run %s", ErrName, ra.cfg.Name, h.Host, h.Life))
}

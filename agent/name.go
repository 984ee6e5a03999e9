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

// probeFor is how long another life has to answer.
const probeFor = 400 * time.Millisecond

// takeName begins to listen to commands and to heartbeats under the agent's own
// name, and gives up if another life is there. Later fail ends this life if a
// younger one appears. It returns what stops listening.
//
// Until the name is taken a life does not answer pings: of two that start at
// once, neither gives up because of the other's question, but the later because
// of the earlier one's heartbeat.
func (l *life) takeName(ctx context.Context, fail context.CancelCauseFunc) (leave func(), err error) {
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
	others := make(chan string, 1) // a life that is not ours
	other := func(life string) {
		select {
		case others <- life:
		default:
		}
	}
	subscribe := func(subject string, f nats.MsgHandler) error {
		s, err := l.nc.Subscribe(subject, f)
		if err == nil {
			subs = append(subs, s)
		}
		return err
	}
	inbox := l.nc.NewInbox()
	if err := subscribe(subjects.CommandSubject(l.cfg.Name, "*"), l.command); err != nil {
		return nil, err
	}
	if err := subscribe(subjects.HeartbeatSubject(l.cfg.Name), func(m *nats.Msg) { l.ownName(m, other, fail) }); err != nil {
		return nil, err
	}
	if err := subscribe(inbox, func(m *nats.Msg) { pong(m, other) }); err != nil {
		return nil, err
	}
	if err := l.nc.PublishRequest(subjects.CommandSubject(l.cfg.Name, subjects.PingCommand), inbox, []byte("{}")); err != nil {
		return nil, err
	}
	select {
	case life := <-others:
		return nil, fmt.Errorf("%w: %s, life %s", ErrName, l.cfg.Name, life)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(probeFor):
	}
	l.heart.take()
	return unsubscribe, nil
}

// pong takes the answer of a life to our question. Our own does not answer it
// yet.
func pong(m *nats.Msg, other func(string)) {
	var r subjects.CommandReply
	if m.Header.Get("Status") == "" && json.Unmarshal(m.Data, &r) == nil && r.Life != "" {
		other(r.Life)
	}
}

// ownName looks at a heartbeat under our name. Of two lives the younger one
// stays: it is the one that somebody wanted last, and the older may be cut off
// from those who would stop it.
func (l *life) ownName(m *nats.Msg, other func(string), fail context.CancelCauseFunc) {
	var h subjects.Heartbeat
	if json.Unmarshal(m.Data, &h) != nil || h.Life == "" || h.Life == l.id || h.Status == subjects.AgentGone {
		return
	}
	other(h.Life)
	if !l.heart.taken() {
		return
	}
	if cmp.Or(cmp.Compare(h.StartTime, subjects.TimeOf(l.started)), cmp.Compare(h.Life, l.id)) < 0 {
		l.log.Warn("an older agent has this name, it will leave", "agent", l.cfg.Name, "life", h.Life, "host", h.Host)
		return
	}
	l.heart.replace()
	fail(fmt.Errorf("%w: %s started later on %s, life %s", ErrName, l.cfg.Name, h.Host, h.Life))
}

package agent

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// claimResult is a claim as it is written: the execution as the request has it,
// whatever is in it.
type claimResult struct {
	subjects.Result
	Execution json.RawMessage `json:"execution"` // hides the field of the same name
}

// handle takes one delivery from its claim to its end. It blocks as long as the
// body runs.
func (l *life) handle(m *nats.Msg, since time.Time) {
	d, err := readRequest(m)
	if err != nil {
		// Not acknowledged: it comes again, perhaps to an agent that
		// understands it.
		l.log.Error("request not understood, left to others", "subject", m.Subject, "err", err)
		return
	}
	a := l.newAttempt(d)
	l.register(a)
	defer l.unregister(a)
	defer a.release()

	seq, err := l.claim(a, d, since)
	switch {
	case err == nil:
		_ = l.nc.Publish(m.Reply, ack) // if it is lost, the request comes again and its claim is refused
		a.reporter.claimed(seq)
		l.run(a)
	case errors.Is(err, errRefused):
		_ = l.nc.Publish(m.Reply, ack)
		a.log().Debug("request forgotten: somebody else's, or ended")
	default:
		a.log().Warn("request not claimed, it comes again", "err", err)
	}
}

// claim stores the first result of an attempt. The broker lets one agent do
// that.
func (l *life) claim(a *attempt, d *delivery, since time.Time) (uint64, error) {
	res := claimResult{Result: a.reporter.base, Execution: d.execution}
	res.Number, res.Time = 1, subjects.Now()
	data, err := json.Marshal(&res)
	if err != nil {
		return 0, err
	}
	return l.pub.store(a.publishing, &record{
		Subject: a.reporter.subject, Filter: a.reporter.filter, Expect: d.request.ExpectedSequence,
		Handling: res.Handling, Number: res.Number, Data: data,
		until: since.Add(subjects.MaxHold * time.Second),
	})
}

// newAttempt prepares what a claim and a run need.
func (l *life) newAttempt(d *delivery) *attempt {
	q := &d.request
	e := &q.Execution
	a := &attempt{
		name:    subjects.Attempt{ID: e.ID, Attempt: q.Attempt, App: e.App, Job: e.Job},
		request: q,
		base:    l.log,
	}
	a.body, a.endBody = context.WithCancelCause(context.Background())
	a.publishing, a.endPublishing = context.WithCancelCause(context.Background())
	a.lines = l.newSink(a.name)
	a.reporter = newReporter(l.pub, a.publishing, a.end, subjects.Result{
		ID: e.ID, App: e.App, Job: e.Job, Attempt: q.Attempt, BatchStatus: subjects.Started,
		Agent: l.cfg.Name, Handling: nuid.Next(),
	})
	a.reporter.droppedBefore = e.LogDropped
	return a
}

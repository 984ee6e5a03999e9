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

// claimResult is the JSON of a claim. It repeats the execution of the request
// byte for byte, including fields that this agent does not know.
type claimResult struct {
	subjects.Result
	Execution json.RawMessage `json:"execution"` // hides the field of the same name
}

// handleRequest claims the execution of one delivery, runs it and publishes its
// end. It blocks as long as the body runs. The broker was last known to be
// reachable at lastContact, before the delivery arrived.
func (ra *runningAgent) handleRequest(m *nats.Msg, lastContact time.Time) {
	d, err := readRequest(m)
	if err != nil {
		// Without an acknowledgement the broker delivers it again, perhaps to
		// an agent that understands it.
		ra.log.Error("unreadable request, left to other agents", "subject", m.Subject, "err", err)
		return
	}
	a := ra.newAttempt(d)
	ra.addAttempt(a)
	defer ra.removeAttempt(a)
	defer a.cancelContexts()

	seq, err := ra.publishClaim(a, d, lastContact)
	switch {
	case err == nil:
		// If this is lost, the broker delivers the request again and refuses
		// its second claim.
		_ = ra.nc.Publish(m.Reply, ack)
		a.reporter.startChain(seq)
		ra.runAttempt(a)
	case errors.Is(err, errRefused):
		_ = ra.nc.Publish(m.Reply, ack)
		a.logger().Debug("request dropped: claimed by another agent, or already ended")
	default:
		a.logger().Warn("request not claimed, the broker delivers it again", "err", err)
	}
}

// publishClaim stores the first result of an attempt. The broker accepts it
// from one agent only. A claim is not sent later than MaxHold after
// lastContact.
func (ra *runningAgent) publishClaim(a *attempt, d *delivery, lastContact time.Time) (uint64, error) {
	res := claimResult{Result: a.reporter.base, Execution: d.execution}
	res.Number, res.Time = 1, subjects.Now()
	data, err := json.Marshal(&res)
	if err != nil {
		return 0, err
	}
	return ra.results.storeResult(a.publishCtx, &pendingResult{
		Subject: a.reporter.subject, Filter: a.reporter.filter, Expect: d.request.ExpectedSequence,
		Handling: res.Handling, Number: res.Number, Data: data,
		deadline: lastContact.Add(subjects.MaxHold * time.Second),
	})
}

// newAttempt prepares the contexts, the log and the reporter of an attempt.
func (ra *runningAgent) newAttempt(d *delivery) *attempt {
	q := &d.request
	e := &q.Execution
	a := &attempt{
		name:    subjects.Attempt{ID: e.ID, Attempt: q.Attempt, App: e.App, Job: e.Job},
		request: q,
		baseLog: ra.log,
	}
	a.bodyCtx, a.cancelBody = context.WithCancelCause(context.Background())
	a.publishCtx, a.cancelPublishing = context.WithCancelCause(context.Background())
	a.output = ra.newLogSink(a.name)
	a.reporter = newReporter(ra.results, a.publishCtx, a.interrupt, subjects.Result{
		ID: e.ID, App: e.App, Job: e.Job, Attempt: q.Attempt, BatchStatus: subjects.Started,
		Agent: ra.cfg.Name, Handling: nuid.Next(),
	})
	a.reporter.droppedBefore = e.LogDropped
	a.secrets = ra.newSecrets(a, a.reporter.base.Handling)
	a.output.secrets, a.reporter.secrets = a.secrets, a.secrets
	return a
}

package secrets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/agents"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	// queueGroup is the group of all buses: one of them answers a request.
	queueGroup = "jobstreamer-secrets"
	// workers is the number of requests that a bus answers at once.
	workers = 8
	// waiting is the number of requests that wait for a worker. Further ones are
	// dropped; the agents ask again.
	waiting = 1024
	// maxRequest is more bytes than a valid request has.
	maxRequest = 16 << 10
)

// Run encrypts again what the first key does not encrypt, and answers agents
// until ctx ends.
func (s *Secrets) Run(ctx context.Context) error {
	s.checkKeys(ctx)
	requests := make(chan *nats.Msg, waiting)
	sub, err := s.b.NC.ChanQueueSubscribe(subjects.AllSecretRequests, queueGroup, requests)
	if err != nil {
		return fmt.Errorf("subscribe to requests for secrets: %w", err)
	}
	defer sub.Unsubscribe() //nolint:errcheck // it fails only if the connection is gone
	var g errgroup.Group
	for range workers {
		g.Go(func() error {
			for {
				select {
				case m := <-requests:
					s.answer(ctx, m)
				case <-ctx.Done():
					return nil
				}
			}
		})
	}
	return g.Wait()
}

// checkKeys encrypts with the first key what another one has encrypted, and logs
// what this bus cannot decrypt.
func (s *Secrets) checkKeys(ctx context.Context) {
	mark, err := s.b.Secrets.Get(ctx, bus.SecretKeyMark)
	switch {
	case errors.Is(err, bus.ErrNotFound): // nothing was ever encrypted
		return
	case err == nil && s.keys == nil:
		err = errNoKeys
	case err == nil && s.keys.find(mark.Value.KeyID) == nil:
		err = s.keys.lacks(mark.Value.KeyID)
	}
	changed := 0
	if err == nil {
		changed, err = s.encryptAgain(ctx)
	}
	switch {
	case changed > 0:
		s.b.Log.Info("secrets were encrypted again", "key", s.keys.ID(), "secrets", changed)
	case err != nil && ctx.Err() == nil:
		s.b.Log.Error("secrets of applications cannot be used", "err", err)
	}
}

// answer answers one request.
func (s *Secrets) answer(ctx context.Context, m *nats.Msg) {
	app, agent, err := subjects.ParseSecretSubject(m.Subject)
	if err != nil || !agents.CanAnswer(m.Reply, agent) {
		s.b.Log.Warn("request for secrets skipped: it cannot be answered", "subject", m.Subject, "reply", m.Reply)
		return
	}
	var r subjects.SecretRequest
	reply := subjects.SecretReply{}
	if reply.Sealed, err = s.reply(ctx, app, agent, m.Data, &r); err != nil {
		reply.Error = asSecretError(err)
	}
	switch {
	case ctx.Err() != nil: // another bus answers when the agent asks again
		return
	case reply.Error == nil:
		s.b.Log.Info("secrets given to an agent", "app", app, "job", r.Job, "execution", r.ID, "attempt", r.Attempt, "agent", agent, "names", r.Names)
	case reply.Error.Code != subjects.SecretsNotYet:
		s.b.Log.Warn("secrets not given to an agent", "app", app, "job", r.Job, "execution", r.ID, "attempt", r.Attempt, "agent", agent, "code", reply.Error.Code, "err", err)
	}
	data, err := json.Marshal(reply)
	if err == nil {
		err = m.Respond(data)
	}
	if err != nil { // the agent asks again
		s.b.Log.Warn("request for secrets not answered", "app", app, "execution", r.ID, "agent", agent, "err", err)
	}
}

// reply returns the sealed secrets that an agent asks for. It fills r.
func (s *Secrets) reply(ctx context.Context, app, agent string, data []byte, r *subjects.SecretRequest) ([]byte, error) {
	if len(data) > maxRequest {
		return nil, failure(subjects.SecretsInvalid, "want a request of at most %d bytes, got %d", maxRequest, len(data))
	}
	if err := json.Unmarshal(data, r); err != nil {
		*r = subjects.SecretRequest{}
		return nil, failure(subjects.SecretsInvalid, "the request is no JSON as package subjects describes it")
	}
	if err := r.Check(); err != nil {
		return nil, failure(subjects.SecretsInvalid, "%v", err)
	}
	if err := s.checkClaim(ctx, app, agent, r); err != nil {
		return nil, err
	}
	values, missing, err := s.open(ctx, app, r.Names)
	if len(missing) > 0 {
		e := failure(subjects.SecretsUnknown, "the application %s has no secret %s", app, strings.Join(missing, ", "))
		e.Names = missing
		return nil, e
	}
	if err != nil {
		return nil, err
	}
	sealed, err := subjects.SealSecrets(r, values)
	if err != nil {
		return nil, failure(subjects.SecretsInvalid, "%v", err)
	}
	return sealed, nil
}

// checkClaim returns an error unless the agent runs the attempt. The newest
// result decides, since the record may be behind it.
func (s *Secrets) checkClaim(ctx context.Context, app, agent string, r *subjects.SecretRequest) error {
	last, err := s.b.LastResult(ctx, app, r.Job, r.ID)
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		return err
	}
	var e *bus.Execution
	if err == nil {
		if e, _, err = s.life.At(ctx, last); errors.Is(err, bus.ErrNotFound) {
			return failure(subjects.SecretsNotYet, "execution %d has no record yet", r.ID)
		}
	} else {
		last, err = nil, nil
	}
	if err == nil && e == nil { // no result, or one that does not count
		e, err = s.life.Get(ctx, app, r.Job, r.ID)
	}
	switch {
	case bus.HasCode(err, bus.CodeNoSuchExecution):
		return failure(subjects.SecretsRefused, "the application %s has no execution %d of a job %s", app, r.ID, r.Job)
	case err != nil:
		return err
	case e.BatchStatus.Ended():
		return failure(subjects.SecretsRefused, "execution %d has ended", r.ID)
	case e.Attempt < r.Attempt:
		return failure(subjects.SecretsNotYet, "attempt %d of execution %d is not claimed", r.Attempt, r.ID)
	case e.Attempt > r.Attempt || !e.BatchStatus.Running():
		return failure(subjects.SecretsRefused, "attempt %d of execution %d is over", r.Attempt, r.ID)
	case e.Agent != agent:
		return failure(subjects.SecretsRefused, "execution %d was claimed by another agent", r.ID)
	}
	if last == nil || last.Agent != agent || last.Attempt != r.Attempt {
		if last, err = s.b.ResultAt(ctx, app, r.Job, r.ID, e.ClaimSequence); err != nil {
			return err
		}
	}
	if last.Handling != r.Handling {
		return failure(subjects.SecretsRefused, "attempt %d of execution %d was claimed by another handling", r.Attempt, r.ID)
	}
	return nil
}

// failure returns an error with a code of package subjects.
func failure(code, format string, args ...any) *subjects.SecretError {
	return &subjects.SecretError{Code: code, Message: fmt.Sprintf(format, args...)}
}

// asSecretError returns an error as agents get it. An unexpected one does not go
// to the agent, which may ask again.
func asSecretError(err error) *subjects.SecretError {
	var known *subjects.SecretError
	var state *bus.StateError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &state):
		return failure(subjects.SecretsUnavailable, "%s", state.Reason)
	case errors.Is(err, bus.ErrAway), errors.Is(err, bus.ErrUnknown):
		return failure(subjects.SecretsUnavailable, "the control bus cannot reach JetStream at the moment")
	}
	return failure(subjects.SecretsUnavailable, "the control bus cannot read the secrets; see its log")
}

package execution

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Submission describes an execution to submit.
type Submission struct {
	App, Job       string
	Definition     *jsl.Job // of a job that is not stored; nil: the job's present one
	Parameters     map[string]string
	IdempotencyKey string
	ID             int64         // of a fire, which reserved it; 0: reserve one
	ScheduledFor   subjects.Time // the nominal time of a fire
	ScheduledDate  string        // its date in the time zone of the schedule
	FireKey        string        // of a fire
	Priority       string        // empty: that of the job
	Pool           string        // of a fire; empty: that of the job
	Causes         []bus.Cause   // of a fire by triggers
	Backfill       int64         // of a fire that somebody ordered later
}

// Submit writes the record and the request. created is false if the
// IdempotencyKey, or the ID of a fire, names an execution that already existed.
// Errors: FieldError (parameters), StateError (no_such_job, job_is_exclusive,
// job_start, idempotency_key_reused), [bus.ErrAway], or one that is
// [bus.ErrUnknown]; the latter comes with the execution, whose id is known.
func (s *Service) Submit(ctx context.Context, sub Submission) (e *bus.Execution, created bool, err error) {
	start := time.Now()
	if err := CheckParameters(sub.Parameters); err != nil {
		return nil, false, err
	}
	def, parsed, err := s.submittedJob(ctx, &sub)
	if err != nil {
		return nil, false, err
	}
	if s.cfg.Runnable != nil {
		if err := s.cfg.Runnable(parsed); err != nil {
			return nil, false, bus.State(bus.CodeStartRefused, "%v", err)
		}
	}
	if parsed.Exclusive && sub.FireKey == "" && sub.IdempotencyKey == "" {
		// This saves a record in most cases; acquireLock decides.
		if err := s.checkLock(ctx, sub.App, sub.Job); err != nil {
			return nil, false, err
		}
	}
	if err := s.b.Room(ctx); err != nil {
		return nil, false, err
	}
	id := sub.ID
	if id == 0 {
		if id, err = s.b.NextID(ctx); err != nil {
			return nil, false, err
		}
	}
	created = true
	if sub.IdempotencyKey != "" {
		if id, created, err = s.bindIdempotencyKey(ctx, sub, id); err != nil {
			return nil, false, err
		}
	}
	rec := s.newRecord(id, def, parsed, start)
	if sub.Definition != nil { // there is no job to restart
		rec.Retry = nil
	}
	rec.Parameters, rec.FireKey, rec.Causes, rec.Backfill = sub.Parameters, sub.FireKey, sub.Causes, sub.Backfill
	rec.Schedule, rec.Priority = rec.FiredBy(), cmp.Or(sub.Priority, rec.Priority)
	rec.SchedulePool, rec.Pool = sub.Pool, cmp.Or(sub.Pool, rec.Pool)
	rec.ScheduledFor, rec.ScheduledDate = sub.ScheduledFor, sub.ScheduledDate
	return s.beginExecution(ctx, rec, start, created)
}

// CheckParameters refuses parameters whose names map to one variable: a process
// would get only one of them.
func CheckParameters(parameters map[string]string) error {
	one, other := subjects.CollidingParameters(parameters)
	if other == "" {
		return nil
	}
	return &bus.FieldError{
		Path: "/parameters/" + pointerToken.Replace(other),
		Want: fmt.Sprintf("a name that maps to another variable than %s, which is that of the parameter %q", subjects.ParameterVariable(other), one),
		Got:  strconv.Quote(other),
	}
}

// pointerToken escapes a name in a JSON pointer (RFC 6901).
var pointerToken = strings.NewReplacer("~", "~0", "/", "~1")

// submittedJob returns the job and the definition of a submission.
func (s *Service) submittedJob(ctx context.Context, sub *Submission) (*bus.Job, *jsl.Job, error) {
	if sub.Definition == nil {
		return s.jobDefinition(ctx, sub.App, sub.Job)
	}
	canonical, err := sub.Definition.MarshalJSON()
	return &bus.Job{App: sub.App, PermanentKey: sub.Job, Name: sub.Definition.ID, Definition: canonical}, sub.Definition, err
}

// jobDefinition returns the present job from the read model, or from the bucket
// if another bus has just written it.
func (s *Service) jobDefinition(ctx context.Context, app, job string) (*bus.Job, *jsl.Job, error) {
	if def, parsed, ok := s.x.Definition(app, job); ok {
		return def, parsed, nil
	}
	e, err := s.b.Job(ctx, app, job)
	if errors.Is(err, bus.ErrNotFound) {
		return nil, nil, bus.NoSuchJob(app, s.x.JobName(app, job))
	}
	if err != nil {
		return nil, nil, err
	}
	// As in the read model; an agent refuses what it does not understand.
	parsed, _ := jsl.Restore(e.Value.Definition)
	return &e.Value, parsed, nil
}

func (s *Service) newRecord(id int64, def *bus.Job, parsed *jsl.Job, now time.Time) *bus.Execution {
	rec := &bus.Execution{
		Execution: subjects.Execution{
			ID: id, InstanceID: id, App: def.App, Job: def.PermanentKey, BatchStatus: subjects.Undispatched,
			Pool: cmp.Or(parsed.Pool, subjects.DefaultPool), Priority: cmp.Or(parsed.Priority, subjects.Normal),
			Exclusive: parsed.Exclusive, OnAgentLost: parsed.OnAgentLost, MaxAttempts: parsed.MaxAttempts,
			CreateTime: subjects.TimeOf(now), UpdateTime: subjects.TimeOf(now),
		},
		Definition: s.sent.definitionOf(def, parsed),
	}
	setPolicies(rec, parsed)
	if def.Name != def.PermanentKey && bus.NameKey(def.Name) == def.PermanentKey {
		rec.JobName = def.Name
	}
	return rec
}

// sentDefinitions are the definitions as agents get them, of jobs for which that
// is not the stored one.
type sentDefinitions struct {
	mu    sync.Mutex
	byJob map[string]sentDefinition // by key of the job
}

type sentDefinition struct {
	of   *jsl.Job // of which text was made; the read model has the same one until the job changes
	text json.RawMessage
}

// definitionOf returns the definition without what older agents do not know and
// what has no effect at run time.
func (d *sentDefinitions) definitionOf(def *bus.Job, parsed *jsl.Job) json.RawMessage {
	if parsed.Namespace != jsl.JakartaEE && !parsed.UnsafeSubstitution && parsed.Retry == nil && parsed.Timeout == "" && len(parsed.Limits) == 0 {
		return def.Definition
	}
	key := bus.JobKey(def.App, def.PermanentKey)
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.byJob[key]; c.of == parsed {
		return c.text
	}
	sent := *parsed
	sent.Namespace, sent.UnsafeSubstitution, sent.Retry, sent.Limits, sent.Timeout, sent.TimeoutGrace = "", false, nil, nil, "", ""
	text, err := sent.MarshalJSON()
	if err != nil {
		return def.Definition
	}
	if d.byJob == nil {
		d.byJob = map[string]sentDefinition{}
	}
	d.byJob[key] = sentDefinition{parsed, text}
	return text
}

// bindIdempotencyKey returns the execution id bound to the submission's
// Idempotency-Key; it binds id if the key is new. It also reports whether the
// id is new. If the key exists, the caller repeats all steps for its id before
// it answers, since the bus that bound the key may have died right after.
func (s *Service) bindIdempotencyKey(ctx context.Context, sub Submission, id int64) (int64, bool, error) {
	if len(sub.Parameters) == 0 {
		sub.Parameters = nil // null and {} are the same
	}
	params, err := json.Marshal(sub.Parameters) // keys are sorted
	if err != nil {
		return 0, false, fmt.Errorf("encode parameters: %w", err)
	}
	hash := sha256.Sum256(params)
	key := sha256.Sum256([]byte(sub.App + "\x00" + sub.Job + "\x00" + sub.IdempotencyKey))
	name := hex.EncodeToString(key[:])
	v := bus.Idempotency{Execution: id, Hash: hex.EncodeToString(hash[:]), Time: subjects.Now()}
	for {
		_, err := s.b.Idempotency.Create(ctx, name, v, jetstream.KeyTTL(bus.IdempotencyTTL))
		if err == nil {
			return id, true, nil
		}
		if !errors.Is(err, bus.ErrExists) {
			return 0, false, err
		}
		found, err := s.b.Idempotency.Get(ctx, name)
		switch {
		case errors.Is(err, bus.ErrNotFound): // it has just expired
			continue
		case err != nil:
			return 0, false, err
		case found.Value.Hash != v.Hash:
			return 0, false, bus.State(bus.CodeIdempotencyReuse,
				"this Idempotency-Key was used for execution %d with other parameters", found.Value.Execution)
		}
		return found.Value.Execution, found.Value.Execution == id, nil
	}
}

// beginExecution writes the record and requests attempt 1. Both writes are in
// flight together, in this order on one connection. For an exclusive job, and
// for one that uses limits, it writes record, lock and request one after the
// other, so that what holds a lock or a limit always has a record. It requests
// nothing if the execution has to wait for a limit.
func (s *Service) beginExecution(ctx context.Context, rec *bus.Execution, start time.Time, created bool) (*bus.Execution, bool, error) {
	if err := s.b.EnsurePool(ctx, rec.App, rec.Pool); err != nil {
		return rec, false, err
	}
	if err := checkStepTime(start); err != nil {
		return rec, false, err
	}
	var written, requested <-chan error
	s.limits.expect(rec)
	defer s.limits.forget(rec)
	s.p.expectRecord(rec)
	written = s.createRecord(rec)
	// A record that exists already may be of another definition.
	alone := created && !rec.Exclusive && rec.Limits == ""
	if alone {
		requested = s.requestAttempt(rec, 1, 0)
	}
	if err := <-written; err != nil {
		there, err := s.existingRecord(ctx, rec, err)
		if there == nil {
			return rec, false, s.withdrawRequest(ctx, rec, requested, err)
		}
		// The same answer as the first time.
		if there.Exclusive && there.BatchStatus == subjects.Abandoned && there.Exception != "" {
			return there, false, bus.State(bus.CodeExclusive, "%s", there.Exception)
		}
		// It has begun, or is to be stopped: nothing is left to do.
		if there.LastSequence > 0 || there.StopRequest != "" {
			return there, false, nil
		}
		rec, created = there, false
	}
	if rec.Exclusive {
		err := s.acquireLock(ctx, rec)
		if errors.Is(err, errLockHeld) { // the recoverer requests it later
			return rec, created, nil
		}
		if err != nil {
			return rec, false, err
		}
	}
	if !alone {
		if rec.Limits != "" && !s.limits.acquire(ctx, rec) {
			return rec, created, nil
		}
		if err := checkStepTime(start); err != nil {
			return rec, false, err
		}
		requested = s.requestAttempt(rec, 1, 0)
	}
	// If the request is refused, one is queued already, perhaps a stale one.
	// The recoverer requests the attempt until a result follows.
	if err := <-requested; err != nil && !errors.Is(err, bus.ErrChanged) {
		// The record exists: the recoverer will request it.
		return rec, created, fmt.Errorf("%w: %w", bus.ErrUnknown, err)
	}
	return rec, created, nil
}

// withdrawRequest purges the request of a record that could not be written. If
// an agent has claimed it before, it runs, and the projector makes its record:
// the outcome is [bus.ErrUnknown].
func (s *Service) withdrawRequest(ctx context.Context, rec *bus.Execution, requested <-chan error, err error) error {
	if requested == nil || errors.Is(err, bus.ErrUnknown) || <-requested != nil {
		return err
	}
	if perr := s.b.PurgeRequest(ctx, &rec.Execution); perr != nil {
		return fmt.Errorf("%w: %w; %s", bus.ErrUnknown, err, perr.Error())
	}
	if _, gone := s.b.LastResult(ctx, rec.App, rec.Job, rec.ID); errors.Is(gone, bus.ErrNotFound) {
		return err
	}
	return fmt.Errorf("%w: %w", bus.ErrUnknown, err)
}

// createRecord writes a new record and updates the read model.
func (s *Service) createRecord(rec *bus.Execution) <-chan error {
	done := make(chan error, 1)
	s.b.Executions.Write(rec.Key(), *rec, 0, func(rev uint64, err error) {
		if err == nil {
			s.x.PutExecution(rec, rev)
		}
		s.p.recordCreated(rec, rev, err)
		done <- err
	})
	return done
}

// existingRecord returns the record that already exists. It is from a caller
// that submitted the same, or the projector rebuilt it from a claim;
// existingRecord then adds what it lacks.
func (s *Service) existingRecord(ctx context.Context, rec *bus.Execution, err error) (*bus.Execution, error) {
	if !errors.Is(err, bus.ErrChanged) && !errors.Is(err, bus.ErrUnknown) {
		return nil, err
	}
	there, gerr := s.changeRecord(ctx, rec.App, rec.Job, rec.ID, func(e *bus.Execution) (bool, error) {
		if !e.Rebuilt || e.BatchStatus.Ended() {
			return false, nil
		}
		e.Definition, e.Before, e.StartPosition, e.Rebuilt = rec.Definition, rec.Before, rec.StartPosition, false
		e.FireKey, e.Schedule, e.Causes, e.Backfill = rec.FireKey, rec.Schedule, rec.Causes, rec.Backfill
		e.SchedulePool = rec.SchedulePool
		e.Retry, e.Limits, e.TimeoutMS, e.GraceMS = rec.Retry, rec.Limits, rec.TimeoutMS, rec.GraceMS
		return true, nil
	})
	switch {
	case gerr == nil:
		return there, nil
	case errors.Is(err, bus.ErrChanged) && bus.HasCode(gerr, bus.CodeNoSuchExecution):
		// It existed and was deleted.
		return nil, gerr
	}
	// gerr is not wrapped: a StateError "no such execution" would mislead the
	// caller.
	return nil, fmt.Errorf("%w: %w; %s", bus.ErrUnknown, err, gerr.Error())
}

// requestAttempt requests an attempt that follows the result with the sequence
// expected.
func (s *Service) requestAttempt(rec *bus.Execution, attempt int, expected uint64) <-chan error {
	r := &subjects.Request{
		Execution: rec.Execution, Attempt: attempt, ExpectedSequence: expected, Definition: rec.Definition,
		Steps: rec.Before, RestartPosition: rec.StartPosition, Time: subjects.Now(),
	}
	done := make(chan error, 1)
	if attempt > 1 {
		r.Steps = stepStates(rec.Before, rec.ID, rec.StepExecutions)
		r.Execution.StepExecutions = withoutPartitions(rec.StepExecutions)
	}
	if rec.KeepsStepData() {
		r.Steps = slices.Clone(r.Steps)
		go func() { done <- s.requestWithData(rec, r) }()
		return done
	}
	s.b.Request(r, func(err error) { done <- err })
	return done
}

// expectRecord holds results of an execution back until its record is written.
func (p *projector) expectRecord(rec *bus.Execution) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t := p.trackOf(trackKey{rec.App, rec.Job, rec.ID}); !t.busy {
		t.busy, t.creating = true, true
		p.writes++
	}
}

// recordCreated ends expectRecord: the record was written at rev, or err tells
// why not.
func (p *projector) recordCreated(rec *bus.Execution, rev uint64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.tracks[trackKey{rec.App, rec.Job, rec.ID}]
	if t == nil || !t.creating { // two callers submit the same execution
		return
	}
	t.busy, t.creating = false, false
	p.writes--
	if err == nil {
		t.rec, t.rev = rec, rev
	}
	p.scheduleWrite(t)
	p.releaseTrack(t)
	p.idle.Broadcast()
	p.writeReady()
}

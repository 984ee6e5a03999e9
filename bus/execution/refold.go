package execution

import (
	"context"
	"errors"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// maxFolded is how many results a reader or the projector reads from RESULTS
// before it gives up or writes what it has. Agents may publish any number.
const maxFolded = 1000

// loadRecord reads the record of t from the leader. If there is none, it
// rebuilds the record from the claim.
func (p *projector) loadRecord(t *track) {
	// finishWrites waits for this write.
	ctx, cancel := context.WithTimeout(context.Background(), bus.AckTimeout)
	defer cancel()
	e, err := p.b.Executions.Get(ctx, bus.ExecutionKey(t.app, t.job, t.id))
	if errors.Is(err, bus.ErrNotFound) {
		var rec *bus.Execution
		if rec, err = p.rebuildRecord(ctx, t); rec != nil {
			e = bus.Entry[bus.Execution]{Value: *rec}
		} else if err == nil { // the record and the results are gone: nothing to do
			p.mu.Lock()
			defer p.mu.Unlock()
			p.finishEmptyWrite(t, nil)
			return
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.finishEmptyWrite(t, err)
		return
	}
	if e.Revision > 0 {
		p.x.PutExecution(&e.Value, e.Revision)
	}
	t.rec, t.rev = &e.Value, e.Revision
	p.writes--
	p.writeRecord(t)
}

// rebuildRecord makes a record that a bus did not write, from the claim in
// RESULTS. It returns nil if there are no results any more: the execution was
// purged while this bus had a result of it.
func (p *projector) rebuildRecord(ctx context.Context, t *track) (*bus.Execution, error) {
	if sum, ok := p.x.Find(t.id); ok && (sum.App != t.app || sum.Job != t.job) {
		return nil, nil // an agent has chosen the id
	}
	if given, err := p.b.HasReservedID(ctx, t.id); err != nil || !given {
		return nil, err
	}
	first, err := p.b.ResultAt(ctx, t.app, t.job, t.id, 1)
	if errors.Is(err, bus.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// All but its end was purged, then the record was removed; or an agent has
	// stored something else than a claim, after which the broker refuses the
	// claim.
	if first.Expected != 0 || first.Attempt != 1 || first.Execution == nil || !isAgentStatus(first.BatchStatus) {
		return nil, nil
	}
	rec := &bus.Execution{Rebuilt: true}
	rec.Execution = *first.Execution
	// The subject is confined by permissions; the payload is not.
	rec.App, rec.Job, rec.ID = t.app, t.job, t.id
	rec.BatchStatus, rec.Attempt = subjects.Undispatched, 0
	if rec.InstanceID == 0 {
		rec.InstanceID = t.id
	}
	if err := p.rebuildPolicies(ctx, rec); err != nil {
		return nil, err
	}
	if rec.CreateTime == 0 {
		rec.CreateTime = first.Time
	}
	return rec, nil
}

// refoldMissing reads results between the record and the pending ones from
// RESULTS, maxFolded at most: the record is written before it reads more. e is
// the record with everything folded so far.
func (p *projector) refoldMissing(t *track, e *bus.Execution) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*bus.AckTimeout)
	defer cancel()
	var missing []pendingResult
	kept := 0
	last, err := p.b.LastResult(ctx, t.app, t.job, t.id)
	for seq := e.LastSequence + 1; err == nil; {
		var r *bus.StoredResult
		if r, err = p.b.ResultAt(ctx, t.app, t.job, t.id, seq); err != nil {
			break
		}
		missing = append(missing, pendingResult{r, nil})
		kept += keptBytes(r.Steps)
		if r.Sequence >= last.Sequence || len(missing) == maxFolded || kept > maxPendingBytes {
			break
		}
		seq = r.Sequence + 1
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil && len(missing) > 0 && !errors.Is(err, bus.ErrNotFound):
		p.foldMissing(t, e, missing) // the rest comes with the next retry
	case errors.Is(err, bus.ErrNotFound):
		// It was purged meanwhile, so the pending results are obsolete.
		t.rec = nil
		p.finishEmptyWrite(t, nil)
	case err != nil:
		p.finishEmptyWrite(t, err)
	default:
		p.foldMissing(t, e, missing)
	}
}

// foldMissing puts results that were missing before the pending ones, and writes
// the record. p.mu is held.
func (p *projector) foldMissing(t *track, e *bus.Execution, missing []pendingResult) {
	// Each follows the one before, whatever it expected: results in between may
	// have been purged, and an agent may expect nothing.
	before := e.LastSequence
	for _, r := range missing {
		r.Expected, before = before, r.Sequence
	}
	t.pending = append(missing, t.pending...)
	p.writes--
	p.writeRecord(t)
}

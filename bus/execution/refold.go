package execution

import (
	"context"
	"errors"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// load reads the record of t from the leader; without one it is made from the claim.
func (p *projector) load(t *track) {
	ctx, cancel := context.WithTimeout(context.Background(), bus.AckTimeout) // the owner of the write is finish
	defer cancel()
	e, err := p.b.Executions.Get(ctx, bus.ExecutionKey(t.app, t.job, t.id))
	if errors.Is(err, bus.ErrNotFound) {
		var rec *bus.Execution
		if rec, err = p.rebuild(ctx, t); rec != nil {
			e = bus.Entry[bus.Execution]{Value: *rec}
		} else if err == nil { // the record is gone and so are the results: nothing to do
			p.mu.Lock()
			defer p.mu.Unlock()
			p.settle(t, nil)
			return
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.settle(t, err)
		return
	}
	if e.Revision > 0 {
		p.x.PutExecution(&e.Value, e.Revision)
	}
	t.rec, t.rev = &e.Value, e.Revision
	p.writes--
	p.write(t)
}

// rebuild makes the record that a bus did not get to write, from the claim in RESULTS. It returns nil if there are no
// results any more: the execution was purged while this bus had one in hand.
func (p *projector) rebuild(ctx context.Context, t *track) (*bus.Execution, error) {
	first, err := p.b.ResultAt(ctx, t.app, t.job, t.id, 1)
	if errors.Is(err, bus.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if first.Expected != 0 { // purged down to its end, and the record went in between
		return nil, nil
	}
	rec := &bus.Execution{Rebuilt: true}
	if first.Execution != nil {
		rec.Execution = *first.Execution
	}
	// What permissions do not confine is not taken from the payload.
	rec.App, rec.Job, rec.ID = t.app, t.job, t.id
	rec.BatchStatus = subjects.Undispatched
	if rec.InstanceID == 0 {
		rec.InstanceID = t.id
	}
	if rec.CreateTime == 0 {
		rec.CreateTime = first.Time
	}
	return rec, nil
}

// refold reads from RESULTS what is missing between the record and what is in hand. e is the fold so far.
func (p *projector) refold(t *track, e *bus.Execution) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*bus.AckTimeout)
	defer cancel()
	var missing []result
	last, err := p.b.LastResult(ctx, t.app, t.job, t.id)
	for seq := e.LastSequence + 1; err == nil; {
		var r *bus.StoredResult
		if r, err = p.b.ResultAt(ctx, t.app, t.job, t.id, seq); err != nil {
			break
		}
		missing = append(missing, result{r, nil})
		if r.Sequence >= last.Sequence {
			break
		}
		seq = r.Sequence + 1
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case errors.Is(err, bus.ErrNotFound):
		// Purged meanwhile: what is in hand is of the past.
		t.rec = nil
		p.settle(t, nil)
	case err != nil:
		p.settle(t, err)
	default:
		if len(missing) > 0 && missing[0].Expected != e.LastSequence { // the record is of another past: its results were purged
			missing[0].Expected = e.LastSequence
		}
		t.pending = append(missing, t.pending...)
		p.writes--
		p.write(t)
	}
}

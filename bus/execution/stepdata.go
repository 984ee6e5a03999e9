package execution

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// What steps keep goes from RESULTS to the bucket step_data before the record is
// written, and from there to the next request:
//
//	results --fold--> stepChanges --> step_data     then the record, with sizes only
//	                                     |
//	restart, next attempt  <-- request --+
//
// A value in the bucket has the sequence of the result that it is from, so two
// buses that fold the same results never replace a newer value by an older one.
// Once the record shows an end, the bucket holds what the results before it said.

// stepChanges is what the steps of an execution keep after some results.
type stepChanges map[stepKey]*stepChange

// stepKey names what keeps data: a step, or a partition of it.
type stepKey struct {
	step      string
	partition int // or bus.WholeStep
}

// stepChange is the newest data of a step or of a partition. An absent field is
// as before.
type stepChange struct {
	subjects.StepData
	stepExecution int64
	sequence      uint64
	completed     bool // it keeps no checkpoints
	fresh         bool // what earlier step executions kept does not count
}

// addStep adds what the result with a sequence says about a step. was is the
// step before it.
func (d stepChanges) addStep(e *bus.Execution, sequence uint64, was, changed *subjects.StepExecution) {
	completed := changed.BatchStatus == subjects.Completed
	c := stepChange{changed.StepData, changed.ID, sequence, completed, false}
	d.addData(stepKey{changed.Step, bus.WholeStep}, c, was.StepData)
	// If they do not count, the record's step has begun without them.
	for _, p := range changed.Partitions {
		var kept subjects.StepData
		at, found := findPartition(was.Partitions, p.Number)
		if found {
			kept = was.Partitions[at].StepData
		}
		c := stepChange{p.StepData, changed.ID, sequence, completed || p.BatchStatus == subjects.Completed, !found}
		d.addData(stepKey{changed.Step, p.Number}, c, kept)
	}
	if !completed {
		return
	}
	for _, p := range was.Partitions {
		d.addData(stepKey{changed.Step, p.Number}, stepChange{stepExecution: changed.ID, sequence: sequence, completed: true}, p.StepData)
	}
}

// addData adds a change, unless it changes nothing. kept is what was kept before.
func (d stepChanges) addData(key stepKey, c stepChange, kept subjects.StepData) {
	is, pending := d[key]
	hasData := len(c.PersistentData) > 0 || len(c.ReaderCheckpoint) > 0 || len(c.WriterCheckpoint) > 0
	drops := c.completed && (pending || kept.Sizes.ReaderCheckpoint > 0 || kept.Sizes.WriterCheckpoint > 0)
	if !hasData && !drops {
		return
	}
	if pending {
		c.StepData = replaceData(is.StepData, c.StepData)
		c.fresh = c.fresh || is.fresh
	}
	d[key] = &c
}

// replaceData returns was with the fields that changed has.
func replaceData(was, changed subjects.StepData) subjects.StepData {
	for _, f := range []struct{ is, to *json.RawMessage }{
		{&was.PersistentData, &changed.PersistentData},
		{&was.ReaderCheckpoint, &changed.ReaderCheckpoint},
		{&was.WriterCheckpoint, &changed.WriterCheckpoint},
	} {
		if len(*f.to) > 0 {
			*f.is = *f.to
		}
	}
	return was
}

// sizeOf returns the size of what a step keeps.
func sizeOf(d *subjects.StepData) int {
	return len(d.PersistentData) + len(d.ReaderCheckpoint) + len(d.WriterCheckpoint)
}

// maxDataWrites is how many values of one execution are written in parallel.
const maxDataWrites = 16

// storeStepData writes what the steps of an execution keep.
func storeStepData(ctx context.Context, b *bus.Bus, e *bus.Execution, data stepChanges) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxDataWrites)
	for key, c := range data {
		g.Go(func() error {
			_, err := b.StepData.Change(ctx, e.StepDataKey(key.step, key.partition), func(was *bus.StepData) (*bus.StepData, error) {
				return c.applyTo(was, e.ID, key), nil
			})
			return err
		})
	}
	return g.Wait()
}

// applyTo returns the value of the bucket after the change, or nil if the value
// has it already.
func (c *stepChange) applyTo(was *bus.StepData, execution int64, key stepKey) *bus.StepData {
	is := bus.StepData{Step: key.step, Partition: key.partition}
	if was != nil {
		if was.Sequence >= c.sequence {
			return nil
		}
		if is = *was; c.fresh && (was.ExecutionID != execution || was.StepExecutionID != c.stepExecution) {
			is.StepData = subjects.StepData{}
		}
	}
	is.ExecutionID, is.StepExecutionID, is.Sequence = execution, c.stepExecution, c.sequence
	is.StepData = replaceData(is.StepData, c.StepData)
	if c.completed {
		is.ReaderCheckpoint, is.WriterCheckpoint = nil, nil
	}
	for _, v := range []*json.RawMessage{&is.PersistentData, &is.ReaderCheckpoint, &is.WriterCheckpoint} {
		if string(*v) == string(subjects.None) {
			*v = nil
		}
	}
	return &is
}

// errNoData means that a restart or an attempt cannot be requested, now or
// later, since it cannot be given what its steps keep.
var errNoData = errors.New("it cannot go on where it was")

// fillStepData adds to the steps of a request what they keep.
func (s *Service) fillStepData(ctx context.Context, e *bus.Execution, steps []subjects.StepState) error {
	if !e.KeepsStepData() {
		return nil
	}
	all, err := s.b.StepDataOf(ctx, e)
	if err != nil {
		return err
	}
	stored := make(map[stepKey]*subjects.StepData, len(all))
	for i := range all {
		v := &all[i].Value
		stored[stepKey{v.Step, v.Partition}] = &v.StepData
	}
	for i := range steps {
		t := &steps[i]
		if err := fillData(&t.StepData, stored[stepKey{t.Step, bus.WholeStep}]); err != nil {
			return fmt.Errorf("step %s: %w", t.Step, err)
		}
		t.Partitions = slices.Clone(t.Partitions) // the record has them, too
		for j := range t.Partitions {
			p := &t.Partitions[j]
			if err := fillData(&p.StepData, stored[stepKey{t.Step, p.Number}]); err != nil {
				return fmt.Errorf("step %s, partition %d: %w", t.Step, p.Number, err)
			}
		}
	}
	return nil
}

// fillData replaces sizes by the stored values.
func fillData(d, stored *subjects.StepData) error {
	if stored == nil {
		stored = &subjects.StepData{}
	}
	for _, f := range []struct {
		name       string
		size       int
		to, stored *json.RawMessage
	}{
		{"persistent data", d.Sizes.PersistentData, &d.PersistentData, &stored.PersistentData},
		{"reader checkpoint", d.Sizes.ReaderCheckpoint, &d.ReaderCheckpoint, &stored.ReaderCheckpoint},
		{"writer checkpoint", d.Sizes.WriterCheckpoint, &d.WriterCheckpoint, &stored.WriterCheckpoint},
	} {
		if f.size == 0 {
			continue
		}
		if *f.to = *f.stored; len(*f.to) == 0 {
			return fmt.Errorf("%w: its %s is no longer stored", errNoData, f.name)
		}
	}
	d.Sizes = subjects.DataSizes{}
	return nil
}

// requestWithData requests an attempt whose steps keep data. If the steps keep
// more than fits into a message, or data is gone, it ends the execution as
// failed.
func (s *Service) requestWithData(rec *bus.Execution, r *subjects.Request) error {
	ctx, cancel := context.WithTimeout(context.Background(), bus.AckTimeout)
	defer cancel()
	err := s.fillStepData(ctx, rec, r.Steps)
	if err == nil {
		done := make(chan error, 1)
		s.b.Request(r, func(err error) { done <- err })
		err = <-done
	}
	switch {
	case errors.Is(err, nats.ErrMaxPayload):
		err = fmt.Errorf("%w: what its steps keep takes %d bytes, and the NATS server accepts messages of at most %d (max_payload)",
			errNoData, sizeOfStates(r.Steps), s.b.NC.MaxPayload())
	case !errors.Is(err, errNoData):
		return err
	}
	end := s.busResult(rec, &bus.StoredResult{Result: subjects.Result{Attempt: r.Attempt - 1}}, subjects.Failed, err.Error())
	_, err = s.b.PublishResult(ctx, end, r.ExpectedSequence)
	return err
}

func sizeOfStates(steps []subjects.StepState) (n int) {
	for i := range steps {
		n += sizeOf(&steps[i].StepData)
		for j := range steps[i].Partitions {
			n += sizeOf(&steps[i].Partitions[j].StepData)
		}
	}
	return n
}

// mayRestart reports whether an execution with a status can be restarted, now or
// later.
func mayRestart(s subjects.BatchStatus) bool {
	return s != subjects.Completed && s != subjects.Abandoned
}

// purgeStepData removes what the steps of an execution keep, once it can no
// longer be restarted. If that fails, it is removed with the record.
func (p *projector) purgeStepData(e *bus.Execution) {
	ctx, cancel := context.WithTimeout(context.Background(), bus.AckTimeout)
	defer cancel()
	if err := p.b.PurgeStepData(ctx, e); err != nil {
		p.b.Log.Warn("data of the steps not removed", "app", e.App, "job", e.Job, "execution", e.ID, "err", err)
	}
}

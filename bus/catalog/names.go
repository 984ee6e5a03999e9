package catalog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// A job can be renamed while it runs, is scheduled and has a history.
// Everything that belongs to it is therefore stored under its permanent key
// (Job.PermanentKey), which never changes. That is the key of the name that the
// job was created with (see [NameKey]). Below, X and N stand for a name and for
// its key. The bucket jobs maps one to the other:
//
//	created as X  a.X {name X}
//	renamed to N  a.X {name N}              a.N {name_of X}
//	then a new X  a.X {name N, name_of X-5fq2c7wa}   a.N {name_of X}   a.X-5fq2c7wa {name X}
//
// One entry serves both as a permanent key and as the key of a name. Two buses
// that claim it for either purpose therefore write the same entry, and one of
// them is refused. Each change is one atomic batch with the revision of every
// key that it was decided on.

// createJob creates a job under a free name and returns it with its permanent
// key. Otherwise the error is [bus.ErrExists] or [bus.ErrChanged].
func (c *Catalog) createJob(ctx context.Context, j bus.Job) (bus.Entry[bus.Job], error) {
	if err := bus.CheckJobName(j.Name); err != nil {
		return bus.Entry[bus.Job]{}, err
	}
	j.PermanentKey, j.NameOf, j.Edit = bus.NameKey(j.Name), "", 0
	at, err := c.b.JobsEntry(ctx, j.App, j.PermanentKey)
	switch {
	case errors.Is(err, bus.ErrNotFound):
		revision, err := c.b.Jobs.Create(ctx, j.Key(), j)
		return bus.Entry[bus.Job]{Key: j.Key(), Value: j, Revision: revision}, err
	case err != nil:
		return at, err
	case bus.NameKey(at.Value.Name) == j.PermanentKey || at.Value.NameOf != "":
		return at, fmt.Errorf("create job %s: %w", j.Key(), bus.ErrExists)
	}
	j.PermanentKey = j.PermanentKey[:min(len(j.PermanentKey), subjects.MaxName-9)] + "-" + strings.ToLower(rand.Text()[:8])
	setNameOf(&at, j.PermanentKey)
	revision, err := c.writeJobs(ctx, []jobWrite{{j.Key(), &j, 0}, {at.Key, &at.Value, at.Revision}})
	return bus.Entry[bus.Job]{Key: j.Key(), Value: j, Revision: revision}, err
}

// renameJob writes j, which has another name than was; was is the job as the
// caller read it. The error is [bus.ErrExists] if another job has that name, or
// [bus.ErrChanged].
func (c *Catalog) renameJob(ctx context.Context, was bus.Entry[bus.Job], j bus.Job) (revision uint64, err error) {
	if err := bus.CheckJobName(j.Name); err != nil {
		return 0, err
	}
	j.Edit = 0
	writes := []jobWrite{{was.Key, &j, was.Revision}}
	key := bus.NameKey(j.Name)
	if key == j.PermanentKey {
		if j.NameOf != "" {
			return 0, fmt.Errorf("rename job %s: %w", was.Key, bus.ErrExists)
		}
	} else {
		at, err := c.b.JobsEntry(ctx, j.App, key)
		switch {
		case errors.Is(err, bus.ErrNotFound):
			if at, err = c.vacantEntry(ctx, j.App, key); err != nil {
				return 0, err
			}
		case err != nil:
			return 0, err
		case bus.NameKey(at.Value.Name) == key || at.Value.NameOf != "":
			return 0, fmt.Errorf("rename job %s: %s: %w", was.Key, at.Key, bus.ErrExists)
		}
		setNameOf(&at, j.PermanentKey)
		writes = append(writes, jobWrite{at.Key, &at.Value, at.Revision})
	}
	if writes, err = c.releaseName(ctx, writes, was.Value); err != nil {
		return 0, err
	}
	return c.writeJobs(ctx, writes)
}

// removeJob removes a job, given as the caller read it. The error may be
// [bus.ErrChanged].
func (c *Catalog) removeJob(ctx context.Context, was bus.Entry[bus.Job]) error {
	left := bus.Job{App: was.Value.App, NameOf: was.Value.NameOf}
	writes, err := c.releaseName(ctx, []jobWrite{{was.Key, &left, was.Revision}}, was.Value)
	if err == nil {
		_, err = c.writeJobs(ctx, writes)
	}
	return err
}

// setNameOf makes the key of at the name of another job, or of none if of is
// empty. This is not an edit of the job whose permanent key that is.
func setNameOf(at *bus.Entry[bus.Job], of string) {
	if at.Value.Definition != nil {
		at.Value.Edit = bus.EditOf(*at)
	}
	at.Value.NameOf = of
}

// releaseName adds to writes that the name of was becomes free, if that name
// has another key than the job.
func (c *Catalog) releaseName(ctx context.Context, writes []jobWrite, was bus.Job) ([]jobWrite, error) {
	key := bus.NameKey(was.Name)
	if key == was.PermanentKey {
		return writes, nil
	}
	at, err := c.b.JobsEntry(ctx, was.App, key)
	if err != nil {
		return nil, err
	}
	if at.Value.NameOf != was.PermanentKey {
		return nil, fmt.Errorf("release the name %s of job %s: %w", was.Name, was.Key(), bus.ErrChanged)
	}
	setNameOf(&at, "")
	return append(writes, jobWrite{at.Key, &at.Value, at.Revision}), nil
}

// vacantEntry returns the entry of a key without a value. Its revision is that
// of the deletion marker, if there is one.
func (c *Catalog) vacantEntry(ctx context.Context, app, key string) (bus.Entry[bus.Job], error) {
	e := bus.Entry[bus.Job]{Key: bus.JobKey(app, key), Value: bus.Job{App: app}}
	m, err := jetio.ReadLast(ctx, c.b.NC, jetio.BucketStream(subjects.JobsBucket), c.b.Jobs.Subject(e.Key))
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return e, nil
	case err != nil:
		return e, fmt.Errorf("read %s: %w", e.Key, err)
	case len(m.Data) > 0: // somebody wrote it since the caller found it empty
		return e, fmt.Errorf("read %s: %w", e.Key, bus.ErrChanged)
	}
	e.Revision = m.Sequence
	return e, nil
}

// jobWrite is a write to one key. If the value has neither a definition nor a
// NameOf, the write deletes the key.
type jobWrite struct {
	key      string
	v        *bus.Job
	revision uint64 // the present one; 0 if the key was never written
}

// writeJobs makes all writes, or none of them if it returns an error. It
// returns the revision of the first.
func (c *Catalog) writeJobs(ctx context.Context, writes []jobWrite) (uint64, error) {
	batch := make([]jetio.Write, len(writes))
	for i, w := range writes {
		v := w.v
		if v.Definition == nil && v.NameOf == "" {
			v = nil
		}
		m, err := c.b.Jobs.Message(w.key, v)
		if err != nil {
			return 0, err
		}
		batch[i] = jetio.Write{Msg: m, Filter: m.Subject, Expect: int64(w.revision)}
	}
	c.renaming.Lock() // the server limits the number of open batches
	defer c.renaming.Unlock()
	first, err := jetio.Await(ctx, func(done func(uint64, error)) { c.b.Pub.PublishBatch(batch, done) })
	if errors.Is(err, jetio.ErrUndecided) { // a batch was refused by it
		err = fmt.Errorf("%w: %s", bus.ErrChanged, err.Error())
	}
	if err != nil {
		return 0, fmt.Errorf("write job %s: %w", writes[0].key, err)
	}
	for i, w := range writes {
		after := first + uint64(i)
		if len(batch[i].Msg.Data) == 0 {
			after = 0
		}
		c.b.Jobs.NoteChange(ctx, w.key, w.revision, after)
	}
	return first, nil
}

package bus

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// A job can be renamed while it runs, is scheduled and has a history.
// Everything that belongs to it is therefore stored under its permanent key
// (Job.Token), which never changes. That is the key of the name that the job
// was created with (see [NameKey]). Below, X and N stand for a name and for its
// key. The bucket jobs maps one to the other:
//
//	created as X  a.X {name X}
//	renamed to N  a.X {name N}              a.N {name_of X}
//	then a new X  a.X {name N, name_of X-5fq2c7wa}   a.N {name_of X}   a.X-5fq2c7wa {name X}
//
// One entry serves both as a permanent key and as the key of a name. Two buses
// that claim it for either purpose therefore write the same entry, and one of
// them is refused. Each change is one atomic batch with the revision of every
// key that it was decided on.

// Job reads the job with this permanent key from the leader, or returns an
// error that is [ErrNotFound].
func (b *Bus) Job(ctx context.Context, app, token string) (Entry[Job], error) {
	e, err := b.jobsEntry(ctx, app, token)
	if err == nil && e.Value.Definition == nil {
		err = fmt.Errorf("get job %s: %w", JobKey(app, token), ErrNotFound)
	}
	return e, err
}

// JobNamed is [Bus.Job] by the present name of the job.
func (b *Bus) JobNamed(ctx context.Context, app, name string) (Entry[Job], error) {
	at, err := b.jobsEntry(ctx, app, NameKey(name))
	if err == nil && at.Value.Name != name && at.Value.NameOf != "" {
		at, err = b.jobsEntry(ctx, app, at.Value.NameOf)
	}
	if err == nil && at.Value.Name != name {
		err = fmt.Errorf("get job %s: %w", JobKey(app, name), ErrNotFound)
	}
	return at, err
}

// jobsEntry reads one entry of the bucket jobs.
func (b *Bus) jobsEntry(ctx context.Context, app, token string) (Entry[Job], error) {
	e, err := b.Jobs.Get(ctx, JobKey(app, token))
	if e.Value.Definition != nil {
		e.Value.Token = token // earlier versions did not store it
	}
	return e, err
}

// CreateJob creates a job under a free name and returns it with its permanent
// key. Otherwise the error is [ErrExists] or [ErrChanged].
func (b *Bus) CreateJob(ctx context.Context, j Job) (Entry[Job], error) {
	if err := CheckJobName(j.Name); err != nil {
		return Entry[Job]{}, err
	}
	j.Token, j.NameOf, j.Edit = NameKey(j.Name), "", 0
	at, err := b.jobsEntry(ctx, j.App, j.Token)
	switch {
	case errors.Is(err, ErrNotFound):
		revision, err := b.Jobs.Create(ctx, j.Key(), j)
		return Entry[Job]{Key: j.Key(), Value: j, Revision: revision}, err
	case err != nil:
		return at, err
	case NameKey(at.Value.Name) == j.Token || at.Value.NameOf != "":
		return at, fmt.Errorf("create job %s: %w", j.Key(), ErrExists)
	}
	j.Token = j.Token[:min(len(j.Token), subjects.MaxName-9)] + "-" + strings.ToLower(rand.Text()[:8])
	setNameOf(&at, j.Token)
	revision, err := b.writeJobs(ctx, []jobWrite{{j.Key(), &j, 0}, {at.Key, &at.Value, at.Revision}})
	return Entry[Job]{Key: j.Key(), Value: j, Revision: revision}, err
}

// RenameJob writes j, which has another name than was; was is the job as the
// caller read it. The error is [ErrExists] if another job has that name, or
// [ErrChanged].
func (b *Bus) RenameJob(ctx context.Context, was Entry[Job], j Job) (revision uint64, err error) {
	if err := CheckJobName(j.Name); err != nil {
		return 0, err
	}
	j.Edit = 0
	writes := []jobWrite{{was.Key, &j, was.Revision}}
	key := NameKey(j.Name)
	if key == j.Token {
		if j.NameOf != "" {
			return 0, fmt.Errorf("rename job %s: %w", was.Key, ErrExists)
		}
	} else {
		at, err := b.jobsEntry(ctx, j.App, key)
		switch {
		case errors.Is(err, ErrNotFound):
			if at, err = b.vacantEntry(ctx, j.App, key); err != nil {
				return 0, err
			}
		case err != nil:
			return 0, err
		case NameKey(at.Value.Name) == key || at.Value.NameOf != "":
			return 0, fmt.Errorf("rename job %s: %s: %w", was.Key, at.Key, ErrExists)
		}
		setNameOf(&at, j.Token)
		writes = append(writes, jobWrite{at.Key, &at.Value, at.Revision})
	}
	if writes, err = b.releaseName(ctx, writes, was.Value); err != nil {
		return 0, err
	}
	return b.writeJobs(ctx, writes)
}

// DeleteJob removes a job, given as the caller read it. The error may be
// [ErrChanged].
func (b *Bus) DeleteJob(ctx context.Context, was Entry[Job]) error {
	left := Job{App: was.Value.App, NameOf: was.Value.NameOf}
	writes, err := b.releaseName(ctx, []jobWrite{{was.Key, &left, was.Revision}}, was.Value)
	if err == nil {
		_, err = b.writeJobs(ctx, writes)
	}
	return err
}

// setNameOf makes the key of at the name of another job, or of none if of is
// empty. This is not an edit of the job whose permanent key that is.
func setNameOf(at *Entry[Job], of string) {
	if at.Value.Definition != nil {
		at.Value.Edit = EditOf(*at)
	}
	at.Value.NameOf = of
}

// releaseName adds to writes that the name of was becomes free, if that name
// has another key than the job.
func (b *Bus) releaseName(ctx context.Context, writes []jobWrite, was Job) ([]jobWrite, error) {
	key := NameKey(was.Name)
	if key == was.Token {
		return writes, nil
	}
	at, err := b.jobsEntry(ctx, was.App, key)
	if err != nil {
		return nil, err
	}
	if at.Value.NameOf != was.Token {
		return nil, fmt.Errorf("take the name %s from job %s: %w", was.Name, was.Key(), ErrChanged)
	}
	setNameOf(&at, "")
	return append(writes, jobWrite{at.Key, &at.Value, at.Revision}), nil
}

// vacantEntry returns the entry of a key without a value. Its revision is that
// of the deletion marker, if there is one.
func (b *Bus) vacantEntry(ctx context.Context, app, key string) (Entry[Job], error) {
	e := Entry[Job]{Key: JobKey(app, key), Value: Job{App: app}}
	m, err := jetio.ReadLast(ctx, b.NC, subjects.BucketStream(subjects.JobsBucket), b.Jobs.Subject(e.Key))
	switch {
	case errors.Is(err, ErrNotFound):
		return e, nil
	case err != nil:
		return e, fmt.Errorf("look at %s: %w", e.Key, err)
	case len(m.Data) > 0: // somebody wrote it since the caller found it empty
		return e, fmt.Errorf("look at %s: %w", e.Key, ErrChanged)
	}
	e.Revision = m.Sequence
	return e, nil
}

// jobWrite is a write to one key. If the value has neither a definition nor a
// NameOf, the write deletes the key.
type jobWrite struct {
	key      string
	v        *Job
	revision uint64 // the present one; 0 if the key was never written
}

// writeJobs makes all writes, or none of them if it returns an error. It
// returns the revision of the first.
func (b *Bus) writeJobs(ctx context.Context, writes []jobWrite) (uint64, error) {
	batch := make([]jetio.Write, len(writes))
	for i, w := range writes {
		m := &nats.Msg{Subject: b.Jobs.Subject(w.key), Header: nats.Header{}}
		if w.v.Definition == nil && w.v.NameOf == "" {
			m.Header.Set("KV-Operation", "DEL")
		} else if data, err := encodeJSON(w.v); err != nil {
			return 0, fmt.Errorf("encode job %s: %w", w.key, err)
		} else {
			m.Data = data
		}
		batch[i] = jetio.Write{Msg: m, Filter: m.Subject, Expect: int64(w.revision)}
	}
	b.renaming.Lock() // the server limits the number of open batches
	defer b.renaming.Unlock()
	first, err := jetio.Await(ctx, func(done func(uint64, error)) { b.Pub.PublishBatch(batch, done) })
	if errors.Is(err, jetio.ErrUndecided) { // a batch was refused by it
		err = fmt.Errorf("%w: %s", ErrChanged, err.Error())
	}
	if err != nil {
		return 0, fmt.Errorf("write job %s: %w", writes[0].key, err)
	}
	return first, nil
}

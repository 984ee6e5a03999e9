package bus

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// A job can be renamed while it runs, is scheduled and has a history. So all that is kept of it, and what is on its way, is not
// under its name but under its token, which never changes. It is the key of the name that the job was made with (see [NameKey]); here
// X and N stand for a name as well as for its key. Bucket jobs says which is whose:
//
//	made as X         a.X {name X}
//	renamed to N      a.X {name N}              a.N {name_of X}
//	then X made anew  a.X {name N, name_of X-5fq2c7wa}   a.N {name_of X}   a.X-5fq2c7wa {name X}
//
// A key is both a token and a name, so that who takes the one and who takes the other meet there: each step is one atomic batch, with
// the revision of every key that it was decided on.

// Job reads a job by its token from the leader, or returns an error that is [ErrNotFound].
func (b *Bus) Job(ctx context.Context, app, token string) (Entry[Job], error) {
	e, err := b.jobsKey(ctx, app, token)
	if err == nil && e.Value.Definition == nil {
		err = fmt.Errorf("get job %s: %w", JobKey(app, token), ErrNotFound)
	}
	return e, err
}

// JobNamed is Job by the name that the job has now.
func (b *Bus) JobNamed(ctx context.Context, app, name string) (Entry[Job], error) {
	at, err := b.jobsKey(ctx, app, NameKey(name))
	if err == nil && at.Value.Name != name && at.Value.NameOf != "" {
		at, err = b.jobsKey(ctx, app, at.Value.NameOf)
	}
	if err == nil && at.Value.Name != name {
		err = fmt.Errorf("get job %s: %w", JobKey(app, name), ErrNotFound)
	}
	return at, err
}

// jobsKey is what the bucket has at a key.
func (b *Bus) jobsKey(ctx context.Context, app, token string) (Entry[Job], error) {
	e, err := b.Jobs.Get(ctx, JobKey(app, token))
	if e.Value.Definition != nil {
		e.Value.Token = token // not in what earlier versions wrote
	}
	return e, err
}

// CreateJob writes a job whose name is free, and returns it with its token. Else the error is [ErrExists], or [ErrChanged].
func (b *Bus) CreateJob(ctx context.Context, j Job) (Entry[Job], error) {
	if err := CheckJobName(j.Name); err != nil {
		return Entry[Job]{}, err
	}
	j.Token, j.NameOf, j.Edit = NameKey(j.Name), "", 0
	at, err := b.jobsKey(ctx, j.App, j.Token)
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
	name(&at, j.Token)
	revision, err := b.writeJobs(ctx, []jobWrite{{j.Key(), &j, 0}, {at.Key, &at.Value, at.Revision}})
	return Entry[Job]{Key: j.Key(), Value: j, Revision: revision}, err
}

// RenameJob writes j, which has another name than was, the job as it was read. The error is [ErrExists] if another job has that
// name, or [ErrChanged].
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
		at, err := b.jobsKey(ctx, j.App, key)
		switch {
		case errors.Is(err, ErrNotFound):
			if at, err = b.vacant(ctx, j.App, key); err != nil {
				return 0, err
			}
		case err != nil:
			return 0, err
		case NameKey(at.Value.Name) == key || at.Value.NameOf != "":
			return 0, fmt.Errorf("rename job %s: %s: %w", was.Key, at.Key, ErrExists)
		}
		name(&at, j.Token)
		writes = append(writes, jobWrite{at.Key, &at.Value, at.Revision})
	}
	if writes, err = b.withoutName(ctx, writes, was.Value); err != nil {
		return 0, err
	}
	return b.writeJobs(ctx, writes)
}

// DeleteJob removes a job as it was read; the error may be [ErrChanged].
func (b *Bus) DeleteJob(ctx context.Context, was Entry[Job]) error {
	left := Job{App: was.Value.App, NameOf: was.Value.NameOf}
	writes, err := b.withoutName(ctx, []jobWrite{{was.Key, &left, was.Revision}}, was.Value)
	if err == nil {
		_, err = b.writeJobs(ctx, writes)
	}
	return err
}

// name makes a key the name of another job, or of none, which is no edit of the job that the key is the token of.
func name(at *Entry[Job], of string) {
	if at.Value.Definition != nil {
		at.Value.Edit = EditOf(*at)
	}
	at.Value.NameOf = of
}

// withoutName adds to writes that the name of was is not its name any more, if another key says that it is.
func (b *Bus) withoutName(ctx context.Context, writes []jobWrite, was Job) ([]jobWrite, error) {
	key := NameKey(was.Name)
	if key == was.Token {
		return writes, nil
	}
	at, err := b.jobsKey(ctx, was.App, key)
	if err != nil {
		return nil, err
	}
	if at.Value.NameOf != was.Token {
		return nil, fmt.Errorf("take the name %s from job %s: %w", was.Name, was.Key(), ErrChanged)
	}
	name(&at, "")
	return append(writes, jobWrite{at.Key, &at.Value, at.Revision}), nil
}

// vacant is a key that has no value, at the revision of the marker of what was deleted there.
func (b *Bus) vacant(ctx context.Context, app, key string) (Entry[Job], error) {
	e := Entry[Job]{Key: JobKey(app, key), Value: Job{App: app}}
	m, err := b.ask(ctx, subjects.BucketStream(subjects.JobsBucket), lastOf(b.Jobs.Subject(e.Key)))
	switch {
	case errors.Is(err, ErrNotFound):
		return e, nil
	case err != nil:
		return e, fmt.Errorf("look at %s: %w", e.Key, err)
	case len(m.Data) > 0: // since it was found to have none
		return e, fmt.Errorf("look at %s: %w", e.Key, ErrChanged)
	}
	e.Revision = m.Sequence
	return e, nil
}

// jobWrite is what a key is to have. A value with neither a job nor a name leaves nothing.
type jobWrite struct {
	key      string
	v        *Job
	revision uint64 // as it is, 0 if there was never one
}

// writeJobs makes all writes or, with an error, none of them, and returns the revision of the first.
func (b *Bus) writeJobs(ctx context.Context, writes []jobWrite) (uint64, error) {
	batch := make([]write, len(writes))
	for i, w := range writes {
		m := &nats.Msg{Subject: b.Jobs.Subject(w.key), Header: nats.Header{}}
		if w.v.Definition == nil && w.v.NameOf == "" {
			m.Header.Set("KV-Operation", "DEL")
		} else if data, err := encode(w.v); err != nil {
			return 0, fmt.Errorf("encode job %s: %w", w.key, err)
		} else {
			m.Data = data
		}
		batch[i] = write{m: m, filter: m.Subject, expect: int64(w.revision)}
	}
	b.renaming.Lock() // the server takes only so many batches at a time
	defer b.renaming.Unlock()
	first, err := await(ctx, func(done func(uint64, error)) { b.Pub.atomic(batch, done) })
	if errors.Is(err, errUndecided) { // of a batch it is a refusal
		err = fmt.Errorf("%w: %s", ErrChanged, err.Error())
	}
	if err != nil {
		return 0, fmt.Errorf("write job %s: %w", writes[0].key, err)
	}
	return first, nil
}

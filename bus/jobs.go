package bus

import (
	"context"
	"fmt"
)

// Job reads the job with this permanent key from the leader, or returns an
// error that is [ErrNotFound].
func (b *Bus) Job(ctx context.Context, app, token string) (Entry[Job], error) {
	e, err := b.JobsEntry(ctx, app, token)
	if err == nil && e.Value.Definition == nil {
		err = fmt.Errorf("get job %s: %w", JobKey(app, token), ErrNotFound)
	}
	return e, err
}

// JobNamed is [Bus.Job] by the present name of the job.
func (b *Bus) JobNamed(ctx context.Context, app, name string) (Entry[Job], error) {
	at, err := b.JobsEntry(ctx, app, NameKey(name))
	if err == nil && at.Value.Name != name && at.Value.NameOf != "" {
		at, err = b.JobsEntry(ctx, app, at.Value.NameOf)
	}
	if err == nil && at.Value.Name != name {
		err = fmt.Errorf("get job %s: %w", JobKey(app, name), ErrNotFound)
	}
	return at, err
}

// JobsEntry reads one entry of the bucket jobs, which may hold no job but only
// a NameOf. Package catalog describes the entries.
func (b *Bus) JobsEntry(ctx context.Context, app, token string) (Entry[Job], error) {
	e, err := b.Jobs.Get(ctx, JobKey(app, token))
	if e.Value.Definition != nil {
		e.Value.Token = token // earlier versions did not store it
	}
	return e, err
}

package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// List reads from the leader what objects there are, in the order in which they were stored or touched.
func (o *Objects) List(ctx context.Context) ([]*Object, error) {
	all, err := o.metas(ctx)
	live := all[:0]
	for _, obj := range all {
		if !obj.Deleted {
			live = append(live, obj)
		}
	}
	return live, err
}

// metas are the newest metas of all objects, of removed ones too.
func (o *Objects) metas(ctx context.Context) ([]*Object, error) {
	var all []*Object
	for seq := uint64(0); ; {
		m, err := o.b.ask(ctx, objectStream(o.store), nextOf(metas(o.store), seq+1))
		if errors.Is(err, ErrNotFound) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list objects of %s: %w", o.store, err)
		}
		obj, err := decodeObject(m)
		if err != nil {
			return nil, err
		}
		all, seq = append(all, obj), m.Sequence
	}
}

// Remove removes an object if it is still at its revision, or returns an error that is [ErrChanged]: somebody touched it.
func (o *Objects) Remove(ctx context.Context, obj *Object) error {
	marker := *obj
	marker.Deleted, marker.Size, marker.Chunks, marker.Digest = true, 0, 0, ""
	err := o.put(ctx, &marker, obj.Revision)
	if err == nil {
		err = o.finish(ctx, &marker)
	}
	if err != nil {
		return o.failed("remove", obj.Name, err)
	}
	return nil
}

// finish takes away what is left of a removed object, and its marker, but not what was stored under the name since.
func (o *Objects) finish(ctx context.Context, marker *Object) error {
	if err := o.stream.Purge(ctx, jetstream.WithPurgeSubject(chunks(o.store, marker.NUID))); err != nil {
		return err
	}
	return o.stream.Purge(ctx, jetstream.WithPurgeSubject(o.meta(marker.Name)), jetstream.WithPurgeSequence(marker.Revision+1))
}

// Clean takes away what writers and removals left that did not finish, if nothing of it was written since before. No writer takes
// so long between two chunks.
func (o *Objects) Clean(ctx context.Context, before time.Time) error {
	info, err := o.stream.Info(ctx, jetstream.WithSubjectFilter(chunks(o.store, ">"))) // first: whose meta comes meanwhile is in the list
	if err != nil {
		return fmt.Errorf("look at chunks of %s: %w", o.store, err)
	}
	all, err := o.metas(ctx)
	if err != nil {
		return err
	}
	named := map[string]bool{}
	for _, obj := range all {
		if !obj.Deleted {
			named[chunks(o.store, obj.NUID)] = true
		} else if obj.ModTime.Before(before) {
			err = errors.Join(err, o.finish(ctx, obj))
		}
	}
	for subject := range info.State.Subjects {
		if !named[subject] && strings.HasPrefix(subject, chunks(o.store, "")) {
			err = errors.Join(err, o.dropOld(ctx, subject, before))
		}
	}
	return err
}

// dropOld purges chunks that nothing names if the last one is old.
func (o *Objects) dropOld(ctx context.Context, subject string, before time.Time) error {
	m, err := o.b.ask(ctx, objectStream(o.store), lastOf(subject))
	if errors.Is(err, ErrNotFound) || err == nil && !m.Time.Before(before) {
		return nil
	}
	if err == nil {
		err = o.stream.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(m.Sequence+1))
	}
	if err != nil {
		return fmt.Errorf("purge unfinished %s: %w", subject, err)
	}
	return nil
}

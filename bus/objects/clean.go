package objects

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
)

// List reads all objects from the leader, in the order in which they were
// stored or touched.
func (s *Store) List(ctx context.Context) ([]*Object, error) {
	all, err := s.listMetas(ctx)
	live := all[:0]
	for _, obj := range all {
		if !obj.Deleted {
			live = append(live, obj)
		}
	}
	return live, err
}

// listMetas reads the newest metadata of all names, also of removed objects.
func (s *Store) listMetas(ctx context.Context) ([]*Object, error) {
	var all []*Object
	for seq := uint64(0); ; {
		m, err := jetio.ReadNext(ctx, s.cfg.NC, jetio.ObjectStream(s.cfg.Name), jetio.AllMeta(s.cfg.Name), seq+1)
		if errors.Is(err, jetio.ErrNotFound) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list objects of %s: %w", s.cfg.Name, err)
		}
		obj, err := decodeObject(m)
		if err != nil {
			return nil, err
		}
		all, seq = append(all, obj), m.Sequence
	}
}

// Remove removes an object if it is still at its revision. Otherwise the error
// is [jetio.ErrChanged]: somebody has touched it.
func (s *Store) Remove(ctx context.Context, obj *Object) error {
	marker := *obj
	marker.Deleted, marker.Size, marker.Chunks, marker.Digest = true, 0, 0, ""
	err := s.writeMeta(ctx, &marker, obj.Revision)
	if err == nil {
		err = s.finishRemoval(ctx, &marker)
	}
	if err != nil {
		return s.wrapError("remove", obj.Name, err)
	}
	return nil
}

// finishRemoval purges the chunks of a removed object and its marker, but not
// what was stored under the name since.
func (s *Store) finishRemoval(ctx context.Context, marker *Object) error {
	if err := s.stream.Purge(ctx, jetstream.WithPurgeSubject(jetio.ChunkSubject(s.cfg.Name, marker.NUID))); err != nil {
		return err
	}
	return s.stream.Purge(ctx, jetstream.WithPurgeSubject(jetio.MetaSubject(s.cfg.Name, marker.Name)), jetstream.WithPurgeSequence(marker.Revision+1))
}

// Clean purges what unfinished writes and removals have left, if none of it was
// written since before. No writer takes that long between two chunks.
func (s *Store) Clean(ctx context.Context, before time.Time) error {
	// Before the list of metadata, so that metadata written meanwhile is in it.
	info, err := s.stream.Info(ctx, jetstream.WithSubjectFilter(jetio.ChunkSubject(s.cfg.Name, ">")))
	if err != nil {
		return fmt.Errorf("list the chunks of %s: %w", s.cfg.Name, err)
	}
	all, err := s.listMetas(ctx)
	if err != nil {
		return err
	}
	named := map[string]bool{}
	for _, obj := range all {
		if !obj.Deleted {
			named[jetio.ChunkSubject(s.cfg.Name, obj.NUID)] = true
		} else if obj.ModTime.Before(before) {
			err = errors.Join(err, s.finishRemoval(ctx, obj))
		}
	}
	for subject := range info.State.Subjects {
		if !named[subject] && strings.HasPrefix(subject, jetio.ChunkSubject(s.cfg.Name, "")) {
			err = errors.Join(err, s.dropOldChunks(ctx, subject, before))
		}
	}
	return err
}

// dropOldChunks purges unreferenced chunks if the last one is old.
func (s *Store) dropOldChunks(ctx context.Context, subject string, before time.Time) error {
	m, err := jetio.ReadLast(ctx, s.cfg.NC, jetio.ObjectStream(s.cfg.Name), subject)
	if errors.Is(err, jetio.ErrNotFound) || err == nil && !m.Time.Before(before) {
		return nil
	}
	if err == nil {
		err = s.stream.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(m.Sequence+1))
	}
	if err != nil {
		return fmt.Errorf("purge unfinished %s: %w", subject, err)
	}
	return nil
}

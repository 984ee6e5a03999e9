package deploy

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// minAge is the minimum age of an unreferenced object before a sweep may remove
// it. A deployment touches a jar before it refers to it, and must finish within
// the rest of that time: see [objects.TouchAge].
const minAge = time.Hour

// sweepState records how far the swept streams were at the last sweep.
type sweepState struct {
	last  [3]uint64 // last sequence of each stream
	since time.Time // when the bus first saw these sequences
	swept bool      // a sweep succeeded when everything was older than minAge
}

// sweepIfDue sweeps unless nothing was written since a sweep that covered
// everything: a sweep makes the server read the whole object store.
func (d *Deployer) sweepIfDue(ctx context.Context) (due bool, err error) {
	var now [3]uint64
	for i, name := range []string{jetio.ObjectStream(subjects.ArtifactsStore), jetio.BucketStream(subjects.DeploymentsBucket), jetio.BucketStream(subjects.AppsBucket)} {
		s, err := d.b.JS.Stream(ctx, name)
		if err != nil {
			return true, wrapError(err, "read the state of the stream %s", name)
		}
		now[i] = s.CachedInfo().State.LastSeq
	}
	if now != d.lastSweep.last || d.lastSweep.since.IsZero() {
		d.lastSweep = sweepState{last: now, since: time.Now()}
	}
	if d.lastSweep.swept {
		return false, nil
	}
	err = d.sweepStore(ctx)
	d.lastSweep.swept = err == nil && time.Since(d.lastSweep.since) > minAge+sweepEvery // clocks may differ
	return true, err
}

// sweepStore removes records that never became revisions, the class paths of
// deleted applications, jars that no record refers to, and the remains of
// unfinished uploads.
func (d *Deployer) sweepStore(ctx context.Context) error {
	defer collectEarly()()
	before := time.Now().Add(-minAge)
	objects, err := d.objects.List(ctx)
	if err != nil {
		return err
	}
	if err := d.sweepRecords(ctx, before); err != nil {
		return err
	}
	named, err := d.referencedObjects(ctx)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if named[o.Name] || !o.ModTime.Before(before) {
			continue
		}
		if rerr := d.objects.Remove(ctx, o); rerr != nil && !errors.Is(rerr, bus.ErrChanged) {
			err = errors.Join(err, rerr)
		}
	}
	return errors.Join(err, d.objects.Clean(ctx, before))
}

// referencedObjects returns the SHA-256 of each object that a record refers to.
func (d *Deployer) referencedObjects(ctx context.Context) (map[string]bool, error) {
	list, err := d.b.Revisions.List(ctx, "*.*")
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	for _, e := range list {
		r, err := d.unpackRevision(ctx, &e.Value)
		if err != nil {
			return nil, err // without its references, no object may be removed
		}
		named[r.Object] = true
		for _, a := range r.manifest.Artifacts {
			named[a.SHA256] = true
		}
	}
	return named, nil
}

// sweepRecords removes old records that never became revisions, and revisions
// of deleted applications.
func (d *Deployer) sweepRecords(ctx context.Context, before time.Time) error {
	list, err := d.b.Revisions.List(ctx, "*.*")
	if err != nil {
		return err
	}
	apps := map[string][]bus.Entry[bus.Revision]{}
	for _, e := range list {
		apps[e.Value.App] = append(apps[e.Value.App], e)
	}
	for app, all := range apps {
		err = errors.Join(err, d.sweepApp(ctx, app, all, before))
	}
	return err
}

func (d *Deployer) sweepApp(ctx context.Context, app string, all []bus.Entry[bus.Revision], before time.Time) error {
	old := func(e bus.Entry[bus.Revision]) bool { return e.Time.Before(before) }
	young := slices.ContainsFunc(all, func(e bus.Entry[bus.Revision]) bool { return !old(e) })
	if _, err := d.b.Apps.Get(ctx, app); errors.Is(err, bus.ErrNotFound) && !young {
		if err := d.Remove(ctx, app); err != nil {
			return err
		}
	}
	head, err := d.readDeployed(ctx, app)
	if err != nil {
		return err
	}
	for _, e := range all {
		if slices.Contains(head.Value.Kept, e.Value.Number) || !old(e) {
			continue
		}
		if perr := d.b.Revisions.Purge(ctx, e.Key, e.Revision, markerTTL); perr != nil && !errors.Is(perr, bus.ErrChanged) {
			err = errors.Join(err, perr)
		}
	}
	return err
}

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

// grace is how old must be what is removed because nobody names it. Whoever
// means to name a jar touches it first, and has the rest of that time for it:
// see [objects.TouchAge].
const grace = time.Hour

// sight is how far the streams were that a sweep looks at.
type sight struct {
	last  [3]uint64 // sequences
	since time.Time
	swept bool // and when all of it was older than grace
}

// sweepDue sweeps, unless nothing was written since the last sweep that could
// have taken all of it: a sweep has the server read the whole object store.
func (d *Deployer) sweepDue(ctx context.Context) (due bool, err error) {
	var now [3]uint64
	for i, name := range []string{jetio.ObjectStream(subjects.ArtifactsStore), subjects.BucketStream(subjects.DeploymentsBucket), subjects.BucketStream(subjects.AppsBucket)} {
		s, err := d.b.JS.Stream(ctx, name)
		if err != nil {
			return true, wrap(err, "look at the stream %s", name)
		}
		now[i] = s.CachedInfo().State.LastSeq
	}
	if now != d.seen.last || d.seen.since.IsZero() {
		d.seen = sight{last: now, since: time.Now()}
	}
	if d.seen.swept {
		return false, nil
	}
	err = d.sweep(ctx)
	d.seen.swept = err == nil && time.Since(d.seen.since) > grace+sweepEvery // clocks differ
	return true, err
}

// sweep takes away records that are no revisions, the class paths of
// applications that are gone, jars that no record names, and what uploads left
// that did not finish.
func (d *Deployer) sweep(ctx context.Context) error {
	defer thrifty()()
	before := time.Now().Add(-grace)
	objects, err := d.objects.List(ctx)
	if err != nil {
		return err
	}
	if err := d.sweepRecords(ctx, before); err != nil {
		return err
	}
	named, err := d.named(ctx)
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

// named are the SHA-256 of all that a record names.
func (d *Deployer) named(ctx context.Context) (map[string]bool, error) {
	list, err := d.b.Revisions.List(ctx, "*.*")
	if err != nil {
		return nil, err
	}
	named := map[string]bool{}
	for _, e := range list {
		r, err := d.unpack(ctx, &e.Value)
		if err != nil {
			return nil, err // what it names is not known
		}
		named[r.Object] = true
		for _, a := range r.manifest.Artifacts {
			named[a.SHA256] = true
		}
	}
	return named, nil
}

// sweepRecords takes away old records that are no revisions, and revisions that
// belong to no application.
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
	head, err := d.deployed(ctx, app)
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

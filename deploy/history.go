package deploy

import (
	"context"
	"errors"
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

func noRevision(app string, n int) error {
	return bus.State(bus.CodeNoSuchRevision, "%s has no revision %d", app, n)
}

// read reads the record of a revision; none is an error with the code
// no_such_revision.
func (d *Deployer) read(ctx context.Context, app string, n int) (*revision, error) {
	e, err := d.b.Revisions.Get(ctx, bus.RevisionKey(app, n))
	if errors.Is(err, bus.ErrNotFound) {
		return nil, noRevision(app, n)
	}
	if err != nil {
		return nil, err
	}
	return d.unpack(ctx, &e.Value)
}

// Revisions lists the newest ten revisions, the newest first, and with them the
// current one.
func (d *Deployer) Revisions(ctx context.Context, app string) ([]Deployment, error) {
	head, err := d.deployed(ctx, app)
	if err != nil {
		return nil, err
	}
	var all []Deployment
	for _, n := range slices.Backward(head.Value.Kept) {
		r, err := d.read(ctx, app, n)
		var gone *bus.StateError
		if errors.As(err, &gone) { // given up since
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, *r.deployment(head.Value.Current))
	}
	return all, nil
}

// Revision reads one revision; none is an error with the code no_such_revision.
func (d *Deployer) Revision(ctx context.Context, app string, n int) (*Deployment, error) {
	head, err := d.deployed(ctx, app)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(head.Value.Kept, n) {
		return nil, noRevision(app, n)
	}
	r, err := d.read(ctx, app, n)
	if err != nil {
		return nil, err
	}
	return r.deployment(head.Value.Current), nil
}

// MakeCurrent makes a kept revision current again; the revision itself stays as
// it is, with its number.
func (d *Deployer) MakeCurrent(ctx context.Context, app string, n int) (*Deployment, error) {
	for {
		head, err := d.deployed(ctx, app)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(head.Value.Kept, n) {
			return nil, noRevision(app, n)
		}
		r, err := d.read(ctx, app, n)
		if err != nil {
			return nil, err
		}
		next := head.Value
		next.Current = n
		rev, err := d.point(ctx, head, next)
		switch {
		case err == nil:
			d.known.put(app, rev, n, &r.manifest)
			return r.deployment(n), nil
		case !errors.Is(err, bus.ErrChanged):
			return nil, wrap(err, "make revision %d of %s current", n, app)
		}
	}
}

// Remove gives up all revisions of an application. A deployment that is under
// way ends with an error.
func (d *Deployer) Remove(ctx context.Context, app string) error {
	for {
		head, err := d.deployed(ctx, app)
		if err != nil || head.Revision == 0 || head.Value.Current == 0 {
			return err
		}
		next := bus.Deployed{Last: head.Value.Last, Removed: head.Value.Removed + 1}
		rev, err := d.point(ctx, head, next)
		switch {
		case err == nil:
			d.known.put(app, rev, 0, &manifest{})
			d.giveUp(ctx, app, &head.Value, &next)
			return nil
		case !errors.Is(err, bus.ErrChanged):
			return wrap(err, "remove the class path of %s", app)
		}
	}
}

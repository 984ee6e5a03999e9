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

// readRevision reads a stored revision. If there is none, the error has the
// code no_such_revision.
func (d *Deployer) readRevision(ctx context.Context, app string, n int) (*revision, error) {
	e, err := d.b.Revisions.Get(ctx, bus.RevisionKey(app, n))
	if errors.Is(err, bus.ErrNotFound) {
		return nil, noRevision(app, n)
	}
	if err != nil {
		return nil, err
	}
	return d.unpackRevision(ctx, &e.Value)
}

// Revisions returns the kept revisions, the newest first: the newest ten, and
// the current one if it is older.
func (d *Deployer) Revisions(ctx context.Context, app string) ([]Deployment, error) {
	head, err := d.readDeployed(ctx, app)
	if err != nil {
		return nil, err
	}
	var all []Deployment
	for _, n := range slices.Backward(head.Value.Kept) {
		r, err := d.readRevision(ctx, app, n)
		var gone *bus.StateError
		if errors.As(err, &gone) { // purged since
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, *r.toDeployment(head.Value.Current))
	}
	return all, nil
}

// Revision returns a kept revision. If there is none, the error has the code
// no_such_revision.
func (d *Deployer) Revision(ctx context.Context, app string, n int) (*Deployment, error) {
	head, err := d.readDeployed(ctx, app)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(head.Value.Kept, n) {
		return nil, noRevision(app, n)
	}
	r, err := d.readRevision(ctx, app, n)
	if err != nil {
		return nil, err
	}
	return r.toDeployment(head.Value.Current), nil
}

// MakeCurrent makes a kept revision current again. The revision keeps its
// number and content.
func (d *Deployer) MakeCurrent(ctx context.Context, app string, n int) (*Deployment, error) {
	for {
		head, err := d.readDeployed(ctx, app)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(head.Value.Kept, n) {
			return nil, noRevision(app, n)
		}
		r, err := d.readRevision(ctx, app, n)
		if err != nil {
			return nil, err
		}
		next := head.Value
		next.Current = n
		rev, err := d.writeDeployed(ctx, head, next)
		switch {
		case err == nil:
			d.cache.putRevision(app, rev, n, &r.manifest)
			return r.toDeployment(n), nil
		case !errors.Is(err, bus.ErrChanged):
			return nil, wrapError(err, "make revision %d of %s current", n, app)
		}
	}
}

// Remove removes all revisions of an application. A concurrent deployment ends
// with an error.
func (d *Deployer) Remove(ctx context.Context, app string) error {
	for {
		head, err := d.readDeployed(ctx, app)
		if err != nil || head.Revision == 0 || head.Value.Current == 0 {
			return err
		}
		next := bus.Deployed{Last: head.Value.Last, Removed: head.Value.Removed + 1}
		rev, err := d.writeDeployed(ctx, head, next)
		switch {
		case err == nil:
			d.cache.putRevision(app, rev, 0, &manifest{})
			d.purgeUnkept(ctx, app, &head.Value, &next)
			return nil
		case !errors.Is(err, bus.ErrChanged):
			return wrapError(err, "remove the class path of %s", app)
		}
	}
}

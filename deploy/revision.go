package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/objects"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// kept is how many revisions of an application are kept; the current one may be
// older.
const kept = 10

// markerTTL is how long the marker of a record that was given up stays.
const markerTTL = time.Minute

// base is what a deployment began with.
type base struct {
	bus.Entry[bus.Deployed]
	begun time.Time
	exact bool // it must still be so at the end
}

// errBase is a class path that is not any more what was added to.
var errBase = fmt.Errorf("another deployment came first: %w", bus.ErrChanged)

// deployed reads what is current; revision 0 of the key is that nothing ever
// was.
func (d *Deployer) deployed(ctx context.Context, app string) (base, error) {
	begun := time.Now()
	e, err := d.b.Deployed.Get(ctx, app)
	if errors.Is(err, bus.ErrNotFound) {
		return base{Entry: bus.Entry[bus.Deployed]{Key: app}, begun: begun}, nil
	}
	return base{Entry: e, begun: begun}, err
}

// point writes what is current, if it is still as it was read. An outcome that
// is not known is looked up; what is not there then may still be on its way,
// and stays [bus.ErrUnknown]. With any other error nothing was written, and
// nothing will be.
func (d *Deployer) point(ctx context.Context, was base, next bus.Deployed) (rev uint64, err error) {
	if err := ctx.Err(); err != nil { // nothing was sent
		return 0, err
	}
	next.Time = subjects.Now()
	if was.Revision == 0 {
		rev, err = d.b.Deployed.Create(ctx, was.Key, next)
	} else {
		rev, err = d.b.Deployed.Update(ctx, was.Key, next, was.Revision)
	}
	if errors.Is(err, bus.ErrExists) {
		err = errors.Join(bus.ErrChanged, err)
	}
	if err == nil || refused(err) {
		return rev, err
	}
	now, rerr := d.deployed(context.WithoutCancel(ctx), was.Key)
	if rerr == nil && now.Revision > was.Revision && same(&now.Value, &next) {
		return now.Revision, nil
	}
	return 0, fmt.Errorf("%w: %w", bus.ErrUnknown, err)
}

// refused says whether a write that failed is not stored and never will be: the
// broker said so, or did not get it.
func refused(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, bus.ErrChanged) || errors.As(err, &api) ||
		errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrReconnectBufExceeded)
}

// same says whether two writers would have written the same.
func same(a, b *bus.Deployed) bool {
	return a.Current == b.Current && a.Last == b.Last && a.Removed == b.Removed && slices.Equal(a.Kept, b.Kept)
}

// save writes the record, then makes it a revision, which is current. A bus
// that dies in between leaves a record that is not there for anybody, and that
// a sweep takes away.
func (d *Deployer) save(ctx context.Context, base base, r *revision) (*bus.Deployed, error) {
	if err := d.pack(ctx, r); err != nil {
		return nil, err
	}
	if time.Since(base.begun) > objects.TouchAge { // then the jars were touched so long ago
		for _, a := range r.manifest.Artifacts {
			if _, err := d.jar(ctx, a.SHA256); err != nil {
				return nil, err
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, grace/2) // then nobody may have taken the record away for its age
	defer cancel()
	rev, err := d.create(ctx, base, &r.Revision)
	if err != nil {
		return nil, err
	}
	head, err := d.promote(ctx, base, r)
	if err != nil && !errors.Is(err, bus.ErrUnknown) {
		if perr := d.b.Revisions.Purge(context.WithoutCancel(ctx), r.Key(), rev, markerTTL); perr != nil {
			d.log.Debug("a record stays until the next sweep", "app", r.App, "revision", r.Number, "err", perr)
		}
	}
	return head, err
}

// create writes the record under the next number that is free.
func (d *Deployer) create(ctx context.Context, base base, rec *bus.Revision) (rev uint64, err error) {
	for rec.Number = base.Value.Last + 1; ; rec.Number++ {
		if rev, err = d.b.Revisions.Create(ctx, rec.Key(), *rec); !errors.Is(err, bus.ErrExists) {
			return rev, err
		}
	}
}

// promote makes a record a revision, and the current one unless one with a
// higher number was deployed in the meantime.
func (d *Deployer) promote(ctx context.Context, base base, r *revision) (*bus.Deployed, error) {
	for removed, exact := base.Value.Removed, base.exact; ; {
		next := with(base.Value, r.Number)
		rev, err := d.point(ctx, base, next)
		if err == nil {
			d.promoted(ctx, rev, r, &base.Value, &next)
			return &next, nil
		}
		if !errors.Is(err, bus.ErrChanged) {
			return nil, err
		}
		if base, err = d.deployed(ctx, r.App); err != nil {
			return nil, err
		}
		switch {
		case base.Value.Removed != removed:
			return nil, errRemoved
		case exact:
			return nil, errBase
		}
	}
}

// with is what is deployed once there is a revision of that number.
func with(was bus.Deployed, number int) bus.Deployed {
	next := was
	if number > was.Last {
		next.Current, next.Last = number, number
	}
	all := append(slices.Clone(was.Kept), number)
	slices.Sort(all)
	from := max(0, len(all)-kept)
	next.Kept = slices.Clone(all[from:])
	if slices.Contains(all[:from], next.Current) {
		next.Kept = slices.Insert(next.Kept, 0, next.Current)
	}
	return next
}

// promoted does what is to be done when there is a new revision.
func (d *Deployer) promoted(ctx context.Context, rev uint64, r *revision, was, next *bus.Deployed) {
	if next.Current == r.Number {
		d.known.put(r.App, rev, r.Number, &r.manifest)
	}
	d.giveUp(ctx, r.App, was, next)
}

// giveUp takes away the records that are not kept any more. What it cannot, the
// next sweep does.
func (d *Deployer) giveUp(ctx context.Context, app string, was, next *bus.Deployed) {
	for _, n := range was.Kept {
		if slices.Contains(next.Kept, n) {
			continue
		}
		e, err := d.b.Revisions.Get(ctx, bus.RevisionKey(app, n))
		if err == nil {
			err = d.b.Revisions.Purge(ctx, e.Key, e.Revision, markerTTL)
		}
		if err != nil && !errors.Is(err, bus.ErrNotFound) {
			d.log.Debug("a record stays until the next sweep", "app", app, "revision", n, "err", err)
		}
	}
}

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

// keptRevisions is the number of newest revisions that an application keeps.
// The current one is kept as well, even if it is older.
const keptRevisions = 10

// markerTTL is the lifetime of the marker that a purged record leaves.
const markerTTL = time.Minute

// baseline is the pointer of an application as a deployment read it at its
// start.
type baseline struct {
	bus.Entry[bus.Deployed]
	begun time.Time
	exact bool // the deployment fails if the pointer has changed since
}

// errOvertaken means that another deployment replaced the class path to which
// jars were to be added.
var errOvertaken = fmt.Errorf("another deployment finished first: %w", bus.ErrChanged)

// readDeployed reads the pointer of an application. Its KV revision is 0 if the
// application never had one.
func (d *Deployer) readDeployed(ctx context.Context, app string) (baseline, error) {
	begun := time.Now()
	e, err := d.b.Deployed.Get(ctx, app)
	if errors.Is(err, bus.ErrNotFound) {
		return baseline{Entry: bus.Entry[bus.Deployed]{Key: app}, begun: begun}, nil
	}
	return baseline{Entry: e, begun: begun}, err
}

// writeDeployed writes the pointer by compare-and-set. If the outcome is
// unknown, it reads the pointer back. If the write is not visible then, it may
// still arrive, and the error is [bus.ErrUnknown]. Any other error means that
// nothing was written, and nothing will be.
func (d *Deployer) writeDeployed(ctx context.Context, was baseline, next bus.Deployed) (rev uint64, err error) {
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
	if err == nil || wasRefused(err) {
		return rev, err
	}
	now, rerr := d.readDeployed(context.WithoutCancel(ctx), was.Key)
	if rerr == nil && now.Revision > was.Revision && sameDeployed(&now.Value, &next) {
		return now.Revision, nil
	}
	return 0, fmt.Errorf("%w: %w", bus.ErrUnknown, err)
}

// wasRefused reports whether a failed write is not stored and never will be:
// the broker refused it, or it was never sent.
func wasRefused(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, bus.ErrChanged) || errors.As(err, &api) ||
		errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrReconnectBufExceeded)
}

// sameDeployed reports whether two pointers are equal, apart from their times.
func sameDeployed(a, b *bus.Deployed) bool {
	return a.Current == b.Current && a.Last == b.Last && a.Removed == b.Removed && slices.Equal(a.Kept, b.Kept)
}

// saveRevision writes the record, then moves the pointer to it. A bus that dies
// in between leaves a record that no reader sees and that a sweep removes.
func (d *Deployer) saveRevision(ctx context.Context, base baseline, r *revision) (*bus.Deployed, error) {
	if err := d.packManifest(ctx, r); err != nil {
		return nil, err
	}
	if time.Since(base.begun) > objects.TouchAge { // the touches at the start may be too old
		for _, a := range r.manifest.Artifacts {
			if _, err := d.touchJar(ctx, a.SHA256); err != nil {
				return nil, err
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, minAge/2) // finish before a sweep may remove the record
	defer cancel()
	rev, err := d.createRevision(ctx, base, &r.Revision)
	if err != nil {
		return nil, err
	}
	head, err := d.promoteRevision(ctx, base, r)
	if err != nil && !errors.Is(err, bus.ErrUnknown) {
		if perr := d.b.Revisions.Purge(context.WithoutCancel(ctx), r.Key(), rev, markerTTL); perr != nil {
			d.log.Debug("record not purged, the next sweep retries", "app", r.App, "revision", r.Number, "err", perr)
		}
	}
	return head, err
}

// createRevision writes the record under the next free number.
func (d *Deployer) createRevision(ctx context.Context, base baseline, rec *bus.Revision) (rev uint64, err error) {
	for rec.Number = base.Value.Last + 1; ; rec.Number++ {
		if rev, err = d.b.Revisions.Create(ctx, rec.Key(), *rec); !errors.Is(err, bus.ErrExists) {
			return rev, err
		}
	}
}

// promoteRevision adds a record to the kept revisions. It becomes the current
// one unless a higher number was deployed in the meantime.
func (d *Deployer) promoteRevision(ctx context.Context, base baseline, r *revision) (*bus.Deployed, error) {
	for removed, exact := base.Value.Removed, base.exact; ; {
		next := withRevision(base.Value, r.Number)
		rev, err := d.writeDeployed(ctx, base, next)
		if err == nil {
			d.afterPromotion(ctx, rev, r, &base.Value, &next)
			return &next, nil
		}
		if !errors.Is(err, bus.ErrChanged) {
			return nil, err
		}
		if base, err = d.readDeployed(ctx, r.App); err != nil {
			return nil, err
		}
		switch {
		case base.Value.Removed != removed:
			return nil, errRemoved
		case exact:
			return nil, errOvertaken
		}
	}
}

// withRevision returns the pointer with a new revision added.
func withRevision(was bus.Deployed, number int) bus.Deployed {
	next := was
	if number > was.Last {
		next.Current, next.Last = number, number
	}
	all := append(slices.Clone(was.Kept), number)
	slices.Sort(all)
	from := max(0, len(all)-keptRevisions)
	next.Kept = slices.Clone(all[from:])
	if slices.Contains(all[:from], next.Current) {
		next.Kept = slices.Insert(next.Kept, 0, next.Current)
	}
	return next
}

// afterPromotion updates the component cache and purges revisions that are no
// longer kept.
func (d *Deployer) afterPromotion(ctx context.Context, rev uint64, r *revision, was, next *bus.Deployed) {
	if next.Current == r.Number {
		d.cache.putRevision(r.App, rev, r.Number, &r.manifest)
	}
	d.purgeUnkept(ctx, r.App, was, next)
}

// purgeUnkept purges the records of revisions that are no longer kept. If a
// purge fails, the next sweep retries it.
func (d *Deployer) purgeUnkept(ctx context.Context, app string, was, next *bus.Deployed) {
	for _, n := range was.Kept {
		if slices.Contains(next.Kept, n) {
			continue
		}
		e, err := d.b.Revisions.Get(ctx, bus.RevisionKey(app, n))
		if err == nil {
			err = d.b.Revisions.Purge(ctx, e.Key, e.Revision, markerTTL)
		}
		if err != nil && !errors.Is(err, bus.ErrNotFound) {
			d.log.Debug("record not purged, the next sweep retries", "app", app, "revision", n, "err", err)
		}
	}
}

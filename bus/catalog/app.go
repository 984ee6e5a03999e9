package catalog

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// App returns an application and its revision. It asks the store if the read
// model does not know the application yet: another bus may just have created
// it. The error is a StateError no_such_app.
func (c *Catalog) App(ctx context.Context, name string) (bus.App, uint64, error) {
	if a, revision, ok := c.x.App(name); ok {
		return a, revision, nil
	}
	e, err := c.b.Apps.Get(ctx, name)
	if errors.Is(err, bus.ErrNotFound) {
		err = bus.NoSuchApp(name)
	}
	return e.Value, e.Revision, err
}

// CheckApp reports whether [Catalog.SaveApp] would refuse a write by the
// condition now.
func (c *Catalog) CheckApp(ctx context.Context, name string, allowed Condition) error {
	e, err := c.b.Apps.Get(ctx, name)
	if err != nil && !errors.Is(err, bus.ErrNotFound) {
		return err
	}
	return allowed.check(e.Revision)
}

// SaveApp creates an application or changes its description.
func (c *Catalog) SaveApp(ctx context.Context, name, description string, allowed Condition) (e bus.Entry[bus.App], did Change, err error) {
	e, err = c.b.Apps.ChangeEntry(ctx, name, func(was *bus.Entry[bus.App]) (*bus.App, error) {
		now := subjects.Now()
		a := bus.App{Name: name, Description: description, CreateTime: now, UpdateTime: now}
		if did = Created; was == nil {
			return &a, allowed.check(0)
		}
		did, a.CreateTime = Changed, was.Value.CreateTime
		return &a, allowed.check(was.Revision)
	})
	if err != nil {
		return e, "", err
	}
	c.x.PutApp(name, &e.Value, e.Revision)
	c.b.Event("app", string(did), []string{name}, nil)
	return e, did, nil
}

// AnnounceDeployment publishes that the class path of an application has
// changed.
func (c *Catalog) AnnounceDeployment(app string) {
	c.b.Event("app", "deployed", []string{app}, nil)
}

// DeleteApp deletes an application that has no jobs, with its queue and its
// history. StateErrors: no_such_app, app_in_use.
func (c *Catalog) DeleteApp(ctx context.Context, app string) error {
	if app == bus.DefaultApp {
		return bus.State(bus.CodeAppInUse, "the application %s cannot be deleted", bus.DefaultApp)
	}
	e, err := c.b.Apps.Get(ctx, app)
	if errors.Is(err, bus.ErrNotFound) {
		return bus.NoSuchApp(app)
	}
	if err != nil {
		return err
	}
	jobs, err := c.b.Jobs.List(ctx, app+".*")
	if err != nil {
		return err
	}
	jobs = slices.DeleteFunc(jobs, func(e bus.Entry[bus.Job]) bool { return e.Value.Definition == nil })
	if len(jobs) > 0 {
		return bus.State(bus.CodeAppInUse, "the application %s has %d jobs: delete them first", app, len(jobs))
	}
	if err := c.b.Apps.Delete(ctx, app, e.Revision); err != nil {
		return err
	}
	c.x.PutApp(app, nil, e.Revision+1)
	if err := cmp.Or(c.deletePauses(ctx, app), c.deleteSecrets(ctx, app)); err != nil {
		return err
	}
	for _, job := range c.x.JobKeys(app) {
		if err := c.cfg.History.DeleteHistory(ctx, app, job); err != nil {
			return err
		}
	}
	return c.b.RemoveQueue(ctx, app)
}

// deleteSecrets deletes the secrets of an application that is gone.
func (c *Catalog) deleteSecrets(ctx context.Context, app string) error {
	keys, err := c.b.Secrets.Keys(ctx, bus.SecretKey(app, "*"))
	if err != nil {
		return err
	}
	for _, key := range keys {
		e, err := c.b.Secrets.Get(ctx, key)
		if err == nil {
			err = c.b.Secrets.Delete(ctx, key, e.Revision)
		}
		if err != nil && !errors.Is(err, bus.ErrNotFound) {
			return err
		}
	}
	return nil
}

// deletePauses deletes the pauses of an application without jobs: they must not
// hold back a later application of the same name.
func (c *Catalog) deletePauses(ctx context.Context, app string) error {
	key := bus.PausesKey(app)
	e, err := c.b.Pauses.Get(ctx, key)
	if err == nil {
		err = c.b.Pauses.Delete(ctx, key, e.Revision)
	}
	if errors.Is(err, bus.ErrNotFound) {
		return nil
	}
	return err
}

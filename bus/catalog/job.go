package catalog

import (
	"context"
	"errors"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Ref is a job that a caller means.
type Ref struct {
	App  string
	Name string // as the caller calls it, for errors
	Key  string // its permanent key
}

// Job returns a job. It asks the store if the read model does not know the job
// yet: another bus may just have created it. StateErrors: no_such_app,
// no_such_job.
func (c *Catalog) Job(ctx context.Context, at Ref) (*index.Job, error) {
	if j, ok := c.x.Job(at.App, at.Key); ok {
		return j, nil
	}
	if _, _, err := c.App(ctx, at.App); err != nil {
		return nil, err
	}
	e, err := c.b.Job(ctx, at.App, at.Key)
	if errors.Is(err, bus.ErrNotFound) {
		err = bus.NoSuchJob(at.App, at.Name)
	}
	if err != nil {
		return nil, err
	}
	j := &index.Job{Job: e.Value, Revision: bus.EditOf(e)}
	j.JSL, _ = jsl.Restore(e.Value.Definition) // as in the index: what of it is understood
	return j, nil
}

// StoredJob reads a job by its permanent key from the leader, or returns an
// error that is [bus.ErrNotFound].
func (c *Catalog) StoredJob(ctx context.Context, app, key string) (bus.Entry[bus.Job], error) {
	return c.b.Job(ctx, app, key)
}

// JobNamed is [Catalog.StoredJob] by the present name of the job.
func (c *Catalog) JobNamed(ctx context.Context, app, name string) (bus.Entry[bus.Job], error) {
	return c.b.JobNamed(ctx, app, name)
}

// SaveJob stores the job that change returns for the job with this name, nil
// for none. If change gives it another name, the job is renamed. StateErrors:
// no_such_job if there is no job to rename, job_exists if another job has the
// new name.
func (c *Catalog) SaveJob(ctx context.Context, app, name string, allowed Condition, change func(was *bus.Job) (bus.Job, error)) (e bus.Entry[bus.Job], did Change, err error) {
	for {
		e, did, err = c.trySaveJob(ctx, app, name, allowed, change)
		if !errors.Is(err, bus.ErrChanged) {
			break
		}
	}
	if err != nil {
		return e, did, err
	}
	key := e.Value.PermanentKey
	c.x.PutJob(app, key, &e.Value, e.Revision)
	var names any
	if did == Renamed {
		names = map[string]string{"was": name, "name": e.Value.Name}
	}
	c.b.Event("job", string(did), []string{app, key}, names)
	return e, did, nil
}

func (c *Catalog) trySaveJob(ctx context.Context, app, name string, allowed Condition, change func(was *bus.Job) (bus.Job, error)) (e bus.Entry[bus.Job], did Change, err error) {
	was, err := c.b.JobNamed(ctx, app, name)
	if errors.Is(err, bus.ErrNotFound) {
		return c.tryCreateJob(ctx, app, name, allowed, change)
	}
	if err == nil {
		err = allowed.check(bus.EditOf(was))
	}
	if err != nil {
		return e, "", err
	}
	is, err := change(&was.Value)
	if err == nil {
		err = c.setTriggers(&is, was.Value.Settings.Triggers, is.Settings.Triggers)
	}
	if err != nil {
		return e, "", err
	}
	e = bus.Entry[bus.Job]{Key: was.Key, Value: is}
	if is.Name == name {
		e.Revision, err = c.b.Jobs.Update(ctx, was.Key, is, was.Revision)
		return e, Changed, err
	}
	if e.Revision, err = c.renameJob(ctx, was, is); errors.Is(err, bus.ErrExists) {
		err = bus.State(bus.CodeJobExists, "a job %s already exists in the application %s: %s cannot be renamed to it", is.Name, is.App, name)
	}
	return e, Renamed, err
}

func (c *Catalog) tryCreateJob(ctx context.Context, app, name string, allowed Condition, change func(was *bus.Job) (bus.Job, error)) (e bus.Entry[bus.Job], did Change, err error) {
	if err := allowed.check(0); err != nil {
		return e, "", err
	}
	is, err := change(nil)
	switch {
	case err != nil:
		return e, "", err
	case is.Name != name:
		return e, "", bus.NoSuchJob(app, name)
	}
	if err := c.setTriggers(&is, nil, is.Settings.Triggers); err != nil {
		return e, "", err
	}
	if e, err = c.createJob(ctx, is); errors.Is(err, bus.ErrExists) {
		err = bus.ErrChanged
	}
	return e, Created, err
}

// ChangeJob stores what change makes of an existing job, which keeps its name.
// StateErrors: no_such_app, no_such_job.
func (c *Catalog) ChangeJob(ctx context.Context, at Ref, change func(*bus.Job) error) (*bus.Job, error) {
	e, err := c.b.Jobs.Change(ctx, bus.JobKey(at.App, at.Key), func(j *bus.Job) (*bus.Job, error) {
		if j == nil || j.Definition == nil {
			if _, _, err := c.App(ctx, at.App); err != nil {
				return nil, err
			}
			return nil, bus.NoSuchJob(at.App, at.Name)
		}
		j.PermanentKey = at.Key // earlier versions did not store it
		was := j.Settings.Triggers
		if err := change(j); err != nil {
			return nil, err
		}
		if err := c.setTriggers(j, was, j.Settings.Triggers); err != nil {
			return nil, err
		}
		j.UpdateTime, j.Edit = subjects.Now(), 0
		return j, nil
	})
	if err != nil {
		return nil, err
	}
	c.x.PutJob(at.App, at.Key, &e.Value, e.Revision)
	c.b.Event("job", string(Changed), []string{at.App, at.Key}, nil)
	return &e.Value, nil
}

// DeleteJob deletes a job with its schedules, and with its history unless
// keepHistory is set. StateErrors: no_such_job, job_renamed,
// job_execution_is_running while an execution has not ended.
func (c *Catalog) DeleteJob(ctx context.Context, app, key string, allowed Condition, keepHistory bool) error {
	for {
		err := c.tryDeleteJob(ctx, app, key, allowed, keepHistory)
		if !errors.Is(err, bus.ErrChanged) {
			return err
		}
	}
}

func (c *Catalog) tryDeleteJob(ctx context.Context, app, key string, allowed Condition, keepHistory bool) error {
	e, err := c.b.Job(ctx, app, key)
	none := errors.Is(err, bus.ErrNotFound)
	if err != nil && !none {
		return err
	}
	if err := allowed.check(bus.EditOf(e)); err != nil {
		return err
	}
	if none {
		return bus.NoSuchJob(app, c.x.JobName(app, key))
	}
	if keepHistory && bus.NameKey(e.Value.Name) != e.Value.PermanentKey {
		return bus.State(bus.CodeRenamed, "the history of %s is stored under the job's first name, %s: rename the job back, or delete the history too", e.Value.Name, c.x.FirstName(app, key))
	}
	if n := c.x.LiveOf(app, key); n > 0 {
		return bus.State(bus.CodeIsRunning, "the job %s has %d executions that have not ended", bus.JobKey(app, e.Value.Name), n)
	}
	if err := c.cfg.Schedules.CloseSchedules(ctx, app, key); err != nil {
		return err
	}
	if err := c.removeJob(ctx, e); err != nil {
		return err
	}
	c.x.PutJob(app, key, nil, e.Revision+1)
	if keepHistory {
		return nil
	}
	return c.cfg.History.DeleteHistory(ctx, app, key)
}

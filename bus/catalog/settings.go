package catalog

import (
	"context"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// SetExclusive sets whether a job runs one execution at a time.
func (c *Catalog) SetExclusive(ctx context.Context, at Ref, exclusive bool) (*bus.Job, error) {
	return c.ChangeJob(ctx, at, func(j *bus.Job) error {
		def, err := jsl.Restore(j.Definition)
		if err == nil {
			def.Exclusive = exclusive
			j.Definition, err = def.MarshalJSON()
		}
		return err
	})
}

// SetTimeMonitor sets the time monitor of a job; nil removes it.
func (c *Catalog) SetTimeMonitor(ctx context.Context, at Ref, m *bus.TimeMonitor) (*bus.Job, error) {
	return c.ChangeJob(ctx, at, func(j *bus.Job) error {
		j.Settings.TimeMonitor = m
		return nil
	})
}

// SetTriggers sets the triggers of a job; nil removes them. The error may be a
// FieldError: the triggers would start the job by its own executions.
func (c *Catalog) SetTriggers(ctx context.Context, at Ref, t *bus.Triggers) (*bus.Job, error) {
	return c.ChangeJob(ctx, at, func(j *bus.Job) error {
		j.Settings.Triggers = t
		return nil
	})
}

// SetSLA sets what a job promises; nil removes it. A promise that stays the same
// counts from when it was made.
func (c *Catalog) SetSLA(ctx context.Context, at Ref, s *bus.SLA) (*bus.Job, error) {
	return c.ChangeJob(ctx, at, func(j *bus.Job) error {
		j.Settings.SetSLA(s)
		return nil
	})
}

// NewNotificationID returns a unique id for a status notification.
func (c *Catalog) NewNotificationID(ctx context.Context) (int64, error) { return c.b.NextID(ctx) }

// AddNotification adds a status notification to a job.
func (c *Catalog) AddNotification(ctx context.Context, at Ref, n bus.StatusNotification) (*bus.Job, error) {
	return c.ChangeJob(ctx, at, func(j *bus.Job) error {
		kept, _ := j.Settings.Without(n.ID)
		j.Settings.Notifications = append(kept, n)
		return nil
	})
}

// RemoveNotification removes a status notification from a job. The error may be
// a StateError no_such_status_notification.
func (c *Catalog) RemoveNotification(ctx context.Context, at Ref, id int64) (*bus.Job, error) {
	return c.ChangeJob(ctx, at, func(j *bus.Job) error {
		kept, found := j.Settings.Without(id)
		if !found {
			return bus.State(bus.CodeNoNotification, "the job %s has no such status notification", at.Name)
		}
		j.Settings.Notifications = kept
		return nil
	})
}

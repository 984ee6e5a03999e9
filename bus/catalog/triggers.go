package catalog

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// setTriggers sets the triggers of a job in place of was. Triggers that mean
// the same go on; new ones begin now. The error is that of CheckTriggers.
//
// Two buses that change two jobs at the same time can still store a cycle. The
// scheduler starts nothing by a trigger of a cycle.
func (c *Catalog) setTriggers(j *bus.Job, was, is *bus.Triggers) error {
	switch {
	case is.Equal(was):
		j.Settings.Triggers = was
		return nil
	case is == nil || len(is.Jobs) == 0:
		j.Settings.Triggers = nil
		return nil
	}
	if err := c.CheckTriggers(j.App, j.Name, cmp.Or(j.PermanentKey, bus.NameKey(j.Name)), is); err != nil {
		return err
	}
	started := *is
	started.Since = subjects.Now()
	j.Settings.Triggers = &started
	return nil
}

// CheckTriggers returns a FieldError if the triggers would make a job start
// itself, perhaps by way of other jobs.
func (c *Catalog) CheckTriggers(app, name, key string, t *bus.Triggers) error {
	for i, by := range t.Jobs {
		path := c.x.StartPath(app, key, by.App, by.Job)
		if path == nil {
			continue
		}
		path[0] = bus.JobKey(app, name) // the index may not know it yet
		return &bus.FieldError{
			Path: "/triggers/jobs/" + strconv.Itoa(i) + "/job",
			Want: "a job that " + path[0] + " does not start: " + strings.Join(append(path, path[0]), " starts "),
			Got:  c.x.JobName(by.App, by.Job),
		}
	}
	return nil
}

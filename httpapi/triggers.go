package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// newTriggers is a body with the triggers of a job.
type newTriggers rest.Triggers

const (
	neededAny = "any"
	neededAll = "all"

	maxTriggers = 64
)

// Validate returns all that is wrong with the values.
func (sent *newTriggers) Validate() (wrong codec.Faults) {
	switch sent.Needed {
	case "", neededAny, neededAll:
	default:
		wrong.Add("/needed", "any or all", sent.Needed)
	}
	if n := len(sent.Jobs); n < 1 || n > maxTriggers {
		wrong.Add("/jobs", fmt.Sprintf("from 1 to %d jobs", maxTriggers), strconv.Itoa(n))
		return wrong
	}
	for i := range sent.Jobs {
		t, at := &sent.Jobs[i], "/jobs/"+strconv.Itoa(i)
		if err := bus.CheckJobName(t.Job); err != nil {
			wrong.Add(at+"/job", "the name of a job", strconv.Quote(t.Job))
		}
		if t.App != "" && !subjects.ValidName(t.App) {
			wrong.Add(at+"/app", "the name of an application", strconv.Quote(t.App))
		}
		if len(t.On) > maxExitStatus {
			wrong.Add(at+"/on", "at most "+strconv.Itoa(maxExitStatus)+" bytes", t.On)
		}
		if one, other := subjects.CollidingParameters(t.Parameters); other != "" {
			wrong.Add(at+"/parameters", fmt.Sprintf("names that map to different variables; %q maps to that of %q", other, one), other)
		}
	}
	return wrong
}

// triggersFor returns the triggers that were sent for a job of an application.
// The user must be allowed to read the jobs that they name.
func (s *Server) triggersFor(ctx context.Context, app string, sent *rest.Triggers) (*bus.Triggers, error) {
	if sent == nil {
		return nil, nil
	}
	t := &bus.Triggers{All: sent.Needed == neededAll}
	for _, j := range sent.Jobs {
		j.App = cmp.Or(j.App, app)
		if err := checkPermission(ctx, readJob, j.App); err != nil {
			return nil, err
		}
		key, ok := s.cfg.Index.PermanentKey(j.App, j.Job)
		if !ok {
			key = bus.NameKey(j.Job)
		}
		t.Jobs = append(t.Jobs, bus.Trigger{App: j.App, Job: key, On: cmp.Or(j.On, bus.OnCompleted), Parameters: j.Parameters})
	}
	return t, nil
}

// triggersOf returns the triggers of a job of an application as answers show
// them, nil for none.
func (s *Server) triggersOf(app string, t *bus.Triggers) *rest.Triggers {
	if t == nil {
		return nil
	}
	v := &rest.Triggers{Needed: neededAny}
	if t.All {
		v.Needed = neededAll
	}
	for _, j := range t.Jobs {
		shown := rest.Trigger{App: j.App, Job: s.cfg.Index.JobName(j.App, j.Job), On: j.On, Parameters: j.Parameters}
		if shown.App == app {
			shown.App = ""
		}
		v.Jobs = append(v.Jobs, shown)
	}
	return v
}

// causesOf returns the executions that started another one by triggers.
func (s *Server) causesOf(causes []bus.Cause) (shown []rest.Cause) {
	for _, c := range causes {
		shown = append(shown, rest.Cause{App: c.App, Job: s.cfg.Index.JobName(c.App, c.Job), ExecutionID: c.Execution})
	}
	return shown
}

// danglingTriggers returns warnings about triggers of jobs that do not exist.
func (s *Server) danglingTriggers(t *bus.Triggers) (all []string) {
	if t == nil {
		return nil
	}
	for _, j := range t.Jobs {
		if _, ok := s.cfg.Index.Job(j.App, j.Job); !ok {
			all = append(all, fmt.Sprintf("there is no job %s in the application %s: its trigger starts nothing", s.cfg.Index.JobName(j.App, j.Job), j.App))
		}
	}
	return all
}

type putTriggers struct {
	JobPath
	Sent body[newTriggers]
}

func (s *Server) putTriggers(ctx context.Context, in *putTriggers) (*answer[rest.Settings], error) {
	t, err := s.triggersFor(ctx, in.App, (*rest.Triggers)(&in.Sent.value))
	if err != nil {
		return nil, err
	}
	j, err := s.cfg.Catalog.SetTriggers(ctx, in.catalogRef(), t)
	if wrong, ok := errors.AsType[*bus.FieldError](err); ok {
		wrong.Path = strings.TrimPrefix(wrong.Path, "/triggers")
	}
	return s.answerSettings(j, err)
}

func (s *Server) deleteTriggers(ctx context.Context, in *JobPath) (*struct{}, error) {
	_, err := s.cfg.Catalog.SetTriggers(ctx, in.catalogRef(), nil)
	return nil, err
}

// fileTriggers returns triggers as a job's file has them: the list of the jobs
// if any of them is enough.
func fileTriggers(t *rest.Triggers) any {
	switch {
	case t == nil:
		return nil
	case t.Needed == neededAll:
		return t
	}
	return t.Jobs
}

// checkSentTriggers reads the triggers that were sent with a job, and returns
// why the bus would refuse them.
func (s *Server) checkSentTriggers(ctx context.Context, app string, sent *sentJob) error {
	if sent.Triggers == nil {
		return nil
	}
	t, err := s.triggersFor(ctx, app, sent.Triggers)
	if err != nil {
		return err
	}
	sent.triggers = t
	key, ok := s.cfg.Index.PermanentKey(app, sent.ID)
	if !ok {
		key = bus.NameKey(sent.ID)
	}
	err = s.cfg.Catalog.CheckTriggers(app, sent.ID, key, t)
	if wrong, ok := errors.AsType[*bus.FieldError](err); ok {
		at := wrong.Path
		if sent.listedTriggers {
			at = strings.Replace(at, "/jobs/", "/", 1)
		}
		line, column := sent.file.Locate(at)
		return jsl.Errors{{Path: at, Want: wrong.Want, Got: wrong.Got, Line: line, Column: column}}
	}
	return err
}

package httpapi

import (
	"context"
	"errors"
	"net/url"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// JobPath is a job in a path. When a handler gets it, Job is the job's token.
type JobPath struct {
	App  string `path:"app"`
	Job  string `path:"job"`
	name string // as it was sent
}

// NamedPath is a JobPath for a handler that may make the job, and so wants its
// name.
type NamedPath struct {
	App  string `path:"app"`
	Name string `path:"job"`
}

// Resolve refuses what cannot be names, before they become parts of a key.
func (p *NamedPath) Resolve(huma.Context) []error {
	if err := validNames(p.App, p.Name); err != nil {
		return []error{err}
	}
	return nil
}

func validNames(app, job string) error {
	switch {
	case !subjects.ValidName(app):
		return noApp(app)
	case !jsl.ValidID(job):
		return &nameError{"job", jsl.WantID, job}
	}
	return nil
}

// jobURL is the path of a job.
func jobURL(app, job string) string { return "/" + app + "/job/" + url.PathEscape(job) }

// located is an input with a [JobPath].
type located interface{ jobPath() *JobPath }

func (p *JobPath) jobPath() *JobPath { return p }

// locate finds the token of the job that is called what the path says: for one
// who only reads, in the read model, and else where it cannot be out of date:
// what is changed must not be a job that had the name a moment ago. A name that
// nobody has is taken for the key that it has: there may be executions that the
// read model has not seen.
func (s *Server) locate(ctx context.Context, p *JobPath, reads bool) error {
	if p.Job == "" { // the path of an execution without its job
		return nil
	}
	if err := validNames(p.App, p.Job); err != nil {
		return err
	}
	p.name = p.Job
	if token, ok := s.cfg.Index.Token(p.App, p.name); ok && reads {
		p.Job = token
		return nil
	}
	e, err := s.cfg.Bus.JobNamed(ctx, p.App, p.name)
	p.Job = bus.NameKey(p.name)
	switch {
	case err == nil:
		p.Job = e.Value.Token
	case !errors.Is(err, bus.ErrNotFound):
		return err
	case e.Value.Definition != nil: // what is kept under this token is another job's
		if _, _, err := s.app(ctx, p.App); err != nil {
			return err
		}
		return bus.NoSuchJob(p.App, codec.Cut(p.name))
	}
	return nil
}

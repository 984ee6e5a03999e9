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

// JobRef is a job that a request is about.
type JobRef struct {
	Name string // as the request calls it; a job can be renamed
	Key  string // its permanent key, by which everything of it is stored
}

// JobPath is a job in a path. [Server.resolveJob] sets job before the handler
// runs.
type JobPath struct {
	App  string `path:"app"`
	Name string `path:"job"`
	job  JobRef
}

// NamedPath is a job in a path of a handler that may create the job: there may be
// no key yet.
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
		return codec.Faults{{Parameter: "job", InPath: true, Detail: "want " + jsl.WantID, Got: codec.Cut(job)}}
	}
	return nil
}

// jobURL is the path of a job.
func jobURL(app, job string) string { return "/" + app + "/job/" + url.PathEscape(job) }

// jobInput is an input with a [JobPath].
type jobInput interface{ jobPath() *JobPath }

func (p *JobPath) jobPath() *JobPath { return p }

// resolveJob sets the job of a path. A route that only reads asks the read
// model. A route that writes asks the leader of the bucket: a job that had the
// name a moment ago must not be changed. A name without a job gets the key that
// a job of this name would have: the bucket may hold executions that the read
// model has not seen.
func (s *Server) resolveJob(ctx context.Context, p *JobPath, readModel bool) error {
	if p.Name == "" { // the path of an execution without its job
		return nil
	}
	if err := validNames(p.App, p.Name); err != nil {
		return err
	}
	if key, ok := s.cfg.Index.Token(p.App, p.Name); ok && readModel {
		p.job = JobRef{p.Name, key}
		return nil
	}
	e, err := s.cfg.Bus.JobNamed(ctx, p.App, p.Name)
	p.job = JobRef{p.Name, bus.NameKey(p.Name)}
	switch {
	case err == nil:
		p.job.Key = e.Value.Token
	case !errors.Is(err, bus.ErrNotFound):
		return err
	case e.Value.Definition != nil: // the records under this key are those of another job
		if _, _, err := s.app(ctx, p.App); err != nil {
			return err
		}
		return bus.NoSuchJob(p.App, codec.Cut(p.Name))
	}
	return nil
}

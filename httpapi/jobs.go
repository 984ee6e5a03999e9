package httpapi

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// JobPath is a job in a path.
type JobPath struct {
	App string `path:"app"`
	Job string `path:"job"`
}

// Resolve refuses what cannot be names, before they become parts of a key.
func (p *JobPath) Resolve(huma.Context) []error {
	switch {
	case !subjects.ValidName(p.App):
		return []error{noApp(p.App)}
	case !subjects.ValidName(p.Job):
		return []error{noJob(p.App, p.Job)}
	}
	return nil
}

func noJob(app, name string) error {
	return bus.NoSuchJob(app, cut(name))
}

func (s *Server) listJobs(ctx context.Context, in *jobSearch) (*answer[rest.List[rest.Job]], error) {
	if _, _, err := s.app(ctx, in.App); err != nil {
		return nil, err
	}
	q, err := in.query(s)
	if err != nil {
		return nil, err
	}
	found, hits := s.cfg.Index.Jobs(q)
	var results []rest.Job
	for _, j := range found {
		v := s.jobOf(j)
		if wants(in.With, "execution") {
			executions := s.timeline(j)
			v.Executions = &executions
		}
		results = append(results, v)
	}
	return listOf(in.Page, results, hits), nil
}

// download is all jobs that a search finds, as a file that can be imported again job by job.
func (s *Server) download(ctx context.Context, in *jobDownload) (*streamed, error) {
	if _, _, err := s.app(ctx, in.App); err != nil {
		return nil, err
	}
	q, err := in.query(s)
	if err != nil {
		return nil, err
	}
	found, _ := s.cfg.Index.Jobs(q)
	all := make([]rest.Job, len(found))
	for i, j := range found {
		all[i] = s.whole(j)
	}
	return s.values(all, func(set func(name, value string), f *format) {
		set("Content-Type", "application/force-download")
		set("Content-Disposition", `attachment; filename="jobs.`+string(f.form)+`"`)
	}), nil
}

// job finds a job; one that another bus has just made is not in the read model yet.
func (s *Server) job(ctx context.Context, app, name string) (*index.Job, error) {
	if j, ok := s.cfg.Index.Job(app, name); ok {
		return j, nil
	}
	if _, _, err := s.app(ctx, app); err != nil {
		return nil, err
	}
	e, err := s.cfg.Bus.Jobs.Get(ctx, bus.JobKey(app, name))
	if errors.Is(err, bus.ErrNotFound) {
		err = noJob(app, name)
	}
	if err != nil {
		return nil, err
	}
	j := &index.Job{Job: e.Value, Revision: e.Revision}
	j.JSL, err = jsl.ParseJSON(e.Value.Definition)
	return j, err
}

func (s *Server) getJob(ctx context.Context, in *JobPath) (*tagged[rest.Job], error) {
	j, err := s.job(ctx, in.App, in.Job)
	if err != nil {
		return nil, err
	}
	return &tagged[rest.Job]{etag(j.Revision), s.whole(j)}, nil
}

func (s *Server) getDefinition(ctx context.Context, in *JobPath) (*tagged[jsl.Job], error) {
	j, err := s.job(ctx, in.App, in.Job)
	if err != nil {
		return nil, err
	}
	return &tagged[jsl.Job]{etag(j.Revision), *j.JSL}, nil
}

type postJob struct {
	AppPath
	Preconditions
	Sent body[sentJob]
}

func (s *Server) postJob(ctx context.Context, in *postJob) (*saved[rest.Job], error) {
	out, err := s.importJob(ctx, in.App, &in.Sent.value, &in.Preconditions)
	if err == nil {
		out.Status = 201
	}
	return out, err
}

type putJob struct {
	JobPath
	Preconditions
	Sent body[sentJob]
}

func (s *Server) putJob(ctx context.Context, in *putJob) (*saved[rest.Job], error) {
	if id := in.Sent.value.ID; id != in.Job {
		return nil, &bus.FieldError{Path: "/id", Want: "the job of the path, " + cut(in.Job), Got: id}
	}
	return s.importJob(ctx, in.App, &in.Sent.value, &in.Preconditions)
}

// importJob writes a job, and its schedule if there came one: both or none.
func (s *Server) importJob(ctx context.Context, app string, sent *sentJob, p *Preconditions) (*saved[rest.Job], error) {
	if sent.schedule == nil {
		return s.writeJob(ctx, app, &sent.Job, p)
	}
	path := JobPath{app, sent.ID}
	sc := scheduleFor(path, &sent.schedule.NewSchedule)
	sc.Active = sent.schedule.Active == nil || *sent.schedule.Active
	if err := s.cfg.Schedules.Judge(sc); err != nil {
		return nil, err
	}
	out, err := s.writeJob(ctx, app, &sent.Job, p)
	if err != nil {
		return nil, err
	}
	if _, err := s.cfg.Schedules.Set(ctx, sc); err != nil {
		return nil, err
	}
	out.Body.Schedule, err = s.schedule(ctx, path)
	return out, err
}

func (s *Server) writeJob(ctx context.Context, app string, j *jsl.Job, p *Preconditions) (*saved[rest.Job], error) {
	if _, _, err := s.app(ctx, app); err != nil {
		return nil, err
	}
	canonical, err := j.MarshalJSON()
	if err != nil {
		return nil, err
	}
	v, revision, created, err := write(ctx, s.cfg.Bus.Jobs, bus.JobKey(app, j.ID), p, func(was *bus.Job) bus.Job {
		now := subjects.Now()
		v := bus.Job{App: app, Name: j.ID, Definition: canonical, CreateTime: now, UpdateTime: now}
		if was != nil {
			v.CreateTime = was.CreateTime
		}
		return v
	})
	if err != nil {
		return nil, err
	}
	s.cfg.Index.PutJob(app, v.Name, &v, revision)
	s.cfg.Bus.Event("job", what(created), []string{app, v.Name}, nil)
	now, err := s.job(ctx, app, v.Name)
	if err != nil {
		return nil, err
	}
	out := &saved[rest.Job]{status(created), "/" + app + "/job/" + v.Name, etag(revision), s.whole(now)}
	out.Body.Warnings = s.cfg.Deployments.Missing(app, j)
	return out, nil
}

func (s *Server) getSettings(ctx context.Context, in *JobPath) (*answer[rest.Settings], error) {
	j, err := s.job(ctx, in.App, in.Job)
	if err != nil {
		return nil, err
	}
	return &answer[rest.Settings]{rest.Settings{Exclusive: j.JSL.Exclusive}}, nil
}

type putExclusive struct {
	JobPath
	Sent body[rest.NewSettings]
}

func (s *Server) putExclusive(ctx context.Context, in *putExclusive) (*answer[rest.Settings], error) {
	sent := in.Sent.value.Exclusive
	return s.setExclusive(ctx, in.JobPath, sent == nil || *sent)
}

func (s *Server) deleteExclusive(ctx context.Context, in *JobPath) (*struct{}, error) {
	_, err := s.setExclusive(ctx, *in, false)
	return nil, err
}

func (s *Server) setExclusive(ctx context.Context, in JobPath, exclusive bool) (*answer[rest.Settings], error) {
	for range maxRaces {
		e, err := s.cfg.Bus.Jobs.Get(ctx, bus.JobKey(in.App, in.Job))
		if errors.Is(err, bus.ErrNotFound) {
			_, err = s.job(ctx, in.App, in.Job) // which of the two is not there
		}
		if err != nil {
			return nil, err
		}
		j, err := jsl.ParseJSON(e.Value.Definition)
		if err != nil {
			return nil, err
		}
		j.Exclusive = exclusive
		_, err = s.writeJob(ctx, in.App, j, &Preconditions{IfMatch: etag(e.Revision)})
		if !errors.Is(err, errPrecondition) && !errors.Is(err, bus.ErrChanged) {
			return &answer[rest.Settings]{rest.Settings{Exclusive: exclusive}}, err
		}
	}
	return nil, bus.ErrChanged
}

type deleteJob struct {
	JobPath
	Preconditions
	Keep string `query:"keep" enum:"history" doc:"With history: the executions stay."`
}

func (s *Server) deleteJob(ctx context.Context, in *deleteJob) (*struct{}, error) {
	if _, err := s.job(ctx, in.App, in.Job); err != nil {
		return nil, err
	}
	var revision uint64
	if in.conditional() { // asked of the leader: the read model may not have seen another bus's write yet
		e, err := s.cfg.Bus.Jobs.Get(ctx, bus.JobKey(in.App, in.Job))
		if err != nil && !errors.Is(err, bus.ErrNotFound) {
			return nil, err
		}
		if err := in.check(e.Revision); err != nil {
			return nil, err
		}
		revision = e.Revision
	}
	err := s.cfg.Executions.DeleteJob(ctx, in.App, in.Job, revision, in.Keep == "history")
	if errors.Is(err, bus.ErrChanged) && in.conditional() {
		err = errPrecondition
	}
	return nil, err
}

// whole is a job with all that its own answer shows.
func (s *Server) whole(j *index.Job) rest.Job {
	v := s.jobOf(j)
	v.Definition, v.DynamicParameters = j.Definition, j.JSL.Parameters()
	return v
}

const (
	inTimeline = 100 // executions of a job that the timeline draws
	toCome     = 5   // fires
	usual      = 5 * time.Minute
)

// timeline is the newest executions of a job, and before them the next fires, as long as the last one took.
func (s *Server) timeline(j *index.Job) []rest.ExecutionSummary {
	all := []rest.ExecutionSummary{}
	if j.Schedule != nil && j.Schedule.Active {
		took := usual
		if l := j.Latest; l != nil && !l.StartTime.IsZero() && !l.EndTime.IsZero() {
			took = l.EndTime.Std().Sub(l.StartTime.Std())
		}
		for _, t := range s.cfg.Schedules.Next(j.App, j.Name, toCome) {
			all = append(all, rest.ExecutionSummary{
				App: j.App, Job: j.Name, BatchStatus: subjects.Registered,
				StartTime: subjects.TimeOf(t), EndTime: subjects.TimeOf(t.Add(took)), ScheduledFor: subjects.TimeOf(t),
			})
		}
		slices.Reverse(all) // newest first
	}
	newest, _ := s.cfg.Index.Executions(j.App, j.Name, 0, inTimeline)
	for i := range newest {
		all = append(all, summaryOf(&newest[i]))
	}
	return all
}

// jobOf is a job as lists show it.
func (s *Server) jobOf(j *index.Job) rest.Job {
	v := rest.Job{
		DBID: rest.DBID("job", j.App, j.Name),
		Name: j.Name, Restartable: j.JSL.Restartable.Or(true), Exclusive: j.JSL.Exclusive,
		Stats: rest.JobStats{
			Total: j.Stats.Total, Success: j.Stats.Success, Failure: j.Stats.Failure,
			Average: float64(j.Stats.Average.Microseconds()) / 1000,
		},
		Schedule:   scheduleOf(j.Schedule),
		CreateTime: j.CreateTime, LastUpdatedTime: j.UpdateTime,
	}
	if j.Latest != nil {
		latest := summaryOf(j.Latest)
		v.LatestExecution = &latest
	}
	if t := s.next(j); !t.IsZero() {
		v.NextExecution = &rest.NextExecution{StartTime: t}
	}
	return v
}

// next is when the job fires next, zero if it does not.
func (s *Server) next(j *index.Job) subjects.Time {
	if j.Schedule == nil || !j.Schedule.Active {
		return 0
	}
	for _, t := range s.cfg.Schedules.Next(j.App, j.Name, 1) {
		return subjects.TimeOf(t)
	}
	return 0
}

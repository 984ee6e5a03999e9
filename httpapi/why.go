package httpapi

import (
	"context"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/scheduler"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// whyPath asks about a job at a moment.
type whyPath struct {
	JobPath
	At string `query:"at" example:"2026-11-24T02:00:00Z" doc:"The moment (RFC 3339). The answer is about the last time at or before it. Default: now."`

	at time.Time
}

// Resolve reads the moment.
func (in *whyPath) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	if in.at = time.Now(); !u.Query().Has("at") || in.At == "" {
		return nil
	}
	var wrong codec.Faults
	var err error
	if in.at, err = parseTime(in.At); err != nil {
		wrong.AddParameter("at", wantTime, in.At)
	}
	return asErrors(wrong)
}

// explainJob answers why a job did or did not start.
func (s *Server) explainJob(ctx context.Context, in *whyPath) (*answer[rest.Why], error) {
	j, err := s.findJob(ctx, &in.JobPath)
	if err != nil {
		return nil, err
	}
	reasons, err := s.cfg.Schedules.Why(ctx, in.App, in.job.Key, in.at)
	if err != nil {
		return nil, err
	}
	out := &answer[rest.Why]{rest.Why{App: in.App, Job: j.Name, At: subjects.TimeOf(in.at), Reasons: []rest.Reason{}}}
	for i := range reasons {
		r, err := s.reasonOf(ctx, in.App, in.job.Key, &reasons[i])
		if err != nil {
			return nil, err
		}
		out.Body.Reasons = append(out.Body.Reasons, r)
	}
	return out, nil
}

// reasonOf returns a reason as answers show it. If there is an execution, the
// text also says what became of it, or what it waits for.
func (s *Server) reasonOf(ctx context.Context, app, key string, r *scheduler.Reason) (rest.Reason, error) {
	v := rest.Reason{Schedule: r.Schedule, Outcome: string(r.Outcome), Text: r.Text}
	if !r.Nominal.IsZero() {
		v.NominalTime = orNil(subjects.TimeOf(r.Nominal))
	}
	if r.Decision == nil {
		return v, nil
	}
	fire := s.fireOf(r.Decision)
	v.Fire, v.ExecutionID = &fire, fire.ExecutionID
	if fire.ExecutionID == nil {
		return v, nil
	}
	e, err := s.cfg.Executions.Get(ctx, app, key, *fire.ExecutionID)
	switch {
	case bus.HasCode(err, bus.CodeNoSuchExecution) && r.Decision.Waits():
		return v, nil
	case bus.HasCode(err, bus.CodeNoSuchExecution):
		v.Text += " Its record does not exist: it was deleted, or is about to be written."
		return v, nil
	case err != nil:
		return v, err
	}
	v.BatchStatus = string(e.BatchStatus)
	zone := r.Nominal.Location()
	switch waiting := s.cfg.Executions.WaitingFor(ctx, e); {
	case waiting.For != "":
		v.Text += " " + waitingText(waiting)
	case e.BatchStatus.Ended():
		v.Text += " " + endText(e, zone) + "."
	default:
		v.Text += fmt.Sprintf(" It is %s on agent %s since %s.", e.BatchStatus, e.Agent, shownIn(zone, e.StartTime))
	}
	if retry := retryText(e, zone); retry != "" {
		v.Text += " " + retry
	}
	newest, err := s.newestRestart(ctx, e)
	if err == nil && newest != nil {
		v.Text += " " + restartText(e, newest, zone)
	}
	return v, err
}

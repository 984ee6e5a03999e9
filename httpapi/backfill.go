package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/scheduler"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// newBackfill is a body that fires past nominal times.
type newBackfill rest.NewBackfill

// Validate returns all that is wrong with the values.
func (sent *newBackfill) Validate() (wrong codec.Faults) {
	var name *bus.FieldError
	if errors.As(bus.CheckScheduleName(sent.Schedule), &name) {
		wrong.Add("/schedule", name.Want, name.Got)
	}
	for _, x := range []struct {
		path, text string
		isEnd      bool
	}{{"/from", sent.From, false}, {"/to", sent.To, true}} {
		if _, err := scheduler.ParseBackfillTime(x.text, time.UTC, x.isEnd); err != nil {
			wrong.Add(x.path, scheduler.WantBackfillTime, x.text)
		}
	}
	if sent.Limit < 0 || sent.Limit > scheduler.MaxBackfill {
		wrong.Add("/limit", fmt.Sprintf("a whole number from 1 to %d", scheduler.MaxBackfill), strconv.Itoa(sent.Limit))
	}
	if sent.Concurrency < 0 || sent.Concurrency > scheduler.MaxBackfillConcurrency {
		wrong.Add("/concurrency", fmt.Sprintf("a whole number from 1 to %d", scheduler.MaxBackfillConcurrency), strconv.Itoa(sent.Concurrency))
	}
	return wrong
}

type postBackfill struct {
	JobPath
	Sent body[newBackfill]
}

// postBackfill fires past nominal times of a schedule.
func (s *Server) postBackfill(ctx context.Context, in *postBackfill) (*answer[rest.Backfill], error) {
	if _, err := s.findJob(ctx, &in.JobPath); err != nil {
		return nil, err
	}
	sent := &in.Sent.value
	key := bus.NewScheduleKey(in.App, in.job.Key, sent.Schedule)
	q := scheduler.BackfillQuery{From: sent.From, To: sent.To, Limit: sent.Limit, Concurrency: sent.Concurrency, By: senderID(ctx), DryRun: sent.DryRun}
	done, err := s.cfg.Schedules.Backfill(ctx, key, q)
	if err != nil {
		return nil, err
	}
	if done.ID != 0 {
		noteObject(ctx, fmt.Sprintf("%s/%d", in.job.Name, done.ID))
	}
	v := rest.Backfill{
		BackfillID: orNil(done.ID), Schedule: key.Name(), DryRun: sent.DryRun, From: subjects.TimeOf(done.From), To: subjects.TimeOf(done.To),
		Fires: make([]rest.BackfillFire, len(done.Fires)), LeftOutCount: done.LeftOutCount, LeftOut: make([]rest.BackfillLeftOut, len(done.LeftOut)),
		More: !done.Next.IsZero(),
	}
	if v.More {
		v.Next = subjects.TimeOf(done.Next)
	}
	for i := range done.Fires {
		f := &done.Fires[i]
		v.Fires[i] = rest.BackfillFire{
			NominalTime: subjects.TimeOf(f.Time), Local: f.Time.Format(time.RFC3339), BusinessDate: f.Date,
			ExecutionID: orNil(f.Execution), WasSkipped: orNil(f.Was),
		}
		if !f.From.IsZero() {
			v.Fires[i].From = orNil(subjects.TimeOf(f.From))
		}
	}
	for i := range done.LeftOut {
		l := &done.LeftOut[i]
		v.LeftOut[i] = rest.BackfillLeftOut{
			NominalTime: subjects.TimeOf(l.Time), Local: l.Time.Format(time.RFC3339), Reason: l.Reason, Text: l.Text, ExecutionID: orNil(l.Execution),
		}
	}
	return &answer[rest.Backfill]{v}, nil
}

// listBackfills says how far the backfills of a job are.
func (s *Server) listBackfills(ctx context.Context, in *JobPath) (*answer[rest.Backfills], error) {
	if _, err := s.findJob(ctx, in); err != nil {
		return nil, err
	}
	all, err := s.cfg.Schedules.Backfills(ctx, in.App, in.job.Key)
	if err != nil {
		return nil, err
	}
	out := &answer[rest.Backfills]{rest.Backfills{Results: make([]rest.BackfillStatus, len(all))}}
	for i := range all {
		b := &all[i]
		out.Body.Results[i] = rest.BackfillStatus{
			BackfillID: b.ID, Schedule: b.Schedule.Name(), By: orNil(b.By), CreateTime: b.Time, From: b.From, To: b.To, Concurrency: cmp.Or(b.Concurrency, 1),
			Fires: b.Fires(), Waiting: b.Waiting, Running: b.Running, Completed: b.Completed, Failed: b.Failed, Deleted: b.Removed,
			Cancelled: b.Cancelled, Skipped: b.Skipped,
		}
	}
	return out, nil
}

// deleteBackfill selects the backfills that are cancelled.
type deleteBackfill struct {
	JobPath
	ID string `query:"id" doc:"Id of the backfill. Default: all backfills of the job."`

	id int64
}

// Resolve reads the id. An empty one must not select all backfills.
func (in *deleteBackfill) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	if !u.Query().Has("id") {
		return nil
	}
	var wrong codec.Faults
	var err error
	if in.id, err = strconv.ParseInt(in.ID, 10, 64); err != nil || in.id < 1 {
		wrong.AddParameter("id", "the id of a backfill", in.ID)
	}
	return asErrors(wrong)
}

// cancelBackfill closes the fires of backfills that wait.
func (s *Server) cancelBackfill(ctx context.Context, in *deleteBackfill) (*answer[rest.CancelledBackfill], error) {
	if _, err := s.findJob(ctx, &in.JobPath); err != nil {
		return nil, err
	}
	n, err := s.cfg.Schedules.CancelBackfill(ctx, in.App, in.job.Key, in.id)
	if err != nil {
		return nil, err
	}
	if in.id != 0 {
		noteObject(ctx, fmt.Sprintf("%s/%d", in.job.Name, in.id))
	}
	return &answer[rest.CancelledBackfill]{rest.CancelledBackfill{Cancelled: n}}, nil
}

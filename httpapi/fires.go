package httpapi

import (
	"context"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

type listFires struct {
	JobPath
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"20"`
}

// listFires shows the decisions of a job's present and former schedules.
func (s *Server) listFires(ctx context.Context, in *listFires) (*answer[rest.Fires], error) {
	if _, err := s.job(ctx, &in.JobPath); err != nil {
		return nil, err
	}
	fires, err := s.cfg.Schedules.Fires(ctx, in.App, in.Job, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &answer[rest.Fires]{rest.Fires{Results: make([]rest.Fire, len(fires))}}
	for i := range fires {
		out.Body.Results[i] = fireOf(&fires[i])
	}
	return out, nil
}

// fireOf is a decision as answers show it.
func fireOf(f *bus.Fire) rest.Fire {
	shown := rest.Fire{
		NominalTime: f.Nominal, Skipped: orNil(f.Skipped), CaughtUp: f.CaughtUp, DecideTime: f.Time, SkippedCount: f.SkippedCount,
	}
	if f.Skipped != "" {
		shown.SkippedCount = max(f.SkippedCount, 1)
	}
	if f.Execution != 0 && f.Skipped == "" {
		shown.ExecutionID = &f.Execution
	}
	if f.SkippedFrom != 0 {
		shown.SkippedFrom = &f.SkippedFrom
	}
	return shown
}

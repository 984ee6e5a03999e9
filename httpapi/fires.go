package httpapi

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/scheduler"
)

// firesPath is a job whose decided nominal times are listed.
type firesPath struct {
	JobPath
	From  string `query:"from" example:"2026-11-24T18:00:00Z" doc:"Nominal times from this one on (RFC 3339)."`
	To    string `query:"to" example:"2026-11-25T06:00:00Z" doc:"Nominal times before this one (RFC 3339)."`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"20"`

	from, to time.Time // zero: no limit
}

// Resolve reads the limits of the list. An empty one is refused too: it must
// not select everything.
func (f *firesPath) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	query := u.Query()
	var wrong codec.Faults
	read := func(name string) (t time.Time) {
		if query.Has(name) {
			var err error
			if t, err = parseTime(query.Get(name)); err != nil {
				wrong.AddParameter(name, wantTime, query.Get(name))
			}
		}
		return t
	}
	f.from, f.to = read("from"), read("to")
	if len(wrong) == 0 && !f.to.IsZero() && f.from.After(f.to) {
		wrong.AddParameter("from", "a time that is not after to", f.From)
	}
	return asErrors(wrong)
}

const wantTime = "a time after 1970 such as 2026-11-24T18:00:00Z (RFC 3339)"

// parseTime reads a time of a query, where a + that was not encoded is a space.
func parseTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, strings.Replace(text, " ", "+", 1))
	if err == nil && t.Unix() < 0 {
		err = errors.New("before 1970")
	}
	return t, err
}

// listFires lists the decisions of a job's present and former schedules. A
// deleted job has them until they expire.
func (s *Server) listFires(ctx context.Context, in *firesPath) (*answer[rest.Fires], error) {
	fires, err := s.cfg.Schedules.Fires(ctx, in.App, in.job.Key, scheduler.FireQuery{From: in.from, To: in.to, Limit: in.Limit})
	if err == nil && len(fires) == 0 {
		_, err = s.job(ctx, &in.JobPath)
	}
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

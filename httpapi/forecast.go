package httpapi

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/scheduler"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// forecastPath selects fires to come.
type forecastPath struct {
	From  string `query:"from" example:"2026-11-24T18:00:00Z" doc:"Begin (RFC 3339). Default: now."`
	To    string `query:"to" example:"2026-11-25T06:00:00Z" doc:"End (RFC 3339). Default: a day after the begin; at most a year after it."`
	App   string `query:"app" doc:"Only jobs of this application. Default: of all applications that the user may read."`
	Limit int    `query:"limit" minimum:"1" maximum:"10000" default:"1000" doc:"Maximum number of results."`

	from, to time.Time
}

const (
	usualForecast = 24 * time.Hour
	maxForecast   = 366 * 24 * time.Hour
)

// Resolve reads the range.
func (in *forecastPath) Resolve(ctx huma.Context) []error {
	var wrong codec.Faults
	read := func(name, text string, otherwise time.Time) time.Time {
		if text == "" {
			return otherwise
		}
		t, err := parseTime(text)
		if err != nil {
			wrong.AddParameter(name, wantTime, text)
		}
		return t
	}
	in.from = read("from", in.From, time.Now())
	in.to = read("to", in.To, in.from.Add(usualForecast))
	if len(wrong) == 0 && (in.to.Before(in.from) || in.to.Sub(in.from) > maxForecast) {
		wrong.AddParameter("to", "a time from the begin to a year after it", in.To)
	}
	return asErrors(wrong)
}

// forecast lists what the schedules are going to fire that no pause holds back.
func (s *Server) forecast(ctx context.Context, in *forecastPath) (*answer[rest.Forecast], error) {
	mayRead := appReader(ctx)
	if in.App != "" {
		if _, _, err := s.findApp(ctx, in.App); err != nil {
			return nil, err
		}
		if err := checkPermission(ctx, readJob, in.App); err != nil {
			return nil, err
		}
		mayRead = func(app string) bool { return app == in.App }
	}
	fires, more := s.cfg.Schedules.Forecast(in.from, in.to, mayRead, in.Limit)
	out := &answer[rest.Forecast]{rest.Forecast{From: subjects.TimeOf(in.from), To: subjects.TimeOf(in.to), Results: make([]rest.ForecastFire, len(fires)), More: more, Busiest: busiestMinute(fires)}}
	out.Body.GroupPauses = s.forecastPauses(ctx, in.App)
	usual := map[[2]string]*float64{}
	for i, f := range fires {
		k := [2]string{f.Schedule.App(), f.Schedule.Job()}
		if _, known := usual[k]; !known {
			usual[k] = nil
			if j, ok := s.cfg.Index.Job(k[0], k[1]); ok && j.Stats.Success > 0 {
				average := float64(j.Stats.Average.Microseconds()) / 1000
				usual[k] = &average
			}
		}
		out.Body.Results[i] = rest.ForecastFire{
			App: k[0], Job: s.cfg.Index.JobName(k[0], k[1]), Schedule: f.Schedule.Name(), Time: subjects.TimeOf(f.Due),
			Local: f.Due.Format(time.RFC3339), NominalTime: subjects.TimeOf(f.Nominal), UsualDuration: usual[k],
		}
	}
	return out, nil
}

// busiestMinute returns the minute with most fires, the first of several.
func busiestMinute(fires []scheduler.ForecastFire) (most *rest.ForecastMinute) {
	for i := 0; i < len(fires); {
		minute, n := fires[i].Due.UTC().Truncate(time.Minute), 0
		for ; i < len(fires) && fires[i].Due.Before(minute.Add(time.Minute)); i++ {
			n++
		}
		if most == nil || n > most.Count {
			most = &rest.ForecastMinute{Time: subjects.TimeOf(minute), Count: n}
		}
	}
	return most
}

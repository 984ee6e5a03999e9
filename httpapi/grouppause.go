package httpapi

import (
	"context"
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// listPauses lists the pauses that are on: that of all schedules, and those of
// the applications that the user may read.
func (s *Server) listPauses(ctx context.Context, _ *struct{}) (*answer[rest.GroupPauses], error) {
	return &answer[rest.GroupPauses]{rest.GroupPauses{Results: listOrNone(s.readablePauses(ctx))}}, nil
}

// readablePauses returns the pauses that are on, without those of applications
// that the user may not read.
func (s *Server) readablePauses(ctx context.Context) []rest.GroupPause {
	mayRead := appReader(ctx)
	return groupPausesOf(slices.DeleteFunc(s.cfg.Schedules.AllGroupPauses(), func(p bus.GroupPause) bool { return p.App != "" && !mayRead(p.App) }))
}

// listAppPauses lists the pauses that hold back the schedules of an application.
func (s *Server) listAppPauses(ctx context.Context, in *AppPath) (*answer[rest.GroupPauses], error) {
	if _, _, err := s.findApp(ctx, in.App); err != nil {
		return nil, err
	}
	return &answer[rest.GroupPauses]{rest.GroupPauses{Results: listOrNone(groupPausesOf(s.cfg.Schedules.GroupPauses(in.App)))}}, nil
}

// listOrNone returns a list that is not null in JSON.
func listOrNone(all []rest.GroupPause) []rest.GroupPause { return append([]rest.GroupPause{}, all...) }

// groupPausesOf returns pauses as answers show them, nil for none.
func groupPausesOf(all []bus.GroupPause) (shown []rest.GroupPause) {
	for i := range all {
		shown = append(shown, groupPauseOf(all[i].App, &all[i].PausePeriod))
	}
	return shown
}

func groupPauseOf(app string, p *bus.PausePeriod) rest.GroupPause {
	return rest.GroupPause{App: orNil(app), Pause: rest.Pause{By: orNil(p.By), At: p.From, Reason: p.Reason}}
}

// allSchedules is the name in the audit of what concerns all schedules.
const allSchedules = "*"

type pauseAll struct{ Sent body[newPause] }

func (s *Server) pauseAll(ctx context.Context, in *pauseAll) (*answer[rest.GroupPause], error) {
	return s.pauseGroup(ctx, "", &in.Sent.value)
}

type pauseApp struct {
	AppPath
	Sent body[newPause]
}

func (s *Server) pauseApp(ctx context.Context, in *pauseApp) (*answer[rest.GroupPause], error) {
	if _, _, err := s.findApp(ctx, in.App); err != nil {
		return nil, err
	}
	return s.pauseGroup(ctx, in.App, &in.Sent.value)
}

func (s *Server) pauseGroup(ctx context.Context, app string, sent *newPause) (*answer[rest.GroupPause], error) {
	noteObject(ctx, allSchedules)
	p, err := s.cfg.Schedules.PauseGroup(ctx, app, pauseBy(ctx, sent))
	return &answer[rest.GroupPause]{groupPauseOf(app, &p)}, err
}

type resumeAll struct{ Sent body[rest.NewResumption] }

func (s *Server) resumeAll(ctx context.Context, in *resumeAll) (*answer[rest.GroupResumed], error) {
	return s.resumeGroup(ctx, "", in.Sent.value.CatchUp)
}

type resumeApp struct {
	AppPath
	Sent body[rest.NewResumption]
}

func (s *Server) resumeApp(ctx context.Context, in *resumeApp) (*answer[rest.GroupResumed], error) {
	if _, _, err := s.findApp(ctx, in.App); err != nil {
		return nil, err
	}
	return s.resumeGroup(ctx, in.App, in.Sent.value.CatchUp)
}

func (s *Server) resumeGroup(ctx context.Context, app string, catchUp bool) (*answer[rest.GroupResumed], error) {
	noteObject(ctx, allSchedules)
	done, err := s.cfg.Schedules.ResumeGroup(ctx, app, senderID(ctx), catchUp)
	if err != nil {
		return nil, err
	}
	out := rest.GroupResumed{App: orNil(app), GroupPauses: listOrNone(groupPausesOf(done.On))}
	if done.From != 0 {
		out.Resumed = &rest.GroupResumption{
			From: done.From, To: done.To, By: orNil(done.By), Reason: done.Reason,
			Count: done.Count, Schedules: done.Schedules, Capped: done.Capped, CatchUp: catchUp,
		}
	}
	return &answer[rest.GroupResumed]{out}, nil
}

// forecastPauses returns the pauses because of which a forecast lacks fires.
func (s *Server) forecastPauses(ctx context.Context, app string) []rest.GroupPause {
	if app == "" {
		return s.readablePauses(ctx)
	}
	return groupPausesOf(s.cfg.Schedules.GroupPauses(app))
}

// scheduleOf returns a schedule as answers show it, nil for none. Its calendar is
// a name.
func (s *Server) scheduleOf(sc *bus.Schedule) *rest.Schedule {
	is := scheduleOf(sc)
	if is != nil {
		is.GroupPauses = groupPausesOf(s.cfg.Schedules.GroupPauses(sc.App))
	}
	return is
}

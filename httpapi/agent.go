package httpapi

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/agents"
	"github.com/job-streamer/job-streamer-control-bus/bus/samples"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/chart"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// shownOfAgent is the number of executions in the answer with one agent.
const shownOfAgent = 20

// AgentPath is an agent in a path.
type AgentPath struct {
	ID string `path:"id" doc:"Name or instance id."`
}

func (s *Server) listAgents(_ context.Context, in *Page) (*answer[rest.All[rest.Agent]], error) {
	shown := cutPage(*in, s.cfg.Agents.List(), func(a *agents.Info) string { return a.Heartbeat.Agent }, strings.Compare)
	var results []rest.Agent
	for _, a := range shown.items {
		results = append(results, agentOf(&a))
	}
	return allOf(shown.part, results), nil
}

// agentsOf returns how many living agents take work of an application.
func (s *Server) agentsOf(app string) (n int) {
	for _, a := range s.cfg.Agents.List() {
		if a.Alive && slices.Contains(a.Apps, app) {
			n++
		}
	}
	return n
}

func (s *Server) findAgent(id string) (agents.Info, error) {
	a, ok := s.cfg.Agents.Find(id)
	if !ok {
		return a, bus.State(bus.CodeNoSuchAgent, "there is no agent %s", codec.Cut(id))
	}
	return a, nil
}

func (s *Server) getAgent(ctx context.Context, in *AgentPath) (*answer[rest.Agent], error) {
	a, err := s.findAgent(in.ID)
	if err != nil {
		return nil, err
	}
	out := &answer[rest.Agent]{agentOf(&a)}
	executions := []rest.ExecutionSummary{}
	for _, e := range s.cfg.Index.NewestOf(a.Heartbeat.Agent, shownOfAgent, appReader(ctx)) {
		executions = append(executions, summaryOf(&e))
	}
	out.Body.Executions = &executions
	return out, nil
}

func (s *Server) blockAgent(ctx context.Context, in *AgentPath) (*answer[rest.Agent], error) {
	return s.setBlocked(ctx, in, true)
}

func (s *Server) unblockAgent(ctx context.Context, in *AgentPath) (*answer[rest.Agent], error) {
	return s.setBlocked(ctx, in, false)
}

func (s *Server) setBlocked(ctx context.Context, in *AgentPath, blocked bool) (*answer[rest.Agent], error) {
	a, err := s.findAgent(in.ID)
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Agents.Block(ctx, a.Heartbeat.Agent, blocked, senderID(ctx)); err != nil {
		return nil, err
	}
	return s.getAgent(ctx, in)
}

func agentOf(a *agents.Info) rest.Agent {
	v := rest.Agent{
		AgentRef: rest.AgentRef{Name: a.Heartbeat.Agent, InstanceID: a.InstanceID},
		Host:     a.Host, OSName: a.OS, OSVersion: a.OSVersion, CPUArch: a.Arch, CPUCore: a.Cores,
		AgentVersion: a.Version, Status: a.State(), Stats: a.Stats,
		Jobs: rest.AgentJobs{Running: a.Running, Slots: a.Slots}, Apps: a.Apps, Pools: a.Pools,
		StartTime: a.StartTime, LastSeen: a.LastSeen,
	}
	if a.Block != nil && a.State() == subjects.AgentBlocked {
		v.BlockedSince, v.BlockedBy = a.Block.Since, orNil(a.Block.By)
	}
	return v
}

// pictureAge lets a browser cache a picture for a minute, since agents are
// sampled once a minute. A shared cache must not keep it: it may need a login.
const pictureAge = "private, max-age=60"

// PicturePath is a picture of an agent in a path.
type PicturePath struct {
	AgentPath
	Figure string `path:"figure" doc:"cpu: load of the agent's process and of its machine, from 0 to 1; memory: free memory and swap in bytes."`
	Cycle  string `path:"cycle" doc:"daily: the last 24 hours; weekly: 7 days; monthly: 31 days; yearly: 366 days."`
}

func (s *Server) getPicture(ctx context.Context, in *PicturePath) (*streamed, error) {
	a, err := s.findAgent(in.ID)
	if err != nil {
		return nil, err
	}
	archive, known := samples.ArchiveNamed(in.Cycle)
	c, ok := chartOf(in.Figure)
	if !known || !ok {
		return nil, bus.State(bus.CodeNoSuchPicture, "there is no chart %s/%s: want cpu or memory, and daily, weekly, monthly or yearly", codec.Cut(in.Figure), codec.Cut(in.Cycle))
	}
	stored, err := s.cfg.LoadSamples.Samples(ctx, a.Heartbeat.Agent, archive)
	if err != nil {
		return nil, err
	}
	c.To = time.Now().In(s.cfg.TimeZone)
	c.From = c.To.Add(-archive.Span)
	png, err := s.drawChart(ctx, c.chartOf(&stored))
	if err != nil {
		return nil, err
	}
	return &streamed{func(hc huma.Context) {
		hc.SetHeader("Content-Type", "image/png")
		hc.SetHeader("Content-Length", strconv.Itoa(len(png)))
		hc.SetHeader("Cache-Control", pictureAge)
		if _, err := hc.BodyWriter().Write(png); err != nil {
			s.log.Debug("chart not sent completely", "agent", a.Heartbeat.Agent, "err", err)
		}
	}}, nil
}

// drawChart draws at most one picture for each processor at a time. A picture
// takes milliseconds of a processor, and executions come first.
func (s *Server) drawChart(ctx context.Context, c chart.Chart) ([]byte, error) {
	select {
	case s.drawing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.drawing }()
	return c.PNG()
}

// loadChart is a chart whose lines show load samples.
type loadChart struct {
	chart.Chart
	shows [2]int  // which, a line each
	unit  float64 // what one of them is
}

// chartOf returns the chart with a name. Its colours are those of the original
// control bus.
func chartOf(name string) (loadChart, bool) {
	lines := func(green, blue string) []chart.Line {
		return []chart.Line{{Name: green, Color: chart.Green}, {Name: blue, Color: chart.Blue}}
	}
	switch name {
	case "cpu":
		return loadChart{chart.Chart{Top: 1, Lines: lines("process load", "system load")}, [2]int{bus.ProcessLoad, bus.SystemLoad}, 1}, true
	case "memory":
		return loadChart{chart.Chart{Bytes: true, Lines: lines("free memory", "free swap")}, [2]int{bus.PhysicalFree, bus.SwapFree}, 1 << 20}, true
	}
	return loadChart{}, false
}

// chartOf returns the chart with the samples, each in the middle of its
// interval.
func (f loadChart) chartOf(s *bus.Samples) chart.Chart {
	half := time.Duration(s.Step) * time.Second / 2
	for k := range f.Lines {
		l := &f.Lines[k]
		for i := range s.Points {
			l.Times = append(l.Times, s.EndOf(i).Add(-half))
			l.Values = append(l.Values, s.Points[i][f.shows[k]]*f.unit)
		}
	}
	return f.Chart
}

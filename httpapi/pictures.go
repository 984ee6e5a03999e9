package httpapi

import (
	"context"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/monitor"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/chart"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
)

// pictureAge is how many seconds a browser may show a picture again: samples
// are taken once a minute. Behind a login it is nobody else's.
const pictureAge = "private, max-age=60"

// PicturePath is a picture of an agent in a path.
type PicturePath struct {
	AgentPath
	Figure string `path:"figure" doc:"cpu: load of the agent's process and of its machine, 0 to 1; memory: free bytes of memory and swap."`
	Cycle  string `path:"cycle" doc:"daily: the last 24 hours; weekly: 7 days; monthly: 31 days; yearly: 366 days."`
}

func (s *Server) getPicture(ctx context.Context, in *PicturePath) (*streamed, error) {
	a, err := s.agent(in.ID)
	if err != nil {
		return nil, err
	}
	archive, known := monitor.ArchiveNamed(in.Cycle)
	c, ok := chartOf(in.Figure)
	if !known || !ok {
		return nil, bus.State(bus.CodeNoSuchPicture, "there is no picture %s/%s, but cpu and memory, each daily, weekly, monthly and yearly", codec.Cut(in.Figure), codec.Cut(in.Cycle))
	}
	samples, err := s.cfg.Monitor.Samples(ctx, a.Heartbeat.Agent, archive)
	if err != nil {
		return nil, err
	}
	c.To = time.Now().In(s.cfg.TimeZone)
	c.From = c.To.Add(-archive.Span)
	png, err := s.draw(ctx, c.of(&samples))
	if err != nil {
		return nil, err
	}
	return &streamed{func(hc huma.Context) {
		hc.SetHeader("Content-Type", "image/png")
		hc.SetHeader("Content-Length", strconv.Itoa(len(png)))
		hc.SetHeader("Cache-Control", pictureAge)
		if _, err := hc.BodyWriter().Write(png); err != nil {
			s.log.Debug("picture not sent to its end", "agent", a.Heartbeat.Agent, "err", err)
		}
	}}, nil
}

// draw draws one picture a processor at a time: each takes some milliseconds of
// one, and executions go first.
func (s *Server) draw(ctx context.Context, c chart.Chart) ([]byte, error) {
	select {
	case s.drawing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.drawing }()
	return c.PNG()
}

// figures is a chart whose lines show figures of samples.
type figures struct {
	chart.Chart
	shows [2]int  // which, a line each
	unit  float64 // what one of them is
}

// chartOf is the chart of a name in a path. Its colours are those of the
// original control bus.
func chartOf(name string) (figures, bool) {
	lines := func(green, blue string) []chart.Line {
		return []chart.Line{{Name: green, Color: chart.Green}, {Name: blue, Color: chart.Blue}}
	}
	switch name {
	case "cpu":
		return figures{chart.Chart{Top: 1, Lines: lines("process load", "system load")}, [2]int{bus.ProcessLoad, bus.SystemLoad}, 1}, true
	case "memory":
		return figures{chart.Chart{Bytes: true, Lines: lines("free memory", "free swap")}, [2]int{bus.PhysicalFree, bus.SwapFree}, 1 << 20}, true
	}
	return figures{}, false
}

// of is the chart with the samples, each in the middle of its step.
func (f figures) of(s *bus.Samples) chart.Chart {
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

package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"image/color"
	"image/png"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/agents"
	"github.com/job-streamer/job-streamer-control-bus/bus/samples"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/chart"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// beats makes an agent known, by a heartbeat.
func (e *env) beats(agent string) {
	e.t.Helper()
	data, err := json.Marshal(subjects.Heartbeat{
		Agent: agent, Life: "l", Status: subjects.AgentReady, Apps: []string{}, Pools: []string{}, IntervalMS: 60_000, StartTime: subjects.Now(),
	})
	if err != nil {
		e.t.Fatal(err)
	}
	eventually(e.t, "somebody listens", func() bool {
		err := e.sendHeartbeat(agent, data)
		return err == nil
	})
	eventually(e.t, "the agent is known", func() bool { _, ok := e.server.cfg.Agents.Find(agent); return ok })
}

// samples writes an archive that is full of one sample, up to now.
func (e *env) samples(agent, archive string, of bus.Sample) {
	e.t.Helper()
	a, _ := samples.ArchiveNamed(archive)
	s := bus.Samples{Step: int64(a.Step / time.Second), End: subjects.TimeOf(time.Now().Truncate(a.Step))}
	for range a.Span / a.Step {
		s.Points = append(s.Points, of)
	}
	if _, err := e.bus.Samples.Create(e.t.Context(), bus.SamplesKey(agent, archive), s); err != nil {
		e.t.Fatal(err)
	}
}

// colours are those of the lines in the middle of a picture, from the top.
func (r *reply) colours() (found []color.RGBA) {
	r.t.Helper()
	m, err := png.Decode(bytes.NewReader(r.body))
	if err != nil {
		r.t.Fatalf("%s: %v", r.asked, err)
	}
	if size := m.Bounds().Size(); size.X != 500 || size.Y < 300 || size.Y > 350 {
		r.t.Errorf("%s: %v pixels, want 500 by 300 and a legend", r.asked, size)
	}
	for y := range 250 {
		red, green, blue, _ := m.At(250, y).RGBA()
		var c color.RGBA
		switch {
		case green > red+0x4000 && green > blue+0x4000:
			c = chart.Green
		case blue > red+0x4000 && blue > green+0x4000:
			c = chart.Blue
		default:
			continue
		}
		if len(found) == 0 || found[len(found)-1] != c {
			found = append(found, c)
		}
	}
	return found
}

func TestPictures(t *testing.T) {
	e := newEnv(t)
	e.beats("a1")
	for _, a := range samples.Archives() {
		e.samples("a1", a.Name, bus.Sample{bus.ProcessLoad: 0.25, bus.SystemLoad: 0.75, bus.PhysicalFree: 24 << 10, bus.SwapFree: 8 << 10})
	}
	e.beats("new")
	accept := []string{"Accept", "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"}
	for _, figure := range []string{"cpu", "memory"} {
		want := []color.RGBA{chart.Blue, chart.Green} // the system's load is more than the process's
		if figure == "memory" {
			want = []color.RGBA{chart.Green, chart.Blue}
		}
		for _, a := range samples.Archives() {
			for _, agent := range []string{"a1", agents.InstanceID("a1")} {
				r := e.call("GET", "/agent/"+agent+"/monitor/"+figure+"/"+a.Name, "", accept...).want(200)
				if got := r.colours(); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
					t.Errorf("%s: lines of colour %v, want %v", r.asked, got, want)
				}
				if media, cache := r.header.Get("Content-Type"), r.header.Get("Cache-Control"); media != "image/png" || !strings.Contains(cache, "max-age=60") {
					t.Errorf("%s: %s, %s", r.asked, media, cache)
				}
			}
		}
		if r := e.call("GET", "/agent/new/monitor/"+figure+"/daily", "", accept...).want(200); len(r.colours()) != 0 {
			t.Errorf("%s: lines of an agent without samples", r.asked)
		}
	}
	if r := e.call("HEAD", "/agent/a1/monitor/cpu/daily", "").want(200); len(r.body) != 0 || r.header.Get("Content-Type") != "image/png" {
		t.Errorf("HEAD: %d bytes, %v", len(r.body), r.header)
	}
	for _, none := range []string{"none", "a:b"} { // no agent can have the second name
		e.call("GET", "/agent/"+none+"/monitor/cpu/daily", "", accept...).code(404, "no_such_agent")
	}
	for _, path := range []string{"disk/daily", "cpu/hourly", "CPU/daily", "cpu/%20"} {
		e.call("GET", "/agent/a1/monitor/"+path, "", accept...).code(404, "no_such_picture")
	}
	e.call("GET", "/agent/a1/monitor/cpu", "", accept...).code(404, "no_such_route")
}

// As many pictures are drawn at once as there are processors; who has to wait
// longer than the client does, waits no more.
func TestPicturesTakeTurns(t *testing.T) {
	s, _ := fakeServer()
	for range cap(s.drawing) {
		s.drawing <- struct{}{}
	}
	done := make(chan error)
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		_, err := s.drawChart(ctx, chart.Chart{})
		done <- err
	}()
	leave()
	if err := <-done; problemOf(err).Status != 503 {
		t.Errorf("%v, want a problem 503", err)
	}
	<-s.drawing
	for range 3 {
		if _, err := s.drawChart(t.Context(), chart.Chart{}); err != nil {
			t.Error(err)
		}
	}
	if len(s.drawing) != cap(s.drawing)-1 {
		t.Errorf("%d of %d turns are taken, want all but one", len(s.drawing), cap(s.drawing))
	}
}

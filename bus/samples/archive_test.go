package samples

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// timeAt parses a time of day, "10:05", or with days to add, "+1 10:05".
func timeAt(t testing.TB, s string) time.Time {
	t.Helper()
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var days int
	if strings.HasPrefix(s, "+") {
		if _, err := fmt.Sscanf(s, "+%d %s", &days, &s); err != nil {
			t.Fatal(err)
		}
	}
	clock, err := time.Parse("15:04", s)
	if err != nil {
		t.Fatal(err)
	}
	return day.AddDate(0, 0, days).Add(time.Duration(clock.Hour())*time.Hour + time.Duration(clock.Minute())*time.Minute)
}

// loadSample returns a sample with only a process load; NaN makes it unknown.
func loadSample(v float64) bus.Sample {
	s := bus.Unknown()
	s[bus.ProcessLoad] = v
	return s
}

// parseSamples parses samples such as "10:10: 1 - 3": the end of the newest
// step, then the process loads, with - for a gap.
func parseSamples(t testing.TB, step time.Duration, text string) *bus.Samples {
	t.Helper()
	end, list, ok := strings.Cut(text, ": ")
	if !ok {
		return &bus.Samples{}
	}
	s := &bus.Samples{Step: int64(step / time.Second), End: subjects.TimeOf(timeAt(t, end))}
	for _, f := range strings.Fields(list) {
		v := math.NaN()
		if f != "-" {
			if _, err := fmt.Sscan(f, &v); err != nil {
				t.Fatal(err)
			}
		}
		s.Points = append(s.Points, loadSample(v))
	}
	return s
}

// formatSamples is the inverse of parseSamples.
func formatSamples(s *bus.Samples) string {
	if len(s.Points) == 0 {
		return ""
	}
	b := s.End.Std().Format("15:04:")
	if day := s.End.Std().YearDay() - 60; day > 0 {
		b = fmt.Sprintf("+%d %s", day, b)
	}
	for i := range s.Points {
		if v := s.Points[i][bus.ProcessLoad]; math.IsNaN(v) {
			b += " -"
		} else {
			b += fmt.Sprintf(" %g", v)
		}
	}
	return b
}

func TestAddStep(t *testing.T) {
	five := Archive{"short", 5 * time.Minute, 20 * time.Minute}
	for _, c := range []struct {
		name, is, end string
		want          string
	}{
		{"the first", "", "10:05", "10:05: 9"},
		{"the next", "10:05: 1", "10:10", "10:10: 1 9"},
		{"a gap stays a gap", "10:05: 1", "10:20", "10:20: 1 - - 9"},
		{"the oldest step is dropped", "10:20: 1 2 3 4", "10:25", "10:25: 2 3 4 9"},
		{"a gap longer than the archive", "10:05: 1 2", "+9 10:00", "+9 10:00: - - - 9"},
		{"a step that exists stays", "10:05: 1", "10:05", "10:05: 1"},
		{"an older step changes nothing", "10:10: 1 2", "10:05", "10:10: 1 2"},
	} {
		s := parseSamples(t, five.Step, c.is)
		five.addStep(s, timeAt(t, c.end), loadSample(9))
		if got := formatSamples(s); got != c.want || s.Step != 300 {
			t.Errorf("%s: addStep(%q, %s) = %q with steps of %d s, want %q", c.name, c.is, c.end, got, s.Step, c.want)
		}
	}
}

func TestDropFuture(t *testing.T) {
	for _, c := range []struct{ name, is, now, want string }{
		{"past steps stay", "10:15: 1 2 3", "10:15", "10:15: 1 2 3"},
		{"future steps are removed", "10:15: 1 2 3", "10:09", "10:05: 1"},
		{"all of it", "+9 10:00: 1 2", "10:00", ""},
		{"nothing", "", "10:00", ""},
	} {
		s := parseSamples(t, 5*time.Minute, c.is)
		dropFuture(s, timeAt(t, c.now))
		if got := formatSamples(s); got != c.want {
			t.Errorf("%s: dropFuture(%q, %s) = %q, want %q", c.name, c.is, c.now, got, c.want)
		}
	}
}

func TestConsolidate(t *testing.T) {
	weekly, _ := ArchiveNamed("weekly")
	for _, c := range []struct{ name, is, fine, want string }{
		{"three make one", "", "10:15: 1 2 6", "10:15: 3"},
		{"only steps that have ended", "", "10:25: 1 2 6 4 5", "10:15: 3"},
		{"an agent that starts within a step", "", "10:15: 6", "10:15: 6"},
		{"a step is not added twice", "10:15: 3", "10:25: 1 2 6 4 5", "10:15: 3"},
		{"the next", "10:15: 3", "10:30: 1 2 6 4 5 9", "10:30: 3 6"},
		{"missed steps are added", "10:15: 3", "11:00: 1 1 1 2 2 2 3 3 3", "11:00: 3 1 2 3"},
		{"the mean of known values", "10:15: 3", "10:30: 1 - 5", "10:30: 3 3"},
		{"a step without known values is a gap", "10:15: 3", "10:45: - - - - 4 -", "10:45: 3 - 4"},
		{"a gap longer than the finer archive", "10:15: 3", "11:15: 4 4 4", "11:15: 3 - - - 4"},
		{"nothing", "10:15: 3", "", "10:15: 3"},
	} {
		s := parseSamples(t, weekly.Step, c.is)
		weekly.consolidate(s, parseSamples(t, 5*time.Minute, c.fine))
		if got := formatSamples(s); got != c.want {
			t.Errorf("%s: consolidate(%q, %q) = %q, want %q", c.name, c.is, c.fine, got, c.want)
		}
	}
}

// Each archive consists of whole steps of the previous one, which covers at
// least two of its steps.
func TestArchives(t *testing.T) {
	all := Archives()
	for i, a := range all {
		if a.Span%a.Step != 0 || i > 0 && (a.Step%all[i-1].Step != 0 || all[i-1].Span < 2*a.Step) {
			t.Errorf("archive %s: %v for %v", a.Name, a.Step, a.Span)
		}
	}
}

func TestSteps(t *testing.T) {
	var s pendingSteps
	for i, name := range []string{"10:00", "10:02", "10:04", "10:05", "10:21"} {
		s.addSample(timeAt(t, name), 5*time.Minute, loadSample(float64(i)))
	}
	if len(s.finished) != 2 || s.finished[0].sample[0] != 1 || s.finished[0].end != timeAt(t, "10:05") || s.finished[1].sample[0] != 3 || s.finished[1].end != timeAt(t, "10:10") {
		t.Errorf("finished steps: %v, want the mean of three until 10:05, and one until 10:10", s.finished)
	}
	s.finishStep(timeAt(t, "11:00"), 5*time.Minute)
	if s.finished = nil; !s.isEmpty() {
		t.Errorf("not empty: %v", s)
	}
	for i := range 100 {
		s.addSample(timeAt(t, "12:00").Add(time.Duration(i)*time.Hour), 5*time.Minute, loadSample(1))
	}
	if len(s.finished) != maxFinished || s.finished[maxFinished-1].end != timeAt(t, "12:05").Add(98*time.Hour) {
		t.Errorf("%d steps wait until %v, want the newest %d", len(s.finished), s.finished[len(s.finished)-1].end, maxFinished)
	}
}

func TestSampleOf(t *testing.T) {
	for _, c := range []struct{ name, stats, want string }{
		{"all of it", `{"memory":{"physical":{"free":1073741824,"total":2147483648},"swap":{"free":1048576,"total":1048576}},"cpu":{"process":{"load":0.25},"system":{"load":0.5}}}`, "[[0.25,0.5,1024,1]]"},
		{"no swap", `{"memory":{"physical":{"free":1073741824,"total":2147483648}}}`, "[[0,0,1024,0]]"},
		{"an agent that reports no memory", `{"cpu":{"process":{"load":0.00254},"system":{"load":0.5}}}`, "[[0.0025,0.5,null,null]]"},
		{"impossible loads", `{"cpu":{"process":{"load":-1},"system":{"load":1e300}}}`, "[[0,1,null,null]]"},
	} {
		var s subjects.Stats
		if err := json.Unmarshal([]byte(c.stats), &s); err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(bus.Points{sampleOf(&s)})
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v, want %s", c.name, got, err, c.want)
		}
	}
}

package jobflow_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/agent/jobflow"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// dice is a runner whose steps and deciders end as the bytes of a fuzz input
// say.
type dice struct {
	mu    sync.Mutex
	bytes []byte
	stop  context.CancelFunc
	calls map[string]int
	sent  []subjects.StepExecution
}

func (d *dice) roll(id string) byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls[id]++
	if len(d.bytes) == 0 {
		return 0
	}
	b := d.bytes[0]
	d.bytes = d.bytes[1:]
	return b
}

func (d *dice) StepStarted(subjects.StepExecution) error { return nil }
func (d *dice) StepSkipped(subjects.StepExecution)       {}
func (d *dice) SetExitStatus(string)                     {}
func (d *dice) Fork() jobflow.Runner                     { return d }
func (d *dice) Join([]jobflow.Runner)                    {}

func (d *dice) StepEnded(x subjects.StepExecution) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sent = append(d.sent, x)
}

func (d *dice) RunStep(_ context.Context, s *jsl.Step, x *subjects.StepExecution) {
	x.BatchStatus = subjects.Completed
	switch b := d.roll(s.ID); b % 8 {
	case 1:
		x.ExitStatus = string(rune(b))
	case 2:
		x.BatchStatus, x.Exception = subjects.Failed, "no good"
	case 3:
		panic("oh dear")
	case 4:
		d.stop()
		x.BatchStatus = subjects.Stopped
	case 5:
		x.ExitStatus = exitOf(s.Transitions, b)
	case 6:
		x.BatchStatus = ""
	}
}

// exitOf returns an exit status that one of the transitions may match.
func exitOf(all []jsl.Transition, b byte) string {
	if len(all) == 0 {
		return "X"
	}
	return strings.ReplaceAll(all[int(b)%len(all)].On, "?", "x")
}

func (d *dice) Decide(ctx context.Context, n *jsl.Decision, _ []subjects.StepExecution) (string, error) {
	switch b := d.roll(n.ID); b % 8 {
	case 1:
		return "", errors.New("no good")
	case 2:
		panic("oh dear")
	case 3:
		d.stop()
		return "", ctx.Err()
	case 4:
		return "", nil
	default:
		return exitOf(n.Transitions, b), nil
	}
}

// FuzzRun runs every job that package jsl accepts, and restarts it. It ends, no
// element runs twice in one execution (8.9.3), and a failure names an element.
func FuzzRun(f *testing.F) {
	for i, pattern := range []string{"*.json", "*.xml"} {
		files, _ := filepath.Glob("../../jsl/testdata/" + pattern)
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(i == 1, data, []byte{0, 5, 1, 5, 2, 5})
		}
	}
	f.Add(false, []byte(`{"id":"j","steps":[{"id":"s","next":"d","flows":[{"id":"f","steps":[{"id":"a","next":"b"},{"id":"b"}]},{"id":"g","steps":[{"id":"c"}]}]},
		{"id":"d","decision":{"ref":"x"},"transitions":[{"next":{"on":"*","to":"e"}},{"stop":{"on":"S","restart":"d"}}]},{"id":"e","allow_start_if_complete":true,"start_limit":1}]}`),
		[]byte{5, 2, 5, 4, 5})
	f.Fuzz(func(t *testing.T, isXML bool, data, rolls []byte) {
		format := jsl.JSON
		if isXML {
			format = jsl.XML
		}
		parsed, err := jsl.Parse(format, data)
		if err != nil {
			return
		}
		job, err := parsed.Resolve(nil, nil)
		if err != nil {
			return // refused at the start
		}
		d := &dice{bytes: rolls}
		start := jobflow.Start{}
		for range 3 {
			ctx, cancel := context.WithCancel(t.Context())
			d.stop, d.calls, d.sent = cancel, map[string]int{}, nil
			o := jobflow.Run(ctx, job, start, d)
			cancel()
			checkOutcome(t, job, d, o)
			start.Steps, start.Position = nextStates(start.Steps, d.sent), o.RestartPosition
		}
	})
}

func checkOutcome(t *testing.T, job *jsl.Job, d *dice, o jobflow.Outcome) {
	t.Helper()
	for id, n := range d.calls {
		if n > 1 {
			t.Errorf("%s ran %d times", id, n)
		}
	}
	for _, x := range d.sent {
		if !x.BatchStatus.Ended() || x.ExitStatus == "" {
			t.Errorf("the step %s ended as %q (%q)", x.Step, x.BatchStatus, x.ExitStatus)
		}
	}
	switch o.BatchStatus {
	case subjects.Completed, subjects.Stopped:
	case subjects.Failed:
		named := false
		job.Walk(func(_ string, e jsl.Element) { named = named || strings.Contains(o.Exception, e.ElementID()) })
		if !named {
			t.Errorf("the failure %q names no element", o.Exception)
		}
	default:
		t.Errorf("the job ended as %q", o.BatchStatus)
	}
}

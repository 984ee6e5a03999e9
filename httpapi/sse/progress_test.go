package sse

import (
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Events tell what runs, and how far it is.
func TestProgressIsAnEvent(t *testing.T) {
	sent := sentStates{}
	e := rest.Event{ExecutionID: 1, BatchStatus: subjects.Started}
	step := func(read int64) []rest.CurrentStep {
		return []rest.CurrentStep{{StepName: "load", BatchStatus: subjects.Started, Metrics: &rest.Metrics{Read: read}}}
	}
	for _, c := range []struct {
		what  string
		steps []rest.CurrentStep
		want  bool
	}{
		{"the start", nil, true}, {"nothing new", nil, false}, {"a step begins", step(0), true},
		{"the same", step(0), false}, {"it has read more", step(10), true}, {"it has ended", nil, true},
	} {
		e.CurrentSteps = c.steps
		if got := sent.markChanged(&e); got != c.want {
			t.Errorf("%s: sent %v, want %v", c.what, got, c.want)
		}
	}
}

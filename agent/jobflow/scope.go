package jobflow

import (
	"context"
	"fmt"
	"sync"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// engine runs one execution of a job.
type engine struct {
	job    *jsl.Job
	before map[string]*subjects.StepState // by step

	starting sync.Mutex // held while a step execution gets its id and is announced
	lastID   int64
}

// passage is how an element or a scope ended.
type passage struct {
	exitStatus string                   // to be compared with transitions
	exception  string                   // why a step failed; it decides whether next is followed
	failed     bool                     // the element is a failed step
	skipped    bool                     // the element is a step that was completed earlier
	last       []subjects.StepExecution // what a decision that follows gets
	ending     *ending                  // not nil: the job ends here
}

// ending is how a job ends.
type ending struct {
	status     subjects.BatchStatus
	exitStatus string // of a transition; empty: it sets none
	exception  string
	restart    string
	onRequest  bool // it is stopped because the context has ended
}

func stopOnRequest(exception string) passage {
	return passage{ending: &ending{status: subjects.Stopped, exception: exception, onRequest: true}}
}

func failJob(format string, args ...any) passage {
	return passage{ending: &ending{status: subjects.Failed, exception: fmt.Sprintf(format, args...)}}
}

// runScope runs the elements of a job or a flow from first on. last holds the
// step executions for a decision that comes first after a restart.
func (en *engine) runScope(ctx context.Context, r Runner, elements []jsl.Element, first jsl.Element, last []subjects.StepExecution) passage {
	siblings := indexElements(elements)
	reached := make(map[string]bool)
	for e := first; ; {
		id := e.ElementID()
		if reached[id] { // 8.9.3
			return failJob("%s: it is reached twice in one execution, which is a loop", describeElement(e))
		}
		reached[id] = true
		if ctx.Err() != nil {
			return stopOnRequest("")
		}
		p := en.runElement(ctx, r, e, last)
		if p.ending != nil {
			return p
		}
		t, more := jsl.After(e, p.exitStatus, p.failed)
		if !more { // 8.9.2 rule 3, 8.9.4 rule 3
			return p
		}
		if t.Action != jsl.Next {
			return passage{ending: endAfter(e, t, p)}
		}
		if e = siblings[t.To]; e == nil { // 8.9.4 note 2a
			return failJob("element %s: its next element, %q, is not in the same job or flow", id, t.To)
		}
		last = p.last
	}
}

func indexElements(elements []jsl.Element) map[string]jsl.Element {
	index := make(map[string]jsl.Element, len(elements))
	for _, e := range elements {
		index[e.ElementID()] = e
	}
	return index
}

func (en *engine) runElement(ctx context.Context, r Runner, e jsl.Element, last []subjects.StepExecution) passage {
	switch e := e.(type) {
	case *jsl.Step:
		return en.runStep(ctx, r, e)
	case *jsl.Flow:
		return en.runFlow(ctx, r, e)
	case *jsl.Split:
		return en.runSplit(ctx, r, e)
	case *jsl.Decision:
		return en.runDecision(ctx, r, e, last)
	}
	return failJob("element %s: it has an unknown kind", e.ElementID())
}

// runFlow runs the elements of a flow. On a restart, too, it begins with the
// first one (10.8.4 rule 3e).
func (en *engine) runFlow(ctx context.Context, r Runner, f *jsl.Flow) passage {
	if len(f.Elements) == 0 {
		return failJob("flow %s: want at least one element", f.ID)
	}
	p := en.runScope(ctx, r, f.Elements, f.Elements[0], nil)
	p.skipped = false // of its last step
	return p
}

// endAfter returns the ending by the transition t after the element e, which
// ended as p says.
func endAfter(e jsl.Element, t jsl.Transition, p passage) *ending {
	end := &ending{exitStatus: t.ExitStatus}
	switch t.Action {
	case jsl.End:
		end.status = subjects.Completed
	case jsl.Stop:
		end.status, end.restart = subjects.Stopped, t.Restart
	default:
		end.status = subjects.Failed
		end.exception = whyFailed(e, t, p)
	}
	return end
}

// whyFailed explains why the transition t after e fails the job.
func whyFailed(e jsl.Element, t jsl.Transition, p passage) string {
	_, decision := e.(*jsl.Decision)
	switch {
	case p.failed:
		return fmt.Sprintf("%s: %s", describeElement(e), p.exception)
	case decision && t.On == "":
		return fmt.Sprintf("%s: no transition matches the exit status %q", describeElement(e), p.exitStatus)
	case p.skipped:
		return fmt.Sprintf("%s: it was completed in an earlier execution with the exit status %q, for which its transition on %q fails the job again",
			describeElement(e), p.exitStatus, t.On)
	}
	return fmt.Sprintf("%s: its transition on %q fails the job", describeElement(e), t.On)
}

func describeElement(e jsl.Element) string {
	kind := "element"
	switch e.(type) {
	case *jsl.Step:
		kind = "step"
	case *jsl.Flow:
		kind = "flow"
	case *jsl.Split:
		kind = "split"
	case *jsl.Decision:
		kind = "decision"
	}
	return kind + " " + e.ElementID()
}

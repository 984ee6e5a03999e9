package jobflow

import (
	"context"
	"errors"
	"fmt"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// runDecision asks the decider of a decision. Its answer becomes the exit
// status of the job (8.5). An error fails the job without a look at the
// transitions (8.5.2).
func (en *engine) runDecision(ctx context.Context, r Runner, d *jsl.Decision, last []subjects.StepExecution) passage {
	if last == nil { // 8.2.5
		return failJob("decision %s: no step ran before it", d.ID)
	}
	exit, err := callDecider(ctx, r, d, last)
	switch {
	case err != nil && wasStopped(ctx, err):
		return stopOnRequest("")
	case err != nil:
		return failJob("decision %s: %v", d.ID, err)
	case exit == "":
		return failJob("decision %s: its decider returned no exit status", d.ID)
	}
	r.SetExitStatus(exit)
	return passage{exitStatus: exit, last: last}
}

// callDecider calls the runner. A panic counts as an error.
func callDecider(ctx context.Context, r Runner, d *jsl.Decision, last []subjects.StepExecution) (exit string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return r.Decide(ctx, d, last)
}

// wasStopped reports whether err only says that ctx has ended.
func wasStopped(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx)))
}

// executionsBefore returns the step executions for a restart that begins with
// the element e of the job. They come from the elements that lead to e, in the
// order of the document, as far as these ran. The result is not nil.
func (en *engine) executionsBefore(e jsl.Element) []subjects.StepExecution {
	last := []subjects.StepExecution{}
	if _, ok := e.(*jsl.Decision); !ok {
		return last
	}
	seen := map[string]bool{}
	var visit func(target string)
	visit = func(target string) {
		if seen[target] {
			return
		}
		seen[target] = true
		for _, from := range en.job.Elements {
			if !jsl.LeadsTo(from, target) {
				continue
			}
			if _, ok := from.(*jsl.Decision); ok {
				visit(from.ElementID())
				continue
			}
			last = append(last, en.earlierExecutions(from)...)
		}
	}
	visit(e.ElementID())
	return last
}

// earlierExecutions returns the earlier step executions with which an element
// ended: of a flow that of its last element that ran, of a split one for each
// flow.
func (en *engine) earlierExecutions(e jsl.Element) []subjects.StepExecution {
	switch e := e.(type) {
	case *jsl.Step:
		if b := en.before[e.ID]; b != nil {
			return []subjects.StepExecution{EarlierExecution(b)}
		}
	case *jsl.Flow:
		for i := len(e.Elements) - 1; i >= 0; i-- {
			if last := en.earlierExecutions(e.Elements[i]); len(last) > 0 {
				return last
			}
		}
	case *jsl.Split:
		var all []subjects.StepExecution
		for _, f := range e.Flows {
			all = append(all, en.earlierExecutions(f)...)
		}
		return all
	}
	return nil
}

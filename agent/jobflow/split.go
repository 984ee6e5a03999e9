package jobflow

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// runSplit runs each flow of a split in a goroutine of its own and waits until
// all have ended, even if one of them ends the job (8.4, 8.7).
func (en *engine) runSplit(ctx context.Context, r Runner, s *jsl.Split) passage {
	flows := make([]passage, len(s.Flows))
	runners := make([]Runner, len(s.Flows))
	panics := make([]any, len(s.Flows))
	var wg sync.WaitGroup
	for i, f := range s.Flows {
		runners[i] = r.Fork()
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					panics[i] = fmt.Sprintf("%v\n%s", p, debug.Stack())
				}
			}()
			flows[i] = en.runSplitFlow(ctx, runners[i], f)
		})
	}
	wg.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p) // of the runner: in this goroutine its caller can recover it
		}
	}
	r.Join(runners)
	all := passage{exitStatus: "COMPLETED", ending: mergeEndings(flows)}
	for _, f := range flows {
		all.last = append(all.last, f.last...)
	}
	return all
}

// runSplitFlow runs one flow of a split. Its transitions may only end the job.
func (en *engine) runSplitFlow(ctx context.Context, r Runner, f *jsl.Flow) passage {
	p := en.runFlow(ctx, r, f)
	if p.ending != nil {
		return p
	}
	t, more := jsl.After(f, p.exitStatus, false)
	switch {
	case !more:
		return p
	case t.Action == jsl.Next:
		return failJob("flow %s: it cannot go to %q, because the flows of a split run in parallel", f.ID, t.To)
	}
	return passage{ending: endAfter(f, t, p)}
}

// mergeEndings returns how the flows of a split end the job, or nil if they do
// not. See the comment of the package for which ending wins.
func mergeEndings(flows []passage) *ending {
	var winner *ending
	onRequest, more := false, 0
	for _, f := range flows {
		e := f.ending
		if e == nil {
			continue
		}
		onRequest = onRequest || e.onRequest
		switch {
		case winner == nil || severity(e.status) > severity(winner.status):
			winner, more = e, 0
		case e.status == subjects.Failed && winner.status == subjects.Failed:
			more++
		}
	}
	if winner == nil {
		return nil
	}
	merged := *winner
	if merged.status == subjects.Stopped && onRequest {
		merged.restart, merged.onRequest = "", true
	}
	if more > 0 {
		merged.exception = fmt.Sprintf("%s (%d more flows of the split failed)", merged.exception, more)
	}
	return &merged
}

// severity orders the statuses by which a flow can end the job (8.4.1).
func severity(s subjects.BatchStatus) int {
	switch s {
	case subjects.Failed:
		return 2
	case subjects.Stopped:
		return 1
	}
	return 0
}

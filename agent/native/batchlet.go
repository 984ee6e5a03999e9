package native

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// callBatchlet runs a batchlet that is a Go function. A panic fails the step.
func (r *jobRun) callBatchlet(ctx context.Context, s *jsl.Step, x *subjects.StepExecution) (exit string, err error) {
	c := agent.NewStepContext(x.PersistentData, func(data json.RawMessage) error {
		x.PersistentData = data
		return r.rep.Save(*x)
	})
	e := &r.work.Execution
	c.App, c.Job, c.Step = e.App, r.jsl.ID, s.ID
	c.ExecutionID, c.Attempt = e.ID, r.work.Attempt
	c.Parameters = e.Parameters
	c.Properties, c.JobProperties = propertyMap(s.Batchlet.Properties), propertyMap(r.jsl.Properties)
	c.Values = r.handover.current()
	c.Log = r.work.Log.Logger(s.ID)
	defer func() {
		if p := recover(); p != nil {
			r.work.Log.Line(agent.Stderr, "error", s.ID, fmt.Sprintf("panic: %v\n%s", p, debug.Stack()))
			exit, err = "FAILED", fmt.Errorf("panic: %v", p)
		}
		if exit == "" && err == nil {
			exit = c.ExitStatus()
		}
		if values := c.NextValues(); len(values) > 0 {
			if tooMany := r.handover.add(s.ID, values); tooMany == nil {
				x.Values = values
			} else if err == nil {
				exit, err = "FAILED", tooMany
			}
		}
	}()
	return r.rt.host.Batchlets[s.Batchlet.Ref](ctx, c)
}

func propertyMap(p jsl.Properties) map[string]string {
	if len(p) == 0 {
		return nil
	}
	m := make(map[string]string, len(p))
	for _, prop := range p {
		m[prop.Name] = prop.Value
	}
	return m
}

// wasStop reports whether err only repeats that ctx has ended.
func wasStop(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx)))
}

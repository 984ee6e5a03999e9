package native

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/jobflow"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// thread runs the part of a job that has one job context: the job itself, or a
// flow of a split. It is the [jobflow.Runner] of that part.
type thread struct {
	run *jobRun
	job *agent.JobContext
}

// StepStarted announces a step. The run of a chunk step is stored before the step
// begins. Otherwise an agent that dies early could leave a target with a
// checkpoint of a run that nobody knows, and the next agent would begin anew.
func (t *thread) StepStarted(x subjects.StepExecution) error {
	t.run.handover.forget(x.Step)
	if x.Run != "" {
		return t.run.rep.Save(x)
	}
	return t.run.rep.StepStarted(x)
}

func (t *thread) StepEnded(x subjects.StepExecution) {
	t.run.keepNewest(x)
	t.run.rep.StepEnded(x)
}

// StepSkipped writes to the output why a step does not run. Otherwise a restart
// that runs nothing would look like a mistake.
func (t *thread) StepSkipped(x subjects.StepExecution) {
	t.run.keepNewest(x)
	t.run.work.Log.Line(agent.Own, "info", x.Step,
		fmt.Sprintf("step %s is skipped: it was completed earlier, with the exit status %q", x.Step, x.ExitStatus))
}

func (r *jobRun) keepNewest(x subjects.StepExecution) {
	if r.newest == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.newest[x.Step] = x
}

func (r *jobRun) newestExecution(step string) (subjects.StepExecution, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x, ok := r.newest[step]
	return x, ok
}

func (t *thread) SetExitStatus(status string) { t.job.SetExitStatus(status) }

func (t *thread) Fork() jobflow.Runner { return &thread{run: t.run, job: t.job.Fork()} }

func (t *thread) Join(flows []jobflow.Runner) {
	for _, f := range flows {
		t.job.Join(f.(*thread).job)
	}
}

// Decide asks the decider of a decision.
func (t *thread) Decide(ctx context.Context, d *jsl.Decision, last []subjects.StepExecution) (exit string, err error) {
	job := t.job.WithProperties(propertyMap(d.Decider.Properties))
	c := agent.NewDecisionContext(job, d.ID, t.run.newestExecution)
	err = t.callSafely("", func() error {
		decider, err := t.createDecider(c, &d.Decider)
		if err == nil {
			exit, err = decider.Decide(ctx, last)
		}
		return err
	})
	return exit, err
}

func (t *thread) createDecider(c *agent.DecisionContext, a *jsl.Artifact) (agent.Decider, error) {
	if a.Ref == ConditionDecider {
		rules, err := readConditions(a.Properties)
		return conditions{rules, c}, err
	}
	return t.run.rt.host.Artifacts.Deciders[a.Ref](c)
}

// createJobListeners creates the listeners of the job.
func (t *thread) createJobListeners() (all []agent.JobListener, err error) {
	for _, a := range t.run.jsl.Listeners {
		err := t.callSafely("", func() error {
			l, err := t.run.rt.host.Artifacts.JobListeners[a.Ref](t.job.WithProperties(propertyMap(a.Properties)))
			all = append(all, l)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("listener %s: %w", a.Ref, err)
		}
	}
	return all, nil
}

// callSafely calls an artifact. A panic becomes an error, and its stack goes to
// the output.
func (t *thread) callSafely(step string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			t.run.work.Log.Line(agent.Stderr, "error", step, fmt.Sprintf("panic: %v\n%s", p, debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if err = f(); err != nil {
		_ = err.Error() // that of a nil pointer panics
	}
	return err
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

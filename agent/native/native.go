package native

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/chunk"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Config configures a [Runtime]. The zero value is useful.
type Config struct {
	Env []string // names of further variables of the agent's environment that processes get
	// Properties are further values of #{systemProperties['...']}. They take
	// precedence over the built-in ones.
	Properties map[string]string
	RunAs      *User // of processes; nil is the agent's user. It needs root privileges
}

// Runtime runs jobs for an agent. [New] creates one.
type Runtime struct {
	env       []string // of all processes
	runAs     *User
	system    map[string]string // #{systemProperties}
	host      agent.Host
	processes *processes
	running   sync.Map // *liveBody of each running process
	jobs      jobCache
	classes   *chunk.Classes
}

// New creates a runtime. Jobs see the system properties os.name, os.arch,
// file.separator, path.separator, line.separator and java.io.tmpdir, as in
// Java.
func New(cfg Config) *Runtime {
	newline := "\n"
	if runtime.GOOS == "windows" {
		newline = "\r\n"
	}
	system := map[string]string{
		"os.name": runtime.GOOS, "os.arch": runtime.GOARCH,
		"file.separator": string(filepath.Separator), "path.separator": string(filepath.ListSeparator),
		"line.separator": newline, "java.io.tmpdir": os.TempDir(),
	}
	maps.Copy(system, cfg.Properties)
	return &Runtime{env: inherited(os.Environ(), cfg.Env), runAs: cfg.RunAs, system: system}
}

// Open kills the processes that an earlier agent with the same DataDir has
// left.
func (r *Runtime) Open(h agent.Host) error {
	r.host = h
	err := r.tryUser()
	if err != nil {
		return err
	}
	if r.classes, err = chunk.NewClasses(h.Artifacts.ErrorClasses); err != nil {
		return err
	}
	if r.processes, err = openProcesses(h, &r.running); err != nil {
		return fmt.Errorf("prepare the folder for processes: %w", err)
	}
	return nil
}

// tryUser checks that processes can run as the user who is configured.
func (r *Runtime) tryUser() error {
	if r.runAs == nil {
		return nil
	}
	cmd := shellCommand("exit 0")
	cmd.Dir = "/"
	err := setUser(cmd, r.runAs)
	if err == nil {
		err = cmd.Run()
	}
	if err != nil {
		return fmt.Errorf("cannot run processes as the user %s, which requires root privileges: %w", r.runAs.Name, err)
	}
	return nil
}

// Kill kills all processes. It is for a program that must end at once.
func (r *Runtime) Kill() {
	r.running.Range(func(g, _ any) bool {
		g.(*liveBody).signalIfRunning(body.killAll)
		return true
	})
}

// Close does nothing: when it is called, all attempts and their processes have
// ended.
func (r *Runtime) Close() error { return nil }

// Run runs one attempt.
func (r *Runtime) Run(ctx context.Context, w *agent.Work, rep *agent.Reporter) agent.Outcome {
	job, err := r.prepareJob(w)
	if err != nil {
		return agent.Failure(err)
	}
	if job.Log == jsl.LogLossy {
		w.Log.Lossy()
	}
	run := newJobRun(r, job, w, rep)
	if run.place, err = openWorkplace(r.runAs); err != nil {
		return agent.Failure(fmt.Errorf("create the folder for the user %s: %w", r.runAs.Name, err))
	}
	defer run.place.remove()
	run.warnOfClasses()
	return run.runJob(ctx)
}

// prepareJob returns the attempt's job with its parameters substituted. It
// refuses a job that this runtime cannot run.
func (r *Runtime) prepareJob(w *agent.Work) (*jsl.Job, error) {
	job, err := r.jobs.resolveJob(w.Definition, w.Execution.Parameters, r.system)
	if err != nil {
		return nil, fmt.Errorf("job %s: %w", w.Execution.Job, err)
	}
	if err := r.checkComponents(job); err != nil {
		return nil, fmt.Errorf("job %s: %w", job.ID, err)
	}
	if one, other := subjects.CollidingParameters(w.Execution.Parameters); other != "" {
		return nil, fmt.Errorf("job %s: the parameters %q and %q map to one environment variable, %s", job.ID, one, other, subjects.ParameterVariable(one))
	}
	if len(job.Elements) == 0 {
		return nil, fmt.Errorf("job %s: want at least one step", job.ID)
	}
	return job, nil
}

// checkComponents checks that the agent has every artifact that the job refers
// to.
func (r *Runtime) checkComponents(job *jsl.Job) error {
	known := map[string][]string{
		jsl.KindBatchlet:     append(slices.Sorted(maps.Keys(r.host.Batchlets)), Shell),
		jsl.KindDecider:      append(slices.Sorted(maps.Keys(r.host.Artifacts.Deciders)), ConditionDecider),
		jsl.KindJobListener:  slices.Sorted(maps.Keys(r.host.Artifacts.JobListeners)),
		jsl.KindStepListener: slices.Sorted(maps.Keys(r.host.Artifacts.Listeners)),

		jsl.KindReader:              slices.Sorted(maps.Keys(r.host.Artifacts.Readers)),
		jsl.KindProcessor:           slices.Sorted(maps.Keys(r.host.Artifacts.Processors)),
		jsl.KindWriter:              slices.Sorted(maps.Keys(r.host.Artifacts.Writers)),
		jsl.KindCheckpointAlgorithm: slices.Sorted(maps.Keys(r.host.Artifacts.Algorithms)),
		jsl.KindMapper:              slices.Sorted(maps.Keys(r.host.Artifacts.Mappers)),
		jsl.KindCollector:           slices.Sorted(maps.Keys(r.host.Artifacts.Collectors)),
		jsl.KindAnalyzer:            slices.Sorted(maps.Keys(r.host.Artifacts.Analyzers)),
		jsl.KindReducer:             slices.Sorted(maps.Keys(r.host.Artifacts.Reducers)),
	}
	for _, c := range job.Components() {
		// A partition may have another artifact than the next one.
		if slices.Contains(known[c.Kind], c.Ref) || strings.Contains(c.Ref, "#{partitionPlan[") {
			continue
		}
		only := ""
		if names := known[c.Kind]; len(names) > 0 {
			only = ", only " + strings.Join(names, ", ")
		}
		return fmt.Errorf("%s: this agent has no %s %q%s", c.Path, strings.ReplaceAll(c.Kind, "-", " "), c.Ref, only)
	}
	return checkConditions(job)
}

// checkConditions checks the properties of the decisions that use
// [ConditionDecider].
func checkConditions(job *jsl.Job) (err error) {
	job.Walk(func(path string, e jsl.Element) {
		if d, ok := e.(*jsl.Decision); ok && d.Decider.Ref == ConditionDecider && err == nil {
			if _, fault := readConditions(d.Decider.Properties); fault != nil {
				err = fmt.Errorf("%s/decision/properties: %w", path, fault)
			}
		}
	})
	return err
}

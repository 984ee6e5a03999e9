package native

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// partitionedStep is an execution of a step with partitions (8.2.6).
//
//	goroutine of the step:  begin, map, analyze, analyze ...  complete or roll back
//	                                     ^ data and statuses
//	each partition:         its context, its artifacts, its state
type partitionedStep struct {
	*stepRun
	artifacts *jsl.Partition
	reducer   agent.PartitionReducer  // nil: there is none
	analyzer  agent.PartitionAnalyzer // nil: there is none

	plan   agent.PartitionPlan
	before map[int]subjects.Partition // what earlier executions left, by number
	events chan partitionEvent        // from the partitions to the step
	closed atomic.Bool                // no further partition begins
}

// partitionEvent is data of a collector, or the end of a partition.
type partitionEvent struct {
	data    any
	end     *subjects.Partition // nil: it is data
	failure error               // of the partition, with end
}

// runPartitions runs a step with partitions, between the calls of its reducer
// (11.5, 11.7).
func (r *stepRun) runPartitions(ctx context.Context) (subjects.BatchStatus, error) {
	p := &partitionedStep{stepRun: r, artifacts: r.step.Partition, events: make(chan partitionEvent)}
	if err := p.createArtifacts(); err != nil {
		return subjects.Failed, err
	}
	status, err := p.runMapped(ctx)
	after, cancel := r.run.rt.contextAfter(ctx)
	defer cancel()
	if status == subjects.Completed {
		if err = p.reduce("BeforePartitionedStepCompletion", func(a agent.PartitionReducer) error { return a.BeforePartitionedStepCompletion(after) }); err != nil {
			status = subjects.Failed
		}
	}
	outcome := agent.PartitionsCommitted
	if status != subjects.Completed {
		outcome = agent.PartitionsRolledBack
		if rollbackErr := p.reduce("RollbackPartitionedStep", func(a agent.PartitionReducer) error { return a.RollbackPartitionedStep(after) }); rollbackErr != nil {
			status, err = subjects.Failed, firstError(err, rollbackErr)
		}
	}
	if afterErr := p.reduce("AfterPartitionedStepCompletion", func(a agent.PartitionReducer) error { return a.AfterPartitionedStepCompletion(after, outcome) }); afterErr != nil {
		status, err = subjects.Failed, firstError(err, afterErr)
	}
	return status, err
}

func firstError(first, second error) error {
	if first != nil {
		return first
	}
	return second
}

func (p *partitionedStep) createArtifacts() (err error) {
	known := &p.run.rt.host.Artifacts
	if a := p.artifacts.Reducer; a != nil {
		if p.reducer, err = createArtifact(p.stepRun, "partition reducer", known.Reducers, a); err != nil {
			return err
		}
	}
	if a := p.artifacts.Analyzer; a != nil {
		p.analyzer, err = createArtifact(p.stepRun, "partition analyzer", known.Analyzers, a)
	}
	return err
}

// reduce calls a method of the reducer, if there is one.
func (p *partitionedStep) reduce(method string, call func(agent.PartitionReducer) error) error {
	if p.reducer == nil {
		return nil
	}
	err := p.callSafely(p.step.ID, func() error { return call(p.reducer) })
	if err != nil {
		err = fmt.Errorf("partition reducer, %s: %w", method, err)
	}
	return err
}

// runMapped makes the plan and runs the partitions.
func (p *partitionedStep) runMapped(ctx context.Context) (subjects.BatchStatus, error) {
	err := p.reduce("BeginPartitionedStep", func(a agent.PartitionReducer) error { return a.BeginPartitionedStep(ctx) })
	if err == nil {
		err = p.makePlan(ctx)
	}
	if err == nil {
		p.execution.PersistentData = p.context.Data()
		err = p.run.rep.Save(*p.execution)
	}
	switch {
	case err == nil:
		return p.runAll(ctx)
	case wasStop(ctx, err):
		return subjects.Stopped, nil
	}
	return subjects.Failed, err
}

// makePlan asks the mapper, or takes the plan of the job. A restart keeps the
// number of partitions, and what they left, unless the mapper overrides it
// (10.8.5, 8.8.1.8).
func (p *partitionedStep) makePlan(ctx context.Context) error {
	if err := p.readPlan(ctx); err != nil {
		return err
	}
	x, before := p.execution, p.run.stateOf(p.step.ID)
	if before == nil || before.PartitionCount == 0 || before.BatchStatus == subjects.Completed {
		x.PartitionCount = p.plan.Partitions
		return nil
	}
	if p.plan.Override {
		x.PartitionCount = p.plan.Partitions
		if x.Run != "" {
			x.Run = rand.Text()
		}
		x.PartitionsOverride = true // the bus drops the old ones with the result that stores the new number
		return nil
	}
	if n := before.PartitionCount; n != p.plan.Partitions {
		if p.artifacts.Mapper != nil { // 10.8.5.1
			return fmt.Errorf("partition mapper %s: got %d partitions without override, want %d as in the execution before",
				p.artifacts.Mapper.Ref, p.plan.Partitions, n)
		}
		p.run.work.Log.Line(agent.Own, "warn", p.step.ID,
			fmt.Sprintf("step %s: it goes on with its %d partitions, although its plan has %d now", p.step.ID, n, p.plan.Partitions))
		p.plan.Partitions = n
	}
	p.before = make(map[int]subjects.Partition, len(before.Partitions))
	for _, one := range before.Partitions {
		p.before[one.Number] = one
	}
	return nil
}

// readPlan sets the plan as it is now.
func (p *partitionedStep) readPlan(ctx context.Context) error {
	if a := p.artifacts.Mapper; a != nil {
		m, err := createArtifact(p.stepRun, "partition mapper", p.run.rt.host.Artifacts.Mappers, a)
		if err != nil {
			return err
		}
		err = p.callSafely(p.step.ID, func() (err error) { p.plan, err = m.MapPartitions(ctx); return err })
		plan := &p.plan
		switch {
		case err != nil:
			return fmt.Errorf("partition mapper %s: %w", a.Ref, err)
		case plan.Partitions < 0 || plan.Threads < 0:
			return fmt.Errorf("partition mapper %s: got %d partitions and %d threads, want numbers from 0", a.Ref, plan.Partitions, plan.Threads)
		case plan.Partitions > subjects.MaxPartitions:
			return fmt.Errorf("partition mapper %s: got %d partitions, want at most %d", a.Ref, plan.Partitions, subjects.MaxPartitions)
		case len(plan.Properties) > plan.Partitions:
			return fmt.Errorf("partition mapper %s: got the properties of %d partitions, want at most %d", a.Ref, len(plan.Properties), plan.Partitions)
		}
		return nil
	}
	p.plan = agent.PartitionPlan{Partitions: 1}
	if plan := p.artifacts.Plan; plan != nil {
		p.plan = agent.PartitionPlan{Partitions: plan.Partitions.Or(1), Threads: plan.Threads.Or(0)}
		if n := p.plan.Partitions; n > subjects.MaxPartitions {
			return fmt.Errorf("partition plan: got %d partitions, want at most %d", n, subjects.MaxPartitions)
		}
		for _, one := range plan.Properties {
			n := one.Partition.Or(0)
			for len(p.plan.Properties) <= n {
				p.plan.Properties = append(p.plan.Properties, nil)
			}
			p.plan.Properties[n] = propertyMap(one.Properties)
		}
	}
	return nil
}

// runAll runs the partitions that are not completed yet, and analyzes what comes
// from them. One that fails does not keep others from running. No further one
// begins after a stop, or after an error of the analyzer.
func (p *partitionedStep) runAll(ctx context.Context) (subjects.BatchStatus, error) {
	var todo []int
	for n := range p.plan.Partitions {
		if p.before[n].BatchStatus != subjects.Completed {
			todo = append(todo, n)
		}
	}
	threads := min(cmp.Or(p.plan.Threads, len(todo)), len(todo))
	queue := make(chan int, len(todo))
	for _, n := range todo {
		queue <- n
	}
	close(queue)
	var workers sync.WaitGroup
	for range threads {
		workers.Go(func() {
			for n := range queue {
				if ctx.Err() != nil || p.closed.Load() {
					return
				}
				p.runPartition(ctx, n)
			}
		})
	}
	go func() { workers.Wait(); close(p.events) }()
	return p.analyzeAll(ctx, len(todo))
}

// analyzeAll handles the events of all partitions, and returns how the step ends.
func (p *partitionedStep) analyzeAll(ctx context.Context, todo int) (subjects.BatchStatus, error) {
	var analyzeErr error
	var ended, stopped int
	failures := map[int]error{}
	for e := range p.events {
		if e.end != nil {
			ended++
			p.metrics.Add(e.end.Metrics)
			switch e.end.BatchStatus {
			case subjects.Failed:
				failures[e.end.Number] = e.failure
			case subjects.Stopped:
				stopped++
			}
		}
		if analyzeErr == nil && p.analyzer != nil {
			if analyzeErr = p.analyze(ctx, e); analyzeErr != nil {
				p.closed.Store(true)
			}
		}
	}
	switch {
	case analyzeErr != nil:
		return subjects.Failed, analyzeErr
	case len(failures) > 0: // 8.2.6
		return subjects.Failed, describeFailures(failures, p.plan.Partitions)
	case stopped > 0, ended < todo:
		return subjects.Stopped, nil
	}
	return subjects.Completed, nil
}

func (p *partitionedStep) analyze(ctx context.Context, e partitionEvent) error {
	after, cancel := p.run.rt.contextAfter(ctx)
	defer cancel()
	err := p.callSafely(p.step.ID, func() error {
		if e.end == nil {
			return p.analyzer.AnalyzeCollectorData(after, e.data)
		}
		return p.analyzer.AnalyzeStatus(after, e.end.BatchStatus, e.end.ExitStatus)
	})
	if err != nil {
		err = fmt.Errorf("partition analyzer %s: %w", p.artifacts.Analyzer.Ref, err)
	}
	return err
}

// describeFailures names the failed partition with the lowest number, and how
// many there are.
func describeFailures(failures map[int]error, all int) error {
	lowest := -1
	for n := range failures {
		if lowest < 0 || n < lowest {
			lowest = n
		}
	}
	err := fmt.Errorf("partition %d: %w", lowest, failures[lowest])
	if len(failures) > 1 {
		err = fmt.Errorf("%d of %d partitions failed; %w", len(failures), all, err)
	}
	return err
}

// partition is an execution of one partition.
type partition struct {
	stepRun
	whole *partitionedStep
	mu    sync.Mutex // of state
	state subjects.Partition
}

// runPartition runs a partition and reports its end.
func (p *partitionedStep) runPartition(ctx context.Context, number int) {
	one := &partition{whole: p, state: subjects.Partition{Number: number, BatchStatus: subjects.Started, StartTime: subjects.Now()}}
	one.state.StepData = p.before[number].StepData
	err := p.run.rep.PartitionChanged(p.execution.ID, one.state)
	status := subjects.Failed
	if err == nil {
		err = p.callSafely(p.step.ID, func() (err error) { status, err = one.execute(ctx); return err })
	}
	if err != nil && wasStop(ctx, err) {
		status, err = subjects.Stopped, nil
	}
	end := one.endState(status, err)
	if saveErr := p.run.rep.SavePartition(p.execution.ID, end); saveErr != nil && end.BatchStatus == subjects.Completed {
		end.BatchStatus, end.ExitStatus, err = subjects.Failed, "FAILED", fmt.Errorf("its end is not stored: %w", saveErr)
	}
	p.events <- partitionEvent{end: &end, failure: err}
}

// endState returns the state with which the partition ends.
func (o *partition) endState(status subjects.BatchStatus, err error) subjects.Partition {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.state.BatchStatus, o.state.EndTime, o.state.Metrics = status, subjects.Now(), o.metrics
	if o.context != nil {
		o.state.ExitStatus = o.context.ExitStatus()
		o.state.PersistentData = o.context.Data()
	}
	o.state.ExitStatus = cmp.Or(o.state.ExitStatus, strings.ToUpper(string(status))) // 8.7
	if err != nil {
		o.state.Exception = err.Error()
	}
	return o.state
}

// execute creates the artifacts of the partition and runs its body.
func (o *partition) execute(ctx context.Context) (subjects.BatchStatus, error) {
	if err := o.create(); err != nil {
		return subjects.Failed, err
	}
	collect, err := o.createCollector()
	if err != nil {
		return subjects.Failed, err
	}
	if o.step.Chunk != nil {
		o.afterCommit = collect
		return o.runWork(ctx)
	}
	status, err := o.runWork(ctx)
	if err == nil && len(o.context.NextValues()) > 0 {
		return subjects.Failed, errPartitionValues
	}
	if err != nil || collect == nil { // 8.2.6.6: not after an error
		return status, err
	}
	after, cancel := o.run.rt.contextAfter(ctx)
	defer cancel()
	if err := collect(after); err != nil {
		return subjects.Failed, err
	}
	return status, nil
}

// create sets the step of the partition, its context and its listeners. All of
// them are its own (9.4.1.1, 10.5).
func (o *partition) create() error {
	p := o.whole
	var properties jsl.Properties
	if o.state.Number < len(p.plan.Properties) {
		for name, value := range p.plan.Properties[o.state.Number] {
			properties = append(properties, jsl.Property{Name: name, Value: value})
		}
	}
	step, err := p.written.ResolvePartition(properties) // 8.8.1.4
	if err != nil {
		return err
	}
	save := o.saveData
	if step.Chunk != nil {
		save = nil // with the next commit
	}
	t := &thread{run: p.stepRun.run, job: p.job.Fork()}
	c := agent.NewStepContext(o.state.PersistentData, save)
	t.fillContext(c, step)
	c.Run = p.execution.Run
	c.Partition, c.Partitions = o.state.Number, p.plan.Partitions
	c.Log = c.Log.With("partition", o.state.Number)
	o.stepRun = stepRun{thread: t, step: step, context: c, execution: p.execution, last: o.state.StepData, commit: o.commitChunk}
	return o.createListeners()
}

// createCollector returns a function that collects and hands the data to the
// step, or nil.
func (o *partition) createCollector() (func(context.Context) error, error) {
	a := o.step.Partition.Collector
	if a == nil {
		return nil, nil
	}
	c, err := createArtifact(&o.stepRun, "partition collector", o.run.rt.host.Artifacts.Collectors, a)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		var data any
		err := o.callSafely(o.step.ID, func() (err error) { data, err = c.CollectPartitionData(ctx); return err })
		if err != nil {
			return fmt.Errorf("partition collector %s: %w", a.Ref, err)
		}
		o.whole.events <- partitionEvent{data: data}
		return nil
	}, nil
}

// saveData stores the persistent user data of a batchlet.
func (o *partition) saveData(data json.RawMessage) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.state.PersistentData = data
	return o.run.rep.SavePartition(o.execution.ID, o.state)
}

// commitChunk stores a commit of the partition's chunk.
func (o *partition) commitChunk(d subjects.StepData, m subjects.Metrics) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	next := o.state
	next.StepData, next.Metrics = d, m
	if err := o.run.rep.SavePartition(o.execution.ID, next); err != nil {
		return err
	}
	o.state = next
	return nil
}

package execution

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// mergeSteps merges each step that the result r has into the record's step with
// its id, or appends it if it is new. It adds what the steps keep to data, unless
// that is nil; the record has the sizes only.
func mergeSteps(e *bus.Execution, r *bus.StoredResult, data stepChanges) {
	if len(r.Steps) == 0 {
		return
	}
	steps := slices.Clone(e.StepExecutions) // a reader may hold the old slice
	for i := range r.Steps {
		c := &r.Steps[i]
		at := slices.IndexFunc(steps, func(s subjects.StepExecution) bool { return s.ID == c.ID })
		isNew := at < 0
		if isNew {
			at, steps = len(steps), append(steps, beginStep(e, steps, c))
		}
		was := steps[at]
		if c.PartitionsOverride && !was.PartitionsOverride { // those of earlier executions
			was.Partitions = nil
		}
		steps[at] = mergeStep(was, *c)
		if data != nil {
			data.addStep(e, r.Sequence, &was, c)
		}
	}
	e.StepExecutions = steps
}

// beginStep returns a step execution before its first result. It keeps what the
// execution of the step before it kept.
func beginStep(e *bus.Execution, steps []subjects.StepExecution, c *subjects.StepExecution) subjects.StepExecution {
	was := subjects.StepState{}
	for i := range e.Before {
		if e.Before[i].Step == c.Step {
			was = e.Before[i]
		}
	}
	for i := range steps {
		if steps[i].Step == c.Step {
			was = stepState(&was, e.ID, &steps[i])
		}
	}
	s := subjects.StepExecution{StepData: was.StepData}
	if keepsPartitions(&was, c) { // those that are completed do not run again
		s.Partitions = was.Partitions
	}
	return s
}

// keepsPartitions reports whether the partitions of an earlier execution of a
// step count for the next one (section 10.8.5).
func keepsPartitions(was *subjects.StepState, next *subjects.StepExecution) bool {
	return !next.PartitionsOverride && was.BatchStatus != subjects.Completed && was.PartitionCount == next.PartitionCount
}

// mergeStep returns the step s as a result changed it. A result has only those
// partitions that changed.
func mergeStep(s, changed subjects.StepExecution) subjects.StepExecution {
	data, partitions := s.StepData, s.Partitions
	if len(changed.Partitions) > 0 || changed.BatchStatus == subjects.Completed {
		partitions = slices.Clone(partitions)
	}
	s = changed
	s.StepData = mergeSizes(data, changed.StepData, s.BatchStatus)
	for _, p := range changed.Partitions {
		i, found := findPartition(partitions, p.Number)
		if !found {
			partitions = slices.Insert(partitions, i, subjects.Partition{Number: p.Number})
		}
		p.StepData = mergeSizes(partitions[i].StepData, p.StepData, p.BatchStatus)
		partitions[i] = p
	}
	if s.BatchStatus == subjects.Completed {
		for i := range partitions {
			partitions[i].StepData = withoutCheckpoints(partitions[i].StepData)
		}
	}
	s.Partitions = partitions
	if len(partitions) > 0 && !s.BatchStatus.Ended() {
		s.Metrics = sumMetrics(&s)
	}
	return s
}

// sumMetrics returns what the partitions of a step execution have counted so
// far. Partitions of earlier executions began before the step.
func sumMetrics(s *subjects.StepExecution) (sum subjects.Metrics) {
	for i := range s.Partitions {
		if p := &s.Partitions[i]; p.StartTime >= s.StartTime {
			sum.Add(p.Metrics)
		}
	}
	return sum
}

func findPartition(all []subjects.Partition, number int) (at int, found bool) {
	return slices.BinarySearchFunc(all, number, func(p subjects.Partition, n int) int { return cmp.Compare(p.Number, n) })
}

// mergeSizes returns what a record shows of what a step keeps: sizes. Records of
// older releases have user data in place, which stays there until it changes.
func mergeSizes(was, changed subjects.StepData, status subjects.BatchStatus) subjects.StepData {
	mergeSize(&was.PersistentData, &was.Sizes.PersistentData, changed.PersistentData)
	mergeSize(&was.ReaderCheckpoint, &was.Sizes.ReaderCheckpoint, changed.ReaderCheckpoint)
	mergeSize(&was.WriterCheckpoint, &was.Sizes.WriterCheckpoint, changed.WriterCheckpoint)
	if status == subjects.Completed {
		was = withoutCheckpoints(was)
	}
	return was
}

func mergeSize(inline *json.RawMessage, size *int, changed json.RawMessage) {
	switch {
	case len(changed) == 0:
		return
	case string(changed) == string(subjects.None):
		*size = 0
	default:
		*size = len(changed)
	}
	*inline = nil
}

func withoutCheckpoints(d subjects.StepData) subjects.StepData {
	d.ReaderCheckpoint, d.WriterCheckpoint = nil, nil
	d.Sizes.ReaderCheckpoint, d.Sizes.WriterCheckpoint = 0, 0
	return d
}

// closePartitions ends the partitions that ran when their step ended with a
// status.
func closePartitions(all []subjects.Partition, status subjects.BatchStatus, end subjects.Time) []subjects.Partition {
	if !slices.ContainsFunc(all, func(p subjects.Partition) bool { return !p.BatchStatus.Ended() }) {
		return all
	}
	all = slices.Clone(all)
	for i := range all {
		if p := &all[i]; !p.BatchStatus.Ended() {
			p.BatchStatus, p.EndTime = status, end
			p.ExitStatus = cmp.Or(p.ExitStatus, defaultExitStatus(status))
		}
	}
	return all
}

// withoutPartitions returns steps as the execution of a request has them: its
// "steps" have the partitions, and a claim repeats the execution.
func withoutPartitions(steps []subjects.StepExecution) []subjects.StepExecution {
	if !slices.ContainsFunc(steps, func(s subjects.StepExecution) bool { return len(s.Partitions) > 0 }) {
		return steps
	}
	steps = slices.Clone(steps)
	for i := range steps {
		steps[i].Partitions = nil
	}
	return steps
}

// stepStates returns what a further attempt or a restart needs to know of each
// step: its newest execution, and how often it started. before is the same from
// earlier executions of the job; steps are of the execution with an id.
func stepStates(before []subjects.StepState, id int64, steps []subjects.StepExecution) []subjects.StepState {
	all := slices.Clone(before)
	for _, s := range steps {
		i := slices.IndexFunc(all, func(t subjects.StepState) bool { return t.Step == s.Step })
		if i < 0 {
			all = append(all, subjects.StepState{Step: s.Step})
			i = len(all) - 1
		}
		all[i] = stepState(&all[i], id, &s)
	}
	return all
}

// stepState returns the state of a step after one more execution of it.
func stepState(was *subjects.StepState, id int64, s *subjects.StepExecution) subjects.StepState {
	is := subjects.StepState{
		Step: s.Step, BatchStatus: s.BatchStatus, ExitStatus: s.ExitStatus, Starts: was.Starts + 1,
		ID: s.ID, ExecutionID: id, StartTime: s.StartTime, EndTime: s.EndTime, Metrics: s.Metrics, Values: s.Values,
		PartitionCount: s.PartitionCount, Run: s.Run,
	}
	if !is.BatchStatus.Ended() { // the agent was lost
		is.BatchStatus = subjects.Failed
	}
	is.StepData = s.StepData
	if is.BatchStatus == subjects.Completed { // older releases kept them
		is.StepData = withoutCheckpoints(is.StepData)
	}
	is.Partitions = closePartitions(s.Partitions, subjects.Failed, is.EndTime)
	return is
}

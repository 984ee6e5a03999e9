package execution

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// mergeSteps merges each changed step into the one with its id, or appends it if
// it is new.
func mergeSteps(steps, changed []subjects.StepExecution) []subjects.StepExecution {
	if len(changed) == 0 {
		return steps
	}
	steps = slices.Clone(steps) // a reader may hold the old slice
	for _, c := range changed {
		if i := slices.IndexFunc(steps, func(s subjects.StepExecution) bool { return s.ID == c.ID }); i >= 0 {
			steps[i] = mergeStep(steps[i], c)
		} else {
			steps = append(steps, mergeStep(subjects.StepExecution{}, c))
		}
	}
	return steps
}

// mergeStep returns the step s as a result changed it. A result has only those
// partitions that changed.
func mergeStep(s, changed subjects.StepExecution) subjects.StepExecution {
	data, partitions := s.StepData, slices.Clone(s.Partitions)
	s = changed
	s.StepData = mergeData(data, changed.StepData, s.BatchStatus)
	for _, p := range changed.Partitions {
		i, found := slices.BinarySearchFunc(partitions, p.Number, func(o subjects.Partition, n int) int { return cmp.Compare(o.Number, n) })
		if !found {
			partitions = slices.Insert(partitions, i, subjects.Partition{Number: p.Number})
		}
		p.StepData = mergeData(partitions[i].StepData, p.StepData, p.BatchStatus)
		partitions[i] = p
	}
	if s.BatchStatus == subjects.Completed {
		for i := range partitions {
			partitions[i].StepData = withoutCheckpoints(partitions[i].StepData)
		}
	}
	s.Partitions = partitions
	return s
}

// mergeData returns what a step keeps after a change: what is absent is as
// before. A completed one keeps no checkpoints.
func mergeData(was, changed subjects.StepData, status subjects.BatchStatus) subjects.StepData {
	is := subjects.StepData{
		PersistentData:   mergeValue(was.PersistentData, changed.PersistentData),
		ReaderCheckpoint: mergeValue(was.ReaderCheckpoint, changed.ReaderCheckpoint),
		WriterCheckpoint: mergeValue(was.WriterCheckpoint, changed.WriterCheckpoint),
	}
	if status == subjects.Completed {
		is = withoutCheckpoints(is)
	}
	return is
}

func mergeValue(was, changed json.RawMessage) json.RawMessage {
	switch {
	case len(changed) == 0:
		return was
	case string(changed) == string(subjects.None):
		return nil
	}
	return changed
}

func withoutCheckpoints(d subjects.StepData) subjects.StepData {
	d.ReaderCheckpoint, d.WriterCheckpoint = nil, nil
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
		PartitionCount: s.PartitionCount,
	}
	if !is.BatchStatus.Ended() { // the agent was lost
		is.BatchStatus = subjects.Failed
	}
	is.StepData = mergeData(was.StepData, s.StepData, is.BatchStatus)
	if !s.PartitionsOverride && was.BatchStatus != subjects.Completed && was.PartitionCount == s.PartitionCount {
		is.Partitions = slices.Clone(was.Partitions)
	}
	for _, p := range s.Partitions {
		i, found := slices.BinarySearchFunc(is.Partitions, p.Number, func(o subjects.Partition, n int) int { return cmp.Compare(o.Number, n) })
		if !found {
			is.Partitions = slices.Insert(is.Partitions, i, subjects.Partition{Number: p.Number})
		}
		p.StepData = mergeData(is.Partitions[i].StepData, p.StepData, p.BatchStatus)
		is.Partitions[i] = p
	}
	is.Partitions = closePartitions(is.Partitions, subjects.Failed, is.EndTime)
	return is
}

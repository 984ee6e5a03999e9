package httpapi

import (
	"strconv"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func stepOf(of *bus.Execution, e *subjects.StepExecution) rest.StepExecution {
	v := rest.StepExecution{
		DBID:            rest.DBID("step", strconv.FormatInt(of.ID, 10), strconv.FormatInt(e.ID, 10)),
		StepExecutionID: e.ID, StepName: e.Step,
		BatchStatus: e.BatchStatus, ExitStatus: exitStatus(e.BatchStatus, e.ExitStatus),
		StartTime: e.StartTime, EndTime: e.EndTime, Exception: orNil(e.Exception),
		Metrics: metricsOf(e.Metrics), DataSizes: dataSizesOf(of, &e.StepData), Values: e.Values, PartitionCount: orNil(e.PartitionCount),
	}
	for i := range e.Partitions {
		p := &e.Partitions[i]
		v.Partitions = append(v.Partitions, rest.Partition{
			Number: p.Number, BatchStatus: p.BatchStatus, ExitStatus: exitStatus(p.BatchStatus, p.ExitStatus),
			StartTime: p.StartTime, EndTime: p.EndTime, Exception: orNil(p.Exception),
			Metrics: metricsOf(p.Metrics), DataSizes: dataSizesOf(of, &p.StepData),
		})
	}
	return v
}

func metricsOf(m subjects.Metrics) *rest.Metrics {
	v := rest.Metrics(m)
	return orNil(v)
}

// dataSizesOf returns nil if nothing is kept: an execution that cannot be
// restarted keeps nothing.
func dataSizesOf(of *bus.Execution, d *subjects.StepData) *rest.DataSizes {
	if of.BatchStatus == subjects.Completed || of.BatchStatus == subjects.Abandoned {
		return nil
	}
	sizes := rest.DataSizes(d.Sizes)
	if len(d.PersistentData) > 0 { // a record of an older version
		sizes.PersistentData = len(d.PersistentData)
	}
	return orNil(sizes)
}

func earlierStepOf(s *subjects.StepState) rest.EarlierStep {
	v := rest.EarlierStep{
		StepName: s.Step, BatchStatus: s.BatchStatus, ExitStatus: exitStatus(s.BatchStatus, s.ExitStatus), Starts: s.Starts,
		ExecutionID: orNil(s.ExecutionID), StartTime: s.StartTime, EndTime: s.EndTime,
		Metrics: metricsOf(s.Metrics), PartitionCount: orNil(s.PartitionCount),
	}
	if s.PartitionCount > 0 {
		n := completedPartitions(s.Partitions)
		v.CompletedPartitions = &n
	}
	return v
}

func completedPartitions(all []subjects.Partition) (n int) {
	for i := range all {
		if all[i].BatchStatus == subjects.Completed {
			n++
		}
	}
	return n
}

// currentStepsOf returns the steps that run.
func currentStepsOf(steps []subjects.StepExecution) (all []rest.CurrentStep) {
	for i := range steps {
		if s := &steps[i]; s.BatchStatus.Running() {
			all = append(all, rest.CurrentStep{
				StepName: s.Step, BatchStatus: s.BatchStatus, StartTime: s.StartTime, Metrics: metricsOf(s.Metrics),
				PartitionCount: s.PartitionCount, CompletedPartitions: completedPartitions(s.Partitions),
			})
		}
	}
	return all
}

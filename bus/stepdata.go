package bus

import (
	"context"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// WholeStep is the Partition of the [StepData] of a step itself.
const WholeStep = -1

// StepData is what a step of a job instance, or one of its partitions, keeps for
// a restart and for the next attempt. It has a bucket of its own, since it may
// be large: records are in the memory of every bus while it starts, and their
// size is that of one message. All executions of the instance share it; only the
// newest of them can run.
type StepData struct {
	Step      string `json:"step_name"`
	Partition int    `json:"partition"` // or WholeStep
	// The execution and the step execution that reported it last.
	ExecutionID     int64  `json:"execution_id"`
	StepExecutionID int64  `json:"step_execution_id"`
	Sequence        uint64 `json:"sequence"` // of the newest result in it
	subjects.StepData
}

// StepDataKey returns the key of what a step, or a partition, keeps.
func (e *Execution) StepDataKey(step string, partition int) string {
	last := "step"
	if partition != WholeStep {
		last = strconv.Itoa(partition)
	}
	return e.stepDataPrefix() + NameKey(step) + "." + last
}

func (e *Execution) stepDataPrefix() string {
	return JobKey(e.App, e.Job) + "." + strconv.FormatInt(e.InstanceID, 10) + "."
}

// KeepsStepData reports whether steps of the execution's instance may keep data.
func (e *Execution) KeepsStepData() bool {
	for i := range e.StepExecutions {
		if keepsData(&e.StepExecutions[i].StepData, e.StepExecutions[i].Partitions) {
			return true
		}
	}
	for i := range e.Before {
		if keepsData(&e.Before[i].StepData, e.Before[i].Partitions) {
			return true
		}
	}
	return false
}

func keepsData(d *subjects.StepData, partitions []subjects.Partition) bool {
	if d.Sizes != (subjects.DataSizes{}) {
		return true
	}
	for i := range partitions {
		if partitions[i].Sizes != (subjects.DataSizes{}) {
			return true
		}
	}
	return false
}

// StepDataOf reads what the steps of the execution's instance keep.
func (b *Bus) StepDataOf(ctx context.Context, e *Execution) ([]Entry[StepData], error) {
	return b.StepData.List(ctx, e.stepDataPrefix()+">")
}

// PurgeStepData removes what the steps of the execution's instance keep.
func (b *Bus) PurgeStepData(ctx context.Context, e *Execution) error {
	s, err := b.JS.Stream(ctx, jetio.BucketStream(subjects.StepDataBucket))
	if err == nil {
		err = s.Purge(ctx, jetstream.WithPurgeSubject(b.StepData.Subject(e.stepDataPrefix()+">")))
	}
	if err != nil {
		return fmt.Errorf("purge the data of the steps of %d: %w", e.ID, err)
	}
	return nil
}

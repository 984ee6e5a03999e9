package subjects

import "encoding/json"

// Limits of what a step may store, in bytes of JSON. An agent refuses more with
// an error that names the step.
const (
	MaxPersistentData = 256 << 10 // of a step, or of a partition
	MaxCheckpoint     = 1 << 20   // of a reader, or of a writer
)

// MaxPartitions is the greatest number of partitions of a step. The record of an
// execution shows all of them.
const MaxPartitions = 10_000

// None is a checkpoint or persistent data that is removed. An empty value means
// that it is as before.
var None = json.RawMessage("null")

// StepExecution is one execution of a step.
type StepExecution struct {
	ID          int64       `json:"step_execution_id"` // 1, 2, ... within the execution, over all attempts
	Step        string      `json:"step_name"`
	BatchStatus BatchStatus `json:"batch_status"`
	ExitStatus  string      `json:"exit_status,omitempty"`
	Exception   string      `json:"exception,omitempty"`
	StartTime   Time        `json:"start_time,omitzero"`
	EndTime     Time        `json:"end_time,omitzero"`
	// Of a chunk step: the executions of the step that go on where the one before
	// ended have the same text; one that begins anew has another.
	Run     string  `json:"run,omitempty"`
	Metrics Metrics `json:"metrics,omitzero"` // of a step with partitions: their sum
	// For later steps: see "Output of a step" in the comment of the package.
	Values map[string]string `json:"values,omitempty"`
	StepData
	// The number of partitions, fixed when the step begins; 0: it has none.
	PartitionCount int `json:"partition_count,omitempty"`
	// The partitions of earlier executions of the step do not count: the mapper
	// has overridden them (section 10.8.5).
	PartitionsOverride bool `json:"partitions_override,omitempty"`
	// In a result: the ones that changed.
	Partitions []Partition `json:"partitions,omitempty"`
}

// Partition is one partition of an execution of a step.
type Partition struct {
	Number      int         `json:"partition"` // 0 to partition_count-1
	BatchStatus BatchStatus `json:"batch_status"`
	ExitStatus  string      `json:"exit_status,omitempty"`
	Exception   string      `json:"exception,omitempty"`
	StartTime   Time        `json:"start_time,omitzero"`
	EndTime     Time        `json:"end_time,omitzero"`
	Metrics     Metrics     `json:"metrics,omitzero"`
	StepData
}

// StepData is what a step, or a partition, keeps for a restart and for the next
// attempt. It is private to the runtime and to the job. In a result, an absent
// field is as before, and [None] removes it.
type StepData struct {
	PersistentData   json.RawMessage `json:"persistent_data,omitempty"` // persistent user data
	ReaderCheckpoint json.RawMessage `json:"reader_checkpoint,omitempty"`
	WriterCheckpoint json.RawMessage `json:"writer_checkpoint,omitempty"`
	// Only in records of executions, which do not hold the data itself.
	Sizes DataSizes `json:"data_sizes,omitzero"`
}

// DataSizes are the sizes of what [StepData] holds, in bytes of JSON.
type DataSizes struct {
	PersistentData   int `json:"persistent_data,omitempty"`
	ReaderCheckpoint int `json:"reader_checkpoint,omitempty"`
	WriterCheckpoint int `json:"writer_checkpoint,omitempty"`
}

// Metrics count what a chunk step has done (section 10.2) since the step
// execution began.
type Metrics struct {
	Read        int64 `json:"read_count,omitempty"`
	Write       int64 `json:"write_count,omitempty"`
	Filter      int64 `json:"filter_count,omitempty"`
	Commit      int64 `json:"commit_count,omitempty"`
	Rollback    int64 `json:"rollback_count,omitempty"`
	ReadSkip    int64 `json:"read_skip_count,omitempty"`
	ProcessSkip int64 `json:"process_skip_count,omitempty"`
	WriteSkip   int64 `json:"write_skip_count,omitempty"`
}

// Add adds the counts of o.
func (m *Metrics) Add(o Metrics) {
	m.Read += o.Read
	m.Write += o.Write
	m.Filter += o.Filter
	m.Commit += o.Commit
	m.Rollback += o.Rollback
	m.ReadSkip += o.ReadSkip
	m.ProcessSkip += o.ProcessSkip
	m.WriteSkip += o.WriteSkip
}

// StepState tells a restart or a further attempt what became of a step: the
// state of its newest execution in the job instance.
type StepState struct {
	Step        string      `json:"step_name"`
	BatchStatus BatchStatus `json:"batch_status"`
	ExitStatus  string      `json:"exit_status,omitempty"`
	Starts      int         `json:"starts"` // in the job instance, for start-limit
	// The newest execution of the step, and the execution of the job that it
	// belongs to; 0 in requests of older buses.
	ID          int64   `json:"step_execution_id,omitempty"`
	ExecutionID int64   `json:"execution_id,omitempty"`
	StartTime   Time    `json:"start_time,omitzero"`
	EndTime     Time    `json:"end_time,omitzero"`
	Run         string  `json:"run,omitempty"` // of its newest execution
	Metrics     Metrics `json:"metrics,omitzero"`
	// Of its newest execution; they are gone when the step starts again.
	Values map[string]string `json:"values,omitempty"`
	StepData
	PartitionCount int         `json:"partition_count,omitempty"`
	Partitions     []Partition `json:"partitions,omitempty"` // all that have begun, by number
}

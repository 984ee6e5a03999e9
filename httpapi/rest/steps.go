package rest

import "github.com/job-streamer/job-streamer-control-bus/subjects"

// StepExecution is one execution of a step.
type StepExecution struct {
	DBID            int64                `json:"-" edn:"db/id"` // made from execution and step
	StepExecutionID int64                `json:"step_execution_id" edn:"step-execution/step-execution-id"`
	StepName        string               `json:"step_name" edn:"step-execution/step-name"`
	BatchStatus     subjects.BatchStatus `json:"batch_status" edn:"step-execution/batch-status,ref=batch-status"`
	ExitStatus      *string              `json:"exit_status" edn:"step-execution/exit-status"`
	StartTime       subjects.Time        `json:"start_time" edn:"step-execution/start-time" nullable:"true"`
	EndTime         subjects.Time        `json:"end_time" edn:"step-execution/end-time" nullable:"true"`
	Exception       *string              `json:"exception" edn:"step-execution/exception"`
	Metrics         *Metrics             `json:"metrics,omitzero" edn:"step-execution/metrics" doc:"What a chunk step has done; with partitions, the sum of all. Absent while it has done nothing, and for other steps. It is a second old at most."`
	DataSizes       *DataSizes           `json:"data_sizes,omitzero" edn:"step-execution/data-sizes" doc:"How much the step keeps for a restart. Absent if nothing. The data itself is for agents only."`
	Values          map[string]string    `json:"values,omitempty" edn:"step-execution/values,text" doc:"What the step has set for later steps. The values of all steps of a job have at most 64 KiB together, names and texts."`
	PartitionCount  *int                 `json:"partition_count,omitzero" edn:"step-execution/partition-count" doc:"Absent if the step has no partitions."`
	Partitions      []Partition          `json:"partitions,omitempty" edn:"step-execution/partitions" doc:"The partitions that have begun, by number. In a restart, those that were completed before are as they ended then."`
	Logs            *[]LogLine           `json:"logs,omitzero" edn:"step-execution/logs" doc:"Only with with=logs: the last 1,000 lines of the output of the step."`
}

// Partition is one partition of a step execution.
type Partition struct {
	Number      int                  `json:"partition" edn:"partition/number" doc:"From 0."`
	BatchStatus subjects.BatchStatus `json:"batch_status" edn:"partition/batch-status,ref=batch-status"`
	ExitStatus  *string              `json:"exit_status" edn:"partition/exit-status"`
	StartTime   subjects.Time        `json:"start_time" edn:"partition/start-time" nullable:"true"`
	EndTime     subjects.Time        `json:"end_time" edn:"partition/end-time" nullable:"true"`
	Exception   *string              `json:"exception" edn:"partition/exception"`
	Metrics     *Metrics             `json:"metrics,omitzero" edn:"partition/metrics"`
	DataSizes   *DataSizes           `json:"data_sizes,omitzero" edn:"partition/data-sizes"`
}

// Metrics count what a chunk step has done.
type Metrics struct {
	Read        int64 `json:"read_count" edn:"metrics/read-count" doc:"Items that were read."`
	Write       int64 `json:"write_count" edn:"metrics/write-count" doc:"Items that were written."`
	Filter      int64 `json:"filter_count" edn:"metrics/filter-count" doc:"Items that the processor filtered."`
	Commit      int64 `json:"commit_count" edn:"metrics/commit-count" doc:"Chunks that were committed."`
	Rollback    int64 `json:"rollback_count" edn:"metrics/rollback-count" doc:"Chunks that were rolled back."`
	ReadSkip    int64 `json:"read_skip_count" edn:"metrics/read-skip-count" doc:"Skipped failures of the reader."`
	ProcessSkip int64 `json:"process_skip_count" edn:"metrics/process-skip-count" doc:"Skipped failures of the processor."`
	WriteSkip   int64 `json:"write_skip_count" edn:"metrics/write-skip-count" doc:"Skipped failures of the writer."`
}

// DataSizes are sizes in bytes of JSON.
type DataSizes struct {
	PersistentData   int `json:"persistent_data" edn:"data-sizes/persistent-data" doc:"Of the persistent user data."`
	ReaderCheckpoint int `json:"reader_checkpoint" edn:"data-sizes/reader-checkpoint" doc:"0 once the step is completed."`
	WriterCheckpoint int `json:"writer_checkpoint" edn:"data-sizes/writer-checkpoint" doc:"0 once the step is completed."`
}

// EarlierStep is what became of a step in the executions that a restart
// continues.
type EarlierStep struct {
	StepName            string               `json:"step_name" edn:"earlier-step/step-name"`
	BatchStatus         subjects.BatchStatus `json:"batch_status" edn:"earlier-step/batch-status,ref=batch-status"`
	ExitStatus          *string              `json:"exit_status" edn:"earlier-step/exit-status"`
	Starts              int                  `json:"starts" edn:"earlier-step/starts" doc:"How often it began."`
	ExecutionID         *int64               `json:"execution_id,omitzero" edn:"earlier-step/execution-id" doc:"The execution in which it began last. Absent if an older version started it."`
	StartTime           subjects.Time        `json:"start_time" edn:"earlier-step/start-time" nullable:"true"`
	EndTime             subjects.Time        `json:"end_time" edn:"earlier-step/end-time" nullable:"true"`
	Metrics             *Metrics             `json:"metrics,omitzero" edn:"earlier-step/metrics"`
	PartitionCount      *int                 `json:"partition_count,omitzero" edn:"earlier-step/partition-count"`
	CompletedPartitions *int                 `json:"completed_partitions,omitzero" edn:"earlier-step/completed-partitions"`
}

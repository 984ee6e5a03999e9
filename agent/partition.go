package agent

import (
	"context"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// PartitionPlan says how a step is divided (9.5.1).
type PartitionPlan struct {
	Partitions int
	// Threads is how many partitions run at the same time. 0 stands for all.
	Threads int
	// Override makes a restart use this number of partitions and drop what is
	// known of the earlier ones. Otherwise a restart keeps the number of the
	// first execution, and runs only the partitions that are not completed
	// (10.8.5).
	Override bool
	// Properties holds the properties of each partition, by its number: the
	// values of #{partitionPlan['name']}. It may be shorter than Partitions.
	Properties []map[string]string
}

// PartitionMapper computes the plan at the start of a partitioned step (9.5.1).
type PartitionMapper interface {
	MapPartitions(ctx context.Context) (PartitionPlan, error)
}

// PartitionCollector collects data in each partition for the analyzer (9.5.3).
// Each partition has its own instance.
type PartitionCollector interface {
	// CollectPartitionData is called after each commit of a chunk, or once at the
	// end of a batchlet. It is not called when the partition has failed.
	CollectPartitionData(ctx context.Context) (any, error)
}

// PartitionAnalyzer receives data and the statuses of all partitions. Its
// methods are called one after another, by the goroutine of the step (9.5.4).
type PartitionAnalyzer interface {
	AnalyzeCollectorData(ctx context.Context, data any) error
	// AnalyzeStatus is called when a partition has ended, after all its data.
	AnalyzeStatus(ctx context.Context, status subjects.BatchStatus, exitStatus string) error
}

// PartitionStatus tells a reducer how the partitions ended.
type PartitionStatus string

// The statuses of partitioned steps.
const (
	PartitionsCommitted  PartitionStatus = "COMMIT"
	PartitionsRolledBack PartitionStatus = "ROLLBACK"
)

// PartitionReducer is called by the goroutine of the step, before and after all
// partitions (9.5.2).
type PartitionReducer interface {
	// BeginPartitionedStep is called before the mapper.
	BeginPartitionedStep(ctx context.Context) error
	// BeforePartitionedStepCompletion is called when all partitions have
	// completed.
	BeforePartitionedStepCompletion(ctx context.Context) error
	// RollbackPartitionedStep is called instead if a partition has failed or was
	// stopped, or if a partition artifact has returned an error.
	RollbackPartitionedStep(ctx context.Context) error
	AfterPartitionedStepCompletion(ctx context.Context, status PartitionStatus) error
}

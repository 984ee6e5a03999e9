package agent_test

import (
	"context"
	"fmt"
	"strconv"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// runPartitions runs a step whose batchlet counts to the property to. artifacts
// are those of its partition. One partition runs after the other, so that the
// output has an order.
func runPartitions(artifacts string, options ...agent.Option) {
	count := func(_ context.Context, s *agent.StepContext) (string, error) {
		s.SetTransientData(s.Properties["to"]) // for the collector
		return "COUNTED", nil
	}
	runExample(`{"id": "nightly", "steps": [{"id": "count",
		"batchlet": {"ref": "shop.Count", "properties": {"to": "#{partitionPlan['to']}"}},
		"partition": {`+artifacts+`}}]}`, append(options, agent.Batchlet("shop.Count", count))...)
}

const (
	twoPartitions = `"plan": {"partitions": 2, "threads": 1, "properties": [
		{"partition": 0, "properties": {"to": 100}}, {"partition": 1, "properties": {"to": 50}}]}`
	collected = `"collector": {"ref": "shop.Collect"}`
)

// byCustomers divides a step by the customers that there are now.
type byCustomers struct{ customers []string }

func (m byCustomers) MapPartitions(context.Context) (agent.PartitionPlan, error) {
	plan := agent.PartitionPlan{Partitions: len(m.customers), Threads: 1}
	for _, c := range m.customers {
		plan.Properties = append(plan.Properties, map[string]string{"to": c})
	}
	fmt.Println(plan.Partitions, "partitions")
	return plan, nil
}

// A mapper makes the plan at the start of the step. The properties of each
// partition are the values of #{partitionPlan['name']}.
func ExamplePartitionMapper() {
	runPartitions(`"mapper": {"ref": "shop.ByCustomers"}`,
		agent.Mapper("shop.ByCustomers", func(*agent.StepContext) (agent.PartitionMapper, error) {
			return byCustomers{[]string{"Ada", "Grace", "Mary"}}, nil
		}))
	// Output:
	// 3 partitions
	// completed COMPLETED
}

// collector names its partition, and returns what its batchlet has counted.
type collector struct{ step *agent.StepContext }

func (c collector) CollectPartitionData(context.Context) (any, error) {
	fmt.Printf("partition %d of %d\n", c.step.Partition+1, c.step.Partitions)
	return strconv.Atoi(c.step.TransientData().(string))
}

func newCollector(s *agent.StepContext) (agent.PartitionCollector, error) { return collector{s}, nil }

// Each partition has a collector of its own.
func ExamplePartitionCollector() {
	runPartitions(twoPartitions+", "+collected, agent.Collector("shop.Collect", newCollector))
	// Output:
	// partition 1 of 2
	// partition 2 of 2
	// completed COMPLETED
}

// quietCollector returns what the batchlet of its partition has counted.
type quietCollector struct{ step *agent.StepContext }

func (c quietCollector) CollectPartitionData(context.Context) (any, error) {
	return strconv.Atoi(c.step.TransientData().(string))
}

// sum adds what the collectors return, and makes the exit status of the step.
type sum struct {
	step *agent.StepContext
	n    int
}

func (a *sum) AnalyzeCollectorData(_ context.Context, data any) error {
	a.n += data.(int)
	return nil
}

func (a *sum) AnalyzeStatus(_ context.Context, status subjects.BatchStatus, exitStatus string) error {
	fmt.Println(status, exitStatus, a.n)
	a.step.SetExitStatus(fmt.Sprint(a.n))
	return nil
}

// An analyzer gets the data and the end of all partitions, one call after
// another.
func ExamplePartitionAnalyzer() {
	runPartitions(twoPartitions+", "+collected+`, "analyzer": {"ref": "shop.Sum"}`,
		agent.Collector("shop.Collect", func(s *agent.StepContext) (agent.PartitionCollector, error) { return quietCollector{s}, nil }),
		agent.Analyzer("shop.Sum", func(s *agent.StepContext) (agent.PartitionAnalyzer, error) { return &sum{step: s}, nil }))
	// Output:
	// completed COUNTED 100
	// completed COUNTED 150
	// completed COMPLETED
}

// publisher makes what the partitions wrote visible when all have completed.
type publisher struct{}

func (publisher) BeginPartitionedStep(context.Context) error {
	fmt.Println("begin")
	return nil
}

func (publisher) BeforePartitionedStepCompletion(context.Context) error {
	fmt.Println("publish")
	return nil
}

func (publisher) RollbackPartitionedStep(context.Context) error {
	fmt.Println("remove")
	return nil
}

func (publisher) AfterPartitionedStepCompletion(_ context.Context, status agent.PartitionStatus) error {
	fmt.Println("end:", status)
	return nil
}

// A reducer is called before and after all partitions.
func ExamplePartitionReducer() {
	runPartitions(twoPartitions+`, "reducer": {"ref": "shop.Publish"}`,
		agent.Reducer("shop.Publish", func(*agent.StepContext) (agent.PartitionReducer, error) { return publisher{}, nil }))
	// Output:
	// begin
	// publish
	// end: COMMIT
	// completed COMPLETED
}

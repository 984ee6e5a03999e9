package agent_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// A decider gets the executions of the step before the decision, and chooses
// what runs next.
func ExampleDecider() {
	byRows := func(d *agent.DecisionContext) (agent.Decider, error) {
		return agent.DeciderFunc(func(_ context.Context, last []subjects.StepExecution) (string, error) {
			if last[0].ExitStatus == "0 ROWS" {
				return d.Properties["empty"], nil
			}
			return "ROWS", nil
		}), nil
	}
	runExample(`{"id": "nightly", "steps": [
		{"id": "import", "next": "check", "batchlet": {"ref": "shop.Import"}},
		{"id": "check", "decision": {"ref": "shop.ByRows", "properties": {"empty": "NOTHING"}},
		 "transitions": [{"next": {"on": "ROWS", "to": "report"}}, {"end": {"on": "NOTHING"}}]},
		{"id": "report", "batchlet": {"ref": "shop.Report"}}]}`,
		agent.WithDecider("shop.ByRows", byRows),
		agent.Batchlet("shop.Import", func(context.Context, *agent.StepContext) (string, error) { return "0 ROWS", nil }))
	// Output:
	// completed NOTHING
}

// mailer reports how a job ends.
type mailer struct{ job *agent.JobContext }

func (m mailer) BeforeJob(context.Context) error { return nil }

func (m mailer) AfterJob(context.Context) error {
	fmt.Printf("mail to %s: %s: %v\n", m.job.Properties["to"], m.job.BatchStatus(), m.job.Err())
	return nil
}

// A listener of a job knows how the job ends.
func ExampleJobListener() {
	runExample(`{"id": "nightly", "listeners": [{"ref": "shop.Mail", "properties": {"to": "ops"}}],
		"steps": [{"id": "import", "batchlet": {"ref": "shop.Import"}}]}`,
		agent.WithJobListener("shop.Mail", func(j *agent.JobContext) (agent.JobListener, error) { return mailer{j}, nil }),
		agent.Batchlet("shop.Import", func(context.Context, *agent.StepContext) (string, error) {
			return "", errors.New("no such file")
		}))
	// Output:
	// mail to ops: failed: step import: no such file
	// failed FAILED
}

// stopwatch measures how long a step takes.
type stopwatch struct {
	step  *agent.StepContext
	begin time.Time
}

func (w *stopwatch) BeforeStep(context.Context) error {
	w.begin = time.Now()
	return nil
}

func (w *stopwatch) AfterStep(context.Context) error {
	if time.Since(w.begin) > time.Hour {
		w.step.SetExitStatus("SLOW")
	}
	fmt.Println(w.step.Step, w.step.BatchStatus(), w.step.ExitStatus())
	return nil
}

// Each execution of a step has listeners of its own, so a listener can keep
// what it needs in its fields.
func ExampleStepListener() {
	runExample(`{"id": "nightly", "steps": [{"id": "import", "listeners": [{"ref": "shop.Stopwatch"}],
		"batchlet": {"ref": "shop.Import"}}]}`,
		agent.Listener("shop.Stopwatch", func(s *agent.StepContext) (*stopwatch, error) { return &stopwatch{step: s}, nil }),
		agent.Batchlet("shop.Import", func(context.Context, *agent.StepContext) (string, error) { return "12 ROWS", nil }))
	// Output:
	// import completed 12 ROWS
	// completed COMPLETED
}

// runExample runs a job on an agent with the options, and prints its output and
// how it ended.
func runExample(definition string, options ...agent.Option) {
	broker := startExampleBus()
	defer broker.Stop()
	options = append(options, agent.Batchlet("shop.Report", func(context.Context, *agent.StepContext) (string, error) { return "", nil }))
	a, err := agent.New(agent.Config{
		URL: broker.URL, Name: "shop-1", Apps: []string{"shop"},
		Runtime: native.New(native.Config{}), Log: slog.New(slog.DiscardHandler),
	}, options...)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	broker.RunJob(definition, false)
	stop()
	panicOn(<-done)
}

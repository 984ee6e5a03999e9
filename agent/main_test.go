package agent_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestMain(m *testing.M) { os.Exit(agenttest.Main(m)) }

// testRuntime is a runtime whose body is a function of the test.
type testRuntime struct {
	run func(ctx context.Context, w *agent.Work, r *agent.Reporter) agent.Outcome

	mu    sync.Mutex
	begun []int64 // executions in the order of their begin
}

func (b *testRuntime) Open(agent.Host) error { return nil }
func (b *testRuntime) Close() error          { return nil }

func (b *testRuntime) Run(ctx context.Context, w *agent.Work, r *agent.Reporter) agent.Outcome {
	b.mu.Lock()
	b.begun = append(b.begun, w.Execution.ID)
	b.mu.Unlock()
	return b.run(ctx, w, r)
}

func (b *testRuntime) Begun() []int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]int64(nil), b.begun...)
}

var completed = agent.Outcome{BatchStatus: subjects.Completed, ExitStatus: "COMPLETED"}

// completeAtOnce is a body that returns at once.
func completeAtOnce(context.Context, *agent.Work, *agent.Reporter) agent.Outcome { return completed }

// untilStopped is a body that runs until its context ends.
func untilStopped(ctx context.Context, _ *agent.Work, _ *agent.Reporter) agent.Outcome {
	<-ctx.Done()
	return agent.Outcome{BatchStatus: subjects.Stopped, ExitStatus: "STOPPED"}
}

// statusesOf returns the batch statuses of results, joined by spaces.
func statusesOf(results []subjects.Result) string {
	var all []string
	for _, r := range results {
		all = append(all, string(r.BatchStatus))
	}
	return strings.Join(all, " ")
}

// An agent must stay small: linking nats-server would more than double its
// size.
func TestWhatAnAgentLinks(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".", "./native").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range strings.Fields(string(out)) {
		if strings.Contains(p, "nats-server") || strings.HasSuffix(p, "job-streamer-control-bus/bus") || strings.Contains(p, "control-bus/bus/") {
			t.Errorf("an agent links %s", p)
		}
	}
}

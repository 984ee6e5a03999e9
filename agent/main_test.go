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

// bodies is a runtime whose bodies are functions of the test.
type bodies struct {
	run func(ctx context.Context, w *agent.Work, r *agent.Reporter) agent.Outcome

	mu    sync.Mutex
	begun []int64 // executions, in order
}

func (b *bodies) Open(agent.Host) error { return nil }
func (b *bodies) Close() error          { return nil }

func (b *bodies) Run(ctx context.Context, w *agent.Work, r *agent.Reporter) agent.Outcome {
	b.mu.Lock()
	b.begun = append(b.begun, w.Execution.ID)
	b.mu.Unlock()
	return b.run(ctx, w, r)
}

func (b *bodies) Begun() []int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]int64(nil), b.begun...)
}

var completed = agent.Outcome{BatchStatus: subjects.Completed, ExitStatus: "COMPLETED"}

// atOnce is a body that is done at once.
func atOnce(context.Context, *agent.Work, *agent.Reporter) agent.Outcome { return completed }

// untilStopped is a body that runs until it is told to end, and then is
// stopped.
func untilStopped(ctx context.Context, _ *agent.Work, _ *agent.Reporter) agent.Outcome {
	<-ctx.Done()
	return agent.Outcome{BatchStatus: subjects.Stopped, ExitStatus: "STOPPED"}
}

// statuses are the batch statuses of results, joined by spaces.
func statuses(results []subjects.Result) string {
	var all []string
	for _, r := range results {
		all = append(all, string(r.BatchStatus))
	}
	return strings.Join(all, " ")
}

// An agent must stay small: nats-server alone would more than double it.
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

package native_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// useOwn makes the job refer to artifacts that the agent of the fuzz target has,
// and removes chunks and partitions.
func useOwn(j *jsl.Job) {
	const known = "known"
	for i := range j.Listeners {
		j.Listeners[i].Ref = known
	}
	j.Walk(func(_ string, e jsl.Element) {
		switch e := e.(type) {
		case *jsl.Step:
			for i := range e.Listeners {
				e.Listeners[i].Ref = known
			}
			e.Chunk, e.Partition = nil, nil
			if e.Batchlet != nil {
				e.Batchlet.Ref = known
			}
		case *jsl.Decision:
			if e.Decider.Ref != native.ConditionDecider {
				e.Decider.Ref = known
			}
		}
	})
}

// targetTB lets a room be used in a fuzz target, where the methods of its F must
// not be called.
type targetTB struct{ testing.TB }

func (targetTB) Helper()                           {}
func (targetTB) Context() context.Context          { return context.Background() }
func (targetTB) Logf(string, ...any)               {}
func (targetTB) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }
func (targetTB) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// FuzzJobs runs jobs that package jsl accepts on an agent. Each of them ends, and
// a failure names an element, or a place in the job.
func FuzzJobs(f *testing.F) {
	files, _ := filepath.Glob("../../jsl/testdata/*.json")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"id":"j","steps":[{"id":"s","next":"d","flows":[{"id":"f","steps":[{"id":"a","next":"b","batchlet":{"ref":"x"}},{"id":"b"}]},{"id":"g","steps":[{"id":"c"}]}]},
		{"id":"d","decision":{"ref":"org.jobstreamer.batch.ConditionDecider","properties":{"X":"exit is C*","Y":"otherwise"}},"transitions":[{"next":{"on":"*","to":"e"}}]},
		{"id":"e","listeners":[{"ref":"x"}]}],"listeners":[{"ref":"x"}]}`))
	room := agenttest.New(targetTB{f})
	room.Start(agent.Config{Slots: 4, Log: slog.New(slog.DiscardHandler), Runtime: native.New(native.Config{})},
		agent.Batchlet("known", func(_ context.Context, s *agent.StepContext) (string, error) {
			switch len(s.Step) % 3 {
			case 0:
				return "", errors.New("no good")
			case 1:
				return "X", nil
			}
			return "", nil
		}),
		agent.Listener("known", func(s *agent.StepContext) (*observer, error) {
			return &observer{calls: &calls{}, properties: s.Properties, step: s}, nil
		}),
		agent.WithJobListener("known", func(j *agent.JobContext) (agent.JobListener, error) {
			return &observer{calls: &calls{}, properties: j.Properties, job: j}, nil
		}),
		agent.WithDecider("known", func(*agent.DecisionContext) (agent.Decider, error) {
			return agent.DeciderFunc(func(_ context.Context, last []subjects.StepExecution) (string, error) {
				return last[0].ExitStatus, nil
			}), nil
		}))
	f.Fuzz(func(t *testing.T, data []byte) {
		job, err := jsl.ParseJSON(data)
		if err != nil {
			return
		}
		useOwn(job)
		text, err := json.Marshal(job)
		if err != nil || job.Validate() != nil {
			return
		}
		begin := time.Now()
		end := room.Run(string(text))
		if time.Since(begin) > 20*time.Second {
			t.Errorf("it took %v", time.Since(begin))
		}
		if end.BatchStatus != subjects.Failed {
			return
		}
		named := strings.Contains(end.Exception, "/") // the place in a job that was refused
		job.Walk(func(_ string, e jsl.Element) { named = named || strings.Contains(end.Exception, e.ElementID()) })
		if !named && !strings.Contains(end.Exception, "job") {
			t.Errorf("the failure %q names no element", end.Exception)
		}
	})
}

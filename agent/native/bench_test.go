package native_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// BenchmarkNoop measures how fast one agent runs jobs with one step that does
// nothing, with the broker in the same process. All requests are queued before
// the timer starts.
func BenchmarkNoop(b *testing.B) {
	for _, slots := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("slots=%d", slots), func(b *testing.B) {
			room := agenttest.New(b)
			queueRequests(b, room, b.N)
			ends := make(chan struct{}, b.N)
			sub, err := room.Conn.Subscribe(subjects.AllResults, func(m *nats.Msg) {
				var r subjects.Result
				if json.Unmarshal(m.Data, &r) == nil && r.BatchStatus == subjects.Completed {
					ends <- struct{}{}
				}
			})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = sub.Unsubscribe() }()
			_ = sub.SetPendingLimits(-1, -1)
			b.ResetTimer()
			agent := room.Start(agent.Config{Slots: slots, Log: slog.New(slog.DiscardHandler), Runtime: native.New(native.Config{})}, agent.Batchlet("noop", doNothing))
			<-ends // the agent owns its name
			begin := time.Now()
			for range b.N - 1 {
				<-ends
			}
			if d := time.Since(begin); b.N > 1 {
				b.ReportMetric(float64(b.N-1)/d.Seconds(), "executions/s")
			}
			b.StopTimer()
			if err := agent.Stop(); err != nil {
				b.Error(err)
			}
		})
	}
}

// BenchmarkStep measures what a step with a batchlet that does nothing costs in
// a job of many, with the broker in the same process: in one flow, and in a split
// of 100 flows. Each start of a step stores the end of the one before.
func BenchmarkStep(b *testing.B) {
	const steps, flows = 1000, 100
	chain := func(id string, n int) string {
		var all []string
		for i := range n {
			next := ""
			if i+1 < n {
				next = fmt.Sprintf(`"next":"%s-%d",`, id, i+1)
			}
			all = append(all, fmt.Sprintf(`{"id":"%s-%d",%s"batchlet":{"ref":"noop"}}`, id, i, next))
		}
		return strings.Join(all, ",")
	}
	var split []string
	for i := range flows {
		id := fmt.Sprintf("f%d", i)
		split = append(split, fmt.Sprintf(`{"id":"%s","steps":[%s]}`, id, chain(id, steps/flows)))
	}
	for _, test := range []struct{ name, steps string }{
		{"flow", `{"id":"f","steps":[` + chain("f", steps) + `]}`},
		{"split", `{"id":"s","flows":[` + strings.Join(split, ",") + `]}`},
	} {
		b.Run(test.name, func(b *testing.B) {
			room := agenttest.New(b)
			room.Start(agent.Config{Slots: 1, Log: slog.New(slog.DiscardHandler), Runtime: native.New(native.Config{})}, agent.Batchlet("noop", doNothing))
			room.Run(`{"id":"job","steps":[{"id":"first","batchlet":{"ref":"noop"}}]}`)
			for b.Loop() {
				if end := room.Run(`{"id":"job","steps":[` + test.steps + `]}`); end.BatchStatus != subjects.Completed {
					b.Fatal(end.Exception)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/steps, "us/step")
		})
	}
}

func doNothing(context.Context, *agent.StepContext) (string, error) { return "", nil }

func queueRequests(b *testing.B, room *agenttest.Room, n int) {
	for range n {
		q := room.Request(`{"id":"job","steps":[{"id":"one","batchlet":{"ref":"noop"}}]}`)
		data, err := json.Marshal(q)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := room.JS.PublishAsync(subjects.RequestSubject(agenttest.App, subjects.DefaultPool, subjects.Normal, q.Execution.ID), data); err != nil {
			b.Fatal(err)
		}
	}
	select {
	case <-room.JS.PublishAsyncComplete():
	case <-time.After(time.Minute):
		b.Fatal("requests not stored")
	}
}

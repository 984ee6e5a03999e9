package execution

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// BenchmarkLimit measures executions from their submission to their recorded
// end, 64 at a time, without a limit and with one that has room for all.
func BenchmarkLimit(b *testing.B) {
	for _, c := range []struct{ name, job string }{{"none", "J"}, {"with room", "L"}} {
		b.Run(c.name, func(b *testing.B) {
			bs := bustest.Open(b, bustest.Server(b), bus.Config{})
			x := index.New(bs)
			s := New(bs, x, Config{})
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan struct{}, 2)
			go func() { _ = x.Run(ctx); ended <- struct{}{} }()
			go func() { _ = s.Run(ctx); ended <- struct{}{} }()
			defer func() { cancel(); <-ended; <-ended }()
			if err := x.WaitReady(ctx); err != nil {
				b.Fatal(err)
			}
			_, err := s.SetLimit(ctx, "db", 100_000)
			for name, definition := range map[string]string{
				"J": `{"id":"J","steps":[{"id":"S","batchlet":{"ref":"x"}}]}`,
				"L": `{"id":"L","limits":{"db":1},"steps":[{"id":"S","batchlet":{"ref":"x"}}]}`,
			} {
				j := bus.Job{App: "default", Name: name, Definition: json.RawMessage(definition)}
				_, jerr := bs.Jobs.Create(ctx, j.Key(), j)
				err = errors.Join(err, jerr)
			}
			if err != nil {
				b.Fatal(err)
			}
			for {
				if _, _, ok := x.Definition("default", c.job); ok {
					break
				}
				time.Sleep(time.Millisecond)
			}
			b.SetParallelism(32) // with 2 CPUs, 64 at a time
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := executeOnce(ctx, s, c.job); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.StopTimer()
		})
	}
}

// executeOnce submits an execution and reports its start and end, as an agent
// does, then waits until the end is recorded.
func executeOnce(ctx context.Context, s *Service, job string) error {
	e, _, err := s.Submit(ctx, Submission{App: "default", Job: job})
	if err != nil {
		return err
	}
	last := uint64(0)
	for i, status := range []subjects.BatchStatus{subjects.Started, subjects.Completed} {
		r := subjects.Result{
			ID: e.ID, App: e.App, Job: e.Job, Attempt: 1, BatchStatus: status, Agent: "a1", Handling: "h", Number: i + 1, Time: subjects.Now(),
		}
		if i == 0 {
			r.Execution = &e.Execution
		}
		data, err := json.Marshal(r)
		if err != nil {
			return err
		}
		m := &nats.Msg{Subject: subjects.ResultSubject(e.App, e.Job, e.ID, "a1"), Data: data}
		if last, err = s.b.Pub.Do(ctx, m, subjects.ResultFilter(e.App, e.Job, e.ID), int64(last)); err != nil {
			return err
		}
	}
	_, err = s.x.WaitEnd(ctx, e.ID)
	return err
}

package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// BenchmarkPromises measures a round of the check of promises, which comes every
// five seconds, with 100,000 jobs of 100 applications. Each job has ten old
// executions.
func BenchmarkPromises(b *testing.B) {
	for _, promised := range []int{0, 1000, 100_000} {
		b.Run(fmt.Sprintf("%d of 100000 jobs", promised), func(b *testing.B) {
			bs := bustest.Open(b, bustest.Server(b), bus.Config{})
			x := index.New(bs)
			old := subjects.TimeOf(time.Now().Add(-48 * time.Hour))
			for i := range 100 {
				app := fmt.Sprint("app", i)
				x.PutApp(app, &bus.App{Name: app}, 1)
			}
			for i := range 100_000 {
				app, job := fmt.Sprint("app", i%100), fmt.Sprint("job", i)
				def := &bus.Job{App: app, Name: job, Definition: json.RawMessage(`{"id":"J","steps":[{"id":"S","batchlet":{"ref":"x"}}]}`)}
				if i < promised {
					def.Settings.SLA = &bus.SLA{StartWithin: "10m", FinishBy: "06:00", MissingAfter: "2160h", Since: old}
				}
				x.PutJob(app, job, def, 1)
				for n := range int64(10) {
					id := int64(i)*10 + n + 1
					x.PutExecution(&bus.Execution{Execution: subjects.Execution{
						ID: id, InstanceID: id, App: app, Job: job, BatchStatus: subjects.Completed, CreateTime: old, StartTime: old, EndTime: old,
					}}, uint64(id))
				}
			}
			n, err := New(Config{Bus: bs, Index: x, Executions: execution.New(bs, x, execution.Config{})})
			if err != nil {
				b.Fatal(err)
			}
			m := &slaMonitor{Notifier: n, jobs: map[jobName]*promisedJob{}}
			check := func() {
				if err := m.checkJobs(context.Background(), time.Now()); err != nil {
					b.Fatal(err)
				}
			}
			check()
			for b.Loop() {
				check()
			}
		})
	}
}

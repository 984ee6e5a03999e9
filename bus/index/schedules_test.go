package index

import (
	"slices"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestRunningOf(t *testing.T) {
	x := New(nil)
	for id, e := range map[int64]bus.Execution{
		1: {Execution: subjects.Execution{BatchStatus: subjects.Started}, FireKey: "a.j.1000"},
		2: {Execution: subjects.Execution{BatchStatus: subjects.Queued}, FireKey: "a.j.weekly.1000"},
		3: {Execution: subjects.Execution{BatchStatus: subjects.Completed}, FireKey: "a.j.weekly.2000"},
		4: {Execution: subjects.Execution{BatchStatus: subjects.Started, RestartOf: 9}, Schedule: "weekly"},
		5: {Execution: subjects.Execution{BatchStatus: subjects.Started}},
		6: {Execution: subjects.Execution{BatchStatus: subjects.Failed}, FireKey: "a.j.weekly.3000", RetryDue: 5},
	} {
		e.ID, e.App, e.Job = id, "a", "j"
		if e.FireKey != "" {
			e.ScheduledFor = 1
		}
		x.PutExecution(&e, uint64(id))
	}
	other := bus.Execution{Execution: subjects.Execution{ID: 7, App: "a", Job: "k", BatchStatus: subjects.Started, ScheduledFor: 1}, FireKey: "a.k.weekly.1000"}
	x.PutExecution(&other, 7)
	for _, tt := range []struct {
		schedule string
		want     []int64
	}{{"", []int64{1}}, {"weekly", []int64{2, 4, 6}}, {"none", nil}} {
		if got := x.RunningOf(bus.NewScheduleKey("a", "j", tt.schedule)); !slices.Equal(got, tt.want) {
			t.Errorf("running of %q: %v, want %v", tt.schedule, got, tt.want)
		}
	}
}

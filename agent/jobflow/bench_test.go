package jobflow_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/agent/jobflow"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// idle is a runner whose steps do nothing.
type idle struct{}

func (idle) StepStarted(subjects.StepExecution) error { return nil }
func (idle) StepEnded(subjects.StepExecution)         {}
func (idle) StepSkipped(subjects.StepExecution)       {}
func (idle) SetExitStatus(string)                     {}
func (i idle) Fork() jobflow.Runner                   { return i }
func (idle) Join([]jobflow.Runner)                    {}

func (idle) RunStep(_ context.Context, _ *jsl.Step, x *subjects.StepExecution) {
	x.BatchStatus = subjects.Completed
}

func (idle) Decide(context.Context, *jsl.Decision, []subjects.StepExecution) (string, error) {
	return "X", nil
}

// chain returns a flow of n steps, one after another.
func chain(id string, n int) *jsl.Flow {
	f := &jsl.Flow{ID: id}
	for i := range n {
		s := &jsl.Step{ID: fmt.Sprintf("%s-%d", id, i)}
		if i+1 < n {
			s.Next = fmt.Sprintf("%s-%d", id, i+1)
		}
		f.Elements = append(f.Elements, s)
	}
	return f
}

func runAll(b *testing.B, job *jsl.Job, steps int) {
	b.ReportAllocs()
	for b.Loop() {
		if o := jobflow.Run(b.Context(), job, jobflow.Start{}, idle{}); o.BatchStatus != subjects.Completed {
			b.Fatal(o)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(steps), "ns/step")
}

// BenchmarkFlow runs a flow of 10,000 steps. What it needs at once does not grow
// with what its steps leave: the metric live-B is the heap in use at the last
// step, beyond that at the first.
func BenchmarkFlow(b *testing.B) {
	job := &jsl.Job{ID: "job", Elements: []jsl.Element{chain("f", 10_000)}}
	m := &measured{}
	jobflow.Run(b.Context(), job, jobflow.Start{}, m)
	runAll(b, job, 10_000)
	b.ReportMetric(float64(m.last)-float64(m.first), "live-B")
}

// measured is a runner that measures the heap. Each step leaves 64 KiB.
type measured struct {
	idle
	first, last uint64
}

func (m *measured) RunStep(_ context.Context, s *jsl.Step, x *subjects.StepExecution) {
	x.BatchStatus, x.PersistentData = subjects.Completed, make([]byte, 64<<10)
	if s.ID == "f-1" || s.Next == "" {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		if m.last = stats.HeapAlloc; m.first == 0 {
			m.first = m.last
		}
	}
}

// BenchmarkSplit runs a split of 100 flows of 10 steps.
func BenchmarkSplit(b *testing.B) {
	split := &jsl.Split{ID: "s"}
	for i := range 100 {
		split.Flows = append(split.Flows, chain(fmt.Sprintf("f%d", i), 10))
	}
	runAll(b, &jsl.Job{ID: "job", Elements: []jsl.Element{split}}, 1000)
}

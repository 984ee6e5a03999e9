package agent_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// runReports runs an attempt that reports by a function, and returns the results
// that are stored.
func runReports(t *testing.T, report func(t *testing.T, r *agent.Reporter)) []subjects.Result {
	t.Helper()
	room := agenttest.New(t)
	room.Start(agent.Config{Runtime: &testRuntime{run: func(_ context.Context, _ *agent.Work, r *agent.Reporter) agent.Outcome {
		report(t, r)
		return completed
	}}})
	end := room.Run(`{}`)
	if end.BatchStatus != subjects.Completed {
		t.Errorf("ended as %+v", end)
	}
	return room.Results(end.ID)
}

// sized returns JSON of n bytes.
func sized(n int) []byte { return []byte(`"` + strings.Repeat("<", n-2) + `"`) }

func TestSizesOfData(t *testing.T) {
	tests := []struct {
		name   string
		change func(*subjects.StepExecution)
		want   string // the error; empty: it is stored
	}{
		{"a checkpoint of 1 MiB is stored", func(s *subjects.StepExecution) { s.ReaderCheckpoint = sized(1 << 20) }, ""},
		{"both checkpoints of 1 MiB are stored", func(s *subjects.StepExecution) {
			s.ReaderCheckpoint, s.WriterCheckpoint = sized(1<<20), sized(1<<20)
		}, ""},
		{"a larger reader checkpoint", func(s *subjects.StepExecution) { s.ReaderCheckpoint = sized(1<<20 + 1) },
			"step one: reader checkpoint of 1048577 bytes: want at most 1048576"},
		{"a larger writer checkpoint of a partition", func(s *subjects.StepExecution) {
			s.PartitionCount = 2
			s.Partitions = []subjects.Partition{{Number: 1, BatchStatus: subjects.Started, StepData: subjects.StepData{WriterCheckpoint: sized(1<<20 + 1)}}}
		}, "step one, partition 1: writer checkpoint of 1048577 bytes: want at most 1048576"},
		{"larger user data", func(s *subjects.StepExecution) { s.PersistentData = sized(256<<10 + 1) },
			"step one: persistent data of 262145 bytes: want at most 262144"},
		{"a checkpoint that is no JSON", func(s *subjects.StepExecution) { s.WriterCheckpoint = []byte("at 7") },
			"step one: writer checkpoint: want JSON"},
		{"a partition that does not exist", func(s *subjects.StepExecution) {
			s.PartitionCount = 2
			s.Partitions = []subjects.Partition{{Number: 2}}
		}, "step one: partition 2: want one of 2, from 0"},
		{"too many partitions", func(s *subjects.StepExecution) { s.PartitionCount = 10_001 },
			"step one: 10001 partitions: want at most 10000"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStep(1, "one", subjects.Started)
				test.change(&s)
				all := runReports(t, func(t *testing.T, r *agent.Reporter) {
					err := r.Save(s)
					if got := fmt.Sprint(err); err == nil && test.want != "" || err != nil && got != test.want {
						t.Errorf("Save: %v, want %q", err, test.want)
					}
				})
				if test.want != "" {
					return
				}
				if len(all) < 2 || len(all[1].Steps) != 1 || !bytes.Equal(all[1].Steps[0].ReaderCheckpoint, s.ReaderCheckpoint) {
					t.Errorf("the checkpoint is not in result 2 of %d", len(all))
				}
			})
		})
	}
}

// What is stored is not said again: a checkpoint may be large.
func TestStoredCheckpointsAreNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := runReports(t, func(t *testing.T, r *agent.Reporter) {
			s := newStep(1, "one", subjects.Started)
			s.PersistentData, s.ReaderCheckpoint = []byte(`{"n":1}`), []byte(`10`)
			save := func() {
				if err := r.Save(s); err != nil {
					t.Error(err)
				}
			}
			save()
			s.WriterCheckpoint = []byte(`20`)
			save()
			s.ReaderCheckpoint = subjects.None
			save()
			s.BatchStatus = subjects.Failed
			r.StepEnded(s)
		})
		var got []string
		for _, r := range all {
			for _, s := range r.Steps {
				got = append(got, fmt.Sprintf("%s %s %s", s.PersistentData, s.ReaderCheckpoint, s.WriterCheckpoint))
			}
		}
		want := []string{`{"n":1} 10 `, `{"n":1}  20`, `{"n":1} null `, `{"n":1}  `}
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("results say %q, want %q", got, want)
		}
	})
}

// Changes that are too large for one result are in several, also at the end.
func TestChangesOfManyPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count = 10
		all := runReports(t, func(t *testing.T, r *agent.Reporter) {
			s := newStep(1, "one", subjects.Started)
			s.PartitionCount, s.ReaderCheckpoint = count, sized(900<<10)
			for n := range count {
				p := subjects.Partition{Number: n, BatchStatus: subjects.Started}
				p.ReaderCheckpoint, p.WriterCheckpoint = sized(700<<10), sized(700<<10)
				s.Partitions = append(s.Partitions, p)
			}
			if err := r.Save(s); err != nil {
				t.Error(err)
			}
			for n := range s.Partitions {
				s.Partitions[n].PersistentData = sized(250 << 10)
			}
			s.BatchStatus = subjects.Failed
			r.StepEnded(s) // 2.5 MB: with the terminal result
			s = newStep(2, "two", subjects.Failed)
			for range 32 {
				s.ID++
				s.PersistentData = sized(250 << 10)
				r.StepEnded(s) // 8 MB more than a result holds
			}
		})
		readers, users, later, largest := map[int]bool{}, map[int]bool{}, 0, 0
		for _, r := range all {
			size := 0
			for _, s := range r.Steps {
				size += len(s.PersistentData) + len(s.ReaderCheckpoint)
				if s.Step == "two" && len(s.PersistentData) > 0 {
					later++
				}
				for _, p := range s.Partitions {
					size += len(p.PersistentData) + len(p.ReaderCheckpoint) + len(p.WriterCheckpoint)
					readers[p.Number] = readers[p.Number] || len(p.ReaderCheckpoint) > 0
					users[p.Number] = users[p.Number] || len(p.PersistentData) > 0
				}
			}
			largest = max(largest, size)
		}
		if len(readers) != count || len(users) != count || later != 32 {
			t.Errorf("%d checkpoints, %d user data and %d of later steps are stored, want %d, %d and 32", len(readers), len(users), later, count, count)
		}
		for n := range count {
			if !readers[n] || !users[n] {
				t.Errorf("partition %d: checkpoint stored %v, user data stored %v", n, readers[n], users[n])
			}
		}
		if largest > 8<<20 {
			t.Errorf("a result has %d bytes of data", largest)
		}
	})
}

// Partitions report themselves, each from its own goroutine.
func TestSavePartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := runReports(t, func(t *testing.T, r *agent.Reporter) {
			p := subjects.Partition{BatchStatus: subjects.Started}
			if err := r.SavePartition(1, p); err == nil {
				t.Error("a partition of an unknown step was taken")
			}
			s := newStep(1, "one", subjects.Started)
			s.PartitionCount = 8
			if err := r.StepStarted(s); err != nil {
				t.Error(err)
			}
			var wg sync.WaitGroup
			for n := range 8 {
				wg.Go(func() {
					p := p
					for at := range 50 {
						p.Number, p.Metrics.Commit, p.ReaderCheckpoint = n, int64(at+1), fmt.Append(nil, at)
						if err := r.SavePartition(1, p); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			p.Number = 8
			if err := r.SavePartition(1, p); err == nil {
				t.Error("partition 8 of 8 was taken")
			}
			s.BatchStatus = subjects.Completed
			r.StepEnded(s)
		})
		last := map[int]string{}
		for _, r := range all {
			for _, s := range r.Steps {
				for _, p := range s.Partitions {
					last[p.Number] = fmt.Sprintf("%d %s", p.Metrics.Commit, p.ReaderCheckpoint)
				}
			}
		}
		for n := range 8 {
			if last[n] != "50 49" {
				t.Errorf("partition %d is at %q, want %q", n, last[n], "50 49")
			}
		}
		t.Logf("400 commits in %d results", len(all))
	})
}

// A stream may be configured for smaller messages than the broker. The step
// learns it, and the attempt ends all the same.
func TestAStreamThatTakesNoLargeResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		stream, err := room.JS.Stream(t.Context(), subjects.ResultsStream)
		if err != nil {
			t.Fatal(err)
		}
		cfg := stream.CachedInfo().Config
		cfg.MaxMsgSize = 100 << 10
		if _, err := room.JS.UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		room.Start(agent.Config{Runtime: &testRuntime{run: func(_ context.Context, _ *agent.Work, r *agent.Reporter) agent.Outcome {
			s := newStep(1, "one", subjects.Started)
			s.ReaderCheckpoint = sized(200 << 10)
			if err := r.Save(s); err == nil || !strings.Contains(err.Error(), "step one: the NATS server does not accept a result of this size") {
				t.Errorf("Save: %v", err)
			}
			s.BatchStatus, s.PersistentData = subjects.Failed, sized(200<<10)
			r.StepEnded(s)
			return agent.Outcome{BatchStatus: subjects.Failed, ExitStatus: "FAILED", Exception: "x"}
		}}})
		end := room.Run(`{}`)
		if end.BatchStatus != subjects.Failed || len(end.Steps) != 1 || end.Steps[0].BatchStatus != subjects.Failed {
			t.Errorf("ended as %+v", end)
		}
	})
}

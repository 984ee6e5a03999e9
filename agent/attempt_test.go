package agent_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func newStep(id int64, name string, status subjects.BatchStatus) subjects.StepExecution {
	return subjects.StepExecution{ID: id, Step: name, BatchStatus: status, StartTime: subjects.Now()}
}

// twoStepBody returns a body with two steps that take long each.
func twoStepBody(long time.Duration) func(context.Context, *agent.Work, *agent.Reporter) agent.Outcome {
	return func(_ context.Context, _ *agent.Work, r *agent.Reporter) agent.Outcome {
		for id, name := range []string{"one", "two"} {
			if err := r.StepStarted(newStep(int64(id+1), name, subjects.Started)); err != nil {
				return agent.Failure(err)
			}
			time.Sleep(long)
			r.StepEnded(newStep(int64(id+1), name, subjects.Completed))
		}
		return completed
	}
}

func TestResultsOfAnAttempt(t *testing.T) {
	type change struct {
		step   string
		status subjects.BatchStatus
	}
	for _, test := range []struct {
		name string
		long time.Duration
		want [][]change // changes by result
	}{
		{"quick steps are stored together", 0, [][]change{
			{}, {{"one", "completed"}, {"two", "started"}}, {{"two", "completed"}}}},
		{"a step that runs longer than a moment has its start stored", time.Second, [][]change{
			{}, {{"one", "started"}}, {{"one", "completed"}, {"two", "started"}}, {{"two", "completed"}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room := agenttest.New(t)
				room.Start(agent.Config{Runtime: &testRuntime{run: twoStepBody(test.long)}})
				end := room.Run(`{}`)
				results := room.Results(end.ID)
				if len(results) != len(test.want) {
					t.Fatalf("got %d results, want %d: %+v", len(results), len(test.want), results)
				}
				for i, r := range results {
					if r.Number != i+1 || r.Handling != results[0].Handling || r.Agent != "a1" || r.Attempt != 1 {
						t.Errorf("result %d is %+v", i, r)
					}
					var got []change
					for _, s := range r.Steps {
						got = append(got, change{s.Step, s.BatchStatus})
					}
					if len(got) != len(test.want[i]) {
						t.Errorf("result %d has the steps %v, want %v", i, got, test.want[i])
						continue
					}
					for k := range got {
						if got[k] != test.want[i][k] {
							t.Errorf("result %d has the steps %v, want %v", i, got, test.want[i])
						}
					}
				}
				if results[0].Execution == nil || results[0].Execution.ID != end.ID {
					t.Errorf("the claim has the execution %+v", results[0].Execution)
				}
			})
		})
	}
}

func TestAJobOfOneQuickStepIsTwoResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		room.Start(agent.Config{Runtime: &testRuntime{run: func(_ context.Context, _ *agent.Work, r *agent.Reporter) agent.Outcome {
			if err := r.StepStarted(newStep(1, "one", subjects.Started)); err != nil {
				return agent.Failure(err)
			}
			r.StepEnded(newStep(1, "one", subjects.Completed))
			return completed
		}}})
		end := room.Run(`{}`)
		if got := statusesOf(room.Results(end.ID)); got != "started completed" {
			t.Errorf("results are %q, want %q", got, "started completed")
		}
	})
}

func TestSave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		room.Start(agent.Config{Runtime: &testRuntime{run: func(_ context.Context, w *agent.Work, r *agent.Reporter) agent.Outcome {
			s := newStep(1, "one", subjects.Started)
			s.PersistentData = []byte(`{"at":7}`)
			if err := r.Save(s); err != nil {
				t.Errorf("Save: %v", err)
			}
			if got := room.Results(w.Execution.ID); string(got[len(got)-1].Steps[0].PersistentData) != `{"at":7}` {
				t.Errorf("Save returned before it was stored: %+v", got)
			}
			s.PersistentData = make([]byte, 300<<10)
			if err := r.Save(s); err == nil {
				t.Error("Save took 300 KiB")
			}
			return completed
		}}})
		if end := room.Run(`{}`); end.BatchStatus != subjects.Completed {
			t.Errorf("ended as %+v", end)
		}
	})
}

func TestAFencedBodyEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		saved := make(chan error, 1)
		room.Start(agent.Config{Runtime: &testRuntime{run: func(ctx context.Context, w *agent.Work, r *agent.Reporter) agent.Outcome {
			room.PublishAsBus(w.Execution.ID, 1, subjects.Failed)
			saved <- r.Save(newStep(1, "one", subjects.Started))
			<-ctx.Done()
			saved <- context.Cause(ctx)
			return completed
		}}})
		id := room.Submit(room.Request(`{}`))
		if err := <-saved; !errors.Is(err, agent.ErrFenced) {
			t.Errorf("Save returned %v, want ErrFenced", err)
		}
		if err := <-saved; !errors.Is(err, agent.ErrFenced) {
			t.Errorf("the body ended because of %v, want ErrFenced", err)
		}
		time.Sleep(time.Second)
		if got := statusesOf(room.Results(id)); got != "started failed" {
			t.Errorf("results are %q, want %q", got, "started failed")
		}
		if lines, _ := room.Lines(id); len(lines) != 1 || lines[0].Stream != agent.Own {
			t.Errorf("what the fenced attempt knew is not a line: %+v", lines)
		}
	})
}

func TestAnEndBehindAFenceIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		room.Start(agent.Config{Runtime: &testRuntime{run: func(_ context.Context, w *agent.Work, _ *agent.Reporter) agent.Outcome {
			room.PublishAsBus(w.Execution.ID, 1, subjects.Unknown)
			return completed
		}}})
		id := room.Submit(room.Request(`{}`))
		time.Sleep(5 * time.Second)
		if got := statusesOf(room.Results(id)); got != "started unknown" {
			t.Errorf("results are %q, want %q", got, "started unknown")
		}
	})
}

func TestRuntimesThatGoWrong(t *testing.T) {
	for name, body := range map[string]func(context.Context, *agent.Work, *agent.Reporter) agent.Outcome{
		"a panic":   func(context.Context, *agent.Work, *agent.Reporter) agent.Outcome { panic("oh") },
		"no status": func(context.Context, *agent.Work, *agent.Reporter) agent.Outcome { return agent.Outcome{} },
		"more text than is stored": func(context.Context, *agent.Work, *agent.Reporter) agent.Outcome {
			return agent.Failure(errors.New(string(make([]byte, 9<<20))))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room := agenttest.New(t)
				room.Start(agent.Config{Runtime: &testRuntime{run: body}})
				end := room.Run(`{}`)
				if end.BatchStatus != subjects.Failed || end.Exception == "" || len(end.Exception) > 5000 {
					t.Errorf("ended as %s with an exception of %d bytes, want failed and why", end.BatchStatus, len(end.Exception))
				}
			})
		})
	}
}

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		causes := make(chan error, 1)
		run := room.Start(agent.Config{Runtime: &testRuntime{run: func(ctx context.Context, w *agent.Work, r *agent.Reporter) agent.Outcome {
			<-ctx.Done()
			causes <- context.Cause(ctx)
			time.Sleep(time.Second)
			return untilStopped(ctx, w, r)
		}}})
		id := room.Submit(room.Request(`{}`))
		room.AwaitResult(id, func(r subjects.Result) bool { return r.BatchStatus == subjects.Started })
		if reply := room.Command(run.Name, subjects.StopCommand, subjects.Command{ID: id, Attempt: 2}); reply.OK {
			t.Error("an attempt that is not there was stopped")
		}
		if reply := room.Command(run.Name, subjects.StopCommand, subjects.Command{ID: id, Attempt: 1}); !reply.OK {
			t.Errorf("stop was answered by %+v", reply)
		}
		if err := <-causes; !errors.Is(err, agent.ErrStopped) {
			t.Errorf("the body ended because of %v, want ErrStopped", err)
		}
		room.AwaitEnd(id)
		if got := statusesOf(room.Results(id)); got != "started stopping stopped" {
			t.Errorf("results are %q, want %q", got, "started stopping stopped")
		}
	})
}

func TestDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		causes := make(chan error, 1)
		run := room.Start(agent.Config{Runtime: &testRuntime{run: func(ctx context.Context, _ *agent.Work, r *agent.Reporter) agent.Outcome {
			<-ctx.Done()
			causes <- context.Cause(ctx)
			if err := r.Save(newStep(1, "one", subjects.Stopped)); !errors.Is(err, agent.ErrDropped) {
				t.Errorf("Save returned %v, want ErrDropped", err)
			}
			return completed
		}}})
		id := room.Submit(room.Request(`{}`))
		room.AwaitResult(id, func(r subjects.Result) bool { return r.BatchStatus == subjects.Started })
		if reply := room.Command(run.Name, subjects.DropCommand, subjects.Command{ID: id, Attempt: 1}); !reply.OK {
			t.Errorf("drop was answered by %+v", reply)
		}
		if err := <-causes; !errors.Is(err, agent.ErrDropped) {
			t.Errorf("the body ended because of %v, want ErrDropped", err)
		}
		time.Sleep(5 * time.Second)
		if got := statusesOf(room.Results(id)); got != "started" {
			t.Errorf("results are %q, want %q", got, "started")
		}
	})
}

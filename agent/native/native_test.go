package native_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// batchlets returns the batchlets that the jobs of these tests refer to.
func batchlets(t *testing.T) []agent.Option {
	return []agent.Option{
		agent.Batchlet("ok", func(context.Context, *agent.StepContext) (string, error) { return "", nil }),
		agent.Batchlet("exit", func(_ context.Context, s *agent.StepContext) (string, error) { return s.Properties["with"], nil }),
		agent.Batchlet("set", func(_ context.Context, s *agent.StepContext) (string, error) {
			s.SetExitStatus("SET")
			return s.Properties["with"], nil
		}),
		agent.Batchlet("fail", func(context.Context, *agent.StepContext) (string, error) { return "", errors.New("no good") }),
		agent.Batchlet("panic", func(context.Context, *agent.StepContext) (string, error) { panic("oh dear") }),
		agent.Batchlet("wait", func(ctx context.Context, _ *agent.StepContext) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}),
		agent.Batchlet("count", func(_ context.Context, s *agent.StepContext) (string, error) {
			var n int
			if _, err := s.Load(&n); err != nil {
				t.Error(err)
			}
			return fmt.Sprint(n), s.Save(n + 1)
		}),
	}
}

func startAgent(t *testing.T, room *agenttest.Room) *agenttest.Running {
	t.Helper()
	return room.Start(agent.Config{Slots: 4, Grace: time.Second, DrainGrace: time.Second, Runtime: native.New(native.Config{})}, batchlets(t)...)
}

// jobDefinition returns a definition with the given steps, in which ' stands
// for ", and [Q and Q] for [' and '].
func jobDefinition(steps string) string {
	return `{"id":"job","steps":[` + strings.NewReplacer("'", `"`, "[Q", "['", "Q]", "']").Replace(steps) + `]}`
}

// stepStates returns the last states of all steps in the order of their start,
// each as name=batch status(exit status).
func stepStates(results []subjects.Result) string {
	var order []int64
	last := map[int64]subjects.StepExecution{}
	for _, r := range results {
		for _, s := range r.Steps {
			if _, ok := last[s.ID]; !ok {
				order = append(order, s.ID)
			}
			last[s.ID] = s
		}
	}
	var all []string
	for _, id := range order {
		s := last[id]
		all = append(all, fmt.Sprintf("%s=%s(%s)", s.Step, s.BatchStatus, s.ExitStatus))
	}
	return strings.Join(all, " ")
}

func TestJobs(t *testing.T) {
	for _, test := range []struct {
		name, steps string
		status      subjects.BatchStatus
		exit        string
		want        string // of stepStates
		exception   string // part of the exception; empty: there is none
	}{
		{"one step", `{'id':'a','batchlet':{'ref':'ok'}}`, "completed", "COMPLETED", "a=completed(COMPLETED)", ""},
		{"a step without a batchlet", `{'id':'a'}`, "completed", "COMPLETED", "a=completed(COMPLETED)", ""},
		{"steps in the order of next", `{'id':'a','next':'c'},{'id':'b'},{'id':'c','next':'b'}`, "completed", "COMPLETED",
			"a=completed(COMPLETED) c=completed(COMPLETED) b=completed(COMPLETED)", ""},
		{"the first step only, without next", `{'id':'a'},{'id':'b'}`, "completed", "COMPLETED", "a=completed(COMPLETED)", ""},
		{"an exit status that is returned", `{'id':'a','batchlet':{'ref':'exit','properties':{'with':'X'}}}`, "completed", "COMPLETED", "a=completed(X)", ""},
		{"one that is set", `{'id':'a','batchlet':{'ref':'set'}}`, "completed", "COMPLETED", "a=completed(SET)", ""},
		{"one that is returned beats one that is set", `{'id':'a','batchlet':{'ref':'set','properties':{'with':'X'}}}`, "completed", "COMPLETED", "a=completed(X)", ""},
		{"an error", `{'id':'a','next':'b','batchlet':{'ref':'fail'}},{'id':'b'}`, "failed", "FAILED", "a=failed(FAILED)", "step a: no good"},
		{"a panic", `{'id':'a','batchlet':{'ref':'panic'}}`, "failed", "FAILED", "a=failed(FAILED)", "step a: panic: oh dear"},
		{"a failed step can be gone on from", `{'id':'a','batchlet':{'ref':'fail'},'transitions':[{'next':{'on':'FAILED','to':'b'}}]},{'id':'b'}`,
			"completed", "COMPLETED", "a=failed(FAILED) b=completed(COMPLETED)", ""},
		{"transitions go before next", `{'id':'a','next':'b','batchlet':{'ref':'exit','properties':{'with':'GO-1'}},
			'transitions':[{'next':{'on':'GO-?','to':'c'}}]},{'id':'b'},{'id':'c'}`, "completed", "COMPLETED", "a=completed(GO-1) c=completed(COMPLETED)", ""},
		{"end", `{'id':'a','next':'b','transitions':[{'end':{'on':'*','exit_status':'EARLY'}}]},{'id':'b'}`, "completed", "EARLY", "a=completed(COMPLETED)", ""},
		{"fail", `{'id':'a','next':'b','transitions':[{'fail':{'on':'C*','exit_status':'BAD'}}]},{'id':'b'}`, "failed", "BAD", "a=completed(COMPLETED)", "transition"},
		{"stop", `{'id':'a','transitions':[{'stop':{'on':'*','exit_status':'LATER','restart':'b'}}]},{'id':'b'}`, "stopped", "LATER", "a=completed(COMPLETED)", ""},
		{"a batchlet that nobody knows", `{'id':'a','next':'b'},{'id':'b','batchlet':{'ref':'com.example.Nobody'}}`, "failed", "FAILED", "", `"com.example.Nobody"`},
		{"a chunk", `{'id':'a','chunk':{'reader':{'ref':'r'},'writer':{'ref':'w'}}}`, "failed", "FAILED", "",
			`/steps/0/chunk/reader/ref: this agent has no item reader "r"`},
		{"partitions without a body", `{'id':'a','partition':{'plan':{'partitions':2}}}`, "completed", "COMPLETED", "a=completed(COMPLETED)", ""},
		{"a flow", `{'id':'f','next':'b','steps':[{'id':'a'}]},{'id':'b'}`, "completed", "COMPLETED", "a=completed(COMPLETED) b=completed(COMPLETED)", ""},
		{"a decider that nobody knows", `{'id':'a','next':'d'},{'id':'d','decision':{'ref':'x'},'transitions':[{'end':{'on':'*'}}]}`, "failed", "FAILED", "",
			`/steps/1/decision/ref: this agent has no decider "x", only org.jobstreamer.batch.ConditionDecider`},
		{"a listener that nobody knows", `{'id':'a','listeners':[{'ref':'x'}]}`, "failed", "FAILED", "", `/steps/0/listeners/0/ref: this agent has no step listener "x"`},
		{"no step", ``, "failed", "FAILED", "", "step"},
		{"not a job", `{'id':7}`, "failed", "FAILED", "", "/steps/0/id"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room := agenttest.New(t)
				startAgent(t, room)
				end := room.Run(jobDefinition(test.steps))
				if end.BatchStatus != test.status || end.ExitStatus != test.exit {
					t.Errorf("it is %s (%s), want %s (%s)", end.BatchStatus, end.ExitStatus, test.status, test.exit)
				}
				if !strings.Contains(end.Exception, test.exception) || (test.exception == "") != (end.Exception == "") {
					t.Errorf("the exception is %q, want %q in it", end.Exception, test.exception)
				}
				if got := stepStates(room.Results(end.ID)); got != test.want {
					t.Errorf("steps are %q, want %q", got, test.want)
				}
				if test.name == "stop" && end.RestartPosition != "b" {
					t.Errorf("the restart position is %q, want b", end.RestartPosition)
				}
			})
		})
	}
}

func TestAPanicIsInTheOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		startAgent(t, room)
		end := room.Run(jobDefinition(`{'id':'a','batchlet':{'ref':'panic'}}`))
		lines, _ := room.Lines(end.ID)
		text := ""
		for _, l := range lines {
			text += l.Message + "\n"
		}
		if !strings.Contains(text, "oh dear") || !strings.Contains(text, "native_test.go") {
			t.Errorf("the output has no stack:\n%s", text)
		}
	})
}

func TestSubstitution(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		startAgent(t, room)
		// The definition is cached, the substituted values are not.
		for _, value := range []string{"ONE", "TWO"} {
			q := room.Request(`{"id":"job","steps":[{"id":"a","batchlet":{"ref":"exit","properties":{"with":"#{jobParameters['x']}"}}}]}`)
			q.Execution.Parameters = map[string]string{"x": value}
			id := room.Submit(q)
			room.AwaitEnd(id)
			if got, want := stepStates(room.Results(id)), "a=completed("+value+")"; got != want {
				t.Errorf("steps are %q, want %q", got, want)
			}
		}
	})
}

func TestRestart(t *testing.T) {
	done := func(step, exit string) subjects.StepState {
		return subjects.StepState{Step: step, BatchStatus: subjects.Completed, ExitStatus: exit, Starts: 1}
	}
	for _, test := range []struct {
		name, steps string
		change      func(*subjects.Request)
		status      subjects.BatchStatus
		want        string
		firstID     int64
	}{
		{"completed steps are passed over, by their old exit status",
			`{'id':'a','batchlet':{'ref':'ok'},'transitions':[{'next':{'on':'OLD','to':'c'}}]},{'id':'b'},{'id':'c'}`,
			func(q *subjects.Request) { q.Steps = []subjects.StepState{done("a", "OLD")} }, "completed", "c=completed(COMPLETED)", 1},
		{"unless they may start again",
			`{'id':'a','next':'b','allow_start_if_complete':true},{'id':'b'}`,
			func(q *subjects.Request) { q.Steps = []subjects.StepState{done("a", "OLD")} }, "completed",
			"a=completed(COMPLETED) b=completed(COMPLETED)", 0},
		{"a transition may end the job again",
			`{'id':'a','transitions':[{'stop':{'on':'OLD'}}]}`,
			func(q *subjects.Request) { q.Steps = []subjects.StepState{done("a", "OLD")} }, "stopped", "", 0},
		{"from where a stop said", `{'id':'a','next':'b'},{'id':'b'}`,
			func(q *subjects.Request) { q.RestartPosition = "b" }, "completed", "b=completed(COMPLETED)", 1},
		{"from a step that is not there any more", `{'id':'a'}`,
			func(q *subjects.Request) { q.RestartPosition = "b" }, "failed", "", 0},
		{"the start limit is reached", `{'id':'a','start_limit':2}`,
			func(q *subjects.Request) {
				q.Steps = []subjects.StepState{{Step: "a", BatchStatus: subjects.Failed, ExitStatus: "FAILED", Starts: 2}}
			}, "failed", "", 0},
		{"the start limit is not reached", `{'id':'a','start_limit':2}`,
			func(q *subjects.Request) {
				q.Steps = []subjects.StepState{{Step: "a", BatchStatus: subjects.Failed, ExitStatus: "FAILED", Starts: 1}}
			}, "completed", "a=completed(COMPLETED)", 1},
		{"a further attempt numbers its steps on", `{'id':'a','next':'b'},{'id':'b'}`,
			func(q *subjects.Request) {
				q.Attempt, q.Steps = 2, []subjects.StepState{done("a", "COMPLETED")}
			}, "completed", "b=completed(COMPLETED)", 2},
		{"data that was saved is there", `{'id':'a','batchlet':{'ref':'count'}}`,
			func(q *subjects.Request) {
				q.Steps = []subjects.StepState{{Step: "a", BatchStatus: subjects.Stopped, StepData: subjects.StepData{PersistentData: []byte("7")}, Starts: 1}}
			}, "completed", "a=completed(7)", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room := agenttest.New(t)
				startAgent(t, room)
				q := room.Request(jobDefinition(test.steps))
				test.change(q)
				end := room.AwaitEnd(room.Submit(q))
				if end.BatchStatus != test.status {
					t.Errorf("it is %s, want %s: %s", end.BatchStatus, test.status, end.Exception)
				}
				results := room.Results(end.ID)
				if got := stepStates(results); got != test.want {
					t.Errorf("steps are %q, want %q", got, test.want)
				}
				if test.firstID > 0 && end.Steps[0].ID != test.firstID {
					t.Errorf("the first step execution has the id %d, want %d", end.Steps[0].ID, test.firstID)
				}
			})
		})
	}
}

func TestSavedData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		startAgent(t, room)
		end := room.Run(jobDefinition(`{'id':'a','batchlet':{'ref':'count'}}`))
		if got := string(end.Steps[0].PersistentData); got != "1" {
			t.Errorf("the step leaves %q, want 1", got)
		}
	})
}

func TestStopOfAFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		run := startAgent(t, room)
		id := room.Submit(room.Request(jobDefinition(`{'id':'a','next':'b','batchlet':{'ref':'wait'}},{'id':'b'}`)))
		time.Sleep(time.Second)
		room.Command(run.Name, subjects.StopCommand, subjects.Command{ID: id, Attempt: 1})
		end := room.AwaitEnd(id)
		if got := stepStates(room.Results(id)); end.BatchStatus != subjects.Stopped || got != "a=stopped(STOPPED)" || end.Exception != "" {
			t.Errorf("it is %s with the steps %q and %q", end.BatchStatus, got, end.Exception)
		}
	})
}

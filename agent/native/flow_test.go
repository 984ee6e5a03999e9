package native_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// calls records the calls of artifacts.
type calls struct {
	mu  sync.Mutex
	all []string
}

func (c *calls) add(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, fmt.Sprintf(format, args...))
}

// observer is a listener of jobs and of steps. Its properties tell what it
// does: before and after are "error" or "panic", exit is an exit status to set
// after, job one of the job.
type observer struct {
	calls      *calls
	properties map[string]string
	step       *agent.StepContext
	job        *agent.JobContext
}

func (o *observer) act(when string) error {
	switch o.properties[when] {
	case "error":
		return errors.New(when + " went wrong")
	case "panic":
		panic(when + " went wrong")
	}
	return nil
}

func (o *observer) BeforeStep(context.Context) error {
	o.calls.add("before step %s%s", o.step.Step, state(o.step.BatchStatus(), o.step.ExitStatus(), o.step.Err()))
	return o.act("before")
}

func (o *observer) AfterStep(ctx context.Context) error {
	o.calls.add("after step %s%s", o.step.Step, state(o.step.BatchStatus(), o.step.ExitStatus(), o.step.Err()))
	if ctx.Err() != nil {
		o.calls.add("too late: %v", ctx.Err())
	}
	if exit, ok := o.properties["exit"]; ok {
		o.step.SetExitStatus(exit)
	}
	if exit, ok := o.properties["job"]; ok {
		o.step.JobContext.SetExitStatus(exit)
	}
	return o.act("after")
}

func (o *observer) BeforeJob(context.Context) error {
	o.calls.add("before job%s", state(o.job.BatchStatus(), o.job.ExitStatus(), o.job.Err()))
	o.job.SetTransientData("for the job")
	return o.act("before")
}

func (o *observer) AfterJob(ctx context.Context) error {
	o.calls.add("after job%s data=%v", state(o.job.BatchStatus(), o.job.ExitStatus(), o.job.Err()), o.job.TransientData())
	if ctx.Err() != nil {
		o.calls.add("too late: %v", ctx.Err())
	}
	if exit, ok := o.properties["exit"]; ok {
		o.job.SetExitStatus(exit)
	}
	return o.act("after")
}

func state(s subjects.BatchStatus, exit string, err error) string {
	text := fmt.Sprintf(" %s(%s)", s, exit)
	if err != nil {
		text += ": " + err.Error()
	}
	return text
}

// observed returns options with the artifact "observe".
func observed(c *calls) []agent.Option {
	return []agent.Option{
		agent.Listener("observe", func(s *agent.StepContext) (*observer, error) {
			if s.Properties["create"] == "error" {
				return nil, errors.New("create went wrong")
			}
			return &observer{calls: c, properties: s.Properties, step: s}, nil
		}),
		agent.WithJobListener("observe", func(j *agent.JobContext) (agent.JobListener, error) {
			if j.Properties["create"] == "error" {
				return nil, errors.New("create went wrong")
			}
			return &observer{calls: c, properties: j.Properties, job: j}, nil
		}),
		agent.Batchlet("look", func(_ context.Context, s *agent.StepContext) (string, error) {
			c.add("run %s%s, job%s data=%v", s.Step, state(s.BatchStatus(), s.ExitStatus(), nil),
				state(s.JobContext.BatchStatus(), s.JobContext.ExitStatus(), nil), s.JobContext.TransientData())
			s.JobContext.SetTransientData(s.Properties["data"])
			if exit, ok := s.Properties["job"]; ok {
				s.JobContext.SetExitStatus(exit)
			}
			if s.Properties["end"] == "error" {
				s.SetExitStatus(s.Properties["set"])
				return "", errors.New("body went wrong")
			}
			return s.Properties["end"], nil
		}),
		agent.WithDecider("answer", func(d *agent.DecisionContext) (agent.Decider, error) {
			return agent.DeciderFunc(func(ctx context.Context, last []subjects.StepExecution) (string, error) {
				var got []string
				for _, x := range last {
					got = append(got, x.Step+"="+x.ExitStatus)
				}
				c.add("decide %s %s", d.Decision, strings.Join(got, " "))
				switch d.Properties["with"] {
				case "error":
					return "", errors.New("decider went wrong")
				case "panic":
					panic("decider went wrong")
				case "wait":
					<-ctx.Done()
					return "", context.Cause(ctx)
				}
				return d.Properties["with"], nil
			}), nil
		}),
	}
}

// TestListeners has the order of calls (11.3, 11.4) and the rules of 8.1.2,
// 8.2.7, 8.7 and 9.2 for listeners.
func TestListeners(t *testing.T) {
	const step, job = `'listeners':[{'ref':'observe'%s}]`, `{"id":"job","listeners":[{"ref":"observe"%s}],"steps":[%s]}`
	with := func(properties string) string {
		if properties == "" {
			return ""
		}
		return `,'properties':{` + properties + `}`
	}
	stepListener := func(properties string) string { return fmt.Sprintf(step, with(properties)) }
	for _, test := range []struct {
		name      string
		job       string // properties of the listener of the job
		steps     string
		status    subjects.BatchStatus
		exit      string
		want      string // of stepStates
		calls     []string
		exception string
	}{
		{"11.3 listeners of the job and of a step are called around them, and exit statuses are null until the end", "",
			`{'id':'a','batchlet':{'ref':'look'},` + stepListener("") + `}`, "completed", "COMPLETED", "a=completed(COMPLETED)",
			[]string{"before job started()", "before step a started()", "run a started(), job started() data=for the job",
				"after step a completed()", "after job completed() data="}, ""},
		{"9.2.2 a listener after the step sets its exit status, and transitions match it", "",
			`{'id':'a','batchlet':{'ref':'look','properties':{'end':'X'}},'transitions':[{'next':{'on':'Y','to':'b'}}],` + stepListener("'exit':'Y'") + `},{'id':'b'}`,
			"completed", "COMPLETED", "a=completed(Y) b=completed(COMPLETED)",
			[]string{"before job started()", "before step a started()", "run a started(), job started() data=for the job",
				"after step a completed(X)", "after job completed() data="}, ""},
		{"8.7.1 an exit status that is set to nothing becomes the batch status again", "",
			`{'id':'a','batchlet':{'ref':'exit','properties':{'with':'X'}},` + stepListener("'exit':''") + `}`, "completed", "COMPLETED", "a=completed(COMPLETED)",
			[]string{"before job started()", "before step a started()", "after step a completed(X)", "after job completed() data=for the job"}, ""},
		{"9.2.2 a listener is called after an error and sees it", "",
			`{'id':'a','batchlet':{'ref':'look','properties':{'end':'error','set':'S'}},` + stepListener("'exit':'Y'") + `}`, "failed", "FAILED", "a=failed(Y)",
			[]string{"before job started()", "before step a started()", "run a started(), job started() data=for the job",
				"after step a failed(S): body went wrong", "after job failed(): step a: body went wrong data="}, "step a: body went wrong"},
		{"8.2.7 an error before the step fails it, and the body does not run", "",
			`{'id':'a','batchlet':{'ref':'look'},` + stepListener("'before':'error'") + `}`, "failed", "FAILED", "a=failed(FAILED)",
			[]string{"before job started()", "before step a started()", "after step a failed(): listener before the step: before went wrong", "after job failed(): step a: listener before the step: before went wrong data=for the job"}, "before went wrong"},
		{"8.2.7 an error after the step fails it", "",
			`{'id':'a','next':'b','batchlet':{'ref':'ok'},` + stepListener("'after':'error'") + `},{'id':'b'}`, "failed", "FAILED", "a=failed(FAILED)",
			[]string{"before job started()", "before step a started()", "after step a completed()", "after job failed(): step a: listener after the step: after went wrong data=for the job"}, "step a: listener after the step: after went wrong"},
		{"8.2.7 a panic of a listener fails the step", "",
			`{'id':'a','batchlet':{'ref':'ok'},` + stepListener("'after':'panic'") + `}`, "failed", "FAILED", "a=failed(FAILED)",
			[]string{"before job started()", "before step a started()", "after step a completed()", "after job failed(): step a: listener after the step: panic: after went wrong data=for the job"}, "panic: after went wrong"},
		{"8.2.7 a listener that cannot be created fails the step", "",
			`{'id':'a','batchlet':{'ref':'look'},` + stepListener("'create':'error'") + `}`, "failed", "FAILED", "a=failed(FAILED)",
			[]string{"before job started()", "after job failed(): step a: listener observe: create went wrong data=for the job"}, "create went wrong"},
		{"8.9.2 a step that a listener failed can be gone on from", "",
			`{'id':'a','batchlet':{'ref':'ok'},'transitions':[{'next':{'on':'FAILED','to':'b'}}],` + stepListener("'after':'error'") + `},{'id':'b'}`, "completed", "COMPLETED",
			"a=failed(FAILED) b=completed(COMPLETED)",
			[]string{"before job started()", "before step a started()", "after step a completed()", "after job completed() data=for the job"}, ""},
		{"8.7 a listener of a step sets the exit status of the job", "", `{'id':'a',` + stepListener("'job':'J'") + `}`, "completed", "J", "a=completed(COMPLETED)",
			[]string{"before job started()", "before step a started()", "after step a completed()", "after job completed(J) data=for the job"}, ""},
		{"8.7 a listener after the job has the last word on its exit status", "'exit':'LAST'", `{'id':'a','transitions':[{'end':{'on':'*','exit_status':'E'}}]}`, "completed", "LAST",
			"a=completed(COMPLETED)", []string{"before job started()", "after job completed(E) data=for the job"}, ""},
		{"8.1.2 an error before the job fails it, and no step runs", "'before':'error'", `{'id':'a'}`, "failed", "FAILED", "",
			[]string{"before job started()", "after job failed(): job listener before the job: before went wrong data=for the job"}, "job listener before the job: before went wrong"},
		{"8.1.2 an error after a good job fails it", "'after':'error'", `{'id':'a'}`, "failed", "FAILED", "a=completed(COMPLETED)",
			[]string{"before job started()", "after job completed() data=for the job"}, "job listener after the job: after went wrong"},
		{"8.1.2 so does a panic", "'after':'panic'", `{'id':'a'}`, "failed", "FAILED", "a=completed(COMPLETED)",
			[]string{"before job started()", "after job completed() data=for the job"}, "panic: after went wrong"},
		{"8.1.2 an error after a failed job does not hide why it failed", "'after':'error'", `{'id':'a','batchlet':{'ref':'fail'}}`, "failed", "FAILED", "a=failed(FAILED)",
			[]string{"before job started()", "after job failed(): step a: no good data=for the job"}, "step a: no good"},
		{"8.1.2 a listener of the job that cannot be created fails it", "'create':'error'", `{'id':'a'}`, "failed", "FAILED", "", nil, "listener observe: create went wrong"},
		{"8.5.2 the error of a decider is what listeners of the job see", "",
			`{'id':'a','next':'d'},{'id':'d','decision':{'ref':'answer','properties':{'with':'error'}},'transitions':[{'end':{'on':'*'}}]}`, "failed", "FAILED", "a=completed(COMPLETED)",
			[]string{"before job started()", "decide d a=COMPLETED", "after job failed(): decision d: decider went wrong data=for the job"}, "decision d: decider went wrong"},
		{"8.5.2 a panic of a decider fails the job", "",
			`{'id':'a','next':'d'},{'id':'d','decision':{'ref':'answer','properties':{'with':'panic'}},'transitions':[{'end':{'on':'*'}}]}`, "failed", "FAILED", "a=completed(COMPLETED)",
			[]string{"before job started()", "decide d a=COMPLETED", "after job failed(): decision d: panic: decider went wrong data=for the job"}, "panic: decider went wrong"},
		{"9.4.1 data of the job reaches the flows of a split, and theirs does not reach the job", "",
			`{'id':'s','next':'b','flows':[{'id':'f','steps':[{'id':'a','batchlet':{'ref':'look','properties':{'data':'of the flow','job':'F'}}}]}]},{'id':'b','batchlet':{'ref':'look'}}`,
			"completed", "F", "a=completed(COMPLETED) b=completed(COMPLETED)",
			[]string{"before job started()", "run a started(), job started() data=for the job", "run b started(), job started(F) data=for the job", "after job completed(F) data="}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room, c := agenttest.New(t), &calls{}
				room.Start(agent.Config{Slots: 4, Grace: time.Second, DrainGrace: time.Second, Runtime: native.New(native.Config{})}, append(batchlets(t), observed(c)...)...)
				end := room.Run(strings.ReplaceAll(fmt.Sprintf(job, with(test.job), test.steps), "'", `"`))
				if end.BatchStatus != test.status || end.ExitStatus != test.exit {
					t.Errorf("it is %s (%s), want %s (%s)", end.BatchStatus, end.ExitStatus, test.status, test.exit)
				}
				if !strings.Contains(end.Exception, test.exception) || (test.exception == "") != (end.Exception == "") {
					t.Errorf("the exception is %q, want %q in it", end.Exception, test.exception)
				}
				if got := stepStates(room.Results(end.ID)); got != test.want {
					t.Errorf("steps are %q, want %q", got, test.want)
				}
				if !slices.Equal(c.all, test.calls) {
					t.Errorf("calls are\n%q, want\n%q", c.all, test.calls)
				}
			})
		})
	}
}

// After a stop, listeners can still clean up (9.2): their context lives on for
// the grace period.
func TestListenersAfterAStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, c := agenttest.New(t), &calls{}
		run := room.Start(agent.Config{Slots: 4, Grace: time.Second, DrainGrace: time.Second, Runtime: native.New(native.Config{})}, append(batchlets(t), observed(c)...)...)
		id := room.Submit(room.Request(strings.ReplaceAll(`{'id':'job','listeners':[{'ref':'observe'}],'steps':[
			{'id':'a','next':'b','batchlet':{'ref':'wait'},'listeners':[{'ref':'observe'}]},{'id':'b'}]}`, "'", `"`)))
		time.Sleep(time.Second)
		room.Command(run.Name, subjects.StopCommand, subjects.Command{ID: id, Attempt: 1})
		end := room.AwaitEnd(id)
		want := []string{"before job started()", "before step a started()", "after step a stopped()", "after job stopped() data=for the job"}
		if end.BatchStatus != subjects.Stopped || !slices.Equal(c.all, want) {
			t.Errorf("it is %s with the calls %q, want %q", end.BatchStatus, c.all, want)
		}
	})
}

// A batchlet that fails after a stop is FAILED (8.2.7), one that returns is
// STOPPED with its exit status (11.13, 8.7.1).
func TestEndAfterAStop(t *testing.T) {
	for _, test := range []struct {
		name, batchlet, want string
		status               subjects.BatchStatus
	}{
		{"an exit status", "half", "a=stopped(HALF)", subjects.Stopped},
		{"another error", "break", "a=failed(FAILED)", subjects.Failed},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room := agenttest.New(t)
				run := room.Start(agent.Config{Slots: 4, Grace: time.Second, DrainGrace: time.Second, Runtime: native.New(native.Config{})},
					agent.Batchlet("half", func(ctx context.Context, _ *agent.StepContext) (string, error) { <-ctx.Done(); return "HALF", nil }),
					agent.Batchlet("break", func(ctx context.Context, _ *agent.StepContext) (string, error) {
						<-ctx.Done()
						return "", errors.New("broken")
					}))
				id := room.Submit(room.Request(jobDefinition(`{'id':'a','next':'b','batchlet':{'ref':'` + test.batchlet + `'}},{'id':'b'}`)))
				time.Sleep(time.Second)
				room.Command(run.Name, subjects.StopCommand, subjects.Command{ID: id, Attempt: 1})
				end := room.AwaitEnd(id)
				if got := stepStates(room.Results(id)); got != test.want || end.BatchStatus != test.status {
					t.Errorf("it is %s with the steps %q, want %s with %q", end.BatchStatus, got, test.status, test.want)
				}
				if want := strings.ToUpper(string(test.status)); end.ExitStatus != want { // 8.7
					t.Errorf("the exit status of the job is %q, want %q", end.ExitStatus, want)
				}
			})
		})
	}
}

// The flows of a split run concurrently (8.4): each waits for the other one.
// Ids of step executions are announced in their order.
func TestSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		const flows = 20
		var arrived sync.WaitGroup
		arrived.Add(flows)
		room.Start(agent.Config{Slots: 1, Grace: time.Second, DrainGrace: time.Second, Runtime: native.New(native.Config{})},
			agent.Batchlet("meet", func(context.Context, *agent.StepContext) (string, error) {
				arrived.Done()
				arrived.Wait()
				return "", nil
			}))
		var text []string
		for i := range flows {
			text = append(text, fmt.Sprintf(`{'id':'f%d','steps':[{'id':'a%d','next':'b%d','batchlet':{'ref':'meet'}},{'id':'b%d'}]}`, i, i, i, i))
		}
		end := room.Run(jobDefinition(`{'id':'s','next':'z','flows':[` + strings.Join(text, ",") + `]},{'id':'z'}`))
		if end.BatchStatus != subjects.Completed {
			t.Errorf("it is %s: %s", end.BatchStatus, end.Exception)
		}
		var last int64
		for _, r := range room.Results(end.ID) {
			for _, x := range r.Steps {
				if x.ID > last+1 {
					t.Errorf("step execution %d is announced before %d", x.ID, last+1)
				}
				last = max(last, x.ID)
			}
		}
		if last != 2*flows+1 {
			t.Errorf("the last step execution is %d, want %d", last, 2*flows+1)
		}
	})
}

// A stop reaches a decider, and a restart asks it again (10.8.4 rule 3d).
func TestStopOfADecider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, c := agenttest.New(t), &calls{}
		run := room.Start(agent.Config{Slots: 4, Grace: time.Second, DrainGrace: time.Second, Runtime: native.New(native.Config{})}, append(batchlets(t), observed(c)...)...)
		id := room.Submit(room.Request(jobDefinition(`{'id':'a','next':'d'},{'id':'d','decision':{'ref':'answer','properties':{'with':'wait'}},'transitions':[{'end':{'on':'*'}}]}`)))
		time.Sleep(time.Second)
		room.Command(run.Name, subjects.StopCommand, subjects.Command{ID: id, Attempt: 1})
		if end := room.AwaitEnd(id); end.BatchStatus != subjects.Stopped || end.ExitStatus != "STOPPED" {
			t.Errorf("it is %s (%s): %s", end.BatchStatus, end.ExitStatus, end.Exception)
		}
	})
}

// A restart that runs nothing says why in its output (10.8.4 rule 3a).
func TestSkippedStepsAreInTheOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		startAgent(t, room)
		q := room.Request(jobDefinition(`{'id':'a','transitions':[{'fail':{'on':'BAD'}}]}`))
		q.Steps = []subjects.StepState{{Step: "a", BatchStatus: subjects.Completed, ExitStatus: "BAD", Starts: 1}}
		end := room.AwaitEnd(room.Submit(q))
		lines, _ := room.Lines(end.ID)
		if len(lines) != 1 || !strings.Contains(lines[0].Message, `step a is skipped: it was completed earlier, with the exit status "BAD"`) {
			t.Errorf("the output is %v", lines)
		}
		if end.BatchStatus != subjects.Failed || !strings.Contains(end.Exception, "in an earlier execution") {
			t.Errorf("it is %s: %s", end.BatchStatus, end.Exception)
		}
	})
}

// mapChanger is a listener that changes the maps of its contexts.
type mapChanger struct{ c *agent.StepContext }

func (m mapChanger) BeforeStep(context.Context) error {
	m.c.StepProperties["p"], m.c.JobProperties["m"], m.c.JobContext.JobProperties["m"] = "other", "other", "other"
	return m.c.Save(strings.Repeat("x", 100))
}

func (m mapChanger) AfterStep(context.Context) error {
	if err := m.c.Save(strings.Repeat("x", 300_000)); err == nil {
		return errors.New("data of 300,000 bytes was saved")
	}
	return nil
}

// Contexts hold properties by their scope (9.3.3, 10.9.1, 10.9.2): parameters
// are no properties, and neither are those of another element. What an artifact
// changes in them is not seen by later steps.
func TestPropertiesOfContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room, c := agenttest.New(t), &calls{}
		room.Start(agent.Config{Slots: 1, Grace: time.Second, DrainGrace: time.Second, Runtime: native.New(native.Config{})},
			agent.Batchlet("look", func(_ context.Context, s *agent.StepContext) (string, error) {
				c.add("%s: batchlet %v step %v job %v parameters %v job %v", s.Step, s.Properties, s.StepProperties, s.JobProperties, s.Parameters, s.JobContext.JobProperties)
				for _, m := range []map[string]string{s.Properties, s.StepProperties, s.JobProperties, s.Parameters, s.JobContext.JobProperties, s.JobContext.Parameters} {
					m["changed"] = "yes"
				}
				return "", nil
			}), agent.Listener("change", func(s *agent.StepContext) (mapChanger, error) { return mapChanger{s}, nil }))
		q := room.Request(`{"id":"job","properties":{"m":"#{jobParameters['n']}"},"steps":[
			{"id":"a","next":"b","properties":{"p":"#{jobProperties['m']}1"},"listeners":[{"ref":"change"}],"batchlet":{"ref":"look","properties":{"q":"2"}}},
			{"id":"b","properties":{"p":"3"},"batchlet":{"ref":"look","properties":{"q":"4"}}}]}`)
		q.Execution.Parameters = map[string]string{"n": "5"}
		if end := room.AwaitEnd(room.Submit(q)); end.BatchStatus != subjects.Completed {
			t.Errorf("it is %s: %s", end.BatchStatus, end.Exception)
		}
		want := []string{
			"a: batchlet map[q:2] step map[p:51] job map[m:5] parameters map[n:5] job map[m:5]",
			"b: batchlet map[q:4] step map[p:3] job map[m:5] parameters map[n:5] job map[m:5]",
		}
		if !slices.Equal(c.all, want) {
			t.Errorf("contexts have\n%q, want\n%q", c.all, want)
		}
	})
}

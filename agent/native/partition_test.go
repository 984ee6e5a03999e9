package native_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// manager is a mapper, a collector, an analyzer and a reducer. Property fail is
// the name of the method that fails; n, threads, override and keys are the plan.
type manager struct {
	calls *calls
	c     *agent.StepContext
	busy  *atomic.Int32 // calls of analyzers at the moment
	n     int
}

func (m *manager) call(method, format string, args ...any) error {
	m.calls.add(format, args...)
	switch m.c.Properties["fail"] {
	case method:
		return errors.New("no " + method)
	case "panic " + method:
		panic("no " + method)
	}
	return nil
}

func (m *manager) MapPartitions(context.Context) (agent.PartitionPlan, error) {
	var plan agent.PartitionPlan
	if d, err := time.ParseDuration(m.c.Properties["time"]); err == nil {
		time.Sleep(d) // fake
	}
	plan.Partitions, _ = strconv.Atoi(m.c.Properties["n"])
	plan.Threads, _ = strconv.Atoi(m.c.Properties["threads"])
	plan.Override = m.c.Properties["override"] != ""
	for _, k := range strings.Fields(m.c.Properties["keys"]) {
		plan.Properties = append(plan.Properties, map[string]string{"k": k})
	}
	return plan, m.call("map", "map")
}

func (m *manager) CollectPartitionData(context.Context) (any, error) {
	m.n++
	data := fmt.Sprintf("%d#%d", m.c.Partition, m.n)
	if m.c.Properties["nil"] != "" {
		return nil, m.call("collect", "collect %d", m.c.Partition)
	}
	return data, m.call("collect", "collect %s", data)
}

func (m *manager) AnalyzeCollectorData(_ context.Context, data any) error {
	if m.busy.Add(1) > 1 {
		m.calls.add("two analyzers at once")
	}
	defer m.busy.Add(-1)
	return m.call("data", "data %v", data)
}

func (m *manager) AnalyzeStatus(_ context.Context, s subjects.BatchStatus, exit string) error {
	if m.busy.Add(1) > 1 {
		m.calls.add("two analyzers at once")
	}
	defer m.busy.Add(-1)
	if m.c.Properties["exit"] != "" {
		m.c.SetExitStatus(m.c.Properties["exit"])
	}
	return m.call("status", "status %s %s", s, exit)
}

func (m *manager) BeginPartitionedStep(context.Context) error { return m.call("begin", "begin") }
func (m *manager) BeforePartitionedStepCompletion(context.Context) error {
	return m.call("before", "before completion")
}
func (m *manager) RollbackPartitionedStep(context.Context) error {
	return m.call("rollback", "rollback")
}
func (m *manager) AfterPartitionedStepCompletion(_ context.Context, s agent.PartitionStatus) error {
	return m.call("after", "after %s", s)
}

// startPartitionAgent starts an agent with the batchlet "part". Its properties:
// fail, the numbers of partitions that fail, panic those that panic; key, a text;
// time, how long it takes. It saves its number.
func startPartitionAgent(t *testing.T, room *agenttest.Room) (*agenttest.Running, *calls) {
	t.Helper()
	c := &calls{}
	var busy atomic.Int32
	create := func(s *agent.StepContext) *manager { return &manager{calls: c, c: s, busy: &busy} }
	var running, most atomic.Int32
	part := func(ctx context.Context, s *agent.StepContext) (string, error) {
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer running.Add(-1)
		var old any = "nothing"
		if _, err := s.Load(&old); err != nil {
			return "", err
		}
		c.add("part %d of %d%s, %v", s.Partition, s.Partitions, s.Properties["key"], old)
		s.JobContext.SetExitStatus("FROM A PARTITION")
		s.JobContext.SetTransientData("E")
		number := strconv.Itoa(s.Partition)
		if err := s.Save(s.Partition); err != nil {
			return "", err
		}
		d, _ := time.ParseDuration(s.Properties["time"])
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return "", ctx.Err()
		}
		if most.Load() > 2 && s.Properties["most"] != "" {
			return "", errors.New("three at once")
		}
		if s.Properties["nil error"] != "" {
			var none *os.PathError
			return "", none // its method Error panics
		}
		if slices.Contains(strings.Fields(s.Properties["panic"]), number) {
			panic("partition " + number)
		}
		if slices.Contains(strings.Fields(s.Properties["fail"]), number) {
			return "", errors.New("no luck")
		}
		return "EXIT " + number, nil
	}
	run, chunkCalls := startChunkAgent(t, room,
		agent.Batchlet("part", part),
		agent.Batchlet("main", func(_ context.Context, s *agent.StepContext) (string, error) {
			return fmt.Sprint(s.JobContext.TransientData()), nil
		}),
		agent.Mapper("manage", func(s *agent.StepContext) (agent.PartitionMapper, error) { return create(s), nil }),
		agent.Collector("manage", func(s *agent.StepContext) (agent.PartitionCollector, error) { return create(s), nil }),
		agent.Analyzer("manage", func(s *agent.StepContext) (agent.PartitionAnalyzer, error) { return create(s), nil }),
		agent.Reducer("manage", func(s *agent.StepContext) (agent.PartitionReducer, error) { return create(s), nil }),
		agent.Listener("main", func(s *agent.StepContext) (mainData, error) { return mainData{s}, nil }),
	)
	_ = chunkCalls
	return run, c
}

// mainData is a listener that saves M before the step, on its main goroutine.
type mainData struct{ c *agent.StepContext }

func (m mainData) BeforeStep(context.Context) error {
	var old string
	if found, err := m.c.Load(&old); err != nil || found && old != "M" {
		return fmt.Errorf("the data of the step is %q, %v, want M", old, err)
	}
	return m.c.Save("M")
}
func (m mainData) AfterStep(context.Context) error { return nil }

// partitioned returns a step whose batchlet is "part".
func partitioned(batchlet, partition string) string {
	return `{'id':'a','batchlet':{'ref':'part','properties':{` + batchlet + `}},'partition':{` + partition + `}}`
}

const allArtifacts = `,'collector':{'ref':'manage'},'analyzer':{'ref':'manage'},'reducer':{'ref':'manage'}`

// The order of calls, and how a step with partitions ends (8.2.6, 11.5).
func TestPartitionedBatchlets(t *testing.T) {
	one := `'plan':{'partitions':2,'threads':1}`
	for _, c := range []struct {
		name, step string
		status     subjects.BatchStatus
		want       string
		exception  string
	}{
		{"two partitions", partitioned("", one+allArtifacts), "completed",
			"begin; part 0 of 2, nothing; collect 0#1; data 0#1; status completed EXIT 0; part 1 of 2, nothing; collect 1#1; data 1#1; status completed EXIT 1; before completion; after COMMIT", ""},
		{"no plan is one partition", partitioned("", "'reducer':{'ref':'manage'}"), "completed", "begin; part 0 of 1, nothing; before completion; after COMMIT", ""},
		{"properties of the plan", partitioned(`'key':' #{partitionPlan['k']}?:none;'`,
			`'plan':{'partitions':2,'threads':1,'properties':[{'partition':1,'properties':{'k':'x'}}]}`), "completed",
			"part 0 of 2 none, nothing; part 1 of 2 x, nothing", ""},
		{"a mapper", partitioned(`'key':' #{partitionPlan['k']}'`, `'mapper':{'ref':'manage','properties':{'n':'3','threads':'1','keys':'a b c'}},'reducer':{'ref':'manage'}`), "completed",
			"begin; map; part 0 of 3 a, nothing; part 1 of 3 b, nothing; part 2 of 3 c, nothing; before completion; after COMMIT", ""},
		{"no partition", partitioned("", `'mapper':{'ref':'manage','properties':{'n':'0'}}`+allArtifacts), "completed", "begin; map; before completion; after COMMIT", ""},
		{"no partition by a plan", partitioned("", `'plan':{'partitions':0}`+allArtifacts), "completed", "begin; before completion; after COMMIT", ""},
		{"one fails, the others run", partitioned("'fail':'0'", `'plan':{'partitions':3,'threads':1}`+allArtifacts), "failed",
			"begin; part 0 of 3, nothing; status failed FAILED; part 1 of 3, nothing; collect 1#1; data 1#1; status completed EXIT 1; part 2 of 3, nothing; collect 2#1; data 2#1; status completed EXIT 2; rollback; after ROLLBACK",
			"step a: partition 0: no luck"},
		{"one panics", partitioned("'panic':'1'", one+allArtifacts), "failed",
			"begin; part 0 of 2, nothing; collect 0#1; data 0#1; status completed EXIT 0; part 1 of 2, nothing; status failed FAILED; rollback; after ROLLBACK", "partition 1: panic: partition 1"},
		{"an error whose text cannot be read", partitioned("'nil error':'yes'", one), "failed",
			"part 0 of 2, nothing; part 1 of 2, nothing", "2 of 2 partitions failed; partition 0: panic: runtime error: invalid memory address"},
		{"too many partitions", partitioned("", `'mapper':{'ref':'manage','properties':{'n':'10001'}}`), "failed",
			"map", "got 10001 partitions, want at most 10000"},
		{"two of three fail", partitioned("'fail':'1 2'", `'plan':{'partitions':3,'threads':1}`), "failed",
			"part 0 of 3, nothing; part 1 of 3, nothing; part 2 of 3, nothing", "2 of 3 partitions failed; partition 1: no luck"},
		{"a collector without data", partitioned("", `'plan':{'partitions':1},'collector':{'ref':'manage','properties':{'nil':'yes'}},'analyzer':{'ref':'manage'}`), "completed",
			"part 0 of 1, nothing; collect 0; data <nil>; status completed EXIT 0", ""},
		{"the analyzer sets the exit status", partitioned("", `'plan':{'partitions':1},'analyzer':{'ref':'manage','properties':{'exit':'SUM'}}`), "completed",
			"part 0 of 1, nothing; status completed EXIT 0", ""},
		{"the collector fails", partitioned("", `'plan':{'partitions':1},'collector':{'ref':'manage','properties':{'fail':'panic collect'}},'reducer':{'ref':'manage'}`), "failed",
			"begin; part 0 of 1, nothing; collect 0#1; rollback; after ROLLBACK", "partition 0: partition collector manage: panic: no collect"},
		{"begin fails", partitioned("", one+`,'reducer':{'ref':'manage','properties':{'fail':'begin'}}`), "failed", "begin; rollback; after ROLLBACK", "BeginPartitionedStep: no begin"},
		{"the mapper fails", partitioned("", `'mapper':{'ref':'manage','properties':{'fail':'map'}},'reducer':{'ref':'manage'}`), "failed",
			"begin; map; rollback; after ROLLBACK", "partition mapper manage: no map"},
		{"before completion fails", partitioned("", `'plan':{'partitions':1},'reducer':{'ref':'manage','properties':{'fail':'before'}}`), "failed",
			"begin; part 0 of 1, nothing; before completion; rollback; after ROLLBACK", "no before"},
		{"after completion fails", partitioned("", `'plan':{'partitions':1},'reducer':{'ref':'manage','properties':{'fail':'after'}}`), "failed",
			"begin; part 0 of 1, nothing; before completion; after COMMIT", "no after"},
		{"a mapper with too many properties", partitioned("", `'mapper':{'ref':'manage','properties':{'n':'1','keys':'a b'}}`), "failed", "map", "got the properties of 2 partitions, want at most 1"},
		{"too many partitions", partitioned("", `'mapper':{'ref':'manage','properties':{'n':'10001'}}`), "failed", "map", "want at most 10000"},
		{"an artifact that the plan names and nobody has",
			`{'id':'a','batchlet':{'ref':'#{partitionPlan['b']}'},'partition':{'plan':{'properties':[{'partition':0,'properties':{'b':'nobody'}}]}}}`,
			"failed", "", `this agent has no batchlet "nobody"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room := agenttest.New(t)
				_, calls := startPartitionAgent(t, room)
				end := room.Run(jobDefinition(strings.ReplaceAll(strings.ReplaceAll(c.step, "['", "[Q"), "']", "Q]")))
				calls.checkSides(t, c.want)
				if end.BatchStatus != c.status || !strings.Contains(end.Exception, c.exception) || c.exception == "" && end.Exception != "" {
					t.Errorf("it is %s: %q, want %s: %q", end.BatchStatus, end.Exception, c.status, c.exception)
				}
				if end.BatchStatus == subjects.Completed && end.ExitStatus != "COMPLETED" {
					// 9.4.1.1
					t.Errorf("the job has the exit status %s, which a partition has set", end.ExitStatus)
				}
			})
		})
	}
}

func (c *calls) check(t *testing.T, want string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if got := strings.Join(c.all, "; "); got != want {
		t.Errorf("calls are\n\t%s\nwant\n\t%s", got, want)
	}
	c.all = nil
}

// checkSides compares the calls of partitions and those of the step's goroutine,
// which run concurrently, each in their order. The data of a call follow it.
func (c *calls) checkSides(t *testing.T, want string) {
	t.Helper()
	for _, of := range []string{"part", "step"} {
		side := func(all []string) string {
			return strings.Join(slices.DeleteFunc(slices.Clone(all), func(call string) bool {
				isPart := strings.HasPrefix(call, "part ") || strings.HasPrefix(call, "collect ")
				return isPart != (of == "part")
			}), "; ")
		}
		if got, want := side(c.all), side(strings.Split(want, "; ")); got != want {
			t.Errorf("calls of the %s are\n\t%s\nwant\n\t%s", of, got, want)
		}
	}
	for i, call := range c.all {
		if data, ok := strings.CutPrefix(call, "data "); ok && data != "<nil>" && !slices.Contains(c.all[:i], "collect "+data) {
			t.Errorf("%s was analyzed before it was collected", data)
		}
	}
}

// At most so many partitions as the plan has threads run at once (8.2.6.1).
func TestThreadsOfPartitions(t *testing.T) {
	for _, c := range []struct {
		threads string
		want    time.Duration
	}{{"2", 3 * time.Second}, {"0", time.Second}, {"10", time.Second}, {"1", 5 * time.Second}} {
		t.Run(c.threads, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room := agenttest.New(t)
				_, calls := startPartitionAgent(t, room)
				end := room.Run(jobDefinition(partitioned("'time':'1s'", `'plan':{'partitions':5,'threads':`+c.threads+`}`)))
				if end.BatchStatus != subjects.Completed || len(calls.all) != 5 {
					t.Errorf("it is %s after %v", end.BatchStatus, calls.all)
				}
				s := end.Steps[0]
				if got := s.EndTime.Std().Sub(s.StartTime.Std()).Round(time.Second); got != c.want {
					t.Errorf("it took %v, want %v", got, c.want)
				}
			})
		})
	}
}

// A restart runs the partitions that are not completed, with their own data and
// the properties of the new plan (10.8.5.1).
func TestRestartOfPartitions(t *testing.T) {
	mapper := func(n, keys, more string) string {
		return `'mapper':{'ref':'manage','properties':{'n':'` + n + `','threads':'1','keys':'` + keys + `'` + more + `}}`
	}
	key := `'key':' #{partitionPlan['k']}'`
	for _, c := range []struct {
		name, first, second string
		status              subjects.BatchStatus
		want                string
		exception           string
	}{
		{"only the one that failed", partitioned("'fail':'1',"+key, mapper("3", "a b c", "")), partitioned(key, mapper("3", "a2 b2 c2", "")), "completed",
			"map; part 1 of 3 b2, 1", ""},
		{"no call of rollback at the start", partitioned("'fail':'1'", `'plan':{'partitions':2,'threads':1}`),
			partitioned("", `'plan':{'partitions':2,'threads':1},'reducer':{'ref':'manage'}`), "completed", "begin; part 1 of 2, 1; before completion; after COMMIT", ""},
		{"a plan with another number keeps the old one", partitioned("'fail':'1'", `'plan':{'partitions':2,'threads':1}`),
			partitioned("", `'plan':{'partitions':3,'threads':1}`), "completed", "part 1 of 2, 1", ""},
		{"a mapper with another number is an error", partitioned("'fail':'1'", mapper("2", "", "")), partitioned("", mapper("3", "", "")), "failed",
			"map", "got 3 partitions without override, want 2"},
		{"override", partitioned("'fail':'1'", mapper("2", "", "")), partitioned("", mapper("3", "", ",'override':'yes'")), "completed",
			"map; part 0 of 3, nothing; part 1 of 3, nothing; part 2 of 3, nothing", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room := agenttest.New(t)
				_, calls := startPartitionAgent(t, room)
				quote := func(s string) string {
					return jobDefinition(strings.ReplaceAll(strings.ReplaceAll(s, "['", "[Q"), "']", "Q]"))
				}
				first := room.Run(quote(c.first))
				if first.BatchStatus != subjects.Failed {
					t.Fatalf("the first execution is %s", first.BatchStatus)
				}
				calls.all = nil
				second := restart(room, first.ID, quote(c.second))
				calls.check(t, c.want)
				if second.BatchStatus != c.status || !strings.Contains(second.Exception, c.exception) {
					t.Errorf("the restart is %s: %q, want %s: %q", second.BatchStatus, second.Exception, c.status, c.exception)
				}
				override := false
				for _, r := range room.Results(second.ID) {
					for _, s := range r.Steps {
						override = override || s.PartitionsOverride && s.PartitionCount == 3
					}
				}
				if override != (c.name == "override") {
					t.Errorf("override is reported: %v", override)
				}
			})
		})
	}
}

// Completed partitions stay completed, whatever the executions after that come
// to (10.8.4 rule 3c, 10.8.5.1).
func TestPartitionsOverRestarts(t *testing.T) {
	mapper := func(n, more string) string {
		return `'mapper':{'ref':'manage','properties':{'n':'` + n + `','threads':'1'` + more + `}}`
	}
	two := `'plan':{'partitions':2,'threads':1}`
	first := `{'id':'x','allow_start_if_complete':true,'next':'a','batchlet':{'ref':'main'}},`
	for _, c := range []struct {
		name  string
		steps []string
		want  string // calls of the last execution
	}{
		{"the step starts together with the end of another", []string{
			first + partitioned("'fail':'1'", two), first + partitioned("'fail':'1'", two), first + partitioned("", two),
		}, "part 1 of 2, 1"},
		{"the mapper fails", []string{
			partitioned("'fail':'1'", mapper("2", "")), partitioned("", mapper("2", ",'fail':'map'")), partitioned("", mapper("2", "")),
		}, "map; part 1 of 2, 1"},
		{"the mapper returns another number, twice", []string{
			partitioned("'fail':'1'", mapper("2", "")), partitioned("", mapper("3", "")), partitioned("", mapper("3", "")),
		}, "map"},
		{"the mapper is slow", []string{
			partitioned("'fail':'1'", mapper("2", "")), partitioned("'fail':'1'", mapper("2", ",'time':'1s'")), partitioned("", mapper("2", "")),
		}, "map; part 1 of 2, 1"},
		{"override, then a restart without", []string{
			partitioned("'fail':'1'", mapper("2", "")), partitioned("'fail':'2'", mapper("3", ",'time':'1s','override':'yes'")), partitioned("", mapper("3", "")),
		}, "map; part 2 of 3, 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room := agenttest.New(t)
				_, calls := startPartitionAgent(t, room)
				var states []subjects.StepState
				for _, steps := range c.steps {
					calls.all = nil
					end := runWith(room, states, jobDefinition(steps))
					states = agenttest.StatesAfter(states, room.Results(end.ID))
				}
				calls.check(t, c.want)
			})
		})
	}
}

// A completed step that may run again runs all its partitions again, without old
// data (8.2).
func TestRestartOfCompletedPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		_, calls := startPartitionAgent(t, room)
		step := strings.Replace(partitioned("", `'plan':{'partitions':2,'threads':1}`), `'id':'a'`, `'id':'a','allow_start_if_complete':true`, 1)
		first := room.Run(jobDefinition(step))
		calls.check(t, "part 0 of 2, nothing; part 1 of 2, nothing")
		restart(room, first.ID, jobDefinition(step))
		calls.check(t, "part 0 of 2, nothing; part 1 of 2, nothing")
	})
}

// The step and each partition have data of their own (9.4.1.1), also over a
// restart. What a partition sets in its job context stays there.
func TestDataOfPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		_, calls := startPartitionAgent(t, room)
		step := func(fail string) string {
			return jobDefinition(strings.Replace(partitioned(fail, `'plan':{'partitions':3,'threads':1}`), `'id':'a'`, `'id':'a','next':'b','listeners':[{'ref':'main'}]`, 1) +
				`,{'id':'b','batchlet':{'ref':'main'}}`)
		}
		first := room.Run(step("'fail':'0 2'"))
		state := agenttest.StatesAfter(nil, room.Results(first.ID))[0]
		if string(state.PersistentData) != `"M"` || len(state.Partitions) != 3 || string(state.Partitions[2].PersistentData) != "2" {
			t.Errorf("the step has left %s and %+v", state.PersistentData, state.Partitions)
		}
		if p := state.Partitions[1]; p.BatchStatus != subjects.Completed || p.ExitStatus != "EXIT 1" || p.StartTime.IsZero() || p.EndTime.IsZero() {
			t.Errorf("partition 1 is %+v", p)
		}
		calls.all = nil
		second := restart(room, first.ID, step(""))
		calls.check(t, "part 0 of 3, 0; part 2 of 3, 2")
		if got := stepStates(room.Results(second.ID)); second.BatchStatus != subjects.Completed || got != "a=completed(COMPLETED) b=completed(<nil>)" {
			t.Errorf("the restart is %s, steps %s: %s", second.BatchStatus, got, second.Exception)
		}
	})
}

// An error of the analyzer lets running partitions end, begins no more of them,
// and fails the step (9.5.2).
func TestAnalyzerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		_, calls := startPartitionAgent(t, room)
		step := func(fail string) string {
			return jobDefinition(partitioned("'time':'1s'", `'plan':{'partitions':4,'threads':2},'analyzer':{'ref':'manage','properties':{'fail':'`+fail+`'}},'reducer':{'ref':'manage'}`))
		}
		end := room.Run(step("panic status"))
		if end.BatchStatus != subjects.Failed || !strings.Contains(end.Exception, "partition analyzer manage: panic: no status") {
			t.Errorf("it is %s: %s", end.BatchStatus, end.Exception)
		}
		if n := len(calls.all); calls.all[n-2] != "rollback" || calls.all[n-1] != "after ROLLBACK" {
			t.Errorf("calls are %v", calls.all)
		}
		begun := 0
		for _, p := range agenttest.StatesAfter(nil, room.Results(end.ID))[0].Partitions {
			begun++
			if p.BatchStatus != subjects.Completed {
				t.Errorf("partition %d is %s", p.Number, p.BatchStatus)
			}
		}
		if begun < 2 || begun > 3 {
			t.Errorf("%d partitions have begun, want the 2 that ran, or one more", begun)
		}
	})
}

// A stop reaches all running partitions, and no further one begins (11.13).
func TestStopOfPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		run, calls := startPartitionAgent(t, room)
		id := room.Submit(room.Request(jobDefinition(partitioned("'time':'1h'", `'plan':{'partitions':3,'threads':2},'analyzer':{'ref':'manage'},'reducer':{'ref':'manage'}`))))
		time.Sleep(time.Second)
		room.Command(run.Name, subjects.StopCommand, subjects.Command{ID: id, Attempt: 1})
		end := room.AwaitEnd(id)
		if got := stepStates(room.Results(id)); end.BatchStatus != subjects.Stopped || got != "a=stopped(STOPPED)" {
			t.Errorf("it is %s with %s: %s", end.BatchStatus, got, end.Exception)
		}
		slices.Sort(calls.all[1:3])
		calls.check(t, "begin; part 0 of 3, nothing; part 1 of 3, nothing; status stopped STOPPED; status stopped STOPPED; rollback; after ROLLBACK")
		again := restart(room, id, jobDefinition(partitioned("", `'plan':{'partitions':3,'threads':1}`)))
		if again.BatchStatus != subjects.Completed {
			t.Errorf("the restart is %s: %s", again.BatchStatus, again.Exception)
		}
		calls.check(t, "part 0 of 3, 0; part 1 of 3, 1; part 2 of 3, nothing")
	})
}

// Each partition of a chunk has its own items, checkpoints, limits and counts
// (8.2.6, 11.7).
func TestPartitionedChunks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		_, calls := startPartitionAgent(t, room)
		dir := t.TempDir()
		step := func(bad string) string {
			text := fmt.Sprintf(`{'id':'a','chunk':{'item_count':5,'skip_limit':1,'skippable_exception_classes':{'include':['Broken']},
				'reader':{'ref':'count','properties':{'from':'#{partitionPlan[QfromQ]}','to':'#{partitionPlan[QtoQ]}'}},
				'processor':{'ref':'picky','properties':{'item':'#{partitionPlan[QbadQ]}'%s}},
				'writer':{'ref':'file','properties':{'file':'%s/#{partitionPlan[QfromQ]}'}}},
				'partition':{'plan':{'partitions':2,'threads':1,'properties':[
					{'partition':0,'properties':{'from':'1','to':'10','bad':'3'}},{'partition':1,'properties':{'from':'11','to':'20','bad':'18'}}]},
				'collector':{'ref':'manage'},'analyzer':{'ref':'manage'}}}`, bad, dir)
			return jobDefinition(text)
		}
		first := room.Run(step(",'panic':'yes'"))
		if first.BatchStatus != subjects.Failed {
			t.Errorf("it is %s", first.BatchStatus)
		}
		calls.checkSides(t, "status failed FAILED; collect 1#1; data 1#1; status failed FAILED")
		calls.all = nil
		checkFile(t, filepath.Join(dir, "1"), "")
		checkFile(t, filepath.Join(dir, "11"), linesTo(11, 15))
		second := restart(room, first.ID, step(""))
		calls.checkSides(t, "collect 0#1; data 0#1; collect 0#2; data 0#2; collect 0#3; data 0#3; status completed COMPLETED; collect 1#1; data 1#1; collect 1#2; data 1#2; status completed COMPLETED")
		if want := (subjects.Metrics{Read: 15, Write: 13, Commit: 5, ProcessSkip: 2}); second.BatchStatus != subjects.Completed || second.Steps[0].Metrics != want {
			t.Errorf("the restart is %s with %+v, want %+v: %s", second.BatchStatus, second.Steps[0].Metrics, want, second.Exception)
		}
		checkFile(t, filepath.Join(dir, "1"), "1\n2\n"+linesTo(4, 10))
		checkFile(t, filepath.Join(dir, "11"), linesTo(11, 17)+linesTo(19, 20))
	})
}

// Partitions of shell commands get the properties of the plan, and keep data of
// their own. They set no values for later steps.
func TestPartitionedShell(t *testing.T) {
	room := agenttest.New(t)
	startPartitionAgent(t, room)
	dir := t.TempDir()
	step := func(line string) string {
		return jobDefinition(`{'id':'a','batchlet':{'ref':'org.jobstreamer.batch.ShellBatchlet','properties':{'command':
			'echo $WHO > ` + dir + `/$WHO; echo ` + line + ` >> $JOBSTREAMER_OUTPUT','env.WHO':'#{partitionPlan[QkQ]}'}},
			'partition':{'plan':{'partitions':2,'properties':[{'partition':0,'properties':{'k':'x'}},{'partition':1,'properties':{'k':'y'}}]}}}`)
	}
	end := room.Run(step("persistent_data=$WHO"))
	if end.BatchStatus != subjects.Completed {
		t.Errorf("it is %s: %s", end.BatchStatus, end.Exception)
	}
	for i, who := range []string{"x", "y"} {
		if got, err := os.ReadFile(filepath.Join(dir, who)); err != nil || string(got) != who+"\n" {
			t.Errorf("partition %s wrote %q, %v", who, got, err)
		}
		partitions := agenttest.StatesAfter(nil, room.Results(end.ID))[0].Partitions
		slices.SortFunc(partitions, func(a, b subjects.Partition) int { return a.Number - b.Number })
		if got := string(partitions[i].PersistentData); got != `"`+who+`"` {
			t.Errorf("partition %s has left %s", who, got)
		}
	}
	if end := room.Run(step("value.rows=7")); end.BatchStatus != subjects.Failed || !strings.Contains(end.Exception, "a partition cannot set values") {
		t.Errorf("values: it is %s: %s", end.BatchStatus, end.Exception)
	}
}

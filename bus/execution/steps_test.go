package execution

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// dataOf describes what a step keeps, and its partitions.
func dataOf(d subjects.StepData, all []subjects.Partition) string {
	text := fmt.Sprintf("%s %s %s", d.PersistentData, d.ReaderCheckpoint, d.WriterCheckpoint)
	for _, p := range all {
		text += fmt.Sprintf(" | %d %s %s %s", p.Number, p.BatchStatus, p.PersistentData, p.ReaderCheckpoint)
	}
	return strings.TrimSpace(text)
}

// keeper folds results as a projector does; stored stands for the bucket.
type keeper struct {
	e      *bus.Execution
	stored map[stepKey]*bus.StepData
	n      uint64
}

// fold folds a result that says something about step S.
func (k *keeper) fold(t *testing.T, id int, text string) {
	t.Helper()
	k.n++
	r := &bus.StoredResult{Sequence: k.n}
	r.Steps = stepsFrom(t, fmt.Sprintf(`[{"step_execution_id":%d,"step_name":"S",%s}]`, id, text))
	data := stepChanges{}
	mergeSteps(k.e, r, data)
	for key, c := range data {
		if is := c.applyTo(k.stored[key], k.e.ID, key); is != nil {
			k.stored[key] = is
		}
	}
}

// fill adds to states what the steps keep.
func (k *keeper) fill(t *testing.T, all []subjects.StepState) {
	t.Helper()
	one := func(d *subjects.StepData, key stepKey) {
		var stored *subjects.StepData
		if v := k.stored[key]; v != nil {
			stored = &v.StepData
		}
		if err := fillData(d, stored); err != nil {
			t.Errorf("%v: %v", key, err)
		}
	}
	for i := range all {
		one(&all[i].StepData, stepKey{"S", bus.WholeStep})
		for j := range all[i].Partitions {
			one(&all[i].Partitions[j].StepData, stepKey{"S", all[i].Partitions[j].Number})
		}
	}
}

func stepsFrom(t *testing.T, text string) []subjects.StepExecution {
	t.Helper()
	var all []subjects.StepExecution
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestMergeSteps(t *testing.T) {
	tests := []struct {
		name    string
		results []string // what each says about step 1
		want    string
	}{
		{"what is absent is as before", []string{
			`"batch_status":"started","persistent_data":1,"reader_checkpoint":2,"writer_checkpoint":3`,
			`"batch_status":"started","reader_checkpoint":4`,
		}, "1 4 3"},
		{"null removes", []string{
			`"batch_status":"started","persistent_data":1,"reader_checkpoint":2`,
			`"batch_status":"started","reader_checkpoint":null`,
		}, "1"},
		{"a completed step has no checkpoints", []string{
			`"batch_status":"started","persistent_data":1,"reader_checkpoint":2`,
			`"batch_status":"completed","writer_checkpoint":3`,
		}, "1"},
		{"a failed step keeps its checkpoints", []string{
			`"batch_status":"started","reader_checkpoint":2`,
			`"batch_status":"failed"`,
		}, "2"},
		{"partitions are merged by number", []string{
			`"batch_status":"started","partition_count":3,"partitions":[{"partition":2,"batch_status":"started","reader_checkpoint":20}]`,
			`"batch_status":"started","partition_count":3,"partitions":[{"partition":0,"batch_status":"started","reader_checkpoint":1}]`,
			`"batch_status":"started","partition_count":3,"partitions":[{"partition":2,"batch_status":"failed"},{"partition":1,"batch_status":"started"}]`,
			`"batch_status":"started","partition_count":3`,
		}, "| 0 failed  1 | 1 failed   | 2 failed  20"},
		{"a completed partition has no checkpoints", []string{
			`"batch_status":"started","partition_count":2,"partitions":[{"partition":1,"batch_status":"started","persistent_data":7,"reader_checkpoint":20}]`,
			`"batch_status":"started","partition_count":2,"partitions":[{"partition":1,"batch_status":"completed"}]`,
		}, "| 1 completed 7"},
		{"a completed step has no checkpoints of partitions", []string{
			`"batch_status":"started","partition_count":2,"partitions":[{"partition":1,"batch_status":"failed","persistent_data":7,"reader_checkpoint":20}]`,
			`"batch_status":"completed","partition_count":2`,
		}, "| 1 failed 7"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := &keeper{e: &bus.Execution{}, stored: map[stepKey]*bus.StepData{}}
			for _, r := range test.results {
				k.fold(t, 1, r)
			}
			all := stepStates(nil, 7, k.e.StepExecutions)
			k.fill(t, all)
			if got := dataOf(all[0].StepData, all[0].Partitions); got != test.want {
				t.Errorf("the step keeps %q, want %q", got, test.want)
			}
		})
	}
}

// A step that runs has counted what its partitions have, without those of earlier
// executions. The agent counts at the end.
func TestMetricsOfPartitions(t *testing.T) {
	k := &keeper{e: &bus.Execution{}, stored: map[stepKey]*bus.StepData{}}
	for _, c := range []struct {
		result string
		want   int64
	}{
		{`"batch_status":"started","start_time":"2026-11-30T00:00:50.000Z","partition_count":3,"partitions":[
			{"partition":0,"batch_status":"completed","start_time":"2026-11-30T00:00:20.000Z","metrics":{"read_count":100}},
			{"partition":1,"batch_status":"started","start_time":"2026-11-30T00:00:50.000Z","metrics":{"read_count":3}}]`, 3},
		{`"batch_status":"started","start_time":"2026-11-30T00:00:50.000Z","partition_count":3,"partitions":[{"partition":2,"batch_status":"started","start_time":"2026-11-30T00:00:59.000Z","metrics":{"read_count":4}}]`, 7},
		{`"batch_status":"completed","start_time":"2026-11-30T00:00:50.000Z","partition_count":3,"metrics":{"read_count":9}`, 9},
	} {
		k.fold(t, 1, c.result)
		if got := k.e.StepExecutions[0].Metrics.Read; got != c.want {
			t.Errorf("the step has read %d, want %d", got, c.want)
		}
	}
}

// Sections 10.8.4 and 10.8.5: what a restart is given.
func TestStepStates(t *testing.T) {
	tests := []struct {
		name          string
		before, again string // in the first execution, and in results of a second, with ; between
		want          string
	}{
		{"a step that was lost is failed, and so are its partitions",
			`"batch_status":"started","reader_checkpoint":5,"partition_count":2,"partitions":[{"partition":0,"batch_status":"started","reader_checkpoint":6}]`, "",
			"failed 1 2: 5  | 0 failed  6"},
		{"a second execution of the step goes on with the data of the first",
			`"batch_status":"failed","persistent_data":1,"reader_checkpoint":5`, `"batch_status":"stopped","writer_checkpoint":9`,
			"stopped 2 0: 1 5 9"},
		{"completed partitions stay completed",
			`"batch_status":"failed","partition_count":2,"partitions":[{"partition":0,"batch_status":"completed"},{"partition":1,"batch_status":"failed","reader_checkpoint":6}]`,
			`"batch_status":"failed","partition_count":2,"partitions":[{"partition":1,"batch_status":"failed"}]`,
			"failed 2 2: | 0 completed   | 1 failed  6"},
		{"partitions that are overridden do not count",
			`"batch_status":"failed","partition_count":2,"partitions":[{"partition":0,"batch_status":"completed"},{"partition":1,"batch_status":"failed","reader_checkpoint":6}]`,
			`"batch_status":"failed","partition_count":2,"partitions_override":true,"partitions":[{"partition":1,"batch_status":"failed"}]`,
			"failed 2 2: | 1 failed"},
		{"partitions that a later result overrides do not count",
			`"batch_status":"failed","partition_count":2,"partitions":[{"partition":0,"batch_status":"completed"},{"partition":1,"batch_status":"failed","reader_checkpoint":6}]`,
			`"batch_status":"started","partition_count":2;"batch_status":"failed","partition_count":3,"partitions_override":true,"partitions":[{"partition":1,"batch_status":"failed"}]`,
			"failed 2 3: | 1 failed"},
		{"partitions of a completed step do not count",
			`"batch_status":"completed","partition_count":2,"partitions":[{"partition":0,"batch_status":"completed"},{"partition":1,"batch_status":"completed"}]`,
			`"batch_status":"failed","partition_count":2,"partitions":[{"partition":1,"batch_status":"failed"}]`,
			"failed 2 2: | 1 failed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := &keeper{e: &bus.Execution{}, stored: map[stepKey]*bus.StepData{}}
			k.e.ID = 7
			k.fold(t, 3, test.before)
			all := stepStates(nil, 7, k.e.StepExecutions)
			if test.again != "" {
				k.e = &bus.Execution{Before: all}
				k.e.ID = 8
				for _, result := range strings.Split(test.again, ";") {
					k.fold(t, 1, result)
				}
				all = stepStates(all, 8, k.e.StepExecutions)
			}
			k.fill(t, all)
			if len(all) != 1 {
				t.Fatalf("%d steps", len(all))
			}
			s := all[0]
			got := strings.TrimSpace(fmt.Sprintf("%s %d %d: %s", s.BatchStatus, s.Starts, s.PartitionCount, dataOf(s.StepData, s.Partitions)))
			if got != test.want {
				t.Errorf("the state is %q, want %q", got, test.want)
			}
			if id := map[bool]int64{true: 8, false: 7}[test.again != ""]; s.ExecutionID != id {
				t.Errorf("it is of execution %d, want %d", s.ExecutionID, id)
			}
		})
	}
}

// A step that starts again loses the values of its earlier execution.
func TestStepValues(t *testing.T) {
	steps := stepsFrom(t, `[
		{"step_execution_id":1,"step_name":"a","batch_status":"failed","values":{"old":"1"}},
		{"step_execution_id":2,"step_name":"b","batch_status":"completed","values":{"kept":"2"}}]`)
	states := stepStates(nil, 1, steps)
	if got := fmt.Sprint(states[0].Values, states[1].Values); got != "map[old:1] map[kept:2]" {
		t.Errorf("the values are %s", got)
	}
	e := &bus.Execution{Before: states}
	r := &bus.StoredResult{}
	r.Steps = stepsFrom(t, `[{"step_execution_id":1,"step_name":"a","batch_status":"started"}]`)
	mergeSteps(e, r, nil)
	states = stepStates(states, 2, e.StepExecutions)
	if got := fmt.Sprint(states[0].Values, states[1].Values); got != "map[] map[kept:2]" {
		t.Errorf("after another start, the values are %s", got)
	}
}

// The run of a step is that of its newest execution.
func TestStepStatesHaveRuns(t *testing.T) {
	all := stepStates(nil, 7, []subjects.StepExecution{{Step: "S", BatchStatus: subjects.Failed, Run: "one"}})
	if all = stepStates(all, 8, []subjects.StepExecution{{Step: "S", Run: "two"}}); all[0].Run != "two" {
		t.Errorf("the step is %+v, want the run two", all[0])
	}
	changed := mergeStep(subjects.StepExecution{Step: "S", Run: "one"}, subjects.StepExecution{Step: "S", Run: "two"})
	if changed.Run != "two" {
		t.Errorf("a result with the run two gives %+v", changed)
	}
}

// An agent was lost: its steps and partitions end with the attempt (10.8.3).
func TestStepsOfALostAgent(t *testing.T) {
	for _, c := range []struct{ end, want subjects.BatchStatus }{
		{subjects.Failed, subjects.Failed}, {subjects.Unknown, subjects.Failed}, {subjects.Stopped, subjects.Stopped},
	} {
		e := &bus.Execution{LastSequence: 4}
		e.ID, e.Attempt, e.BatchStatus, e.Agent = 7, 1, subjects.Started, "a"
		e.StepExecutions = stepsFrom(t, `[{"step_execution_id":1,"step_name":"A","batch_status":"completed","exit_status":"OK"},
			{"step_execution_id":2,"step_name":"B","batch_status":"started","partition_count":2,"metrics":{"read_count":5},
			 "partitions":[{"partition":0,"batch_status":"completed","exit_status":"DONE"},{"partition":1,"batch_status":"started"}]}]`)
		r := &bus.StoredResult{Sequence: 5, Expected: 4}
		r.Agent, r.Attempt, r.BatchStatus, r.Time = subjects.Bus, 1, c.end, 99
		if foldResult(e, r) != applied {
			t.Fatalf("%s: not applied", c.end)
		}
		if a := e.StepExecutions[0]; a.BatchStatus != subjects.Completed || a.ExitStatus != "OK" {
			t.Errorf("%s: the step that had ended is %+v", c.end, a)
		}
		b := e.StepExecutions[1]
		if b.BatchStatus != c.want || b.ExitStatus != defaultExitStatus(c.want) || b.EndTime != 99 || b.Metrics.Read != 5 {
			t.Errorf("%s: the step that ran is %+v", c.end, b)
		}
		if p := b.Partitions; p[0].ExitStatus != "DONE" || p[1].BatchStatus != c.want || p[1].EndTime != 99 || p[1].ExitStatus != defaultExitStatus(c.want) {
			t.Errorf("%s: the partitions are %+v", c.end, p)
		}
	}
}

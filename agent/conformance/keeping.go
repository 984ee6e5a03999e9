package conformance

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// keeping tests what steps keep for restarts and hand over to later steps.
var keeping = []testCase{
	{"a restart goes on with the persistent data and the values of the execution before", testKeptOverRestarts},
	{"a process gets persistent data as text, or as the JSON of another runtime", testPersistentData},
	{"the output of a failed or stopped step counts", testOutputOfUnfinished},
	{"output at its limits is kept", testOutputAtLimits},
	{"output beyond its limits fails the step and has no effect", testOutputBeyondLimits},
	{"of a value that several steps have set the last one counts", testLastValue},
	{"persistent data that no process can get fails the step", testTooLargeForProcess},
}

// statesAfter returns the states of the steps after an execution, as a bus gives
// them to a restart. before has the states before it.
func statesAfter(before []subjects.StepState, all []storedResult) []subjects.StepState {
	states := map[string]subjects.StepState{}
	for _, s := range before {
		states[s.Step] = s
	}
	began := map[string]int64{} // ids of the step executions
	for _, result := range all {
		for _, x := range result.Steps {
			s := states[x.Step]
			if began[x.Step] != x.ID {
				began[x.Step] = x.ID
				s.Starts++
			}
			s.Step, s.BatchStatus, s.ExitStatus, s.EndTime, s.Values = x.Step, x.BatchStatus, x.ExitStatus, x.EndTime, x.Values
			if data := x.PersistentData; len(data) > 0 { // absent: as before
				s.PersistentData = data
			}
			if bytes.Equal(s.PersistentData, subjects.None) {
				s.PersistentData = nil
			}
			states[x.Step] = s
		}
	}
	return slices.SortedFunc(maps.Values(states), func(a, b subjects.StepState) int { return cmp.Compare(a.Step, b.Step) })
}

// readLines returns the lines of a file in the witness folder.
func (r *room) readLines(file string) []string {
	b, _ := os.ReadFile(filepath.Join(r.witnessDir, file))
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// appendTo returns a command that appends a line to a file in the witness
// folder. The shell expands variables in the line.
func (r *room) appendTo(file, line string) string {
	return fmt.Sprintf(`echo "%s" >> '%s'`, line, filepath.Join(r.witnessDir, file))
}

func testKeptOverRestarts(r *room) {
	r.startAgent()
	definition := jobDefinition(
		r.witnessCommand("first")+`; echo value.name=x > "$JOBSTREAMER_OUTPUT"`,
		`n=$((${JOBSTREAMER_PERSISTENT_DATA:-0}+1)); `+r.appendTo("pages", `$n of $JOBSTREAMER_VALUE_NAME`)+
			`; echo persistent_data=$n > "$JOBSTREAMER_OUTPUT"; [ $n -ge 3 ]`,
		r.appendTo("pages", `end of $JOBSTREAMER_VALUE_NAME`))
	var states []subjects.StepState
	for i, want := range []subjects.BatchStatus{subjects.Failed, subjects.Failed, subjects.Completed} {
		req := r.newRequest(definition)
		req.Steps = states
		if i > 0 {
			req.Execution.RestartOf, req.Execution.InstanceID = req.Execution.ID-1, req.Execution.ID-1
		}
		r.sendRequest(req)
		r.awaitEnd(req.Execution.ID, want)
		all := r.resultsOf(req.Execution.ID)
		if _, began := lastSteps(all)["step-1"]; began != (i == 0) {
			r.Errorf("execution %d reports step-1: %v, want it to begin once", i+1, began)
		}
		states = statesAfter(states, all)
	}
	if got, want := r.readLines("pages"), []string{"1 of x", "2 of x", "3 of x", "end of x"}; !slices.Equal(got, want) {
		r.Errorf("the executions wrote %q, want %q", got, want)
	}
	if n := r.witnessCount("first"); n != 1 {
		r.Errorf("step-1 ran %d times, want once", n)
	}
}

func testPersistentData(r *room) {
	r.startAgent()
	data := []string{`"two\nlines"`, `{"n":[1,"ü"]}`, `""`, "", `17`}
	show := r.appendTo("data", `<$JOBSTREAMER_PERSISTENT_DATA> ${JOBSTREAMER_PERSISTENT_DATA+set}`)
	req := r.newRequest(jobDefinition(slices.Repeat([]string{show}, len(data))...))
	for i, d := range data {
		req.Steps = append(req.Steps, subjects.StepState{
			Step: fmt.Sprintf("step-%d", i+1), BatchStatus: subjects.Failed, ExitStatus: "1", Starts: 1,
			StepData: subjects.StepData{PersistentData: json.RawMessage(d)},
		})
	}
	r.sendRequest(req)
	r.awaitEnd(req.Execution.ID, subjects.Completed)
	if got, want := r.readLines("data"), []string{"<two", "lines> set", `<{"n":[1,"ü"]}> set`, "<> set", "<> ", "<17> set"}; !slices.Equal(got, want) {
		r.Errorf("the processes got %q, want %q", got, want)
	}
	for i, s := range statesAfter(req.Steps, r.resultsOf(req.Execution.ID)) {
		if string(s.PersistentData) != data[i] {
			r.Errorf("%s has persistent data %s, want %s as before", s.Step, s.PersistentData, data[i])
		}
	}
}

func testOutputOfUnfinished(r *room) {
	r.startAgent()
	output := `printf 'exit_status=PART\npersistent_data=page 2\nvalue.n=1\n' > "$JOBSTREAMER_OUTPUT"; `
	failed := r.submitCommands(output + "exit 3")
	stopped := r.submitCommands(output + `trap 'exit 0' TERM; ` + r.witnessAndWait("ran", "never"))
	r.awaitWitness("ran")
	r.sendCommand(subjects.StopCommand, stopped, 1)
	for id, want := range map[int64]subjects.BatchStatus{failed: subjects.Failed, stopped: subjects.Stopped} {
		r.awaitEnd(id, want)
		s := lastSteps(r.resultsOf(id))["step-1"]
		if s.BatchStatus != want || s.ExitStatus != "PART" || string(s.PersistentData) != `"page 2"` || s.Values["n"] != "1" {
			r.Errorf("the step that is %s ended as %s with exit status %q, persistent data %s, values %q",
				want, s.BatchStatus, s.ExitStatus, s.PersistentData, s.Values)
		}
	}
}

// writeLarge returns a command that writes a setting with n times x as its value
// to the output file.
func writeLarge(name string, n int) string {
	return fmt.Sprintf(`printf '%s=' >> "$JOBSTREAMER_OUTPUT"; head -c %d /dev/zero | tr '\0' x >> "$JOBSTREAMER_OUTPUT"; echo >> "$JOBSTREAMER_OUTPUT"; `, name, n)
}

func testOutputAtLimits(r *room) {
	r.startAgent()
	half := subjects.MaxValues/2 - len("a")
	id := r.submitCommands(writeLarge("persistent_data", subjects.MaxValues)+writeLarge("value.a", half), writeLarge("value.b", half),
		r.appendTo("sizes", `${#JOBSTREAMER_VALUE_A} ${#JOBSTREAMER_VALUE_B}`))
	r.awaitEnd(id, subjects.Completed)
	all := lastSteps(r.resultsOf(id))
	if n := len(all["step-1"].PersistentData) - len(`""`); n != subjects.MaxValues {
		r.Errorf("step-1 has persistent data of %d bytes, want %d", n, subjects.MaxValues)
	}
	if got, want := r.readLines("sizes")[0], fmt.Sprintf("%d %d", half, half); got != want {
		r.Errorf("step-3 got values of %s bytes, want %s", got, want)
	}
}

func testOutputBeyondLimits(r *room) {
	r.startAgent()
	const before = `"page 1"`
	half := subjects.MaxValues / 2
	for _, c := range []struct {
		name, command string
		limit         int
	}{
		{"persistent data", writeLarge("persistent_data", subjects.MaxValues+1), subjects.MaxValues},
		{"a value", writeLarge("value.a", subjects.MaxValues), subjects.MaxValues},
		{"values with those of a skipped step", writeLarge("value.a", half), subjects.MaxValues},
		{"the file", strings.Repeat(writeLarge("persistent_data", subjects.MaxOutput/4), 4), subjects.MaxOutput},
	} {
		req := r.newRequest(jobDefinition("false", `echo exit_status=PART > "$JOBSTREAMER_OUTPUT"; `+c.command, r.witnessCommand("next")))
		req.Steps = []subjects.StepState{
			{Step: "step-1", BatchStatus: subjects.Completed, ExitStatus: "0", Starts: 1, Values: map[string]string{"b": strings.Repeat("x", half)}},
			{Step: "step-2", BatchStatus: subjects.Failed, ExitStatus: "1", Starts: 1, StepData: subjects.StepData{PersistentData: json.RawMessage(before)}},
		}
		r.sendRequest(req)
		r.awaitEnd(req.Execution.ID, subjects.Failed)
		all := r.resultsOf(req.Execution.ID)
		two := lastSteps(all)["step-2"]
		limit := fmt.Sprint(c.limit)
		if two.BatchStatus != subjects.Failed || !strings.Contains(two.Exception, limit) {
			r.Errorf("%s: step-2 is %s with exception %q, want failed, and the limit %s", c.name, two.BatchStatus, two.Exception, limit)
		}
		if kept := statesAfter(req.Steps, all)[1]; string(kept.PersistentData) != before || len(kept.Values) > 0 || kept.ExitStatus == "PART" {
			r.Errorf("%s: the file has an effect: exit status %q, persistent data of %d bytes, %d values",
				c.name, kept.ExitStatus, len(kept.PersistentData), len(kept.Values))
		}
	}
	if r.witnessCount("next") != 0 {
		r.Error("the next step ran")
	}
}

func testLastValue(r *room) {
	r.startAgent()
	show := r.appendTo("values", `$JOBSTREAMER_STEP $JOBSTREAMER_VALUE_A ${JOBSTREAMER_VALUE_C-none}`)
	req := r.newRequest(jobDefinition("false", "false", "true", show, show+`; echo value.a=5 > "$JOBSTREAMER_OUTPUT"`, show))
	now := subjects.Now()
	req.Steps = []subjects.StepState{ // step-1 ended after step-2
		{Step: "step-1", BatchStatus: subjects.Completed, ExitStatus: "0", Starts: 2, EndTime: now, Values: map[string]string{"a": "1"}},
		{Step: "step-2", BatchStatus: subjects.Completed, ExitStatus: "0", Starts: 1, EndTime: now - 60_000, Values: map[string]string{"a": "2"}},
		{Step: "step-4", BatchStatus: subjects.Failed, ExitStatus: "1", Starts: 1, EndTime: now - 30_000, Values: map[string]string{"c": "old"}},
	}
	r.sendRequest(req)
	r.awaitEnd(req.Execution.ID, subjects.Completed)
	if got, want := r.readLines("values"), []string{"step-4 1 none", "step-5 1 none", "step-6 5 none"}; !slices.Equal(got, want) {
		r.Errorf("the steps got %q, want %q: step-4 began again without the value that it had set", got, want)
	}
}

func testTooLargeForProcess(r *room) {
	if runtime.GOOS != "linux" {
		r.Skip("the data is too large for a variable on Linux only")
	}
	r.startAgent()
	data, err := json.Marshal(strings.Repeat("x", 200<<10))
	if err != nil {
		r.Fatal(err)
	}
	req := r.newRequest(jobDefinition(r.appendTo("sizes", `${#JOBSTREAMER_PERSISTENT_DATA}`)))
	req.Steps = []subjects.StepState{{Step: "step-1", BatchStatus: subjects.Failed, ExitStatus: "1", Starts: 1, StepData: subjects.StepData{PersistentData: data}}}
	r.sendRequest(req)
	r.awaitEnd(req.Execution.ID, subjects.Failed)
	all := r.resultsOf(req.Execution.ID)
	if s := lastSteps(all)["step-1"]; s.BatchStatus != subjects.Failed || !strings.Contains(s.Exception, "JOBSTREAMER_PERSISTENT_DATA") {
		r.Errorf("the step is %s with exception %q, want failed, and JOBSTREAMER_PERSISTENT_DATA named", s.BatchStatus, s.Exception)
	}
	if kept := statesAfter(req.Steps, all)[0]; !bytes.Equal(kept.PersistentData, data) {
		r.Errorf("the step keeps persistent data of %d bytes, want all %d", len(kept.PersistentData), len(data))
	}
}

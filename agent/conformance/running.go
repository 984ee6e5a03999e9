package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// running tests how an agent runs the steps of an execution and publishes their
// output.
var running = []testCase{
	{"steps follow one another and their results are stored between them", testStepByStep},
	{"a failed step fails the job and the next one does not run", testFailedStep},
	{"a job that the agent cannot run ends failed with its element named", testCannotRun},
	{"a restart continues after the steps that were completed", testRestart},
	{"parameters and the execution's names reach the process", testEnvironment},
	{"lines arrive in order with the names of their streams", testLines},
	{"much output arrives in order, and all of it", testMuchOutput},
	{"an execution fails if two parameters map to one variable", testCollidingParameters},
	{"a step hands over what it writes to its output file", testOutputFile},
	{"a bad line in the output file fails the step", testBadOutput},
	{"a daemon ends with its step", testDaemon},
}

func testStepByStep(r *room) {
	r.startAgent()
	id := r.submitCommands(r.witnessCommand("one"), r.witnessAndWait("two", "go"), r.witnessCommand("three"))
	r.awaitWitness("two")
	// The agent must have stored the end of step-1 before it starts step-2.
	if s := lastSteps(r.resultsOf(id))["step-1"]; s.BatchStatus != subjects.Completed {
		r.Errorf("step-2 runs while step-1 is stored as %q", s.BatchStatus)
	}
	r.waitUntil("the start of step-2", func() bool { return lastSteps(r.resultsOf(id))["step-2"].BatchStatus == subjects.Started })
	r.createFile("go")
	end := r.awaitEnd(id, subjects.Completed)
	if end.ExitStatus != "COMPLETED" {
		r.Errorf("the exit status is %q, want COMPLETED", end.ExitStatus)
	}
	for i := range 3 {
		name := fmt.Sprintf("step-%d", i+1)
		s := lastSteps(r.resultsOf(id))[name]
		if s.ID != int64(i+1) || s.BatchStatus != subjects.Completed || s.StartTime.IsZero() || s.EndTime < s.StartTime {
			r.Errorf("%s ended as %+v", name, s)
		}
	}
	if got := r.witnessLines(); len(got) != 3 || r.witnessCount("one") != 1 || !strings.HasPrefix(got[2], "three") {
		r.Errorf("the evidence is %q", got)
	}
}

// lastSteps returns the last state of each step in the results, by name.
func lastSteps(all []storedResult) map[string]subjects.StepExecution {
	last := map[string]subjects.StepExecution{}
	for _, s := range all {
		for _, step := range s.Steps {
			last[step.Step] = step
		}
	}
	return last
}

func testFailedStep(r *room) {
	r.startAgent()
	id := r.submitCommands(r.witnessCommand("one"), r.witnessCommand("two")+"; exit 3", r.witnessCommand("three"))
	end := r.awaitEnd(id, subjects.Failed)
	if end.ExitStatus != "FAILED" || end.Exception == "" {
		r.Errorf("the end has exit status %q and exception %q, want FAILED and why", end.ExitStatus, end.Exception)
	}
	all := lastSteps(r.resultsOf(id))
	if one, two := all["step-1"], all["step-2"]; one.BatchStatus != subjects.Completed || two.BatchStatus != subjects.Failed {
		r.Errorf("step-1 is %s and step-2 %s, want completed and failed", one.BatchStatus, two.BatchStatus)
	}
	if two := all["step-2"]; !strings.Contains(two.ExitStatus+two.Exception+end.Exception, "3") {
		r.Errorf("nothing says that the exit code was 3: %+v, %q", two, end.Exception)
	}
	if _, began := all["step-3"]; began || r.witnessCount("three") != 0 {
		r.Error("step-3 ran")
	}
}

func testCannotRun(r *room) {
	r.startAgent()
	req := r.newRequest(json.RawMessage(`{"id":"job","steps":[{"id":"odd-one","batchlet":{"ref":"no.such.Batchlet"}}]}`))
	r.sendRequest(req)
	end := r.awaitEnd(req.Execution.ID, subjects.Failed)
	text := end.Exception
	for _, s := range lastSteps(r.resultsOf(req.Execution.ID)) {
		text += s.Exception
	}
	if !strings.Contains(text, "no.such.Batchlet") {
		r.Errorf("the exception is %q, want it to name no.such.Batchlet", text)
	}
}

func testRestart(r *room) {
	r.startAgent()
	req := r.newRequest(jobDefinition(r.witnessCommand("one"), r.witnessCommand("two")))
	req.Execution.RestartOf = r.ids.Add(1)
	req.Execution.InstanceID = req.Execution.RestartOf
	req.Steps = []subjects.StepState{
		{Step: "step-1", BatchStatus: subjects.Completed, ExitStatus: "COMPLETED", Starts: 1},
		{Step: "step-2", BatchStatus: subjects.Failed, ExitStatus: "FAILED", Starts: 1},
	}
	r.sendRequest(req)
	r.awaitEnd(req.Execution.ID, subjects.Completed)
	if r.witnessCount("one") != 0 || r.witnessCount("two") != 1 {
		r.Errorf("the evidence is %q, want step-2 alone", r.witnessLines())
	}
}

func testEnvironment(r *room) {
	file := filepath.Join(r.witnessDir, "env")
	req := r.newRequest(jobDefinition(`env > '` + file + `'`))
	req.Execution.Parameters = map[string]string{"file": "a b", "OTHER": "ü"}
	req.Execution.ScheduledFor = subjects.TimeOf(time.Date(2026, 11, 24, 23, 30, 0, 0, time.UTC))
	req.Execution.ScheduledDate = "2026-11-25"
	r.sendRequest(req)
	r.startAgent()
	r.awaitEnd(req.Execution.ID, subjects.Completed)
	b, err := os.ReadFile(file)
	if err != nil {
		r.Fatal(err)
	}
	got := strings.Split(string(b), "\n")
	for _, want := range []string{
		"JOBSTREAMER_APP=" + r.app, "JOBSTREAMER_JOB=job", fmt.Sprintf("JOBSTREAMER_EXECUTION_ID=%d", req.Execution.ID),
		"JOBSTREAMER_ATTEMPT=1", "JOBSTREAMER_STEP=step-1", "JOBSTREAMER_PARAM_FILE=a b", "JOBSTREAMER_PARAM_OTHER=ü",
		"JOBSTREAMER_SCHEDULED_FOR=2026-11-24T23:30:00.000Z", "JOBSTREAMER_SCHEDULED_DATE=2026-11-25",
	} {
		if !slices.Contains(got, want) {
			r.Errorf("the process does not see %s", want)
		}
	}
}

func testOutputFile(r *room) {
	r.startAgent()
	file := filepath.Join(r.witnessDir, "values")
	show := `echo "$JOBSTREAMER_VALUE_A/$JOBSTREAMER_VALUE_B/$JOBSTREAMER_VALUE_C/$JOBSTREAMER_PERSISTENT_DATA" >> '` + file + `'`
	req := r.newRequest(jobDefinition("false",
		`printf 'exit_status=PART\npersistent_data=%s and 2\nvalue.b<<END\none\ntwo\nEND\n\nvalue.c=x=y\n' "$JOBSTREAMER_PERSISTENT_DATA" > "$JOBSTREAMER_OUTPUT"`, show))
	// step-1 is skipped; its value is handed over all the same.
	req.Steps = []subjects.StepState{
		{Step: "step-1", BatchStatus: subjects.Completed, ExitStatus: "0", Starts: 1, Values: map[string]string{"a": "1", "b": "old"}},
		{Step: "step-2", BatchStatus: subjects.Failed, ExitStatus: "1", Starts: 1, StepData: subjects.StepData{PersistentData: json.RawMessage(`"page 1"`)}, Values: map[string]string{"c": "old"}},
	}
	r.sendRequest(req)
	r.awaitEnd(req.Execution.ID, subjects.Completed)
	two := lastSteps(r.resultsOf(req.Execution.ID))["step-2"]
	want := map[string]string{"b": "one\ntwo", "c": "x=y"}
	if two.ExitStatus != "PART" || string(two.PersistentData) != `"page 1 and 2"` || !maps.Equal(two.Values, want) {
		r.Errorf("step-2 ended with exit status %q, persistent data %s, values %q", two.ExitStatus, two.PersistentData, two.Values)
	}
	if got, _ := os.ReadFile(file); string(got) != "1/one\ntwo/x=y/\n" {
		r.Errorf("step-3 got %q", got)
	}
}

func testBadOutput(r *room) {
	r.startAgent()
	id := r.submitCommands(`printf 'value.a=1\ncount 17\n' > "$JOBSTREAMER_OUTPUT"`, r.witnessCommand("next"))
	end := r.awaitEnd(id, subjects.Failed)
	if s := lastSteps(r.resultsOf(id))["step-1"]; s.BatchStatus != subjects.Failed || !strings.Contains(s.Exception+end.Exception, "line 2") {
		r.Errorf("step-1 is %s with %q, %q; want failed, and the line named", s.BatchStatus, s.Exception, end.Exception)
	}
	if r.witnessCount("next") != 0 {
		r.Error("the next step ran")
	}
}

func testCollidingParameters(r *room) {
	r.startAgent()
	req := r.newRequest(jobDefinition(r.witnessCommand("one")))
	req.Execution.Parameters = map[string]string{"a-b": "1", "a.b": "2"}
	r.sendRequest(req)
	end := r.awaitEnd(req.Execution.ID, subjects.Failed)
	if !strings.Contains(end.Exception, "a-b") || !strings.Contains(end.Exception, "a.b") || r.witnessCount("one") != 0 {
		r.Errorf("the exception is %q, want it to name both; the evidence is %q", end.Exception, r.witnessLines())
	}
}

func testDaemon(r *room) {
	if runtime.GOOS != "linux" {
		r.Skip("a process that has left its group is found on Linux only")
	}
	r.startAgent()
	id := r.submitCommands(fmt.Sprintf(`(setsid sh -c '%s; exec sleep 60' &); while [ ! -s '%s' ]; do sleep 0.02; done`,
		strings.ReplaceAll(r.witnessCommand("daemon"), "'", ""), filepath.Join(r.witnessDir, "evidence")))
	pid := r.awaitWitness("daemon")
	r.awaitEnd(id, subjects.Completed)
	r.waitUntil("the end of the daemon", func() bool { return !isAlive(pid) })
}

// outputOf returns the lines that a job wrote to one stream, and the number of
// lines that the agent reports as dropped.
func (r *room) outputOf(id int64, stream string) (got []string, dropped int) {
	for _, m := range r.readStored(subjects.LogFilter(r.app, "job", id)) {
		var l subjects.LogMessage
		if err := json.Unmarshal(m.data, &l); err != nil || l.Attempt != 1 {
			r.Errorf("log message %s: attempt %d, %v", m.data, l.Attempt, err)
		}
		if want := subjects.LogSubject(r.app, "job", id, r.options.Name); m.subject != want {
			r.Errorf("log message at %s, want %s", m.subject, want)
		}
		if len(m.data) > subjects.MaxLogMessage {
			r.Errorf("a log message has %d bytes, want at most %d", len(m.data), subjects.MaxLogMessage)
		}
		dropped += l.Dropped
		for _, line := range l.Lines {
			if line.Time.IsZero() || line.Level == "" {
				r.Errorf("a line has no time or no level: %+v", line)
			}
			if line.Stream == stream {
				got = append(got, line.Message)
				if line.Step != "step-1" {
					r.Errorf("a line is of step %q, want step-1", line.Step)
				}
			}
		}
	}
	return got, dropped
}

func testLines(r *room) {
	r.startAgent()
	id := r.submitCommands(`i=0; while [ $i -lt 20 ]; do echo "out <$i>"; echo "err $i" >&2; i=$((i+1)); done; printf 'no newline'`)
	r.awaitEnd(id, subjects.Completed)
	var wantOut, wantErr []string
	for i := range 20 {
		wantOut = append(wantOut, fmt.Sprintf("out <%d>", i))
		wantErr = append(wantErr, fmt.Sprintf("err %d", i))
	}
	wantOut = append(wantOut, "no newline")
	var out, err []string
	r.waitUntil("41 lines", func() bool {
		out, _ = r.outputOf(id, "stdout")
		err, _ = r.outputOf(id, "stderr")
		return len(out)+len(err) >= 41
	})
	if !slices.Equal(out, wantOut) {
		r.Errorf("stdout is %q, want %q", out, wantOut)
	}
	if !slices.Equal(err, wantErr) {
		r.Errorf("stderr is %q, want %q", err, wantErr)
	}
}

func testMuchOutput(r *room) {
	const total = 5000
	r.startAgent()
	id := r.submitCommands(fmt.Sprintf(`i=0; while [ $i -lt %d ]; do echo "line $i of some more words than few"; i=$((i+1)); done`, total))
	r.awaitEnd(id, subjects.Completed)
	var got []string
	r.waitUntil("all lines", func() bool {
		var dropped int
		if got, dropped = r.outputOf(id, "stdout"); dropped > 0 {
			r.Fatalf("%d lines are lost although the broker is reachable", dropped)
		}
		return len(got) >= total
	})
	next := 0
	for _, line := range got {
		var n int
		if _, err := fmt.Sscanf(line, "line %d of", &n); err != nil || n < next {
			r.Fatalf("line %q comes after line %d", line, next-1)
		}
		next = n + 1
	}
}

//go:build unix

package native_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// stepsJob returns a definition with the given steps, each an id and a command,
// one after the other. A command that begins with @ names a batchlet.
func stepsJob(pairs ...string) string {
	var steps []map[string]any
	for i := 0; i < len(pairs); i += 2 {
		batchlet := map[string]any{"ref": native.Shell, "properties": map[string]string{"command": pairs[i+1]}}
		if ref, ok := strings.CutPrefix(pairs[i+1], "@"); ok {
			batchlet = map[string]any{"ref": ref}
		}
		step := map[string]any{"id": pairs[i], "batchlet": batchlet}
		if i+2 < len(pairs) {
			step["transitions"] = []any{map[string]any{"next": map[string]any{"on": "*", "to": pairs[i+2]}}}
		}
		steps = append(steps, step)
	}
	b, _ := json.Marshal(map[string]any{"id": "job", "steps": steps})
	return string(b)
}

// lastState returns the last state of a step in the results.
func lastState(results []subjects.Result, step string) (last subjects.StepExecution) {
	for _, r := range results {
		for _, s := range r.Steps {
			if s.Step == step {
				last = s
			}
		}
	}
	return last
}

func TestOutputOfAStep(t *testing.T) {
	room := agenttest.New(t)
	count := func(_ context.Context, s *agent.StepContext) (string, error) {
		return "", s.SetValue("count", "1"+s.Values["count"])
	}
	room.Start(agent.Config{Slots: 4, Runtime: native.New(native.Config{})}, agent.Batchlet("count", count))
	write := func(lines string) string { return "cat >> $JOBSTREAMER_OUTPUT <<'EOT'\n" + lines + "\nEOT\n" }
	for _, test := range []struct {
		name, job string
		steps     string // states
		out       string // lines of stdout
		exception string // part of it
	}{
		{"the exit status", stepsJob("a", write("exit_status=NOTHING_NEW")), "a=completed(NOTHING_NEW)", "", ""},
		{"the exit status of a failed step", stepsJob("a", write("exit_status=NO_INPUT")+"exit 3"), "a=failed(NO_INPUT)", "", "step a: exit code 3"},
		{"a value reaches the steps behind", stepsJob("a", write("value.n=17\nvalue.lines<<E\none\ntwo\nE"), "b", "true", "c", `echo "$JOBSTREAMER_VALUE_N $JOBSTREAMER_VALUE_LINES"`),
			"a=completed(0) b=completed(0) c=completed(0)", "17 one\ntwo", ""},
		{"a step does not get its own value", stepsJob("a", write("value.n=17")+`echo "${JOBSTREAMER_VALUE_N-none}"`), "a=completed(0)", "none", ""},
		{"the last step that sets a value counts", stepsJob("a", write("value.n=1\nvalue.m=1"), "b", write("value.n=2"), "c", `echo "$JOBSTREAMER_VALUE_N $JOBSTREAMER_VALUE_M"`),
			"a=completed(0) b=completed(0) c=completed(0)", "2 1", ""},
		{"the values of a failed step", stepsJob("a", write("value.why=disk")+"exit 1", "b", `echo "$JOBSTREAMER_VALUE_WHY"`), "a=failed(1) b=completed(0)", "disk", ""},
		{"values of batchlets in Go", stepsJob("a", write("value.count=7"), "b", "@count", "c", `echo "$JOBSTREAMER_VALUE_COUNT"`),
			"a=completed(0) b=completed(COMPLETED) c=completed(0)", "17", ""},
		{"a bad line", stepsJob("a", write("value.n=1\ncount 17"), "b", "true"), "a=failed(FAILED) b=completed(0)", "", ""},
		{"a bad line of the last step", stepsJob("a", write("count 17")), "a=failed(FAILED)", "", `step a: JOBSTREAMER_OUTPUT: line 1: want NAME=VALUE or NAME<<WORD, got "count 17"`},
		{"a bad line of a step that failed itself", stepsJob("a", write("count 17")+"exit 4"), "a=failed(4)", "", "step a: exit code 4"},
		{"too much", stepsJob("a", "head -c 300000 /dev/zero > $JOBSTREAMER_OUTPUT"), "a=failed(FAILED)", "", "JOBSTREAMER_OUTPUT: want at most 262144 bytes"},
		{"too much in two steps", stepsJob("a", `echo value.a=$(head -c 40000 /dev/zero | tr '\0' x) > $JOBSTREAMER_OUTPUT`, "b", `echo value.b=$(head -c 40000 /dev/zero | tr '\0' x) > $JOBSTREAMER_OUTPUT`),
			"a=completed(0) b=failed(FAILED)", "", "step b: JOBSTREAMER_OUTPUT: want values of at most 65536 bytes in all steps of the job together, got 80002"},
		{"too much persistent data", stepsJob("a", `echo persistent_data=$(head -c 70000 /dev/zero | tr '\0' x) > $JOBSTREAMER_OUTPUT`), "a=failed(FAILED)", "", "persistent_data: want at most 65536 bytes, got 70000"},
		{"a pipe in its place", stepsJob("a", "rm $JOBSTREAMER_OUTPUT; mkfifo $JOBSTREAMER_OUTPUT"), "a=failed(FAILED)", "", "is not a regular file"},
		{"no file any more", stepsJob("a", "rm $JOBSTREAMER_OUTPUT"), "a=completed(0)", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			end := room.Run(test.job)
			lines, _ := room.Lines(end.ID)
			if steps, out := stepStates(room.Results(end.ID)), outputText(lines, agent.Stdout); steps != test.steps || out != test.out {
				t.Errorf("the steps are %q, stdout is %q, want %q, %q", steps, out, test.steps, test.out)
			}
			if !strings.Contains(end.Exception, test.exception) || (test.exception == "") != (end.Exception == "") {
				t.Errorf("the exception is %q, want %q in it", end.Exception, test.exception)
			}
		})
	}
}

// A restart runs the failed step with its persistent data, and with the values of
// the completed step that it skips. Values of the failed step are gone.
func TestOutputSurvivesARestart(t *testing.T) {
	room := agenttest.New(t)
	room.Start(agent.Config{Runtime: native.New(native.Config{})})
	job := stepsJob("a", "echo value.n=17 > $JOBSTREAMER_OUTPUT", "b", `echo "$JOBSTREAMER_VALUE_N ${JOBSTREAMER_PERSISTENT_DATA-none} ${JOBSTREAMER_VALUE_OLD-none}"
printf 'persistent_data=%s\nvalue.old=1\n' "at $JOBSTREAMER_VALUE_N" > $JOBSTREAMER_OUTPUT
exit 1`)
	first := room.Run(job)
	a, b := lastState(room.Results(first.ID), "a"), lastState(room.Results(first.ID), "b")
	if fmt.Sprint(a.Values, b.Values) != "map[n:17] map[old:1]" || string(b.PersistentData) != `"at 17"` {
		t.Fatalf("the steps are stored as %+v, %+v", a, b)
	}
	q := room.Request(job)
	for _, s := range []subjects.StepExecution{a, b} {
		q.Steps = append(q.Steps, subjects.StepState{
			Step: s.Step, BatchStatus: s.BatchStatus, ExitStatus: s.ExitStatus, Starts: 1,
			StepData: s.StepData, Values: s.Values,
		})
	}
	again := room.AwaitEnd(room.Submit(q))
	lines, _ := room.Lines(again.ID)
	if got, want := outputText(lines, agent.Stdout), "17 at 17 none"; got != want || stepStates(room.Results(again.ID)) != "b=failed(1)" {
		t.Errorf("the restart wrote %q, want %q; its steps are %s", got, want, stepStates(room.Results(again.ID)))
	}
}

func TestSetValueRefuses(t *testing.T) {
	s := agent.NewStepContext(nil, nil)
	for _, test := range []struct{ name, value, err string }{
		{"Count", "1", `value "Count": want a name`},
		{"n", "\xff", "value n: want UTF-8"},
		{"n", "a\x00", "value n: want UTF-8 without NUL"},
		{"n", strings.Repeat("x", subjects.MaxValues), "value n: want at most 65536 bytes, got 65536"},
	} {
		if err := s.SetValue(test.name, test.value); err == nil || !strings.Contains(err.Error(), test.err) {
			t.Errorf("SetValue(%q) = %v, want %s", test.name, err, test.err)
		}
	}
	if len(s.NextValues()) > 0 {
		t.Error("a refused value was kept")
	}
}

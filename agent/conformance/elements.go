package conformance

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// elements tests jobs with more than batchlets. An agent runs such an element,
// or it refuses the job before a step begins.
var elements = []testCase{
	{"flows, splits, decisions, transitions and chunks run or are named", testElements},
	{"partitions run with what they keep or are refused", testPartitions},
}

func testElements(r *room) {
	r.startAgent()
	step := func(id, more string) string {
		b, err := json.Marshal(r.witnessCommand(id))
		if err != nil {
			r.Fatal(err)
		}
		return fmt.Sprintf(`{"id":%q,"batchlet":{"ref":"org.jobstreamer.batch.ShellBatchlet","properties":{"command":%s}}%s}`, id, b, more)
	}
	for _, c := range []struct {
		name, steps string
		runs        []string // the steps of an agent that runs the element; none if no agent can
	}{
		{"a-flow", `{"id":"a-flow","steps":[` + step("f1", "") + `]}`, []string{"f1"}},
		{"a-split", `{"id":"a-split","flows":[{"id":"left","steps":[` + step("s1", "") + `]},{"id":"right","steps":[` + step("s2", "") + `]}]}`,
			[]string{"s1", "s2"}},
		{"a-decision", `{"id":"a-decision","decision":{"ref":"no.such.Decider"},"transitions":[{"end":{"on":"*"}}]}`, nil},
		{"t1", step("t1", `,"transitions":[{"next":{"on":"0","to":"t3"}}]`) + "," + step("t2", "") + "," + step("t3", ""),
			[]string{"t1", "t3"}},
		{"a-chunk", `{"id":"a-chunk","chunk":{"reader":{"ref":"no.such.Reader"},"writer":{"ref":"no.such.Writer"}}}`, nil},
	} {
		first := "before-" + c.name
		req := r.newRequest(json.RawMessage(`{"id":"job","steps":[` + step(first, `,"next":"`+c.name+`"`) + "," + c.steps + "]}"))
		r.sendRequest(req)
		id := req.Execution.ID
		end := r.awaitAnyEnd(id)
		began := lastSteps(r.resultsOf(id))
		named := strings.Contains(end.Exception, c.name) || c.runs == nil && strings.Contains(end.Exception, "no.such.")
		switch {
		case end.BatchStatus == subjects.Completed && c.runs != nil:
			for _, s := range append(c.runs, first) {
				if r.witnessCount(s) != 1 || began[s].BatchStatus != subjects.Completed {
					r.Errorf("%s: step %s ran %d times and is %q, want once, and completed", c.name, s, r.witnessCount(s), began[s].BatchStatus)
				}
			}
			if r.witnessCount("t2") != 0 {
				r.Errorf("%s: t2 ran, which the transition passes over", c.name)
			}
		case end.BatchStatus == subjects.Failed && named:
			if r.witnessCount(first) != 0 || len(began) != 0 {
				r.Errorf("%s: a step ran of a job that the agent refuses: %q", c.name, end.Exception)
			}
		default:
			r.Errorf("%s: it ended as %s with exception %q, want it run, or failed with the element named", c.name, end.BatchStatus, end.Exception)
		}
	}
}

// awaitAnyEnd waits until an execution has ended, with any status, and checks
// its results like awaitEnd.
func (r *room) awaitAnyEnd(id int64) storedResult {
	r.Helper()
	r.waitUntil(fmt.Sprintf("the end of execution %d", id), func() bool { return len(endsOf(r.resultsOf(id))) > 0 })
	return r.awaitEnd(id, endsOf(r.resultsOf(id))[0].BatchStatus)
}

func testPartitions(r *room) {
	r.startAgent()
	command, err := json.Marshal(r.appendTo("parts", `$JOBSTREAMER_PERSISTENT_DATA`))
	if err != nil {
		r.Fatal(err)
	}
	req := r.newRequest(json.RawMessage(`{"id":"job","steps":[{"id":"parts","partition":{"plan":{"partitions":3}},` +
		`"batchlet":{"ref":"org.jobstreamer.batch.ShellBatchlet","properties":{"command":` + string(command) + `}}}]}`))
	// A restart: partition 0 was completed, the others go on.
	part := func(n int, status subjects.BatchStatus) subjects.Partition {
		return subjects.Partition{Number: n, BatchStatus: status, StepData: subjects.StepData{PersistentData: json.RawMessage(fmt.Sprintf(`"page %d"`, n))}}
	}
	req.Steps = []subjects.StepState{{
		Step: "parts", BatchStatus: subjects.Failed, ExitStatus: "FAILED", Starts: 1, PartitionCount: 3,
		Partitions: []subjects.Partition{part(0, subjects.Completed), part(1, subjects.Failed), part(2, subjects.Failed)},
	}}
	r.sendRequest(req)
	id := req.Execution.ID
	end := r.awaitAnyEnd(id)
	all := r.resultsOf(id)
	lines := slices.DeleteFunc(slices.Sorted(slices.Values(r.readLines("parts"))), func(l string) bool { return l == "" })
	if end.BatchStatus == subjects.Failed {
		if !strings.Contains(end.Exception, "parts") || len(lines) != 0 {
			r.Errorf("the exception is %q, the partitions wrote %q; want the element named, and no run", end.Exception, lines)
		}
		return
	}
	if want := []string{"page 1", "page 2"}; !slices.Equal(lines, want) {
		r.Errorf("the partitions wrote %q, want %q: those that were not completed, with their data", lines, want)
	}
	last := map[int]subjects.Partition{}
	for _, result := range all {
		for _, x := range result.Steps {
			if x.PartitionCount != 3 {
				r.Errorf("result %d has partition_count %d, want 3", result.Number, x.PartitionCount)
			}
			for _, p := range x.Partitions {
				last[p.Number] = p
			}
		}
	}
	if _, began := last[0]; began || last[1].BatchStatus != subjects.Completed || last[2].BatchStatus != subjects.Completed {
		r.Errorf("the results have the partitions %+v, want 1 and 2, completed", last)
	}
}

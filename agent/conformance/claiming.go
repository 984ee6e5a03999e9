package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// claiming tests how an agent fetches requests and claims them.
var claiming = []testCase{
	{"a request that was held too long is not claimed", testHeldTooLong}, // first: it takes half a minute
	{"the claim carries the expected sequence and the execution unchanged", testClaimUnchanged},
	{"a request that is delivered twice runs once", testDeliveredTwice},
	{"two agents that get the same requests run each once", testTwoAgents},
	{"a refused claim is acknowledged and dropped", testRefusedClaim},
	{"a second attempt claims with the sequence of the fence", testSecondAttempt},
	{"the higher priority comes first", testPriorities},
	{"no more executions run than the agent has slots", testSlots},
	{"an agent finds a queue that is created after its start", testLateQueue},
	{"a request that cannot be decoded is left alone", testUnreadable},
}

func testHeldTooLong(r *room) {
	if testing.Short() {
		r.Skip("takes the 30 s that a request may be held")
	}
	type seen struct{ first, last time.Time }
	var handlings []string
	times := map[string]seen{}
	open := false
	r.proxy.setFilter(func(f frame) bool {
		res, ok := resultIn(f)
		if !ok {
			return true
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if !slices.Contains(handlings, res.Handling) {
			handlings = append(handlings, res.Handling)
			times[res.Handling] = seen{first: time.Now()}
		}
		times[res.Handling] = seen{times[res.Handling].first, time.Now()}
		open = open || len(handlings) > 1
		// No claim of the first handling passes before the second delivery.
		return open
	})
	r.startAgent()
	id := r.submitCommands(r.witnessCommand("ran"))
	r.waitAtMost(2*subjects.MaxHold*time.Second, "the second delivery", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return open
	})
	r.awaitEnd(id, subjects.Completed)
	r.mu.Lock()
	defer r.mu.Unlock()
	if held := times[handlings[0]].last.Sub(times[handlings[0]].first); held > subjects.MaxHold*time.Second {
		r.Errorf("a claim was sent %v after the first: want no more than %d s", held, subjects.MaxHold)
	}
	if claim := r.resultsOf(id)[0]; claim.Handling == handlings[0] {
		r.Errorf("the claim of a request that was held too long was stored: %s", claim.data)
	}
	if n := r.witnessCount("ran"); n != 1 {
		r.Errorf("it ran %d times, want once", n)
	}
}

func testClaimUnchanged(r *room) {
	req := r.newRequest(jobDefinition(r.witnessCommand("ran")))
	req.Execution.Parameters = map[string]string{"text": "<a & b> \"ü\" \u2028 \n"}
	b, err := json.Marshal(req)
	if err != nil {
		r.Fatal(err)
	}
	// The claim must also carry fields that a later version of the bus adds.
	b = bytes.Replace(b, []byte(`"execution":{`), []byte(`"execution":{"of_tomorrow":{"n":[9007199254740993,null]},`), 1)
	r.startAgent()
	r.sendRaw(req, b)
	r.awaitEnd(req.Execution.ID, subjects.Completed)

	claim := r.resultsOf(req.Execution.ID)[0]
	if claim.BatchStatus != subjects.Starting && claim.BatchStatus != subjects.Started {
		r.Errorf("the claim has status %s, want starting or started", claim.BatchStatus)
	}
	if got := claim.header.Get(subjects.ExpectedSequenceHeader); got != "0" {
		r.Errorf("the claim expects sequence %q, want 0", got)
	}
	if claim.Attempt != 1 || claim.Agent != r.options.Name || claim.ID != req.Execution.ID {
		r.Errorf("the claim is of attempt %d, execution %d, agent %s", claim.Attempt, claim.ID, claim.Agent)
	}
	if got, want := decodeExecution(r, claim.data), decodeExecution(r, b); !reflect.DeepEqual(got, want) {
		r.Errorf("the claim has the execution\n%v, want that of the request\n%v", got, want)
	}
	r.awaitEmptyQueue()
}

// decodeExecution decodes the execution in a request or a claim. It keeps
// numbers as text, so that none loses precision.
func decodeExecution(r *room, b []byte) any {
	r.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		r.Fatal(err)
	}
	return v["execution"]
}

func testDeliveredTwice(r *room) {
	req := r.newRequest(jobDefinition(r.witnessCommand("ran")))
	r.sendRequest(req)
	r.sendRequest(req)
	r.startAgent()
	r.awaitEnd(req.Execution.ID, subjects.Completed)
	r.awaitEmptyQueue()
	r.awaitUnnamed(req.Execution.ID)
	if n := r.witnessCount("ran"); n != 1 {
		r.Errorf("it ran %d times, want once", n)
	}
}

func testTwoAgents(r *room) {
	const executions = 8
	var requests []*subjects.Request
	for range executions {
		req := r.newRequest(nil)
		req.Definition = jobDefinition(r.witnessCommand(fmt.Sprintf("ran-%d", req.Execution.ID)))
		r.sendRequest(req)
		r.sendRequest(req)
		requests = append(requests, req)
	}
	r.options.Slots = 2
	second := r.options
	second.Name += "-b"
	second.Data += "-b"
	r.startProcess(r.options)
	r.startProcess(second)
	for _, req := range requests {
		id := req.Execution.ID
		r.checkChain(r.resultsOf(id))
		r.awaitResult(id, subjects.Completed)
		if n := r.witnessCount(fmt.Sprintf("ran-%d", id)); n != 1 {
			r.Errorf("execution %d ran %d times, want once", id, n)
		}
	}
	r.awaitEmptyQueue()
	if n := len(r.witnessLines()); n != executions {
		r.Errorf("%d bodies ran, want %d", n, executions)
	}
}

func testRefusedClaim(r *room) {
	req := r.newRequest(jobDefinition(r.witnessCommand("ran")))
	id := req.Execution.ID
	r.publishFence(id, 1, subjects.Stopped)
	r.sendRequest(req)
	r.startAgent()
	r.awaitEmptyQueue()
	r.awaitUnnamed(id)
	if n := r.witnessCount("ran"); n != 0 {
		r.Errorf("it ran %d times, want not at all", n)
	}
	if n := len(r.resultsOf(id)); n != 1 {
		r.Errorf("%d results, want the fence alone", n)
	}
}

func testSecondAttempt(r *room) {
	req := r.newRequest(jobDefinition(r.witnessCommand("ran") + `; echo "attempt-$JOBSTREAMER_ATTEMPT 0" >> ` + r.witnessDir + "/evidence"))
	id := req.Execution.ID
	ghost := subjects.Result{
		ID: id, App: r.app, Job: "job", Attempt: 1, BatchStatus: subjects.Started, Agent: "ghost", Handling: "ghost", Number: 1,
		Time: subjects.Now(), Execution: &req.Execution,
	}
	if _, err := r.publishResult(ghost, 0); err != nil {
		r.Fatal(err)
	}
	req.ExpectedSequence = r.publishFence(id, 1, subjects.Unknown)
	req.Attempt = 2
	req.Execution.Attempt = 1
	req.Execution.BatchStatus = subjects.Unknown
	req.Execution.StepExecutions = []subjects.StepExecution{{ID: 1, Step: "step-1", BatchStatus: subjects.Started, StartTime: subjects.Now()}}
	req.Steps = []subjects.StepState{{Step: "step-1", BatchStatus: subjects.Started, Starts: 1, StepData: subjects.StepData{PersistentData: json.RawMessage(`{"n":[1]}`)}}}
	r.sendRequest(req)
	r.startAgent()
	r.awaitResult(id, subjects.Completed)
	r.awaitUnnamed(id)

	own := r.resultsOf(id)[2:]
	r.checkChain(own)
	if got, want := own[0].header.Get(subjects.ExpectedSequenceHeader), strconv.FormatUint(req.ExpectedSequence, 10); got != want {
		r.Errorf("the claim expects sequence %s, want that of the fence, %s", got, want)
	}
	for _, s := range own {
		if s.Attempt != 2 {
			r.Errorf("a result is of attempt %d, want 2: %s", s.Attempt, s.data)
		}
		for _, step := range s.Steps {
			if step.ID != 2 {
				r.Errorf("the step has id %d, want 2: ids count over the attempts", step.ID)
			}
			if got := string(step.PersistentData); got != "" && got != `{"n":[1]}` { // absent: as before
				r.Errorf("the step has persistent data %s, want those of the attempt before, or none", got)
			}
		}
	}
	if r.witnessCount("ran") != 1 || r.witnessCount("attempt-2") != 1 {
		r.Errorf("the evidence is %q, want one run that knows its attempt", r.witnessLines())
	}
}

func testPriorities(r *room) {
	want := []string{"high", "high", "normal", "normal", "low", "low"}
	for i := len(want) - 1; i >= 0; i-- {
		req := r.newRequest(jobDefinition(r.witnessCommand(want[i])))
		req.Execution.Priority = want[i]
		r.sendRequest(req)
	}
	r.options.Slots = 1
	r.startAgent()
	r.waitUntil("the last of six", func() bool { return len(r.witnessLines()) == len(want) })
	var got []string
	for _, line := range r.witnessLines() {
		word, _, _ := strings.Cut(line, " ")
		got = append(got, word)
	}
	// An agent may fetch a request of a lower priority now and then, so that it
	// does not starve, but the first must be of the highest priority.
	if got[0] != want[0] || slices.Index(got, "low") < 2 || r.witnessCount("low") != 2 {
		r.Errorf("they ran in the order %q, want %q", got, want)
	}
}

func testSlots(r *room) {
	const executions = 6
	for i := range executions {
		r.submitCommands(r.witnessAndWait("begin", fmt.Sprintf("go-%d", i)) + "; " + r.witnessCommand("end"))
	}
	r.options.Slots = 2
	r.startAgent()
	r.waitUntil("two bodies", func() bool { return r.witnessCount("begin") == 2 })
	r.awaitBeat("with two executions", func(h subjects.Heartbeat) bool { return len(h.Executions) == 2 && h.Running == 2 })
	for i := range executions {
		r.createFile(fmt.Sprintf("go-%d", i))
	}
	r.waitUntil("the end of all", func() bool { return r.witnessCount("end") == executions })
	runs, most := 0, 0
	for _, line := range r.witnessLines() {
		if strings.HasPrefix(line, "begin") {
			runs++
		} else {
			runs--
		}
		most = max(most, runs)
	}
	if most > 2 {
		r.Errorf("%d ran at the same time, want 2", most)
	}
	for _, h := range r.heartbeats() {
		if len(h.Executions) > 2 {
			r.Errorf("a heartbeat names %d executions of 2 slots", len(h.Executions))
		}
	}
	r.awaitEmptyQueue()
}

func testLateQueue(r *room) {
	if err := r.js.DeleteStream(r.Context(), subjects.RequestStream(r.app)); err != nil {
		r.Fatal(err)
	}
	r.startAgent()
	r.awaitBeat("of an agent without a queue", func(h subjects.Heartbeat) bool { return h.Status == subjects.AgentReady })
	r.createQueue(30 * time.Second)
	r.awaitEnd(r.submitCommands(r.witnessCommand("ran")), subjects.Completed)
}

func testUnreadable(r *room) {
	texts := []string{"", "{", "[1]", `{"execution":{}}`, `{"execution":7,"attempt":"x"}`}
	for _, text := range texts {
		r.sendRaw(r.newRequest(nil), []byte(text))
	}
	r.startAgent()
	r.awaitEnd(r.submitCommands(r.witnessCommand("ran")), subjects.Completed)
	stream, err := r.js.Stream(r.Context(), subjects.RequestStream(r.app))
	if err != nil {
		r.Fatal(err)
	}
	r.waitUntil("the acknowledgement of the one that can be read", func() bool {
		info, err := stream.Info(r.Context())
		return err == nil && info.State.Msgs == uint64(len(texts))
	})
}

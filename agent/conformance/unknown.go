package conformance

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// unknownOutcomes tests how an agent resolves a publish whose outcome it does not
// know, because the message or its acknowledgement was lost.
var unknownOutcomes = []testCase{
	{"a claim whose acknowledgement was lost runs once", testLostClaimAck},
	{"a claim whose connection broke before the acknowledgement runs once", testCutAtClaim},
	{"a claim does not count as that of another slot of the same agent", testOtherSlot},
	{"an end whose acknowledgement was lost is stored once", testLostEndAck},
	{"a result of a step whose acknowledgement was lost is stored once", testLostStepAck},
	{"an end is stored once when the connection was lost during the run", testCutDuringRun},
	{"an end with an unknown outcome is dropped if the bus has fenced it off", testLostAckThenFence},
}

// ackWatch recognizes the acknowledgements of some results by their reply
// subjects.
type ackWatch struct {
	r     *room
	of    func(res subjects.Result) bool // selects the results
	inbox map[string]bool                // reply subjects of the selected results
	met   int                            // number of acknowledgements so far
}

// isAnswer reports whether f is the acknowledgement of a selected result. It
// remembers the reply subject if f publishes such a result.
func (a *ackWatch) isAnswer(f frame) bool {
	a.r.mu.Lock()
	defer a.r.mu.Unlock()
	if res, ok := resultIn(f); ok && a.of(res) {
		a.inbox[f.reply] = true
	}
	if f.toAgent && a.inbox[f.subject] {
		a.met++
		return true
	}
	return false
}

// answerCount returns the number of acknowledgements so far.
func (a *ackWatch) answerCount() int {
	a.r.mu.Lock()
	defer a.r.mu.Unlock()
	return a.met
}

// watchAcks makes the proxy drop the nth acknowledgement of the results that of
// selects, unless pass(n) returns true.
func (r *room) watchAcks(of func(res subjects.Result) bool, pass func(n int) bool) *ackWatch {
	a := &ackWatch{r: r, of: of, inbox: map[string]bool{}}
	r.proxy.setFilter(func(f frame) bool { return !a.isAnswer(f) || pass(a.answerCount()) })
	return a
}

// resultIn returns the result in f, if an agent publishes one by f.
func resultIn(f frame) (res subjects.Result, ok bool) {
	if f.toAgent || !strings.HasPrefix(f.subject, "jobstreamer.result.") {
		return res, false
	}
	return res, json.Unmarshal(f.payload, &res) == nil
}

// Only a claim carries the execution.
func isClaim(res subjects.Result) bool { return res.Execution != nil }
func isEnd(res subjects.Result) bool   { return res.BatchStatus.Ended() }

func afterTheFirst(n int) bool { return n > 1 }

func testLostClaimAck(r *room) {
	a := r.watchAcks(isClaim, afterTheFirst)
	r.startAgent()
	id := r.submitCommands(r.witnessCommand("ran"))
	r.awaitEnd(id, subjects.Completed)
	r.awaitEmptyQueue()
	if r.witnessCount("ran") != 1 || a.answerCount() == 0 {
		r.Errorf("it ran %d times after %d answers, want once", r.witnessCount("ran"), a.answerCount())
	}
}

func testCutAtClaim(r *room) {
	r.options.Heartbeat = longInterval
	r.watchAcks(isClaim, func(n int) bool {
		if n == 1 {
			r.proxy.cutConnections()
		}
		return n > 1
	})
	r.startAgent()
	id := r.submitCommands(r.witnessCommand("ran"))
	r.waitUntil("an attempt to reconnect", func() bool { return r.proxy.refusedCount() > 0 })
	r.proxy.allowConnections()
	r.awaitEnd(id, subjects.Completed)
	r.awaitEmptyQueue()
	if n := r.witnessCount("ran"); n != 1 {
		r.Errorf("it ran %d times, want once", n)
	}
}

func testOtherSlot(r *room) {
	r.createQueue(time.Second) // the request is redelivered before the first claim is acknowledged
	first := ""
	open := false
	a := r.watchAcks(func(res subjects.Result) bool {
		if first == "" {
			first = res.Handling
		}
		return res.Handling == first
	}, func(int) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return open
	})
	r.startAgent()
	id := r.submitCommands(r.witnessCommand("ran"))
	r.waitUntil("the lost answer", func() bool { return a.answerCount() > 0 })
	r.awaitEmptyQueue() // the slot whose claim was refused has acknowledged the request
	if n := r.witnessCount("ran"); n != 0 {
		r.Errorf("it runs already, by the claim of another slot")
	}
	r.mu.Lock()
	open = true
	r.mu.Unlock()
	r.awaitEnd(id, subjects.Completed)
	if n := r.witnessCount("ran"); n != 1 {
		r.Errorf("it ran %d times, want once", n)
	}
}

func testLostEndAck(r *room) {
	r.watchAcks(isEnd, afterTheFirst)
	r.startAgent()
	id := r.submitCommands(r.witnessCommand("ran"))
	r.awaitEnd(id, subjects.Completed)
	if n := r.witnessCount("ran"); n != 1 {
		r.Errorf("it ran %d times, want once", n)
	}
}

func testLostStepAck(r *room) {
	r.watchAcks(func(res subjects.Result) bool { return !isClaim(res) && !isEnd(res) }, afterTheFirst)
	r.startAgent()
	id := r.submitCommands(r.witnessCommand("one"), r.witnessCommand("two"), r.witnessCommand("three"))
	r.awaitEnd(id, subjects.Completed)
	if r.witnessCount("one") != 1 || r.witnessCount("two") != 1 || r.witnessCount("three") != 1 {
		r.Errorf("the evidence is %q, want each step once", r.witnessLines())
	}
}

func testCutDuringRun(r *room) {
	r.options.Heartbeat = longInterval
	r.startAgent()
	id := r.submitCommands(r.witnessAndWait("ran", "go"))
	pid := r.awaitWitness("ran")
	r.proxy.cutConnections()
	r.createFile("go")
	r.waitUntil("the end of the body", func() bool { return !isAlive(pid) })
	r.waitUntil("an attempt to reconnect", func() bool { return r.proxy.refusedCount() > 0 })
	if n := len(endsOf(r.resultsOf(id))); n != 0 {
		r.Fatalf("%d ends are stored while the agent is cut off", n)
	}
	r.proxy.allowConnections()
	r.awaitEnd(id, subjects.Completed)
	if n := r.witnessCount("ran"); n != 1 {
		r.Errorf("it ran %d times, want once", n)
	}
}

// endsOf returns the terminal results.
func endsOf(all []storedResult) (ends []storedResult) {
	for _, s := range all {
		if s.BatchStatus.Ended() {
			ends = append(ends, s)
		}
	}
	return ends
}

func testLostAckThenFence(r *room) {
	// The first ends do not reach the broker. Then the bus fences the execution
	// off.
	open := false
	r.proxy.setFilter(func(f frame) bool {
		res, ok := resultIn(f)
		r.mu.Lock()
		defer r.mu.Unlock()
		return open || !ok || !isEnd(res)
	})
	r.startAgent()
	id := r.submitCommands(r.witnessCommand("ran"))
	pid := r.awaitWitness("ran")
	r.waitUntil("the end of the body", func() bool { return !isAlive(pid) })
	r.awaitBeat("that names the execution", func(h subjects.Heartbeat) bool { return namesExecution(h, id) })
	r.publishFence(id, 1, subjects.Failed)
	r.mu.Lock()
	open = true
	r.mu.Unlock()
	r.awaitUnnamed(id)
	if all := endsOf(r.resultsOf(id)); len(all) != 1 || all[0].Agent != subjects.Bus {
		r.Errorf("the ends are %v, want that of the bus alone", all)
	}
}

package conformance

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// unknownOutcomes are about messages and answers that get lost.
var unknownOutcomes = []testCase{
	{"a claim whose acknowledgement was lost runs once", lostClaimAck},
	{"a claim whose connection broke before the acknowledgement runs once", cutAtClaim},
	{"a claim is not taken by another slot of the same agent", otherSlot},
	{"an end whose acknowledgement was lost is stored once", lostEndAck},
	{"a result of a step whose acknowledgement was lost is stored once", lostStepAck},
	{"an end is stored once when the connection was lost during the run", cutDuringRun},
	{"an end behind a fence is given up when its outcome was not known", lostAckThenFence},
}

// answers finds the acknowledgements of results: it remembers the reply
// subjects of those that it is to lose.
type answers struct {
	r     *room
	of    func(res subjects.Result) bool
	inbox map[string]bool
	met   int // answers
}

// seen says whether f is an answer to one of the results.
func (a *answers) seen(f frame) bool {
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

func (a *answers) count() int {
	a.r.mu.Lock()
	defer a.r.mu.Unlock()
	return a.met
}

// answersTo makes the proxy call f for each answer to a result that is as
// wanted; f says whether it passes.
func (r *room) answersTo(of func(res subjects.Result) bool, pass func(n int) bool) *answers {
	a := &answers{r: r, of: of, inbox: map[string]bool{}}
	r.proxy.lose(func(f frame) bool { return !a.seen(f) || pass(a.count()) })
	return a
}

// resultIn is the result that an agent publishes by f, if f does that.
func resultIn(f frame) (res subjects.Result, ok bool) {
	if f.toAgent || !strings.HasPrefix(f.subject, "jobstreamer.result.") {
		return res, false
	}
	return res, json.Unmarshal(f.payload, &res) == nil
}

func isClaim(res subjects.Result) bool { return res.Execution != nil }
func isEnd(res subjects.Result) bool   { return res.BatchStatus.Ended() }

func afterTheFirst(n int) bool { return n > 1 }

func lostClaimAck(r *room) {
	a := r.answersTo(isClaim, afterTheFirst)
	r.agent()
	id := r.submit(r.say("ran"))
	r.end(id, subjects.Completed)
	r.awaitEmptyQueue()
	if r.said("ran") != 1 || a.count() == 0 {
		r.Errorf("it ran %d times after %d answers, want once", r.said("ran"), a.count())
	}
}

func cutAtClaim(r *room) {
	r.options.Heartbeat = seldom
	r.answersTo(isClaim, func(n int) bool {
		if n == 1 {
			r.proxy.cut()
		}
		return n > 1
	})
	r.agent()
	id := r.submit(r.say("ran"))
	r.await("an attempt to connect again", func() bool { return r.proxy.knocks() > 0 })
	r.proxy.restore()
	r.end(id, subjects.Completed)
	r.awaitEmptyQueue()
	if n := r.said("ran"); n != 1 {
		r.Errorf("it ran %d times, want once", n)
	}
}

func otherSlot(r *room) {
	r.queue(time.Second) // so that the request comes again while the first claim has no answer
	first := ""
	open := false
	a := r.answersTo(func(res subjects.Result) bool {
		if first == "" {
			first = res.Handling
		}
		return res.Handling == first
	}, func(int) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return open
	})
	r.agent()
	id := r.submit(r.say("ran"))
	r.await("the lost answer", func() bool { return a.count() > 0 })
	r.awaitEmptyQueue() // acknowledged by the other slot, whose claim was refused
	if n := r.said("ran"); n != 0 {
		r.Errorf("it runs already, by a claim that is not its own")
	}
	r.mu.Lock()
	open = true
	r.mu.Unlock()
	r.end(id, subjects.Completed)
	if n := r.said("ran"); n != 1 {
		r.Errorf("it ran %d times, want once", n)
	}
}

func lostEndAck(r *room) {
	r.answersTo(isEnd, afterTheFirst)
	r.agent()
	id := r.submit(r.say("ran"))
	r.end(id, subjects.Completed)
	if n := r.said("ran"); n != 1 {
		r.Errorf("it ran %d times, want once", n)
	}
}

func lostStepAck(r *room) {
	r.answersTo(func(res subjects.Result) bool { return !isClaim(res) && !isEnd(res) }, afterTheFirst)
	r.agent()
	id := r.submit(r.say("one"), r.say("two"), r.say("three"))
	r.end(id, subjects.Completed)
	if r.said("one") != 1 || r.said("two") != 1 || r.said("three") != 1 {
		r.Errorf("the evidence is %q, want each step once", r.evidence())
	}
}

func cutDuringRun(r *room) {
	r.options.Heartbeat = seldom
	r.agent()
	id := r.submit(r.sayAndWait("ran", "go"))
	pid := r.body("ran")
	r.proxy.cut()
	r.letGo("go")
	r.await("the end of the body", func() bool { return !alive(pid) })
	r.await("an attempt to connect again", func() bool { return r.proxy.knocks() > 0 })
	if n := len(ends(r.results(id))); n != 0 {
		r.Fatalf("%d ends are stored while the agent is cut off", n)
	}
	r.proxy.restore()
	r.end(id, subjects.Completed)
	if n := r.said("ran"); n != 1 {
		r.Errorf("it ran %d times, want once", n)
	}
}

func ends(all []stored) (ends []stored) {
	for _, s := range all {
		if s.BatchStatus.Ended() {
			ends = append(ends, s)
		}
	}
	return ends
}

func lostAckThenFence(r *room) {
	// The end never reaches the broker, and then the bus decides otherwise.
	open := false
	r.proxy.lose(func(f frame) bool {
		res, ok := resultIn(f)
		r.mu.Lock()
		defer r.mu.Unlock()
		return open || !ok || !isEnd(res)
	})
	r.agent()
	id := r.submit(r.say("ran"))
	pid := r.body("ran")
	r.await("the end of the body", func() bool { return !alive(pid) })
	r.awaitBeat("that names the execution", func(h subjects.Heartbeat) bool { return names(h, id) })
	r.fence(id, 1, subjects.Failed)
	r.mu.Lock()
	open = true
	r.mu.Unlock()
	r.settled(id)
	if all := ends(r.results(id)); len(all) != 1 || all[0].Agent != subjects.Bus {
		r.Errorf("the ends are %v, want that of the bus alone", all)
	}
}

package conformance

import (
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// fencing tests how an agent gives up an attempt that the bus has fenced off,
// or may have fenced off.
var fencing = []testCase{
	{"a stale attempt is refused by the broker and its work ends", testStaleAttempt},
	{"drop ends the body and nothing more is published", testDrop},
	{"without contact for three intervals only the bodies that may begin on another agent end", testNoContact},
}

func testStaleAttempt(r *room) {
	r.startAgent()
	id := r.submitCommands(r.witnessAndWait("one", "go"), r.witnessCommand("two"))
	r.awaitWitness("one")
	r.waitUntil("the start of step-1", func() bool { return lastSteps(r.resultsOf(id))["step-1"].BatchStatus == subjects.Started })
	r.publishFence(id, 1, subjects.Failed)
	r.createFile("go")
	r.awaitUnnamed(id)
	if r.witnessCount("two") != 0 {
		r.Error("step-2 ran after the fence")
	}
	if all := r.resultsOf(id); all[len(all)-1].Agent != subjects.Bus {
		r.Errorf("a result is stored after the fence:\n%s", r.describeState())
	}
}

func testDrop(r *room) {
	r.startAgent()
	id := r.submitCommands(r.witnessAndWait("ran", "never"), r.witnessCommand("two"))
	pid := r.awaitWitness("ran")
	r.waitUntil("the start of step-1", func() bool { return lastSteps(r.resultsOf(id))["step-1"].BatchStatus == subjects.Started })
	r.publishFence(id, 1, subjects.Failed)
	if reply := r.sendCommand(subjects.DropCommand, id, 1); !reply.OK {
		r.Errorf("drop is answered by %+v", reply)
	}
	before := len(r.publishedByAgents())
	r.waitUntil("the end of the body", func() bool { return !isAlive(pid) })
	r.awaitUnnamed(id)
	if n := len(r.publishedByAgents()); n != before {
		r.Errorf("%d results were published after the drop: %+v", n-before, r.publishedByAgents()[before:])
	}
	if r.witnessCount("two") != 0 {
		r.Error("step-2 ran after the drop")
	}
}

func testNoContact(r *room) {
	r.startAgent()
	submit := func(word string, change func(e *subjects.Execution)) int64 {
		req := r.newRequest(jobDefinition(r.witnessAndWait(word, "go"), r.witnessCommand(word+"-two")))
		change(&req.Execution)
		r.sendRequest(req)
		return req.Execution.ID
	}
	requeue := submit("requeue", func(e *subjects.Execution) { e.OnAgentLost = subjects.LostRequeue })
	exclusive := submit("exclusive", func(e *subjects.Execution) { e.Exclusive = true })
	other := submit("other", func(*subjects.Execution) {})
	first, second, third := r.awaitWitness("requeue"), r.awaitWitness("exclusive"), r.awaitWitness("other")
	r.proxy.cutConnections()
	r.waitUntil("the end of the body that is to be requeued", func() bool { return !isAlive(first) })
	r.waitUntil("the end of the exclusive body", func() bool { return !isAlive(second) })
	if !isAlive(third) {
		r.Error("the body that no other agent may begin was ended")
	}
	r.proxy.allowConnections()
	r.createFile("go")
	r.awaitEnd(other, subjects.Completed)
	for _, id := range []int64{requeue, exclusive} {
		r.awaitUnnamed(id)
		if all := r.resultsOf(id); len(endsOf(all)) > 0 && endsOf(all)[0].BatchStatus == subjects.Completed {
			r.Errorf("a body that was ended by force is completed:\n%s", r.describeState())
		}
	}
	if r.witnessCount("requeue-two") != 0 || r.witnessCount("exclusive-two") != 0 || r.witnessCount("other-two") != 1 {
		r.Errorf("the evidence is %q, want the second step of the other alone", r.witnessLines())
	}
}

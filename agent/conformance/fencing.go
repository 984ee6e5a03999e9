package conformance

import (
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// fencing is about an agent that somebody has decided against.
var fencing = []testCase{
	{"a stale attempt is refused by the broker and its work ends", stale},
	{"drop ends the body and nothing more is published", drop},
	{"without contact for three intervals what may begin elsewhere ends and the rest goes on", noContact},
}

func stale(r *room) {
	r.agent()
	id := r.submit(r.sayAndWait("one", "go"), r.say("two"))
	r.body("one")
	r.await("the start of step-1", func() bool { return steps(r.results(id))["step-1"].BatchStatus == subjects.Started })
	r.fence(id, 1, subjects.Failed)
	r.letGo("go")
	r.settled(id)
	if r.said("two") != 0 {
		r.Error("step-2 ran behind the fence")
	}
	if all := r.results(id); all[len(all)-1].Agent != subjects.Bus {
		r.Errorf("something is stored behind the fence:\n%s", r.state())
	}
}

func drop(r *room) {
	r.agent()
	id := r.submit(r.sayAndWait("ran", "never"), r.say("two"))
	pid := r.body("ran")
	r.await("the start of step-1", func() bool { return steps(r.results(id))["step-1"].BatchStatus == subjects.Started })
	r.fence(id, 1, subjects.Failed)
	if reply := r.command(subjects.DropCommand, id, 1); !reply.OK {
		r.Errorf("drop is answered by %+v", reply)
	}
	before := len(r.sent())
	r.await("the end of the body", func() bool { return !alive(pid) })
	r.settled(id)
	if n := len(r.sent()); n != before {
		r.Errorf("%d results were published after the drop: %+v", n-before, r.sent()[before:])
	}
	if r.said("two") != 0 {
		r.Error("step-2 ran after the drop")
	}
}

func noContact(r *room) {
	r.agent()
	submit := func(word string, change func(e *subjects.Execution)) int64 {
		req := r.request(job(r.sayAndWait(word, "go"), r.say(word+"-two")))
		change(&req.Execution)
		r.send(req)
		return req.Execution.ID
	}
	requeue := submit("requeue", func(e *subjects.Execution) { e.OnAgentLost = subjects.LostRequeue })
	exclusive := submit("exclusive", func(e *subjects.Execution) { e.Exclusive = true })
	other := submit("other", func(*subjects.Execution) {})
	first, second, third := r.body("requeue"), r.body("exclusive"), r.body("other")
	r.proxy.cut()
	r.await("the end of the body that is to be requeued", func() bool { return !alive(first) })
	r.await("the end of the exclusive body", func() bool { return !alive(second) })
	if !alive(third) {
		r.Error("the body that nobody else begins was ended")
	}
	r.proxy.restore()
	r.letGo("go")
	r.end(other, subjects.Completed)
	for _, id := range []int64{requeue, exclusive} {
		r.settled(id)
		if all := r.results(id); len(ends(all)) > 0 && ends(all)[0].BatchStatus == subjects.Completed {
			r.Errorf("a body that was ended by force is completed:\n%s", r.state())
		}
	}
	if r.said("requeue-two") != 0 || r.said("exclusive-two") != 0 || r.said("other-two") != 1 {
		r.Errorf("the evidence is %q, want the second step of the other alone", r.evidence())
	}
}

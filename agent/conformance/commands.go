package conformance

import (
	"encoding/json"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

var commands = []testCase{
	{"stop ends the body kindly and the end is stopped", stop},
	{"stop of a body that does not listen ends it by force", stopByForce},
	{"stop of an attempt that the agent does not have is answered with ok false", stopUnknown},
	{"drain takes no more work and resume takes it again", drain},
	{"ping is answered with the life of the heartbeats", ping},
	{"a second agent of one name gives up", secondLife},
	{"of two that have one name the older leaves", nameTaken},
}

func stop(r *room) {
	r.agent()
	id := r.submit(`trap '`+r.sayQuoted("term")+`; exit 0' TERM; `+r.sayAndWait("ran", "never"), r.say("two"))
	pid := r.body("ran")
	reply := r.command(subjects.StopCommand, id, 1)
	if !reply.OK || reply.Life != r.heard()[0].Life {
		r.Errorf("stop is answered by %+v", reply)
	}
	end := r.end(id, subjects.Stopped)
	if end.ExitStatus != "STOPPED" {
		r.Errorf("the exit status is %q, want STOPPED", end.ExitStatus)
	}
	if s := steps(r.results(id))["step-1"]; s.BatchStatus != subjects.Stopped {
		r.Errorf("step-1 is %s, want stopped", s.BatchStatus)
	}
	if r.said("term") != 1 || alive(pid) || r.said("two") != 0 {
		r.Errorf("the evidence is %q, alive is %v: want a kind end of step-1 alone", r.evidence(), alive(pid))
	}
	if reply := r.command(subjects.StopCommand, id, 1); reply.OK || reply.Error == "" {
		r.Errorf("a stop after the end is answered by %+v", reply)
	}
}

// sayQuoted is say for a place inside of single quotes.
func (r *room) sayQuoted(word string) string {
	return `echo "` + word + ` $$" >> "` + r.dir + `/evidence"`
}

func stopByForce(r *room) {
	r.agent()
	id := r.submit(`trap '' TERM; ` + r.sayAndWait("ran", "never"))
	pid := r.body("ran")
	for range 3 { // a bus repeats it at each heartbeat
		r.command(subjects.StopCommand, id, 1)
	}
	r.end(id, subjects.Stopped)
	if alive(pid) {
		r.Error("the body is alive after its end was published")
	}
}

func stopUnknown(r *room) {
	r.agent()
	id := r.submit(r.sayAndWait("ran", "go"))
	pid := r.body("ran")
	for _, c := range []subjects.Command{{ID: id, Attempt: 2}, {ID: id + 1_000_000, Attempt: 1}} {
		if reply := r.command(subjects.StopCommand, c.ID, c.Attempt); reply.OK || reply.Error == "" || reply.Life == "" {
			r.Errorf("stop of %+v is answered by %+v", c, reply)
		}
	}
	if !alive(pid) {
		r.Error("the body of another attempt was ended")
	}
	r.letGo("go")
	r.end(id, subjects.Completed)
}

func drain(r *room) {
	r.agent()
	running := r.submit(r.sayAndWait("ran", "go"))
	r.body("ran")
	for range 2 {
		if reply := r.command(subjects.DrainCommand, 0, 0); !reply.OK {
			r.Errorf("drain is answered by %+v", reply)
		}
	}
	blocked := func(h subjects.Heartbeat) bool { return h.Status == subjects.AgentBlocked }
	r.awaitBeat("that says blocked", blocked)
	waiting := r.submit(r.say("late"))
	for range 4 { // as long as it takes to get one, by a pull that was open
		r.awaitBeat("that says blocked", blocked)
	}
	if r.said("late") != 0 || len(r.results(waiting)) != 0 {
		r.Error("a blocked agent took work")
	}
	r.letGo("go")
	r.end(running, subjects.Completed)
	if reply := r.command(subjects.ResumeCommand, 0, 0); !reply.OK {
		r.Errorf("resume is answered by %+v", reply)
	}
	r.awaitBeat("that says ready", func(h subjects.Heartbeat) bool { return h.Status == subjects.AgentReady })
	r.end(waiting, subjects.Completed)
}

func ping(r *room) {
	r.agent()
	if reply := r.command(subjects.PingCommand, 0, 0); !reply.OK || reply.Life == "" || reply.Life != r.heard()[0].Life {
		r.Errorf("ping is answered by %+v, the heartbeats say %s", reply, r.heard()[0].Life)
	}
	if reply := r.command("dance", 0, 0); reply.OK || reply.Error == "" {
		r.Errorf("an unknown command is answered by %+v", reply)
	}
}

func secondLife(r *room) {
	first := r.agent()
	life := r.heard()[0].Life
	second := r.options
	second.Data += "-b"
	p := r.run(second)
	r.await("the end of the second agent", p.over)
	if code := p.cmd.ProcessState.ExitCode(); code == 0 {
		r.Error("the second agent ended with code 0")
	}
	if text := p.output.tail(4096); text == "" {
		r.Error("the second agent gave no reason")
	}
	if first.over() {
		r.Error("the first agent ended")
	}
	r.end(r.submit(r.say("ran")), subjects.Completed)
	for _, h := range r.heard() {
		if h.Life != life {
			r.Errorf("the second agent sent a heartbeat: %+v", h)
		}
	}
}

func nameTaken(r *room) {
	p := r.agent()
	h := r.awaitBeat("of the agent", func(subjects.Heartbeat) bool { return true })
	publish := func(life string, start subjects.Time) {
		other := h
		other.Life, other.StartTime, other.Apps = life, start, nil // the suite does not count it
		b, _ := json.Marshal(other)
		if err := r.nc.Publish(subjects.HeartbeatSubject(h.Agent), b); err != nil {
			r.Fatal(err)
		}
	}
	publish("older", h.StartTime-1)
	r.end(r.submit(r.say("ran")), subjects.Completed)
	if p.over() {
		r.Fatal("the agent left for an older one")
	}
	publish("younger", h.StartTime+1)
	r.await("the end of the agent", p.over)
	if code := p.cmd.ProcessState.ExitCode(); code == 0 {
		r.Error("the agent ended with code 0")
	}
	if all := r.heard(); all[len(all)-1].Status == subjects.AgentGone {
		r.Error("it says that the name is gone, which another has")
	}
}

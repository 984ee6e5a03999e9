package conformance

import (
	"encoding/json"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// commands tests how an agent carries out and answers commands.
var commands = []testCase{
	{"stop asks the body to end and the execution ends as stopped", testStop},
	{"stop ends a body by force if it ignores the request", testStopByForce},
	{"stop of an attempt that the agent does not run is answered with ok false", testStopUnknown},
	{"a drained agent fetches no work until it is resumed", testDrain},
	{"the reply to ping has the same life as the heartbeats", testPing},
	{"a second agent with the same name ends with an error", testSecondAgent},
	{"of two agents with the same name the older one leaves", testNameTaken},
}

func testStop(r *room) {
	r.startAgent()
	id := r.submitCommands(`trap '`+r.witnessQuoted("term")+`; exit 0' TERM; `+r.witnessAndWait("ran", "never"), r.witnessCommand("two"))
	pid := r.awaitWitness("ran")
	reply := r.sendCommand(subjects.StopCommand, id, 1)
	if !reply.OK || reply.Life != r.heartbeats()[0].Life {
		r.Errorf("stop is answered by %+v", reply)
	}
	end := r.awaitEnd(id, subjects.Stopped)
	if end.ExitStatus != "STOPPED" {
		r.Errorf("the exit status is %q, want STOPPED", end.ExitStatus)
	}
	if s := lastSteps(r.resultsOf(id))["step-1"]; s.BatchStatus != subjects.Stopped {
		r.Errorf("step-1 is %s, want stopped", s.BatchStatus)
	}
	if r.witnessCount("term") != 1 || isAlive(pid) || r.witnessCount("two") != 0 {
		r.Errorf("the evidence is %q, alive is %v: want step-1 alone, ended on request", r.witnessLines(), isAlive(pid))
	}
	if reply := r.sendCommand(subjects.StopCommand, id, 1); reply.OK || reply.Error == "" {
		r.Errorf("a stop after the end is answered by %+v", reply)
	}
}

// witnessQuoted is like witnessCommand, for use inside single quotes.
func (r *room) witnessQuoted(word string) string {
	return `echo "` + word + ` $$" >> "` + r.witnessDir + `/evidence"`
}

func testStopByForce(r *room) {
	r.startAgent()
	id := r.submitCommands(`trap '' TERM; ` + r.witnessAndWait("ran", "never"))
	pid := r.awaitWitness("ran")
	for range 3 { // the bus repeats the command at each heartbeat
		r.sendCommand(subjects.StopCommand, id, 1)
	}
	r.awaitEnd(id, subjects.Stopped)
	if isAlive(pid) {
		r.Error("the body is alive after its end was published")
	}
}

func testStopUnknown(r *room) {
	r.startAgent()
	id := r.submitCommands(r.witnessAndWait("ran", "go"))
	pid := r.awaitWitness("ran")
	for _, c := range []subjects.Command{{ID: id, Attempt: 2}, {ID: id + 1_000_000, Attempt: 1}} {
		if reply := r.sendCommand(subjects.StopCommand, c.ID, c.Attempt); reply.OK || reply.Error == "" || reply.Life == "" {
			r.Errorf("stop of %+v is answered by %+v", c, reply)
		}
	}
	if !isAlive(pid) {
		r.Error("the body of another attempt was ended")
	}
	r.createFile("go")
	r.awaitEnd(id, subjects.Completed)
}

func testDrain(r *room) {
	r.startAgent()
	running := r.submitCommands(r.witnessAndWait("ran", "go"))
	r.awaitWitness("ran")
	for range 2 {
		if reply := r.sendCommand(subjects.DrainCommand, 0, 0); !reply.OK {
			r.Errorf("drain is answered by %+v", reply)
		}
	}
	blocked := func(h subjects.Heartbeat) bool { return h.Status == subjects.AgentBlocked }
	r.awaitBeat("that says blocked", blocked)
	waiting := r.submitCommands(r.witnessCommand("late"))
	// An open pull would have fetched the request by then.
	for range 4 {
		r.awaitBeat("that says blocked", blocked)
	}
	if r.witnessCount("late") != 0 || len(r.resultsOf(waiting)) != 0 {
		r.Error("a blocked agent took work")
	}
	r.createFile("go")
	r.awaitEnd(running, subjects.Completed)
	if reply := r.sendCommand(subjects.ResumeCommand, 0, 0); !reply.OK {
		r.Errorf("resume is answered by %+v", reply)
	}
	r.awaitBeat("that says ready", func(h subjects.Heartbeat) bool { return h.Status == subjects.AgentReady })
	r.awaitEnd(waiting, subjects.Completed)
}

func testPing(r *room) {
	r.startAgent()
	if reply := r.sendCommand(subjects.PingCommand, 0, 0); !reply.OK || reply.Life == "" || reply.Life != r.heartbeats()[0].Life {
		r.Errorf("ping is answered by %+v, the heartbeats say %s", reply, r.heartbeats()[0].Life)
	}
	if reply := r.sendCommand("dance", 0, 0); reply.OK || reply.Error == "" {
		r.Errorf("an unknown command is answered by %+v", reply)
	}
}

func testSecondAgent(r *room) {
	first := r.startAgent()
	life := r.heartbeats()[0].Life
	second := r.options
	second.Data += "-b"
	p := r.startProcess(second)
	r.waitUntil("the end of the second agent", p.hasEnded)
	if code := p.cmd.ProcessState.ExitCode(); code == 0 {
		r.Error("the second agent ended with code 0")
	}
	if text := p.output.lastLines(4096); text == "" {
		r.Error("the second agent gave no reason")
	}
	if first.hasEnded() {
		r.Error("the first agent ended")
	}
	r.awaitEnd(r.submitCommands(r.witnessCommand("ran")), subjects.Completed)
	for _, h := range r.heartbeats() {
		if h.Life != life {
			r.Errorf("the second agent sent a heartbeat: %+v", h)
		}
	}
}

func testNameTaken(r *room) {
	p := r.startAgent()
	h := r.awaitBeat("of the agent", func(subjects.Heartbeat) bool { return true })
	publish := func(life string, start subjects.Time) {
		other := h
		// Without Apps, the room ignores the heartbeat.
		other.Life, other.StartTime, other.Apps = life, start, nil
		b, _ := json.Marshal(other)
		if err := r.nc.Publish(subjects.HeartbeatSubject(h.Agent), b); err != nil {
			r.Fatal(err)
		}
	}
	publish("older", h.StartTime-1)
	r.awaitEnd(r.submitCommands(r.witnessCommand("ran")), subjects.Completed)
	if p.hasEnded() {
		r.Fatal("the agent left although it started later")
	}
	publish("younger", h.StartTime+1)
	r.waitUntil("the end of the agent", p.hasEnded)
	if code := p.cmd.ProcessState.ExitCode(); code == 0 {
		r.Error("the agent ended with code 0")
	}
	if all := r.heartbeats(); all[len(all)-1].Status == subjects.AgentGone {
		r.Error(`it published "gone" for a name that another agent has`)
	}
}

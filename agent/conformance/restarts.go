package conformance

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// restarts tests an agent that is killed or asked to leave, and its successor
// with the same data directory.
var restarts = []testCase{
	{"a killed agent does not run its request again", testKilledAgent},
	{"an agent that starts ends the processes that its previous run has left", testLeftover},
	{"an end survives a restart of the agent", testEndSurvives},
	{"a restarted agent drops an end that the bus has fenced off", testEndFencedOff},
	{"an agent that is asked to leave publishes that and ends", testLeaving},
}

func testKilledAgent(r *room) {
	r.createQueue(2 * time.Second)
	r.proxy.setFilter(func(f frame) bool { return f.toAgent || !strings.HasPrefix(f.subject, "$JS.ACK.") })
	p := r.startAgent()
	life := r.heartbeats()[0].Life
	id := r.submitCommands(r.witnessAndWait("ran", "never"))
	pid := r.awaitWitness("ran")
	p.Kill()
	r.proxy.setFilter(nil)
	r.startAgent()
	r.awaitEmptyQueue()
	h := r.awaitBeat("without the execution", func(h subjects.Heartbeat) bool { return !namesExecution(h, id) })
	if h.Life == life {
		r.Errorf("the restarted agent has the life %s, as before the restart", life)
	}
	if n := r.witnessCount("ran"); n != 1 {
		r.Errorf("it ran %d times, want once", n)
	}
	r.waitUntil("the end of the process that was left behind", func() bool { return !isAlive(pid) })
	if all := r.resultsOf(id); len(endsOf(all)) != 0 {
		r.Errorf("the restarted agent published an end of an execution that it does not know:\n%s", r.describeState())
	}
}

func testLeftover(r *room) {
	p := r.startAgent()
	r.submitCommands(r.witnessCommand("parent")+`; sh -c '`+strings.ReplaceAll(r.witnessAndWait("child", "never"), "'", `"`)+`' & wait`, r.witnessCommand("next"))
	parent, child := r.awaitWitness("parent"), r.awaitWitness("child")
	p.Kill()
	if !isAlive(child) {
		r.Log("the processes ended with the agent already")
	}
	r.startAgent()
	r.waitUntil("the end of the process", func() bool { return !isAlive(parent) })
	r.waitUntil("the end of the process's child", func() bool { return !isAlive(child) })
	if r.witnessCount("next") != 0 {
		r.Error("the next step ran")
	}
}

// endWhileCutOff lets a job end while its agent cannot reach the broker, and
// kills the agent once it has stored the end in its data directory. The proxy
// stays cut off.
func endWhileCutOff(r *room) (id int64) {
	r.Helper()
	r.options.Heartbeat = longInterval
	p := r.startAgent()
	id = r.submitCommands(r.witnessAndWait("ran", "go"))
	pid := r.awaitWitness("ran")
	r.waitUntil("the start of the step", func() bool {
		all := r.resultsOf(id)
		return len(all) > 0 && len(all[len(all)-1].Steps) > 0
	})
	r.proxy.cutConnections()
	before := fileStates(r, r.options.Data)
	r.createFile("go")
	r.waitUntil("the end of the body", func() bool { return !isAlive(pid) })
	// The suite does not know how an agent stores the end. It waits until files
	// in the agent's directory contain the status and have stopped changing.
	changed := time.Now()
	r.waitUntil("the end in the agent's directory", func() bool {
		if now := fileStates(r, r.options.Data); now == before {
			return time.Since(changed) > 500*time.Millisecond && strings.Contains(now, string(subjects.Completed))
		} else {
			before, changed = now, time.Now()
			return false
		}
	})
	p.Kill()
	return id
}

// fileStates returns the paths and contents of all files in a directory.
func fileStates(r *room, dir string) string {
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			content, _ := os.ReadFile(path)
			b.WriteString(path + "\n" + string(content) + "\n")
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	return b.String()
}

func testEndSurvives(r *room) {
	id := endWhileCutOff(r)
	r.proxy.allowConnections()
	r.options.Heartbeat = shortInterval
	r.startAgent()
	r.awaitEnd(id, subjects.Completed)
	if n := r.witnessCount("ran"); n != 1 {
		r.Errorf("it ran %d times, want once", n)
	}
}

func testEndFencedOff(r *room) {
	id := endWhileCutOff(r)
	r.publishFence(id, 1, subjects.Failed)
	r.proxy.allowConnections()
	r.options.Heartbeat = shortInterval
	r.startAgent()
	r.waitUntil("the repeated end", func() bool {
		for _, res := range r.publishedByAgents() {
			if res.ID == id && res.BatchStatus == subjects.Completed {
				return true
			}
		}
		return false
	})
	r.awaitUnnamed(id)
	if all := endsOf(r.resultsOf(id)); len(all) != 1 || all[0].Agent != subjects.Bus {
		r.Errorf("the ends are %v, want that of the bus alone", all)
	}
}

func testLeaving(r *room) {
	p := r.startAgent()
	r.awaitEnd(r.submitCommands(r.witnessCommand("first")), subjects.Completed)
	running := r.submitCommands(r.witnessAndWait("ran", "go"))
	r.awaitWitness("ran")
	p.askToLeave()
	r.awaitBeat("that says leaving", func(h subjects.Heartbeat) bool { return h.Status == subjects.AgentLeaving })
	late := r.submitCommands(r.witnessCommand("late"))
	r.createFile("go")
	r.waitUntil("the end of the agent", p.hasEnded)
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		r.Errorf("the agent ended with code %d, want 0", code)
	}
	r.waitUntil("the last heartbeat", func() bool {
		all := r.heartbeats()
		last := all[len(all)-1]
		return last.Status == subjects.AgentGone && len(last.Executions) == 0
	})
	if n := len(endsOf(r.resultsOf(running))); n != 1 {
		r.Errorf("the execution has %d ends, want one", n)
	}
	if r.witnessCount("late") != 0 || len(r.resultsOf(late)) != 0 {
		r.Error("an agent that leaves took work")
	}
}

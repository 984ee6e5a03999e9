package conformance

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// restarts are about an agent that dies and comes back.
var restarts = []testCase{
	{"a killed agent does not run its request again", killed},
	{"an agent that starts ends the processes of its earlier life", leftover},
	{"an end survives a restart of the agent", endSurvives},
	{"an end that was fenced off meanwhile is given up after a restart", endFencedOff},
	{"an agent that is asked to leave says so and ends", leaves},
}

func killed(r *room) {
	r.queue(2 * time.Second)
	r.proxy.lose(func(f frame) bool { return f.toAgent || !strings.HasPrefix(f.subject, "$JS.ACK.") })
	p := r.agent()
	life := r.heard()[0].Life
	id := r.submit(r.sayAndWait("ran", "never"))
	pid := r.body("ran")
	p.Kill()
	r.proxy.lose(nil)
	r.agent()
	r.awaitEmptyQueue()
	h := r.awaitBeat("without the execution", func(h subjects.Heartbeat) bool { return !names(h, id) })
	if h.Life == life {
		r.Errorf("the new life is called %s, like the first", life)
	}
	if n := r.said("ran"); n != 1 {
		r.Errorf("it ran %d times, want once", n)
	}
	r.await("the end of the process that was left behind", func() bool { return !alive(pid) })
	if all := r.results(id); len(ends(all)) != 0 {
		r.Errorf("the new life published an end of what it does not know:\n%s", r.state())
	}
}

func leftover(r *room) {
	p := r.agent()
	r.submit(r.say("parent")+`; sh -c '`+strings.ReplaceAll(r.sayAndWait("child", "never"), "'", `"`)+`' & wait`, r.say("next"))
	parent, child := r.body("parent"), r.body("child")
	p.Kill()
	if !alive(child) {
		r.Log("the processes ended with the agent already")
	}
	r.agent()
	r.await("the end of the process", func() bool { return !alive(parent) })
	r.await("the end of the process's child", func() bool { return !alive(child) })
	if r.said("next") != 0 {
		r.Error("the next step ran")
	}
}

// endsWhileCutOff runs a job to its end without a broker, kills the agent and
// brings the broker back.
func endsWhileCutOff(r *room) (id int64) {
	r.Helper()
	r.options.Heartbeat = seldom
	p := r.agent()
	id = r.submit(r.sayAndWait("ran", "go"))
	pid := r.body("ran")
	r.await("the start of the step", func() bool {
		all := r.results(id)
		return len(all) > 0 && len(all[len(all)-1].Steps) > 0
	})
	r.proxy.cut()
	before := files(r, r.options.Data)
	r.letGo("go")
	r.await("the end of the body", func() bool { return !alive(pid) })
	// That the end was kept can only be seen from outside as a change in the
	// agent's directory that has come to rest.
	changed := time.Now()
	r.await("the end in the agent's directory", func() bool {
		if now := files(r, r.options.Data); now == before {
			return time.Since(changed) > 500*time.Millisecond && strings.Contains(now, string(subjects.Completed))
		} else {
			before, changed = now, time.Now()
			return false
		}
	})
	p.Kill()
	return id
}

// files is what a directory holds.
func files(r *room, dir string) string {
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

func endSurvives(r *room) {
	id := endsWhileCutOff(r)
	r.proxy.restore()
	r.options.Heartbeat = often
	r.agent()
	r.end(id, subjects.Completed)
	if n := r.said("ran"); n != 1 {
		r.Errorf("it ran %d times, want once", n)
	}
}

func endFencedOff(r *room) {
	id := endsWhileCutOff(r)
	r.fence(id, 1, subjects.Failed)
	r.proxy.restore()
	r.options.Heartbeat = often
	r.agent()
	r.await("the repeated end", func() bool {
		for _, res := range r.sent() {
			if res.ID == id && res.BatchStatus == subjects.Completed {
				return true
			}
		}
		return false
	})
	r.settled(id)
	if all := ends(r.results(id)); len(all) != 1 || all[0].Agent != subjects.Bus {
		r.Errorf("the ends are %v, want that of the bus alone", all)
	}
}

func leaves(r *room) {
	p := r.agent()
	r.end(r.submit(r.say("first")), subjects.Completed)
	running := r.submit(r.sayAndWait("ran", "go"))
	r.body("ran")
	p.ask()
	r.awaitBeat("that says leaving", func(h subjects.Heartbeat) bool { return h.Status == subjects.AgentLeaving })
	late := r.submit(r.say("late"))
	r.letGo("go")
	r.await("the end of the agent", p.over)
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		r.Errorf("the agent ended with code %d, want 0", code)
	}
	r.await("the last heartbeat", func() bool {
		all := r.heard()
		last := all[len(all)-1]
		return last.Status == subjects.AgentGone && len(last.Executions) == 0
	})
	if n := len(ends(r.results(running))); n != 1 {
		r.Errorf("what ran has %d ends, want one", n)
	}
	if r.said("late") != 0 || len(r.results(late)) != 0 {
		r.Error("an agent that leaves took work")
	}
}

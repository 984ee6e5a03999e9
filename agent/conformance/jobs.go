package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// say is a command that leaves a line of evidence: the word and the id of the
// process.
func (r *room) witnessCommand(word string) string {
	return fmt.Sprintf(`echo "%s $$" >> '%s'`, word, filepath.Join(r.witnessDir, "evidence"))
}

// sayAndWait is a command that says the word and then lasts until the file of
// that name is there.
func (r *room) witnessAndWait(word, file string) string {
	return fmt.Sprintf(`%s; while [ ! -e '%s' ]; do sleep 0.02; done`, r.witnessCommand(word), filepath.Join(r.witnessDir, file))
}

// letGo makes the file that a command waits for.
func (r *room) createFile(file string) {
	r.Helper()
	if err := os.WriteFile(filepath.Join(r.witnessDir, file), nil, 0o600); err != nil {
		r.Fatal(err)
	}
}

// evidence is what the jobs said so far.
func (r *room) witnessLines() []string {
	b, _ := os.ReadFile(filepath.Join(r.witnessDir, "evidence"))
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// said is how often a word was said.
func (r *room) witnessCount(word string) int {
	n := 0
	for _, line := range r.witnessLines() {
		if w, _, _ := strings.Cut(line, " "); w == word {
			n++
		}
	}
	return n
}

// body waits until a word was said, and returns the process that said it.
func (r *room) awaitWitness(word string) (pid int) {
	r.Helper()
	r.waitUntil("the body that says "+word, func() bool { return r.witnessCount(word) > 0 })
	for _, line := range r.witnessLines() {
		if w, _, _ := strings.Cut(line, " "); w == word {
			pid = pidOf(line)
		}
	}
	return pid
}

func pidOf(line string) int {
	_, text, _ := strings.Cut(line, " ")
	pid, _ := strconv.Atoi(text)
	return pid
}

// alive says whether a process runs. One that has ended and was not waited for
// by its parent does not.
func isAlive(pid int) bool {
	if pid <= 0 {
		return false
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer p.Release() //nolint:errcheck // there is nothing to do about it
	if p.Signal(syscall.Signal(0)) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true // not Linux, or it has ended just now
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

// job is the definition of a job with one step a command: step-1, step-2 ...
func jobDefinition(commands ...string) json.RawMessage {
	var steps []map[string]any
	for i, command := range commands {
		step := map[string]any{"id": fmt.Sprintf("step-%d", i+1), "batchlet": map[string]any{
			"ref": "org.jobstreamer.batch.ShellBatchlet", "properties": map[string]string{"command": command},
		}}
		if i+1 < len(commands) {
			step["next"] = fmt.Sprintf("step-%d", i+2)
		}
		steps = append(steps, step)
	}
	b, err := json.Marshal(map[string]any{"id": "job", "steps": steps})
	if err != nil {
		panic(err) // strings alone
	}
	return b
}

// request makes the first request of a new execution.
func (r *room) newRequest(definition json.RawMessage) *subjects.Request {
	id := r.ids.Add(1)
	return &subjects.Request{
		Execution: subjects.Execution{
			ID: id, InstanceID: id, App: r.app, Job: "job", BatchStatus: subjects.Undispatched, Pool: subjects.DefaultPool,
			Priority: subjects.Normal, CreateTime: subjects.Now(), UpdateTime: subjects.Now(),
		},
		Attempt: 1, Definition: definition, Time: subjects.Now(),
	}
}

// submit requests a new execution of the commands, and returns its id.
func (r *room) submitCommands(commands ...string) int64 {
	r.Helper()
	req := r.newRequest(jobDefinition(commands...))
	r.sendRequest(req)
	return req.Execution.ID
}

// send puts a request into the queue.
func (r *room) sendRequest(req *subjects.Request) {
	r.Helper()
	b, err := json.Marshal(req)
	if err != nil {
		r.Fatal(err)
	}
	r.sendRaw(req, b)
}

func (r *room) sendRaw(req *subjects.Request, b []byte) {
	r.Helper()
	subject := subjects.RequestSubject(r.app, req.Execution.Pool, req.Execution.Priority, req.Execution.ID)
	if _, err := r.js.Publish(r.Context(), subject, b); err != nil {
		r.Fatalf("publish the request: %v", err)
	}
}

// awaitEmptyQueue waits until each request was acknowledged.
func (r *room) awaitEmptyQueue() {
	r.Helper()
	stream, err := r.js.Stream(r.Context(), subjects.RequestStream(r.app))
	if err != nil {
		r.Fatal(err)
	}
	r.waitUntil("the acknowledgement of every request", func() bool {
		info, err := stream.Info(r.Context())
		return err == nil && info.State.Msgs == 0
	})
}

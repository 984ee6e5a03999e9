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

// witnessCommand returns a command that appends a witness line: the word and the
// id of the shell.
func (r *room) witnessCommand(word string) string {
	return fmt.Sprintf(`echo "%s $$" >> '%s'`, word, filepath.Join(r.witnessDir, "evidence"))
}

// witnessAndWait returns a command that appends a witness line and then waits
// until the file exists.
func (r *room) witnessAndWait(word, file string) string {
	return fmt.Sprintf(`%s; while [ ! -e '%s' ]; do sleep 0.02; done`, r.witnessCommand(word), filepath.Join(r.witnessDir, file))
}

// createFile creates the file that a command waits for.
func (r *room) createFile(file string) {
	r.Helper()
	if err := os.WriteFile(filepath.Join(r.witnessDir, file), nil, 0o600); err != nil {
		r.Fatal(err)
	}
}

// witnessLines returns the lines that jobs have written so far.
func (r *room) witnessLines() []string {
	b, _ := os.ReadFile(filepath.Join(r.witnessDir, "evidence"))
	return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
}

// witnessCount returns the number of witness lines with the word.
func (r *room) witnessCount(word string) int {
	n := 0
	for _, line := range r.witnessLines() {
		if w, _, _ := strings.Cut(line, " "); w == word {
			n++
		}
	}
	return n
}

// awaitWitness waits for a witness line with the word, and returns the id of the
// process that wrote the last such line.
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

// pidOf returns the process id in a witness line, or 0.
func pidOf(line string) int {
	_, text, _ := strings.Cut(line, " ")
	pid, _ := strconv.Atoi(text)
	return pid
}

// isAlive reports whether a process is running. A zombie is not.
func isAlive(pid int) bool {
	if pid <= 0 {
		return false
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer p.Release() //nolint:errcheck // nothing can be done about an error
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

// jobDefinition returns the definition of a job with one step for each command:
// step-1, step-2 and so on.
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
		panic(err) // cannot happen: the map holds only strings
	}
	return b
}

// newRequest returns the first request of a new execution.
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

// submitCommands queues a new execution of a job that runs the commands, and
// returns its id.
func (r *room) submitCommands(commands ...string) int64 {
	r.Helper()
	req := r.newRequest(jobDefinition(commands...))
	r.sendRequest(req)
	return req.Execution.ID
}

// sendRequest queues a request.
func (r *room) sendRequest(req *subjects.Request) {
	r.Helper()
	b, err := json.Marshal(req)
	if err != nil {
		r.Fatal(err)
	}
	r.sendRaw(req, b)
}

// sendRaw queues b under the subject of req.
func (r *room) sendRaw(req *subjects.Request, b []byte) {
	r.Helper()
	subject := subjects.RequestSubject(r.app, req.Execution.Pool, req.Execution.Priority, req.Execution.ID)
	if _, err := r.js.Publish(r.Context(), subject, b); err != nil {
		r.Fatalf("publish the request: %v", err)
	}
}

// awaitEmptyQueue waits until every request has been acknowledged.
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

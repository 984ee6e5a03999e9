//go:build linux

package crashtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const app = "default"

// interval is the agents' heartbeat interval.
const interval = "300ms"

// world is a NATS server with a bus, an agent and a client.
type world struct {
	*testing.T
	js       jetstream.JetStream
	client   *client
	evidence string

	bus, agent           *daemon
	busProxy, agentProxy *proxy

	patient bool // clients retry until they get an answer
	mu      sync.Mutex
	posted  []int64 // accepted executions
	keys    int
}

// newWorld returns a world in which only NATS is running.
func newWorld(t *testing.T) *world {
	t.Helper()
	s := bustest.Listening(t)
	js, err := jetstream.New(bustest.Conn(t, s))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, js: js, evidence: filepath.Join(t.TempDir(), "evidence")}
	target := s.Addr().String()
	w.busProxy = newProxy(t, target, func() { w.bus.killAndWait() })
	w.agentProxy = newProxy(t, target, func() { w.agent.killAndWait() })
	w.bus = newDaemon(t, "bus", busArgs("b1", w.busProxy.natsURL())...)
	w.agent = newDaemon(t, "agent", agentArgs("a1", w.agentProxy.natsURL(), t.TempDir())...)
	w.client = newClient(t, w.bus)
	return w
}

// busArgs returns the arguments of a bus. Its name is the same after a restart,
// so that it keeps its leases.
func busArgs(name, nats string) []string {
	return []string{"serve", "--name", name, "--http", "127.0.0.1:0", "--nats-url", nats}
}

func agentArgs(name, nats, data string) []string {
	return []string{
		"agent", "--name", name, "--nats-url", nats, "--apps", app, "--pools", "default", "--slots", "8",
		"--data", data, "--heartbeat", interval, "--drain", "300ms", "--grace", "1s",
	}
}

func newClient(t *testing.T, buses ...*daemon) *client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{buses: buses, http: &http.Client{Transport: transport}}
}

// defineJobs creates the application and the jobs.
func (w *world) defineJobs(jobs ...string) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	if _, err := w.client.sendUntilAnswered(ctx, http.MethodPut, "/app/"+app, "", struct{}{}, nil); err != nil {
		w.Fatal(err)
	}
	for _, job := range jobs {
		if _, err := w.client.sendUntilAnswered(ctx, http.MethodPut, jobPath(job), "", definition(job, w.evidence), nil); err != nil {
			w.Fatal(err)
		}
	}
}

func jobPath(job string) string { return "/" + app + "/job/" + job }

func executionPath(job string, id int64) string {
	return jobPath(job) + "/execution/" + strconv.FormatInt(id, 10)
}

// postJob starts an execution. A patient client retries until it gets an
// answer; another one returns 0 after the first error.
func (w *world) postJob(job string, parameters map[string]string) int64 {
	w.mu.Lock()
	w.keys++
	key := fmt.Sprintf("%s-%d", job, w.keys)
	w.mu.Unlock()
	return w.startBy(http.MethodPost, jobPath(job)+"/executions", key, submission(parameters))
}

// tryPost is postJob for an exclusive job. It returns 0 while another execution
// holds the lock.
func (w *world) tryPost(job string) int64 {
	w.mu.Lock()
	w.keys++
	key := fmt.Sprintf("%s-%d", job, w.keys)
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	var made rest.Execution
	_, err := w.client.sendUntilAnswered(ctx, http.MethodPost, jobPath(job)+"/executions", key, submission(nil), &made)
	var no *refusal
	switch {
	case errors.As(err, &no) && no.code == bus.CodeExclusive:
		return 0
	case err != nil:
		w.Errorf("POST %s: %v", job, err)
		return -1
	}
	w.addAccepted(made.ExecutionID)
	return made.ExecutionID
}

// firstPosted returns the execution that was accepted first.
func (w *world) firstPosted() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.posted) == 0 {
		return 0
	}
	return w.posted[0]
}

func (w *world) addAccepted(id int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.posted = append(w.posted, id)
}

// restartExecution restarts an execution.
func (w *world) restartExecution(job string, id int64, parameters map[string]string) int64 {
	return w.startBy(http.MethodPut, executionPath(job, id)+"/restart", "", submission(parameters))
}

// startBy sends a request that creates an execution.
func (w *world) startBy(method, path, key string, body any) int64 {
	var made rest.Execution
	if err := w.sendRequest(method, path, key, body, &made); err != nil {
		return 0
	}
	w.addAccepted(made.ExecutionID)
	return made.ExecutionID
}

// sendRequest sends a request until it gets an answer, or only once if the
// client is not patient. An error that a crash does not explain fails the test.
func (w *world) sendRequest(method, path, key string, body, answer any) error {
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	var err error
	if w.patient {
		_, err = w.client.sendUntilAnswered(ctx, method, path, key, body, answer)
	} else {
		err = w.client.sendOnce(ctx, method, path, key, body, answer)
	}
	var no *refusal
	switch {
	case errors.As(err, &no) && no.code == bus.CodeNotMostRecent: // the first of two restarts succeeded
	// The first deletion succeeded.
	case errors.As(err, &no) && no.status == http.StatusNotFound && method == http.MethodDelete:
	case errors.As(err, &no) && no.status < 500, err != nil && w.patient:
		w.Errorf("%s %s: %v", method, path, err)
	}
	return err
}

// waitForSnapshot waits until the state satisfies look.
func (w *world) waitForSnapshot(what string, look func(*snapshot) bool) {
	w.Helper()
	var last error
	w.waitFor(what, func() bool {
		var now *snapshot
		now, last = w.readSnapshot()
		return last == nil && look(now)
	})
	if last != nil {
		w.Errorf("no snapshot: %v", last)
	}
}

func (w *world) waitFor(what string, is func() bool) {
	w.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			w.Errorf("after %v not seen: %s", patience, what)
			return
		}
	}
}

func (w *world) readSnapshot() (*snapshot, error) { return readSnapshot(w.Context(), w.js, w.evidence) }

// waitForEvidence waits until an execution has left evidence.
func (w *world) waitForEvidence(id int64) {
	w.Helper()
	w.waitForSnapshot(fmt.Sprintf("evidence of %d", id), func(now *snapshot) bool { return len(now.evidence[id]) > 0 })
}

// waitForEnd waits until an execution has ended.
func (w *world) waitForEnd(id int64) {
	w.Helper()
	w.waitForSnapshot(fmt.Sprintf("the end of %d", id), func(now *snapshot) bool { return now.records[id].BatchStatus.Ended() })
}

// waitAllEnded waits until all executions have ended and the queue is empty,
// and then checks the invariants.
func (w *world) waitAllEnded(within time.Duration) *snapshot {
	w.Helper()
	var now *snapshot
	var err error
	for end := time.Now().Add(within); ; time.Sleep(250 * time.Millisecond) {
		w.mu.Lock()
		posted := slices.Clone(w.posted)
		w.mu.Unlock()
		now, err = w.readSnapshot()
		if err != nil && time.Now().After(end) {
			w.Fatal(err)
		}
		if err != nil {
			continue
		}
		open := now.openItems(posted)
		if len(open) == 0 {
			break
		}
		if time.Now().After(end) {
			w.Errorf("after %v: %s", within, strings.Join(open[:min(len(open), 20)], "; "))
			break
		}
	}
	now.checkInvariants(w.T)
	return now
}

// logSnapshotNow reads the state and logs it.
func (w *world) logSnapshotNow() {
	if now, err := w.readSnapshot(); err == nil {
		w.logSnapshot(now)
	}
}

// logSnapshot logs the state of a few executions.
func (w *world) logSnapshot(now *snapshot) {
	shown := 0
	for id := range now.records {
		if shown++; shown <= 5 {
			w.Log(now.describeExecution(id))
		}
	}
	if s, err := w.js.Stream(w.Context(), subjects.RequestStream(app)); err == nil {
		if info, err := s.Info(w.Context(), jetstream.WithSubjectFilter(">")); err == nil {
			w.Logf("queue: %v", info.State.Subjects)
		}
	}
	if data, err := os.ReadFile(w.evidence); err == nil && len(data) < 2000 {
		w.Logf("evidence:\n%s", data)
	}
}

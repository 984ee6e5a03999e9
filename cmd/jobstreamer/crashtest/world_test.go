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

// interval is the agents' heartbeat.
const interval = "300ms"

// world is NATS, a bus, an agent and whoever uses them.
type world struct {
	*testing.T
	js       jetstream.JetStream
	client   *client
	evidence string

	bus, agent           *daemon
	busProxy, agentProxy *proxy

	patient bool // clients ask again until they are answered
	mu      sync.Mutex
	posted  []int64 // accepted
	keys    int
}

// newWorld makes one in which nothing runs yet but NATS.
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

// busArgs are those of a bus. Its name stays the same over its lives, so that
// it keeps its leases.
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

// defineJobs registers the application and jobs.
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

// postJob starts an execution, and is ended by an answer. One who is not
// patient lets it be after the first error: 0.
func (w *world) postJob(job string, parameters map[string]string) int64 {
	w.mu.Lock()
	w.keys++
	key := fmt.Sprintf("%s-%d", job, w.keys)
	w.mu.Unlock()
	return w.startBy(http.MethodPost, jobPath(job)+"/executions", key, submission(parameters))
}

// tryPost is post for an exclusive job: 0 while another execution has its lock.
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

// firstPosted is the execution that was accepted first.
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

// restartExecution goes on where an execution ended.
func (w *world) restartExecution(job string, id int64, parameters map[string]string) int64 {
	return w.startBy(http.MethodPut, executionPath(job, id)+"/restart", "", submission(parameters))
}

// startBy sends what makes an execution.
func (w *world) startBy(method, path, key string, body any) int64 {
	var made rest.Execution
	if err := w.sendRequest(method, path, key, body, &made); err != nil {
		return 0
	}
	w.addAccepted(made.ExecutionID)
	return made.ExecutionID
}

// sendRequest is ended by an answer, or by the first error if the client is not
// patient. What is not about a crash fails the test.
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
	case errors.As(err, &no) && no.code == bus.CodeNotMostRecent: // the first of two restarts was done
	case errors.As(err, &no) && no.status == http.StatusNotFound && method == http.MethodDelete: // so was the first deletion
	case errors.As(err, &no) && no.status < 500, err != nil && w.patient:
		w.Errorf("%s %s: %v", method, path, err)
	}
	return err
}

// waitForTruth waits until there is what it looks for.
func (w *world) waitForTruth(what string, look func(*truth) bool) {
	w.Helper()
	w.waitFor(what, func() bool {
		now, err := w.readTruth()
		return err == nil && look(now)
	})
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

func (w *world) readTruth() (*truth, error) { return readTruth(w.Context(), w.js, w.evidence) }

// waitForEvidence waits until an execution has left evidence.
func (w *world) waitForEvidence(id int64) {
	w.Helper()
	w.waitForTruth(fmt.Sprintf("evidence of %d", id), func(now *truth) bool { return len(now.evidence[id]) > 0 })
}

// waitForEnd waits until an execution has ended.
func (w *world) waitForEnd(id int64) {
	w.Helper()
	w.waitForTruth(fmt.Sprintf("the end of %d", id), func(now *truth) bool { return now.records[id].BatchStatus.Ended() })
}

// waitAllEnded waits until all has ended and nothing is left in the queue, and
// judges that.
func (w *world) waitAllEnded(within time.Duration) *truth {
	w.Helper()
	var now *truth
	var err error
	for end := time.Now().Add(within); ; time.Sleep(250 * time.Millisecond) {
		w.mu.Lock()
		posted := slices.Clone(w.posted)
		w.mu.Unlock()
		now, err = w.readTruth()
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

// logTruthNow is tell of this moment.
func (w *world) logTruthNow() {
	if now, err := w.readTruth(); err == nil {
		w.logTruth(now)
	}
}

// logTruth shows what the witnesses say, of not too many.
func (w *world) logTruth(now *truth) {
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

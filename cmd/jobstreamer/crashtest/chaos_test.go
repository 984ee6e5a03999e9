//go:build linux

package crashtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	longEnv = "JOBSTREAMER_TEST_LONG" // 1: the full length for a release, instead of a short run
	seedEnv = "JOBSTREAMER_TEST_SEED" // seed of a run to repeat, as far as processes are repeatable
)

// silence is longer than the bus's limit for a lost agent: the longest
// heartbeat interval that it assumes, times [subjects.LostAfter].
const silence = 8 * time.Second

// chaos runs several agents, buses and clients, and a monkey.
type chaos struct {
	*testing.T
	js                  jetstream.JetStream
	evidence            string
	buses               []*daemon
	agents              []*daemon
	executions, clients int
	pace                time.Duration // interval between the posts of a client
	seed                uint64

	mu       sync.Mutex
	accepted []int64
	tries    atomic.Int64
	did      map[string]int // number of actions of the monkey by kind
}

func TestChaos(t *testing.T) {
	executions, clients := 250, 3
	if os.Getenv(longEnv) == "1" {
		executions, clients = 10_000, 12
	}
	for _, buses := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d executions, buses %d", executions, buses), func(t *testing.T) {
			t.Parallel()
			newChaos(t, buses, executions, clients).runAll()
		})
	}
}

func newChaos(t *testing.T, buses, executions, clients int) *chaos {
	t.Helper()
	s := bustest.Listening(t)
	js, err := jetstream.New(bustest.Conn(t, s))
	if err != nil {
		t.Fatal(err)
	}
	c := &chaos{
		T: t, js: js, evidence: filepath.Join(t.TempDir(), "evidence"),
		executions: executions, clients: clients, pace: 100 * time.Millisecond,
		seed: uint64(time.Now().UnixNano()), did: map[string]int{},
	}
	if text := os.Getenv(seedEnv); text != "" {
		if c.seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedEnv, err)
		}
	}
	url := "nats://" + s.Addr().String()
	for i := range buses {
		name := fmt.Sprintf("b%d", i+1)
		c.buses = append(c.buses, newDaemon(t, name, busArgs(name, url)...))
	}
	for i := range 3 {
		name := fmt.Sprintf("a%d", i+1)
		c.agents = append(c.agents, newDaemon(t, name, agentArgs(name, url, t.TempDir())...))
	}
	return c
}

func (c *chaos) runAll() {
	c.Logf("%s=%d", seedEnv, c.seed)
	for _, d := range slices.Concat(c.buses, c.agents) {
		d.startAndWait(c.T)
	}
	begin := time.Now()
	c.defineJobs()
	ctx, stop := context.WithCancel(c.Context())
	defer stop()
	var monkey, clients sync.WaitGroup
	monkey.Go(func() { c.playMonkey(ctx) })
	for i := range c.clients {
		clients.Go(func() { c.postAll(i) })
	}
	clients.Wait()
	posted := time.Since(begin)
	stop()
	monkey.Wait()
	now := c.waitAllEnded()
	restarted := c.restartFailed(now)
	if restarted > 0 {
		now = c.waitAllEnded()
	}
	now.checkInvariants(c.T)
	c.reportCounts(now, restarted, posted, time.Since(begin))
}

// mix is the sequence of jobs that clients post.
var mix = []string{line, line, lineElse, two, line, twoElse, line, while, lineElse, whileElse}

func (c *chaos) newClient(first int) *client {
	cl := newClient(c.T, c.buses...)
	cl.turn = first
	return cl
}

func (c *chaos) defineJobs() {
	ctx, cancel := context.WithTimeout(c.Context(), patience)
	defer cancel()
	cl := c.newClient(0)
	if _, err := cl.sendUntilAnswered(ctx, http.MethodPut, "/app/"+app, "", struct{}{}, nil); err != nil {
		c.Fatal(err)
	}
	for _, job := range mix {
		if _, err := cl.sendUntilAnswered(ctx, http.MethodPut, jobPath(job), "", definition(job, c.evidence), nil); err != nil {
			c.Fatal(err)
		}
	}
}

// postAll is the loop of one client. It retries a request with the same key
// until it gets an answer.
func (c *chaos) postAll(number int) {
	cl := c.newClient(number)
	for i := number; i < c.executions; i += c.clients {
		job := mix[i%len(mix)]
		ctx, cancel := context.WithTimeout(c.Context(), 2*patience)
		var made rest.Execution
		tries, err := cl.sendUntilAnswered(ctx, http.MethodPost, jobPath(job)+"/executions", fmt.Sprintf("chaos-%d", i), submission(nil), &made)
		cancel()
		c.tries.Add(int64(tries))
		if err != nil {
			c.Errorf("POST %d: %v", i, err)
			return
		}
		c.addAccepted(made.ExecutionID)
		time.Sleep(c.pace)
	}
}

func (c *chaos) addAccepted(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.accepted = append(c.accepted, id)
}

// playMonkey disturbs processes until ctx ends, each with one trouble at a
// time. When it returns, all processes are running.
func (c *chaos) playMonkey(ctx context.Context) {
	var troubles sync.WaitGroup
	for i, d := range slices.Concat(c.agents, c.buses) {
		r := rand.New(rand.NewPCG(c.seed, uint64(i)))
		troubles.Go(func() {
			isBus := i >= len(c.agents)
			for sleepUnless(ctx, randomBetween(r, 500*time.Millisecond, 6*time.Second)) {
				c.troubleProcess(ctx, r, d, isBus)
			}
		})
	}
	troubles.Wait()
}

// troubleProcess disturbs one process once.
func (c *chaos) troubleProcess(ctx context.Context, r *rand.Rand, d *daemon, isBus bool) {
	what := [...]string{"killed", "killed", "paused", "paused for long", "ended"}[r.IntN(5)]
	if isBus && what == "paused for long" {
		what = "killed" // a bus sends no heartbeat
	}
	c.countTrouble(d, what)
	switch what {
	case "killed":
		d.killAndWait()
		sleepUnless(ctx, randomBetween(r, 0, 2*time.Second))
		d.startAndWait(c.T)
	case "paused", "paused for long":
		d.sendSignal(syscall.SIGSTOP)
		if what == "paused" {
			sleepUnless(ctx, randomBetween(r, 100*time.Millisecond, 3*time.Second))
		} else {
			sleepUnless(ctx, randomBetween(r, silence, silence+2*time.Second))
		}
		d.sendSignal(syscall.SIGCONT)
	case "ended":
		d.sendSignal(syscall.SIGTERM)
		if !d.endedWithin(10 * time.Second) {
			c.Errorf("%s did not end", d.name)
			d.killAndWait()
		}
		d.startAndWait(c.T)
	}
}

func (c *chaos) countTrouble(d *daemon, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.did[map[byte]string{'a': "agent ", 'b': "bus "}[d.name[0]]+what]++
}

// sleepUnless sleeps for d. It returns false if ctx ends first.
func sleepUnless(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func randomBetween(r *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(r.Int64N(int64(to-from)))
}

// waitAllEnded waits until all executions have ended.
func (c *chaos) waitAllEnded() *snapshot {
	for end := time.Now().Add(2 * patience); ; time.Sleep(500 * time.Millisecond) {
		now, err := readSnapshot(c.Context(), c.js, c.evidence)
		if err != nil {
			if time.Now().After(end) {
				c.Fatal(err)
			}
			continue
		}
		open := now.openItems(c.accepted)
		if len(open) == 0 {
			return now
		}
		if time.Now().After(end) {
			c.Errorf("after %v, %d things are open: %s", 2*patience, len(open), strings.Join(open[:min(len(open), 20)], "; "))
			return now
		}
	}
}

// restartFailed restarts each execution of a single-step job that failed
// because its agent was lost.
func (c *chaos) restartFailed(now *snapshot) (restarted int) {
	cl := c.newClient(0)
	for id, r := range now.records {
		if r.BatchStatus != subjects.Failed || r.RestartedBy != 0 {
			continue
		}
		ctx, cancel := context.WithTimeout(c.Context(), patience)
		var made rest.Execution
		_, err := cl.sendUntilAnswered(ctx, http.MethodPut, executionPath(r.Job, id)+"/restart", "", submission(nil), &made)
		cancel()
		var no *refusal
		switch {
		case errors.As(err, &no) && no.code == bus.CodeNotMostRecent:
		case err != nil:
			c.Errorf("restart %d: %v", id, err)
		default:
			c.addAccepted(made.ExecutionID)
			restarted++
		}
	}
	return restarted
}

func (c *chaos) logExecution(now *snapshot, id int64) {
	c.Log(now.describeExecution(id))
}

// reportCounts checks the counts and logs them.
func (c *chaos) reportCounts(now *snapshot, restarted int, posted, all time.Duration) {
	slices.Sort(c.accepted)
	if n := len(slices.Compact(slices.Clone(c.accepted))); n != len(c.accepted) || n != c.executions+restarted {
		c.Errorf("%d executions were accepted, %d of them different, want %d and %d restarts", len(c.accepted), n, c.executions, restarted)
	}
	ends, extra := map[subjects.BatchStatus]int{}, map[int64]bool{}
	attempts, lines, requeued := 0, 0, 0
	for id, r := range now.records {
		if !r.BatchStatus.Ended() {
			continue
		}
		ends[r.BatchStatus]++
		attempts += r.Attempt
		requeued += max(0, r.Attempt-1)
		if _, ok := slices.BinarySearch(c.accepted, id); !ok {
			extra[id] = true
		}
	}
	for _, traces := range now.evidence {
		lines += len(traces)
	}
	n := 0
	for _, v := range ends {
		n += v
	}
	if n != len(c.accepted) || len(extra) > 0 {
		c.Errorf("%d executions have ended, want %d; not accepted: %v", n, len(c.accepted), extra)
	}
	for id, r := range now.records {
		if r.RestartOf != 0 && r.BatchStatus != subjects.Completed { // the monkey had ended
			c.Errorf("the restart %d ended as %s (%s)", id, r.BatchStatus, r.Exception)
			c.logExecution(now, id)
			c.logExecution(now, r.RestartOf)
		}
	}
	reasons := map[string]int{}
	for _, r := range now.records {
		if r.BatchStatus != subjects.Completed {
			reasons[cmp.Or(strings.Split(r.Exception, ":")[0], string(r.BatchStatus))]++
		}
	}
	c.Logf("%d executions and %d restarts by %d requests: %v ended, %d attempts (%d of them after a lost one), %d lines of evidence; posted in %v, all in %v",
		c.executions, restarted, c.tries.Load(), ends, attempts, requeued, lines, posted.Round(time.Second), all.Round(time.Second))
	c.Logf("monkey: %v; not completed: %v", c.did, reasons)
}

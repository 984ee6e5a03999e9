package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// leaveTimeout limits how long an agent may take to leave, in addition to the
// grace periods of its bodies.
const leaveTimeout = 5 * time.Second

// runningAgent is an agent between its connection and its last heartbeat. Its
// parts are in files of their own: heartbeater, puller, outbox, logPublisher,
// resultPublisher.
type runningAgent struct {
	cfg     *Config
	log     *slog.Logger
	id      string
	started time.Time

	nc          *nats.Conn
	ownsConn    bool // the agent opened the connection, and closes it
	results     *resultPublisher
	puller      *puller
	outbox      *outbox
	heartbeater *heartbeater
	logs        *logPublisher

	cancelLogs context.CancelFunc

	mu       sync.Mutex
	attempts map[*attempt]bool
}

// buildParts builds the parts. They know each other only through the
// runningAgent.
func (ra *runningAgent) buildParts() {
	ra.id = nuid.Next()
	ra.results = &resultPublisher{nc: ra.nc}
	ra.logs = &logPublisher{nc: ra.nc, log: ra.log}
	ra.logs.ctx, ra.cancelLogs = context.WithCancel(context.Background())
	ra.outbox.pub, ra.outbox.onRefused = ra.results, ra.logRefusedResult
	ra.heartbeater = newHeartbeater(ra)
	ra.puller = newPuller(ra.nc, ra.cfg)
	ra.puller.handle, ra.puller.lastContact = ra.handleRequest, ra.heartbeater.lastContact
}

// workUntilDone takes the agent's name, runs jobs until ctx ends, and leaves.
func (ra *runningAgent) workUntilDone(ctx context.Context) error {
	defer ra.cancelLogs()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	releaseName, err := ra.claimName(ctx, fail)
	if err != nil {
		return err
	}
	defer releaseName()
	if err := ra.heartbeater.sendFirst(ctx); err != nil {
		return err
	}
	// Heartbeats and kept results have a context of their own, since they go on
	// while bodies end.
	last, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var parts sync.WaitGroup
	defer parts.Wait()
	defer end()
	parts.Go(func() { ra.heartbeater.keepBeating(last) })
	parts.Go(func() { ra.outbox.keepSending(last) })
	parts.Go(func() { ra.watchConnection(last, fail) })
	if err := ra.puller.startPulling(); err != nil {
		return err
	}
	defer ra.puller.unsubscribe()
	ra.log.Info("agent ready", "agent", ra.cfg.Name, "apps", ra.cfg.Apps, "pools", ra.cfg.Pools, "slots", ra.cfg.Slots, "nats", ra.nc.ConnectedUrlRedacted())
	ra.puller.keepPulling(ctx)
	err = ra.finishAttempts()
	end()
	parts.Wait()
	ra.signOff(ctx)
	if cause := failureCause(ctx); cause != nil {
		return cause
	}
	return err
}

// failureCause returns why the agent ended ctx itself, or nil if the caller of
// Run did.
func failureCause(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return nil
}

// finishAttempts waits DrainGrace for the running attempts, then stops them.
func (ra *runningAgent) finishAttempts() error {
	ra.heartbeater.setStatus(subjects.AgentLeaving)
	done := make(chan struct{})
	go func() {
		ra.puller.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-time.After(ra.cfg.DrainGrace):
	}
	ra.interruptAll(ErrLeaving)
	select {
	case <-done:
		return nil
	case <-time.After(ra.cfg.Grace + leaveTimeout):
	}
	// This also ends attempts that wait for an answer of the broker.
	ra.interruptAll(ErrContact)
	select {
	case <-done:
		return nil
	case <-time.After(leaveTimeout):
	}
	return fmt.Errorf("%w: executions %v", ErrStuck, ra.attemptNames())
}

// signOff tries a last time to store lines and kept results. Then it sends the
// last heartbeat, unless another agent has taken the name over.
func (ra *runningAgent) signOff(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outputTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, ra.cancelLogs)
	ra.outbox.sendAll(ctx)
	ra.logs.workers.Wait() // cancelLogs ends them at the latest
	stop()
	if names := ra.outbox.attemptNames(); len(names) > 0 {
		ra.log.Warn("some results are not stored", "count", len(names), "data_dir", ra.cfg.DataDir)
	}
	if !ra.heartbeater.isReplaced() {
		ra.heartbeater.sendLast()
	}
}

func (ra *runningAgent) addAttempt(a *attempt) {
	ra.mu.Lock()
	defer ra.mu.Unlock()
	ra.attempts[a] = true
}

func (ra *runningAgent) removeAttempt(a *attempt) {
	ra.mu.Lock()
	defer ra.mu.Unlock()
	delete(ra.attempts, a)
}

// findAttempts returns the attempts with this number of an execution. There are
// several only while a request that was delivered twice is being claimed.
func (ra *runningAgent) findAttempts(id int64, number int) []*attempt {
	ra.mu.Lock()
	defer ra.mu.Unlock()
	var found []*attempt
	for a := range ra.attempts {
		if a.name.ID == id && a.name.Attempt == number {
			found = append(found, a)
		}
	}
	return found
}

// attemptNames returns the attempts of this agent, each once: those that run,
// and those whose request was fetched but not claimed yet.
func (ra *runningAgent) attemptNames() []subjects.Attempt {
	ra.mu.Lock()
	defer ra.mu.Unlock()
	names := make([]subjects.Attempt, 0, len(ra.attempts))
	seen := make(map[subjects.Attempt]bool, len(ra.attempts))
	for a := range ra.attempts {
		if !seen[a.name] {
			seen[a.name] = true
			names = append(names, a.name)
		}
	}
	return names
}

// interruptAll interrupts all attempts.
func (ra *runningAgent) interruptAll(cause error) {
	ra.interruptWhere(cause, func(*subjects.Execution) bool { return true })
}

// interruptTransferable interrupts the attempts whose work may begin elsewhere
// without a person: the bus requests another attempt, or it frees the lock of
// an exclusive job. All others go on. If the bus counts them as lost meanwhile,
// it answers the first heartbeat after the break with a drop.
func (ra *runningAgent) interruptTransferable(cause error) {
	ra.interruptWhere(cause, func(e *subjects.Execution) bool { return e.OnAgentLost == subjects.LostRequeue || e.Exclusive })
}

func (ra *runningAgent) interruptWhere(cause error, which func(*subjects.Execution) bool) {
	ra.mu.Lock()
	all := make([]*attempt, 0, len(ra.attempts))
	for a := range ra.attempts {
		if which(&a.request.Execution) {
			all = append(all, a)
		}
	}
	ra.mu.Unlock()
	for _, a := range all {
		a.interrupt(cause)
	}
}

// newLogSink creates the sink for an attempt's output.
func (ra *runningAgent) newLogSink(n subjects.Attempt) *LogSink {
	return &LogSink{
		publisher: ra.logs, subject: subjects.LogSubject(n.App, n.Job, n.ID, ra.cfg.Name), attempt: n.Attempt, id: nuid.Next(), patience: maxPatience,
	}
}

// logRefusedResult writes a kept result that the broker has refused to the log
// of its execution.
func (ra *runningAgent) logRefusedResult(k *keptResult) {
	ra.log.Warn("kept result refused, not retrying", "app", k.App, "job", k.Job, "execution", k.ID, "attempt", k.Attempt.Attempt, "err", ErrFenced)
	s := ra.newLogSink(k.Attempt)
	s.agentLine("warn", fmt.Sprintf("attempt %d on %s: %v; its outcome was %.4000s", k.Attempt.Attempt, ra.cfg.Name, ErrFenced, k.Result.Data))
	s.closeAndWait(0)
}

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

// leaveTimeout is how long the end of a life may take, beside the graces of its
// bodies.
const leaveTimeout = 5 * time.Second

// life is one run of an agent, from its connection to its last heartbeat.
type life struct {
	cfg     *Config
	log     *slog.Logger
	id      string
	started time.Time

	nc     *nats.Conn
	ours   bool // we made the connection
	pub    *publisher
	puller *puller
	outbox *outbox
	heart  *heart
	ship   *shipper

	endShipping context.CancelFunc

	mu       sync.Mutex
	attempts map[*attempt]bool
}

// prepare makes the parts, which know each other through the life only.
func (l *life) prepare() {
	l.id = nuid.Next()
	l.pub = &publisher{nc: l.nc}
	l.ship = &shipper{nc: l.nc, log: l.log}
	l.ship.ctx, l.endShipping = context.WithCancel(context.Background())
	l.outbox.pub, l.outbox.refused = l.pub, l.lateRefusal
	l.heart = newHeart(l)
	l.puller = newPuller(l.nc, l.cfg)
	l.puller.handle, l.puller.known = l.handle, l.heart.lastBeat
}

// live takes the name, works until ctx ends, and leaves.
func (l *life) live(ctx context.Context) error {
	defer l.endShipping()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	leave, err := l.takeName(ctx, fail)
	if err != nil {
		return err
	}
	defer leave()
	if err := l.heart.first(ctx); err != nil {
		return err
	}
	// What ends last is on a context of its own: heartbeats and kept results go
	// on while bodies end.
	last, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var parts sync.WaitGroup
	defer parts.Wait()
	defer end()
	parts.Go(func() { l.heart.run(last) })
	parts.Go(func() { l.outbox.run(last) })
	parts.Go(func() { l.watch(last, fail) })
	if err := l.puller.start(); err != nil {
		return err
	}
	defer l.puller.stop()
	l.log.Info("agent ready", "agent", l.cfg.Name, "apps", l.cfg.Apps, "pools", l.cfg.Pools, "slots", l.cfg.Slots, "nats", l.nc.ConnectedUrlRedacted())
	l.puller.run(ctx)
	err = l.leave()
	end()
	parts.Wait()
	l.goodbye(ctx)
	if cause := why(ctx); cause != nil {
		return cause
	}
	return err
}

// why is what ended the life, if it was not its owner.
func why(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return nil
}

// leave ends what runs: by itself at first, then by a stop.
func (l *life) leave() error {
	l.heart.setStatus(subjects.AgentLeaving)
	done := make(chan struct{})
	go func() {
		l.puller.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-time.After(l.cfg.DrainGrace):
	}
	l.endAll(ErrLeaving)
	select {
	case <-done:
		return nil
	case <-time.After(l.cfg.Grace + leaveTimeout):
	}
	l.endAll(ErrContact) // whoever waits for the broker gives up
	select {
	case <-done:
		return nil
	case <-time.After(leaveTimeout):
	}
	return fmt.Errorf("%w: executions %v", ErrStuck, l.running())
}

// goodbye gives lines and kept results a last chance and says that the agent is
// gone. A name that somebody else has taken over is not gone.
func (l *life) goodbye(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), linesTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, l.endShipping)
	l.outbox.sendAll(ctx)
	l.ship.workers.Wait() // they end with endShipping at the latest
	stop()
	if kept := l.outbox.attempts(); len(kept) > 0 {
		l.log.Warn("results not stored yet", "count", len(kept), "data_dir", l.cfg.DataDir)
	}
	if !l.heart.replaced() {
		l.heart.gone()
	}
}

func (l *life) register(a *attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempts[a] = true
}

func (l *life) unregister(a *attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.attempts, a)
}

// find returns the handlings of an attempt that are here: one, or more while a
// request that came twice is judged.
func (l *life) find(id int64, number int) []*attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []*attempt
	for a := range l.attempts {
		if a.name.ID == id && a.name.Attempt == number {
			found = append(found, a)
		}
	}
	return found
}

// running names what is here, fetched or running, each once.
func (l *life) running() []subjects.Attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := make([]subjects.Attempt, 0, len(l.attempts))
	seen := make(map[subjects.Attempt]bool, len(l.attempts))
	for a := range l.attempts {
		if !seen[a.name] {
			seen[a.name] = true
			names = append(names, a.name)
		}
	}
	return names
}

// endAll ends all bodies.
func (l *life) endAll(cause error) {
	l.endSome(cause, func(*subjects.Execution) bool { return true })
}

// endTransferable ends the bodies of executions whose work may begin elsewhere
// without a person: a further attempt is requested, or the lock of an exclusive
// job is freed. All others go on: should they be held for lost meanwhile, the
// heartbeat after the break is answered by drop.
func (l *life) endTransferable(cause error) {
	l.endSome(cause, func(e *subjects.Execution) bool { return e.OnAgentLost == subjects.LostRequeue || e.Exclusive })
}

func (l *life) endSome(cause error, which func(*subjects.Execution) bool) {
	l.mu.Lock()
	all := make([]*attempt, 0, len(l.attempts))
	for a := range l.attempts {
		if which(&a.request.Execution) {
			all = append(all, a)
		}
	}
	l.mu.Unlock()
	for _, a := range all {
		a.end(cause)
	}
}

// newSink makes the sink for the output of an attempt.
func (l *life) newSink(n subjects.Attempt) *LogSink {
	return &LogSink{
		ship: l.ship, subject: subjects.LogSubject(n.App, n.Job, n.ID, l.cfg.Name), attempt: n.Attempt, id: nuid.Next(), patience: patience,
	}
}

// lateRefusal keeps what a refused result knew as a line of output.
func (l *life) lateRefusal(k *kept) {
	l.log.Warn("kept result given up", "app", k.App, "job", k.Job, "execution", k.ID, "attempt", k.Attempt.Attempt, "err", ErrFenced)
	s := l.newSink(k.Attempt)
	s.agent("warn", fmt.Sprintf("attempt %d on %s: %v; here it was %.4000s", k.Attempt.Attempt, l.cfg.Name, ErrFenced, k.Record.Data))
	s.close(0)
}

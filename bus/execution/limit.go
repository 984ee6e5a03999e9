package execution

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// A limiter grants limits to executions of this bus, and of others:
//
//	Submit --record--> executions             the queue is what records say
//	  round: free what has ended, grant what is free --compare-and-set--> ledger
//	granted --request--> work queue
//
// The ledger is one key, so an execution gets all of its limits or none, and no
// two buses give the same unit away. One round is in flight at a time, and rounds
// keep a distance while nobody waits; what arrives meanwhile goes into the next,
// so many executions share a write. An execution is requested only after the
// ledger shows that it holds its limits, and they are freed only after its record
// shows its end, which RESULTS has decided. If a bus dies between the ledger and
// the request, the recoverer requests the execution. If it dies before it frees
// an ended one, freeEnded does.
type limiter struct {
	s *Service

	mu       sync.Mutex
	busy     bool // a round is in flight
	again    bool // another one is to follow
	ended    map[int64]bus.Needs
	waiters  map[int64][]chan bool // submissions that wait for a round
	expected map[int64]bool        // submissions that have not asked yet
	delayed  bool                  // a round is to follow within freeDelay
}

const (
	// limitTick is how often a bus looks whether it can grant a limit that
	// another bus has freed.
	limitTick = time.Second
	// freeDelay is how long limits of ended executions may stay held while nobody
	// waits for any, so that the next round that grants something frees them too.
	freeDelay = 20 * time.Millisecond
	// roundEvery is the time from one round to the next while all get what they
	// need. More executions then share a write.
	roundEvery = 3 * time.Millisecond
	// limitRetry is the delay after a round that could not write.
	limitRetry = 200 * time.Millisecond
)

func newLimiter(s *Service) *limiter {
	return &limiter{s: s, ended: map[int64]bus.Needs{}, waiters: map[int64][]chan bool{}, expected: map[int64]bool{}}
}

// expect tells that a submission is going to acquire the limits of rec. Until
// forget, a round that grants them does not request the execution.
func (l *limiter) expect(rec *bus.Execution) {
	if rec.Limits == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expected[rec.ID] = true
}

// forget ends expect.
func (l *limiter) forget(rec *bus.Execution) {
	if rec.Limits == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.expected, rec.ID)
}

// run looks for limits that can be granted until ctx ends.
func (l *limiter) run(ctx context.Context) error {
	tick := time.NewTicker(limitTick)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if l.s.x.HasLimitWaiters() {
				l.startRound()
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// acquire returns true if rec, whose record is written, holds its limits. If it
// returns false, rec waits, and the limiter requests it later.
func (l *limiter) acquire(ctx context.Context, rec *bus.Execution) bool {
	done := make(chan bool, 1)
	l.mu.Lock()
	l.waiters[rec.ID] = append(l.waiters[rec.ID], done)
	l.mu.Unlock()
	if l.s.x.HoldsLimits(rec.Limits, rec.ID) { // a round came before
		return true
	}
	l.startRound()
	select {
	case granted := <-done:
		return granted
	case <-ctx.Done():
	case <-time.After(bus.AckTimeout):
	}
	return false // the recoverer requests it, if it gets its limits
}

// free frees the limits of an execution whose record shows its end.
func (l *limiter) free(e *bus.Execution) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended[e.ID] = e.Limits
	switch {
	case l.s.x.HasLimitWaiters():
		l.startLocked()
	case !l.delayed:
		l.delayed = true
		time.AfterFunc(freeDelay, l.startRound)
	}
}

// startRound starts a round, or another one after the present one.
func (l *limiter) startRound() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.startLocked()
}

func (l *limiter) startLocked() {
	if l.busy {
		l.again = true
		return
	}
	l.busy = true
	go l.runRounds()
}

func (l *limiter) runRounds() {
	for {
		start := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 2*bus.AckTimeout)
		pause, err := l.runRound(ctx)
		cancel()
		if err != nil && !l.s.b.NC.IsClosed() {
			l.s.b.Log.Warn("limits not written, retrying", "err", err)
			time.AfterFunc(limitRetry, l.startRound)
		}
		if pause {
			time.Sleep(time.Until(start.Add(roundEvery)))
		}
		l.mu.Lock()
		if !l.again || err != nil {
			l.busy, l.again = false, false
			l.mu.Unlock()
			return
		}
		l.again = false
		l.mu.Unlock()
	}
}

// takeWork takes the executions to free, and the submissions that wait for this
// round.
func (l *limiter) takeWork() (ended map[int64]bus.Needs, waiters map[int64][]chan bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ended, waiters, l.delayed = l.ended, l.waiters, false
	l.ended, l.waiters = map[int64]bus.Needs{}, map[int64][]chan bool{}
	return ended, waiters
}

// returnWork takes back what takeWork returned, after a failure.
func (l *limiter) returnWork(ended map[int64]bus.Needs, waiters map[int64][]chan bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, needs := range ended {
		l.ended[id] = needs
	}
	for id, done := range waiters {
		l.waiters[id] = append(l.waiters[id], done...)
	}
}

// runRound frees the limits of executions that have ended, and grants what is
// free, by one write. pause reports whether the next round should come no sooner
// than roundEvery: several executions came at the same time, and all got what
// they need. One after the other, they do not wait for each other.
func (l *limiter) runRound(ctx context.Context) (pause bool, err error) {
	ended, waiters := l.takeWork()
	ledger, rev := l.s.x.Ledger()
	var granted []int64
	for {
		next := ledger.Clone()
		changed := false
		for id, needs := range ended {
			changed = next.Free(needs, id) || changed
		}
		var scarce bool
		granted, scarce = l.s.x.GrantLimits(next)
		if !changed && len(granted) == 0 {
			break
		}
		_, err := l.write(ctx, next, rev)
		if err == nil {
			ledger, pause = *next, !scarce && len(granted) > 1
			break
		}
		if !errors.Is(err, bus.ErrChanged) {
			l.returnWork(ended, waiters)
			return false, err
		}
		if ledger, rev, err = l.read(ctx); err != nil {
			l.returnWork(ended, waiters)
			return false, err
		}
	}
	l.s.x.DropGranted(granted)
	l.answer(ledger, granted, waiters)
	return pause, nil
}

// write writes the ledger by compare-and-set.
func (l *limiter) write(ctx context.Context, next *bus.Ledger, rev uint64) (uint64, error) {
	var written uint64
	var err error
	if rev == 0 {
		written, err = l.s.b.Ledger.Create(ctx, bus.LedgerKey, *next)
		if errors.Is(err, bus.ErrExists) {
			err = bus.ErrChanged
		}
	} else {
		written, err = l.s.b.Ledger.Update(ctx, bus.LedgerKey, *next, rev)
	}
	if err == nil {
		l.s.x.PutLedger(next, written)
	}
	return written, err
}

// read reads the ledger from the leader.
func (l *limiter) read(ctx context.Context) (bus.Ledger, uint64, error) {
	e, err := l.s.b.Ledger.Get(ctx, bus.LedgerKey)
	if errors.Is(err, bus.ErrNotFound) {
		return bus.Ledger{}, 0, nil
	}
	if err != nil {
		return bus.Ledger{}, 0, err
	}
	l.s.x.PutLedger(&e.Value, e.Revision)
	return e.Value, e.Revision, nil
}

// answer tells submissions whether they hold their limits, and requests the
// granted executions that nobody here waits for.
func (l *limiter) answer(ledger bus.Ledger, granted []int64, waiters map[int64][]chan bool) {
	held := map[int64]bool{}
	var others []int64
	l.mu.Lock()
	for _, id := range granted {
		held[id] = true
		if waiters[id] == nil && l.waiters[id] == nil && !l.expected[id] {
			others = append(others, id)
		}
	}
	l.mu.Unlock()
	for id, done := range waiters {
		if !held[id] { // perhaps in an earlier round
			for needs := range ledger.Held {
				held[id] = held[id] || ledger.Holds(needs, id)
			}
		}
		for _, d := range done {
			d <- held[id]
		}
	}
	if len(others) > 0 {
		go l.requestGranted(others)
	}
}

// requestGranted requests executions that hold their limits now. What fails is
// left to the recoverer.
func (l *limiter) requestGranted(ids []int64) {
	ctx, cancel := context.WithTimeout(context.Background(), maxStep)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(maxParallel)
	for _, id := range ids {
		g.Go(func() error {
			if err := l.requestOne(ctx, id); err != nil {
				l.s.b.Log.Warn("execution that got its limits not requested, the recoverer retries", "execution", id, "err", err)
			}
			return nil
		})
	}
	_ = g.Wait() // no function returns an error
}

func (l *limiter) requestOne(ctx context.Context, id int64) error {
	start := time.Now()
	sum, ok := l.s.x.Find(id)
	if !ok {
		return nil
	}
	e, err := l.s.Get(ctx, sum.App, sum.Job, id)
	switch {
	case bus.HasCode(err, bus.CodeNoSuchExecution):
		return nil
	case err != nil:
		return err
	case e.BatchStatus.Ended():
		l.free(e) // it was granted after its end
		return nil
	case e.StopRequest != "" || e.LastSequence > 0:
		return nil
	}
	if err := l.s.b.EnsurePool(ctx, e.App, e.Pool); err != nil {
		return err
	}
	if err := checkStepTime(start); err != nil {
		return err
	}
	err = <-l.s.requestAttempt(e, 1, 0)
	if errors.Is(err, bus.ErrChanged) { // it is queued already
		return nil
	}
	return err
}

// freeEnded frees the limits of executions that have ended, or are gone, whose
// bus died before it could.
func (l *limiter) freeEnded(ctx context.Context) error {
	ledger, _, err := l.read(ctx)
	if err != nil {
		return err
	}
	for needs, ids := range ledger.Held {
		for id := range ids.All() {
			over, err := l.isOver(ctx, id)
			if err != nil {
				return err
			}
			if over {
				l.free(&bus.Execution{Execution: subjects.Execution{ID: id}, Limits: needs})
			}
		}
	}
	return nil
}

// isOver reports whether an execution has ended or was removed. Its record was
// written before it got its limits.
func (l *limiter) isOver(ctx context.Context, id int64) (bool, error) {
	if sum, ok := l.s.x.Find(id); ok {
		return sum.BatchStatus.Ended(), nil
	}
	found, err := l.s.b.Executions.List(ctx, bus.ExecutionKey("*", "*", id))
	if err != nil {
		return false, err
	}
	return len(found) == 0 || found[0].Value.BatchStatus.Ended(), nil
}

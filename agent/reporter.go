package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// publishDelay is how long a change waits for more changes before it is
// published.
const publishDelay = 20 * time.Millisecond

// Limits, so that a long text cannot prevent the end of an attempt from being
// stored. In bytes.
const (
	maxData   = 256 << 10 // persistent data of a step
	maxText   = 4 << 10   // an exception, an exit status
	maxResult = 900 << 10 // a whole result; the broker's default limit is 1 MiB
)

var errEnded = errors.New("the attempt has ended")

// Reporter publishes the steps of one attempt as a chain of results, each of
// which expects the one before it. It is safe for concurrent use.
type Reporter struct {
	pub      *resultPublisher
	ctx      context.Context // ends when the attempt must not publish any more
	onFenced func(error)     // called when the broker has refused a result
	subject  string
	filter   string
	base     subjects.Result // the fields that all results of the attempt share

	droppedBefore int64 // lines of output that earlier attempts lost

	changesCtx    context.Context // of results that are not the end; ends with ctx or earlier
	cancelChanges context.CancelFunc

	turn       chan struct{} // a lock: results are sent one at a time, and waiting for it needs no mu
	isStopping atomic.Bool
	isEnding   atomic.Bool // the body has returned: its end publishes the remaining changes

	// The holder of turn changes these.
	seq           uint64 // of the last result that is known to be stored
	inDoubt       bool   // another result may have been stored after seq
	number        int
	stopAnnounced bool // a result has said that the execution is stopping
	closed        bool

	mu      sync.Mutex // never held during a call to the broker
	pending []change
	timer   *time.Timer
}

// change is the state of a step that is not known to be stored.
type change struct {
	subjects.StepExecution
	version int // grows with each change of the step
}

func newReporter(pub *resultPublisher, ctx context.Context, onFenced func(error), base subjects.Result) *Reporter {
	changesCtx, cancelChanges := context.WithCancel(ctx)
	return &Reporter{
		pub: pub, ctx: ctx, onFenced: onFenced, base: base,
		changesCtx: changesCtx, cancelChanges: cancelChanges,
		subject: subjects.ResultSubject(base.App, base.Job, base.ID, base.Agent),
		filter:  subjects.ResultFilter(base.App, base.Job, base.ID),
		number:  1, // of the claim
		turn:    make(chan struct{}, 1),
	}
}

// StepStarted reports that a step begins. When it returns, the end of the step
// before is stored. The start itself is published if the step still runs 20 ms
// later. If StepStarted returns an error, the attempt is over and the step must
// not begin.
func (r *Reporter) StepStarted(s subjects.StepExecution) error {
	if r.addChange(s) {
		return r.publishNow()
	}
	r.publishSoon()
	return r.endError()
}

// StepEnded reports how a step ended. The end is published with the next
// result: the start of the next step, or the end of the attempt.
func (r *Reporter) StepEnded(s subjects.StepExecution) {
	r.addChange(s)
	r.publishSoon()
}

// Save stores a change within a step, such as a checkpoint. If it returns an
// error, the change is not known to be stored.
func (r *Reporter) Save(s subjects.StepExecution) error {
	if n := len(s.PersistentData); n > maxData {
		return fmt.Errorf("persistent data of %d bytes: want at most %d", n, maxData)
	}
	r.addChange(s)
	return r.publishNow()
}

// announceStop makes the following results say that the execution is being
// stopped. If nothing else is published soon, a result for that alone is. It
// does not block.
func (r *Reporter) announceStop() {
	if !r.isStopping.Swap(true) {
		time.AfterFunc(publishDelay, r.publishDelayed)
	}
}

// addChange keeps the newest state of a step, and reports whether the end of
// any step is not stored yet.
func (r *Reporter) addChange(s subjects.StepExecution) (ended bool) {
	s.Exception, s.ExitStatus = shortenText(s.Exception), shortenText(s.ExitStatus)
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.pending, func(c change) bool { return c.ID == s.ID })
	if i < 0 {
		r.pending = append(r.pending, change{s, 0})
	} else {
		r.pending[i] = change{s, r.pending[i].version + 1}
	}
	return slices.ContainsFunc(r.pending, func(c change) bool { return c.BatchStatus.Ended() })
}

// publishSoon publishes the pending changes after publishDelay, unless another
// result includes them earlier.
func (r *Reporter) publishSoon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer == nil {
		r.timer = time.AfterFunc(publishDelay, r.publishDelayed)
	} else {
		r.timer.Reset(publishDelay)
	}
}

// startChain starts the chain of results with the sequence of the claim. A stop
// that came before the claim was stored is announced now.
func (r *Reporter) startChain(seq uint64) {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	r.seq = seq
	if r.isStopping.Load() {
		r.publishSoon()
	}
}

func (r *Reporter) publishDelayed() {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	if r.seq > 0 && !r.closed && !r.isEnding.Load() && (len(r.pendingChanges()) > 0 || r.isStopping.Load() && !r.stopAnnounced) {
		_ = r.publishChanges() // the next call returns the cause, by endError
	}
}

func (r *Reporter) endError() error {
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	return nil
}

// publishNow publishes the pending changes before it returns.
func (r *Reporter) publishNow() error {
	r.turn <- struct{}{} // its holder gives it back when ctx ends
	defer func() { <-r.turn }()
	if r.closed {
		return errEnded
	}
	return r.publishChanges()
}

// publishChanges stores the pending changes. The caller holds turn.
func (r *Reporter) publishChanges() error {
	if err := r.endError(); err != nil {
		return err
	}
	res := r.base
	if r.isStopping.Load() {
		res.BatchStatus, r.stopAnnounced = subjects.Stopping, true
	}
	sent := r.pendingChanges()
	rec := r.nextResult(res, sent)
	seq, err := r.pub.storeResult(r.changesCtx, rec)
	switch {
	case err == nil:
		r.seq, r.inDoubt = seq, false
		r.removeStored(sent)
		return nil
	case errors.Is(err, errRefused):
		r.onFenced(ErrFenced)
		return ErrFenced
	}
	r.seq, r.inDoubt = rec.Expect, true
	return err
}

// pendingChanges returns the changes that are not known to be stored.
func (r *Reporter) pendingChanges() []change {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.pending)
}

// removeStored removes changes that were stored, except for steps that have
// changed since.
func (r *Reporter) removeStored(stored []change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending = slices.DeleteFunc(r.pending, func(c change) bool {
		return slices.ContainsFunc(stored, func(s change) bool { return s.ID == c.ID && s.version == c.version })
	})
}

// nextResult builds the next result of the chain.
func (r *Reporter) nextResult(res subjects.Result, news []change) *pendingResult {
	r.number++
	res.Number, res.Time = r.number, subjects.Now()
	for _, c := range news {
		res.Steps = append(res.Steps, c.StepExecution)
	}
	data, err := json.Marshal(&res)
	if err != nil || len(data) > maxResult {
		// Only the steps' persistent data can be invalid or too long. Without
		// it the attempt can still end.
		for i := range res.Steps {
			res.Steps[i].PersistentData = nil
		}
		data, _ = json.Marshal(&res)
	}
	return &pendingResult{Subject: r.subject, Filter: r.filter, Expect: r.seq, Handling: res.Handling, Number: res.Number, Data: data, inDoubt: r.inDoubt}
}

// closeWithEnd closes the reporter and returns the terminal result. dropped is
// the number of lines of output that this attempt lost. A change that is being
// sent gets endTimeout to be stored: while the broker is away, it would
// otherwise keep the end out of the outbox.
func (r *Reporter) closeWithEnd(o Outcome, dropped int) *pendingResult {
	giveUp := time.AfterFunc(endTimeout, r.cancelChanges)
	defer giveUp.Stop()
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	r.markClosed()
	res := r.base
	res.BatchStatus, res.RestartPosition = o.BatchStatus, o.RestartPosition
	res.ExitStatus, res.Exception = shortenText(o.ExitStatus), shortenText(o.Exception)
	res.LogDropped = r.droppedBefore + int64(dropped)
	return r.nextResult(res, r.pendingChanges())
}

// closeWithoutEnd closes the reporter without a terminal result. It tries to
// store the pending changes first.
func (r *Reporter) closeWithoutEnd() {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	if !r.closed && len(r.pendingChanges()) > 0 {
		_ = r.publishChanges() // if this fails, the next attempt knows less of what this one did
	}
	r.markClosed()
}

func (r *Reporter) markClosed() {
	r.closed = true
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer != nil {
		r.timer.Stop()
	}
}

// shortenText returns text as valid UTF-8 of at most about maxText bytes.
func shortenText(text string) string {
	if len(text) > maxText {
		text = text[:runeStart(text, maxText-len(ellipsis))] + ellipsis
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

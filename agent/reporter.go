package agent

import (
	"context"
	"errors"
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
	maxText = 4 << 10 // an exception, an exit status
	// resultRoom is what a result needs besides the data of steps: its headers,
	// its texts and those of one step, each of which JSON may escape.
	resultRoom = 64 << 10
	// defaultPayload is the broker's default limit of a message.
	defaultPayload = 1 << 20
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
	secrets  *Secrets        // are replaced in all texts

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
	live    map[int64]subjects.StepExecution // the newest state of each step that runs
	stored  map[dataKey]subjects.StepData    // what the results so far have said
	lost    map[int64]error                  // why changes of a step cannot be stored, by its id
	timer   *time.Timer
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
		live:    map[int64]subjects.StepExecution{}, stored: map[dataKey]subjects.StepData{}, lost: map[int64]error{},
	}
}

// StepStarted reports that a step begins. When it returns, the ends of all
// steps before are stored. The start itself is published if the step still runs
// 20 ms later. If StepStarted returns an error, the attempt is over and the step
// must not begin.
func (r *Reporter) StepStarted(s subjects.StepExecution) error {
	if err := r.checkStep(&s); err != nil {
		return err
	}
	if r.addChange(s) {
		return r.publishNow(s.ID)
	}
	r.publishSoon()
	return r.endError()
}

// CheckStep returns why the data of a step cannot be stored: it is too large, no
// JSON, or holds a secret.
func (r *Reporter) CheckStep(s *subjects.StepExecution) error { return r.checkStep(s) }

// StepEnded reports how a step ended. The end is published with the next
// result: the start of the next step, or the end of the attempt. Data that
// CheckStep refuses is left out: the step must be able to end.
func (r *Reporter) StepEnded(s subjects.StepExecution) {
	if r.checkStep(&s) != nil {
		s.StepData = subjects.StepData{}
		for i := range s.Partitions {
			s.Partitions[i].StepData = subjects.StepData{}
		}
	}
	r.addChange(s)
	r.publishSoon()
}

// Save stores a change within a step, such as a checkpoint. s is the whole step,
// with those of its partitions that changed. Its data must not be changed later.
// If Save returns an error, the change is not known to be stored.
func (r *Reporter) Save(s subjects.StepExecution) error {
	if err := r.checkStep(&s); err != nil {
		return err
	}
	r.addChange(s)
	return r.publishNow(s.ID)
}

// SavePartition stores a change of one partition of the step with an id, which
// has been reported before. Unlike Save it leaves the step as the last call
// reported it, so each partition may report itself from its own goroutine.
// Changes of several partitions share a result.
func (r *Reporter) SavePartition(stepID int64, p subjects.Partition) error {
	if err := r.addPartition(stepID, p); err != nil {
		return err
	}
	return r.publishNow(stepID)
}

// PartitionChanged reports a change of one partition of a step. It is published
// with the next result, within 20 ms.
func (r *Reporter) PartitionChanged(stepID int64, p subjects.Partition) error {
	if err := r.addPartition(stepID, p); err != nil {
		return err
	}
	r.publishSoon()
	return r.endError()
}

// announceStop makes the following results say that the execution is being
// stopped. If nothing else is published soon, a result for that alone is. It
// does not block.
func (r *Reporter) announceStop() {
	if !r.isStopping.Swap(true) {
		time.AfterFunc(publishDelay, r.publishDelayed)
	}
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
	if r.seq > 0 && !r.closed && !r.isEnding.Load() && r.hasNews() {
		_ = r.publishChanges() // the next call returns the cause, by endError
	}
}

func (r *Reporter) endError() error {
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	return nil
}

// hasNews reports whether there is something to publish. The caller holds turn.
func (r *Reporter) hasNews() bool {
	return len(r.pendingChanges()) > 0 || r.isStopping.Load() && !r.stopAnnounced
}

// publishNow publishes the pending changes before it returns. The error is that
// of the step with an id if it cannot be stored.
func (r *Reporter) publishNow(stepID int64) error {
	r.turn <- struct{}{} // its holder gives it back when ctx ends
	defer func() { <-r.turn }()
	if r.closed {
		return errEnded
	}
	if err := r.publishChanges(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.lost[stepID]
	delete(r.lost, stepID)
	return err
}

// publishChanges stores the pending changes, in several results if one would be
// too large. The caller holds turn.
func (r *Reporter) publishChanges() error {
	if err := r.endError(); err != nil {
		return err
	}
	// Another caller may have stored all of them in its own result.
	for rest := r.pendingChanges(); len(rest) > 0 || r.isStopping.Load() && !r.stopAnnounced; {
		var sent []change
		if sent, rest = r.takeFitting(rest); sent == nil {
			rest = nil
		}
		if err := r.publishResult(sent); err != nil {
			return err
		}
	}
	return nil
}

// publishResult stores one result with some changes. The caller holds turn.
func (r *Reporter) publishResult(sent []change) error {
	res := r.base
	if r.isStopping.Load() {
		res.BatchStatus, r.stopAnnounced = subjects.Stopping, true
	}
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
	case errors.Is(err, errTooLarge):
		r.dropData(sent, err)
		return nil
	}
	r.seq, r.inDoubt = rec.Expect, true
	return err
}

// nextResult builds the next result of the chain.
func (r *Reporter) nextResult(res subjects.Result, news []change) *pendingResult {
	r.number++
	res.Number, res.Time = r.number, subjects.Now()
	for i := range news {
		res.Steps = append(res.Steps, r.stepOf(&news[i]))
	}
	data, err := encodeResult(&res)
	if err != nil { // the data of steps was checked
		removeData(res.Steps)
		data, _ = encodeResult(&res)
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
	last := r.publishAllButLast()
	r.markClosed()
	res := r.base
	res.BatchStatus, res.RestartPosition = o.BatchStatus, o.RestartPosition
	res.ExitStatus, res.Exception = r.printable(o.ExitStatus), r.printable(o.Exception)
	res.LogDropped = r.droppedBefore + int64(dropped)
	return r.nextResult(res, last)
}

// publishAllButLast returns the changes for the terminal result, and publishes
// those before it that do not fit in. If they cannot be published, the terminal
// result has all changes without their data. The caller holds turn.
func (r *Reporter) publishAllButLast() []change {
	for rest := r.pendingChanges(); ; {
		var sent []change
		if sent, rest = r.takeFitting(rest); len(rest) == 0 {
			return sent
		}
		if r.closed || r.endError() != nil || r.publishResult(sent) != nil {
			all := r.pendingChanges()
			for i := range all {
				all[i].removeData()
			}
			return all
		}
	}
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

// printable returns a text without secrets, and not too long. It cuts last: a
// part of a secret would not be found.
func (r *Reporter) printable(text string) string { return shortenText(r.secrets.Redact(text)) }

// shortenText returns text as valid UTF-8 of at most about maxText bytes.
func shortenText(text string) string {
	if len(text) > maxText {
		text = text[:runeStart(text, maxText-len(ellipsis))] + ellipsis
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

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

// lazily is how long a change waits for company before it is published by
// itself.
const lazily = 20 * time.Millisecond

// What may be long must not keep the end of an attempt from being stored.
const (
	maxData   = 256 << 10 // persistent data of a step
	maxText   = 4 << 10   // an exception, an exit status
	maxResult = 900 << 10 // a result: less than the broker's default of 1 MiB
)

var errEnded = errors.New("the attempt has ended")

// Reporter publishes what happens to the steps of one attempt: a chain of
// results, each expecting the one before. It is used by one goroutine of the
// runtime, or by several.
type Reporter struct {
	pub     *publisher
	ctx     context.Context // ends when nothing may be published any more
	fence   func(error)     // the broker refused a result
	subject string
	filter  string
	base    subjects.Result // what all results of the attempt have in common

	droppedBefore int64 // lines of output that earlier attempts lost

	turn       chan struct{} // holds one while a result is on its way: they leave one after another
	isStopping atomic.Bool
	isEnding   atomic.Bool // the body is done: what is left goes with the end

	// Whoever has the turn changes these.
	seq    uint64 // of the last result that was stored
	doubt  bool   // one may have been stored besides
	number int
	saidSo bool // that it is being stopped
	closed bool

	mu    sync.Mutex // never held while anything waits
	news  []change
	timer *time.Timer
}

// change is the state of a step that is not known to be stored.
type change struct {
	subjects.StepExecution
	version int // grows with each change of the step
}

func newReporter(pub *publisher, ctx context.Context, fence func(error), base subjects.Result) *Reporter {
	return &Reporter{
		pub: pub, ctx: ctx, fence: fence, base: base,
		subject: subjects.ResultSubject(base.App, base.Job, base.ID, base.Agent),
		filter:  subjects.ResultFilter(base.App, base.Job, base.ID),
		number:  1, // the claim
		turn:    make(chan struct{}, 1),
	}
}

// StepStarted says that a step begins. The end of the step before is stored
// when it returns; the start itself is published if the step still runs a
// moment later. With an error the attempt is over, and the step must not begin.
func (r *Reporter) StepStarted(s subjects.StepExecution) error {
	if r.note(s) {
		return r.flush()
	}
	r.later()
	return r.over()
}

// StepEnded says how a step ended. It is stored with what follows: the start of
// the next step, or the end.
func (r *Reporter) StepEnded(s subjects.StepExecution) {
	r.note(s)
	r.later()
}

// Save stores a change within a step, such as a checkpoint, before it returns.
// An error says that it did not.
func (r *Reporter) Save(s subjects.StepExecution) error {
	if n := len(s.PersistentData); n > maxData {
		return fmt.Errorf("persistent data of %d bytes: want at most %d", n, maxData)
	}
	r.note(s)
	return r.flush()
}

// stopping lets the following results say that the execution is being stopped,
// and publishes that in a moment if nothing else does. It does not wait for a
// result on its way.
func (r *Reporter) stopping() {
	if !r.isStopping.Swap(true) {
		time.AfterFunc(lazily, r.publishLate)
	}
}

// note keeps the newest state of a step, and says whether the end of any step
// is among what is not stored.
func (r *Reporter) note(s subjects.StepExecution) (ended bool) {
	s.Exception, s.ExitStatus = shorten(s.Exception), shorten(s.ExitStatus)
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.news, func(c change) bool { return c.ID == s.ID })
	if i < 0 {
		r.news = append(r.news, change{s, 0})
	} else {
		r.news[i] = change{s, r.news[i].version + 1}
	}
	return slices.ContainsFunc(r.news, func(c change) bool { return c.BatchStatus.Ended() })
}

// later publishes what there is in a moment, unless something else takes it
// along.
func (r *Reporter) later() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer == nil {
		r.timer = time.AfterFunc(lazily, r.publishLate)
	} else {
		r.timer.Reset(lazily)
	}
}

// claimed begins the chain of results. A stop that came before waits for it.
func (r *Reporter) claimed(seq uint64) {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	r.seq = seq
	if r.isStopping.Load() {
		r.later()
	}
}

func (r *Reporter) publishLate() {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	if r.seq > 0 && !r.closed && !r.isEnding.Load() && (len(r.changes()) > 0 || r.isStopping.Load() && !r.saidSo) {
		_ = r.publish() // who calls next learns it from over
	}
}

func (r *Reporter) over() error {
	if r.ctx.Err() != nil {
		return context.Cause(r.ctx)
	}
	return nil
}

// flush stores the changes now.
func (r *Reporter) flush() error {
	r.turn <- struct{}{} // whoever has it gives it back when ctx ends
	defer func() { <-r.turn }()
	if r.closed {
		return errEnded
	}
	return r.publish()
}

// publish stores the changes, having the turn.
func (r *Reporter) publish() error {
	if err := r.over(); err != nil {
		return err
	}
	res := r.base
	if r.isStopping.Load() {
		res.BatchStatus, r.saidSo = subjects.Stopping, true
	}
	sent := r.changes()
	rec := r.next(res, sent)
	seq, err := r.pub.store(r.ctx, rec)
	switch {
	case err == nil:
		r.seq, r.doubt = seq, false
		r.forget(sent)
		return nil
	case errors.Is(err, errRefused):
		r.fence(ErrFenced)
		return ErrFenced
	}
	r.seq, r.doubt = rec.Expect, true
	return err
}

// changes are what is not known to be stored.
func (r *Reporter) changes() []change {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.news)
}

// forget removes what was stored, but for steps that have changed since.
func (r *Reporter) forget(stored []change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.news = slices.DeleteFunc(r.news, func(c change) bool {
		return slices.ContainsFunc(stored, func(s change) bool { return s.ID == c.ID && s.version == c.version })
	})
}

// next makes the next result of the chain.
func (r *Reporter) next(res subjects.Result, news []change) *record {
	r.number++
	res.Number, res.Time = r.number, subjects.Now()
	for _, c := range news {
		res.Steps = append(res.Steps, c.StepExecution)
	}
	data, err := json.Marshal(&res)
	if err != nil || len(data) > maxResult {
		// Only steps' persistent data can be at fault. Without it the attempt
		// can still end.
		for i := range res.Steps {
			res.Steps[i].PersistentData = nil
		}
		data, _ = json.Marshal(&res)
	}
	return &record{Subject: r.subject, Filter: r.filter, Expect: r.seq, Handling: res.Handling, Number: res.Number, Data: data, doubt: r.doubt}
}

// close makes the terminal result; nothing is published by the reporter after
// it. dropped are lines of output that this attempt lost.
func (r *Reporter) close(o Outcome, dropped int) *record {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	r.shut()
	res := r.base
	res.BatchStatus, res.RestartPosition = o.BatchStatus, o.RestartPosition
	res.ExitStatus, res.Exception = shorten(o.ExitStatus), shorten(o.Exception)
	res.LogDropped = r.droppedBefore + int64(dropped)
	return r.next(res, r.changes())
}

// abandon stores the changes if it still can, and ends the reporter without a
// terminal result.
func (r *Reporter) abandon() {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	if !r.closed && len(r.changes()) > 0 {
		_ = r.publish() // if not, the next attempt knows less of what this one did
	}
	r.shut()
}

func (r *Reporter) shut() {
	r.closed = true
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer != nil {
		r.timer.Stop()
	}
}

// shorten makes text valid, and not longer than maxText.
func shorten(text string) string {
	if len(text) > maxText {
		text = text[:runeStart(text, maxText-len(ellipsis))] + ellipsis
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

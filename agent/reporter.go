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

// lazily is how long a change waits for company before it is published by itself.
const lazily = 20 * time.Millisecond

// What may be long must not keep the end of an attempt from being stored.
const (
	maxData   = 256 << 10 // persistent data of a step
	maxText   = 4 << 10   // an exception, an exit status
	maxResult = 900 << 10 // a result: less than the broker's default of 1 MiB
)

var errEnded = errors.New("the attempt has ended")

// Reporter publishes what happens to the steps of one attempt: a chain of results, each expecting the one before.
// It is used by one goroutine of the runtime, or by several.
type Reporter struct {
	pub     *publisher
	ctx     context.Context // ends when nothing may be published any more
	fence   func(error)     // the broker refused a result
	subject string
	filter  string
	base    subjects.Result // what all results of the attempt have in common

	isStopping atomic.Bool

	mu     sync.Mutex // held while a result is on its way: they leave one after another
	seq    uint64     // of the last one that was stored
	doubt  bool       // one may have been stored besides
	number int
	steps  []subjects.StepExecution // changes that are not known to be stored
	ended  bool                     // one of them is the end of a step
	timer  *time.Timer
	saidSo bool // that it is being stopped
	closed bool
}

// StepStarted says that a step begins, or is skipped over if its status says so. The end of the step before
// is stored when it returns; the start itself is published if the step still runs a moment
// later. With an error the attempt is over, and the step must not begin.
func (r *Reporter) StepStarted(s subjects.StepExecution) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note(s)
	if r.ended {
		return r.flush()
	}
	r.later()
	return r.over()
}

// StepEnded says how a step ended. It is stored with what follows: the start of the next step, or the end.
func (r *Reporter) StepEnded(s subjects.StepExecution) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note(s)
	r.ended = true
	r.later()
}

// Save stores a change within a step, such as a checkpoint, before it returns. An error says that it did not.
func (r *Reporter) Save(s subjects.StepExecution) error {
	if n := len(s.PersistentData); n > maxData {
		return fmt.Errorf("persistent data of %d bytes: want at most %d", n, maxData)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note(s)
	return r.flush()
}

// stopping lets the following results say that the execution is being stopped, and publishes that in a moment if nothing
// else does. It does not wait for a result on its way.
func (r *Reporter) stopping() {
	if !r.isStopping.Swap(true) {
		time.AfterFunc(lazily, r.publishLate)
	}
}

// note keeps the newest state of a step.
func (r *Reporter) note(s subjects.StepExecution) {
	s.Exception, s.ExitStatus = shorten(s.Exception), shorten(s.ExitStatus)
	i := slices.IndexFunc(r.steps, func(o subjects.StepExecution) bool { return o.ID == s.ID })
	if i < 0 {
		r.steps = append(r.steps, s)
	} else {
		r.steps[i] = s
	}
}

// later publishes what there is in a moment, unless something else takes it along.
func (r *Reporter) later() {
	if r.closed {
		return
	}
	if r.timer == nil {
		r.timer = time.AfterFunc(lazily, r.publishLate)
	} else {
		r.timer.Reset(lazily)
	}
}

func (r *Reporter) publishLate() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed && (len(r.steps) > 0 || r.isStopping.Load() && !r.saidSo) {
		_ = r.flush() // who calls next learns it from over
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
	if r.timer != nil {
		r.timer.Stop()
	}
	if err := r.over(); err != nil {
		return err
	}
	if r.closed {
		return errEnded
	}
	res := r.base
	if r.isStopping.Load() {
		res.BatchStatus, r.saidSo = subjects.Stopping, true
	}
	rec := r.next(res)
	seq, err := r.pub.store(r.ctx, rec)
	switch {
	case err == nil:
		r.seq, r.doubt, r.ended = seq, false, false
		r.steps = nil
		return nil
	case errors.Is(err, errRefused):
		r.fence(ErrFenced)
		return ErrFenced
	}
	r.seq, r.doubt = rec.Expect, true
	return err
}

// next makes the next result of the chain, with all changes that are not known to be stored.
func (r *Reporter) next(res subjects.Result) *record {
	r.number++
	res.Number, res.Time, res.Steps = r.number, subjects.Now(), r.steps
	data, err := json.Marshal(&res)
	if err != nil || len(data) > maxResult {
		// Only steps' persistent data can be at fault. Without it the attempt can still end.
		res.Steps = slices.Clone(r.steps)
		for i := range res.Steps {
			res.Steps[i].PersistentData = nil
		}
		data, _ = json.Marshal(&res)
	}
	return &record{Subject: r.subject, Filter: r.filter, Expect: r.seq, Handling: res.Handling, Number: res.Number, Data: data, doubt: r.doubt}
}

// close makes the terminal result; nothing is published by the reporter after it.
func (r *Reporter) close(o Outcome) *record {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shut()
	res := r.base
	res.BatchStatus, res.RestartPosition = o.BatchStatus, o.RestartPosition
	res.ExitStatus, res.Exception = shorten(o.ExitStatus), shorten(o.Exception)
	return r.next(res)
}

// abandon stores the changes if it still can, and ends the reporter without a terminal result.
func (r *Reporter) abandon() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.steps) > 0 {
		_ = r.flush() // if not, the next attempt knows less of what this one did
	}
	r.shut()
}

func (r *Reporter) shut() {
	r.closed = true
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

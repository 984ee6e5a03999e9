package chunk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// loop is the run of a [Step].
type loop struct {
	*Step
	listeners listeners
	limits    limits
	stop, ctx context.Context

	readerOpen, writerOpen bool
	atEnd                  bool // the reader has no more items

	now       progress // with what is not committed yet
	committed progress
	last      State // the checkpoints of the last commit

	retries   int
	retryPast int // chunks have one item until so many reads have been committed

	// The present chunk.
	single bool  // it repeats an item of a chunk that was rolled back
	items  int   // that were read
	buffer []any // to write
}

// progress is what a rollback takes back.
type progress struct {
	metrics subjects.Metrics
	reads   int // that returned an item or were skipped
	skips   int
}

func newLoop(s *Step, stop, ctx context.Context) *loop {
	return &loop{
		Step: s, listeners: sortListeners(s.Listeners), limits: readLimits(s),
		stop: stop, ctx: ctx, last: s.Last,
	}
}

// run runs the step from open to close.
func (l *loop) run() error {
	if err := l.openBoth(l.openReader, l.openWriter); err != nil { // 11.6
		return withClosing(err, l.closeBoth())
	}
	for !l.atEnd && l.stop.Err() == nil {
		err := l.runChunk()
		if err == nil {
			continue
		}
		var again *rollbackError
		var late afterCommitError
		switch {
		case errors.As(err, &late):
			return withClosing(late.error, l.closeBoth())
		case !errors.As(err, &again):
			return l.failStep(err)
		}
		if err := l.rollBack(again); err != nil {
			return err
		}
	}
	return l.closeBoth()
}

// runChunk runs one chunk until it is committed.
func (l *loop) runChunk() error {
	l.single = l.now.reads < l.retryPast
	clear(l.buffer)
	l.items, l.buffer = 0, l.buffer[:0]
	ctx, stop, cancel, err := l.beginCheckpoint()
	if err != nil {
		return err
	}
	defer cancel()
	if err := l.listeners.beforeChunk(ctx); err != nil {
		return err
	}
	if err := l.fillBuffer(ctx, stop); err != nil {
		return err
	}
	if err := l.writeBuffer(ctx); err != nil {
		return err
	}
	if err := l.listeners.afterChunk(ctx); err != nil {
		return err
	}
	return l.commitChunk(ctx)
}

// beginCheckpoint asks the checkpoint algorithm for the timeout of the next
// chunk (11.10), and returns the contexts of the chunk.
func (l *loop) beginCheckpoint() (ctx, stop context.Context, cancel context.CancelFunc, err error) {
	ctx, stop, cancel = l.ctx, l.stop, func() {}
	if !l.asksAlgorithm() {
		return
	}
	var seconds int
	err = guard(func() (err error) {
		if seconds, err = l.Algorithm.CheckpointTimeout(l.ctx); err == nil {
			err = l.Algorithm.BeginCheckpoint(l.ctx)
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("checkpoint algorithm: %w", err)
	}
	if seconds > 0 && err == nil {
		end := time.Now().Add(time.Duration(seconds) * time.Second)
		var cancelCtx, cancelStop context.CancelFunc
		ctx, cancelCtx = context.WithDeadline(l.ctx, end)
		stop, cancelStop = context.WithDeadline(l.stop, end)
		cancel = func() { cancelCtx(); cancelStop() }
	}
	return
}

// asksAlgorithm reports whether the checkpoint algorithm decides about the
// present chunk. It does not while items are retried (8.2.1.4.4).
func (l *loop) asksAlgorithm() bool { return l.limits.items == 0 && !l.single }

// fillBuffer reads and processes items until the chunk is full, the input ends
// or the step is stopped.
func (l *loop) fillBuffer(ctx, stop context.Context) error {
	var end time.Time // of time-limit
	if l.limits.time > 0 {
		end = time.Now().Add(l.limits.time)
	}
	for l.stop.Err() == nil {
		item, ok, err := l.readItem(ctx, stop)
		if err != nil || !ok {
			return err
		}
		l.items++
		if err := l.processItem(ctx, item); err != nil {
			return err
		}
		full, err := l.isFull(ctx, end)
		if err != nil || full {
			return err
		}
	}
	return nil
}

// isFull reports whether the chunk ends after the present item.
func (l *loop) isFull(ctx context.Context, end time.Time) (full bool, err error) {
	switch {
	case l.single:
		return true, nil
	case l.asksAlgorithm():
		if err = guard(func() (err error) { full, err = l.Algorithm.IsReadyToCheckpoint(ctx); return err }); err != nil {
			err = fmt.Errorf("checkpoint algorithm: %w", err)
		}
		return full, err
	}
	return l.items >= l.limits.items || !end.IsZero() && !time.Now().Before(end), nil
}

// readItem returns the next item. It returns ok=false at the end of the input,
// and when the step is stopped.
func (l *loop) readItem(ctx, stop context.Context) (item any, ok bool, err error) {
	for again := false; ; {
		if err := l.listeners.beforeRead(ctx); err != nil {
			return nil, false, err
		}
		item, err := l.callReader(stop)
		switch {
		case err == nil && item != nil:
			l.now.reads++
			l.now.metrics.Read++
			return item, true, l.listeners.afterRead(ctx, item)
		case err == nil:
			return nil, false, errors.New("read: the reader returned neither an item nor io.EOF")
		case err == io.EOF: //nolint:errorlint // a wrapped io.EOF is a failure, see agent.ItemReader
			l.atEnd = true
			return nil, false, l.listeners.afterRead(ctx, nil)
		case causedBy(l.stop, err):
			return nil, false, nil
		}
		if err := l.listeners.onReadError(ctx, err); err != nil {
			return nil, false, err
		}
		todo := l.decide(err, again)
		switch todo {
		case repeatCall, repeatChunk:
			err = afterListener(l.listeners.onRetryRead(ctx, err), todo, err, l.now.reads+1)
			again = true
		case skipItems:
			err = l.listeners.onSkipRead(ctx, err)
			l.now.reads++
			l.now.skips++
			l.now.metrics.ReadSkip++
			again = false
		default:
			err = fmt.Errorf("read: %w", err)
		}
		if err != nil || l.stop.Err() != nil {
			return nil, false, err
		}
	}
}

func (l *loop) callReader(stop context.Context) (item any, err error) {
	defer recoverPanic(&err)
	return l.Reader.ReadItem(stop)
}

// processItem processes an item and adds the result to the buffer.
func (l *loop) processItem(ctx context.Context, item any) error {
	if l.Processor == nil {
		l.buffer = append(l.buffer, item)
		return nil
	}
	for again := false; ; again = true {
		if err := l.listeners.beforeProcess(ctx, item); err != nil {
			return err
		}
		result, err := l.callProcessor(ctx, item)
		if err == nil {
			if result == nil {
				l.now.metrics.Filter++
			} else {
				l.buffer = append(l.buffer, result)
			}
			return l.listeners.afterProcess(ctx, item, result)
		}
		if err := l.listeners.onProcessError(ctx, item, err); err != nil {
			return err
		}
		todo := l.decide(err, again)
		switch todo {
		case repeatCall, repeatChunk:
			err = afterListener(l.listeners.onRetryProcess(ctx, item, err), todo, err, l.now.reads)
		case skipItems:
			l.now.skips++
			l.now.metrics.ProcessSkip++
			return l.listeners.onSkipProcess(ctx, item, err)
		default:
			err = fmt.Errorf("process: %w", err)
		}
		if err != nil {
			return err
		}
	}
}

func (l *loop) callProcessor(ctx context.Context, item any) (result any, err error) {
	defer recoverPanic(&err)
	result, err = l.Processor.ProcessItem(ctx, item)
	if isFiltered(err) {
		return nil, nil
	}
	return result, err
}

// writeBuffer writes the items of the chunk, if there are any.
func (l *loop) writeBuffer(ctx context.Context) error {
	if len(l.buffer) == 0 {
		return nil
	}
	for again := false; ; again = true {
		if err := l.listeners.beforeWrite(ctx, l.buffer); err != nil {
			return err
		}
		err := guard(func() error { return l.Writer.WriteItems(ctx, l.buffer) })
		if err == nil {
			l.now.metrics.Write += int64(len(l.buffer))
			return l.listeners.afterWrite(ctx, l.buffer)
		}
		if err := l.listeners.onWriteError(ctx, l.buffer, err); err != nil {
			return err
		}
		todo := l.decide(err, again)
		switch todo {
		case repeatCall, repeatChunk:
			err = afterListener(l.listeners.onRetryWrite(ctx, l.buffer, err), todo, err, l.now.reads)
		case skipItems:
			l.now.skips++
			l.now.metrics.WriteSkip++
			return l.listeners.onSkipWrite(ctx, l.buffer, err)
		default:
			err = fmt.Errorf("write: %w", err)
		}
		if err != nil {
			return err
		}
	}
}

// commitChunk takes the checkpoints and commits. A failure counts as a failed
// write (8.2.1.4.1), without calls of retry listeners (11.9).
func (l *loop) commitChunk(ctx context.Context) error {
	for again := false; ; again = true {
		err := l.tryCommit(ctx)
		if err == nil {
			break
		}
		todo := fail
		if !errors.Is(err, ErrFinal) {
			todo = l.decide(err, again)
		}
		switch todo {
		case repeatCall:
			continue
		case repeatChunk:
			return &rollbackError{err, l.now.reads}
		case skipItems:
			l.now.skips++
			l.now.metrics.WriteSkip++
			l.now.metrics.Write -= int64(len(l.buffer))
			if err := l.listeners.onSkipWrite(ctx, l.buffer, err); err != nil {
				return err
			}
			return l.reopenWriter() // it drops what it has written
		}
		return fmt.Errorf("commit: %w", err)
	}
	return l.afterCommit(ctx)
}

// afterCommitError is an error after the commit of a chunk. The step fails, and
// there is nothing to roll back.
type afterCommitError struct{ error }

func (e afterCommitError) Unwrap() error { return e.error }

// afterCommit calls what follows each commit.
func (l *loop) afterCommit(ctx context.Context) error {
	if l.AfterCommit != nil {
		if err := guard(func() error { return l.AfterCommit(ctx) }); err != nil {
			return afterCommitError{err}
		}
	}
	if !l.asksAlgorithm() {
		return nil
	}
	if err := guard(func() error { return l.Algorithm.EndCheckpoint(ctx) }); err != nil {
		return afterCommitError{fmt.Errorf("checkpoint algorithm: %w", err)}
	}
	return nil
}

func (l *loop) tryCommit(ctx context.Context) error {
	next := l.now
	next.metrics.Commit++
	state := State{Metrics: next.metrics}
	err := guard(func() (err error) {
		if state.Reader, err = encodeCheckpoint(l.Reader.CheckpointInfo(ctx)); err != nil {
			return fmt.Errorf("reader: %w", err)
		}
		if state.Writer, err = encodeCheckpoint(l.Writer.CheckpointInfo(ctx)); err != nil {
			return fmt.Errorf("writer: %w", err)
		}
		return l.Commit(ctx, state)
	})
	if err == nil {
		l.now, l.committed, l.last = next, next, state
	}
	return err
}

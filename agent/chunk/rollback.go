package chunk

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// decision is what follows an error of a reader, processor or writer.
type decision int

const (
	fail        decision = iota
	repeatCall           // without a rollback (8.2.1.4.5)
	repeatChunk          // after a rollback (8.2.1.4.4)
	skipItems            // 8.2.1.4.1
)

// decide returns what follows an error. again says that the call was repeated
// after an earlier error.
func (l *loop) decide(err error, again bool) decision {
	if l.ctx.Err() != nil {
		return fail
	}
	retry := (l.limits.retry < 0 || l.retries < l.limits.retry) && l.Classes.selects(l.Chunk.Retryable, err)
	skip := (l.limits.skip < 0 || l.now.skips < l.limits.skip) && l.Classes.selects(l.Chunk.Skippable, err)
	isRetrying := l.single || again
	switch {
	case retry && (!skip || !isRetrying): // 8.2.1.4.3
		l.retries++
		// A step that is stopped does not repeat a call: the rollback ends it.
		if l.stop.Err() == nil && l.Classes.selects(l.Chunk.NoRollback, err) {
			return repeatCall
		}
		return repeatChunk
	case skip:
		return skipItems
	}
	return fail
}

// rollbackError makes the loop roll back and retry.
type rollbackError struct {
	cause error
	past  int // chunks have one item until so many reads are committed
}

func (r *rollbackError) Error() string { return r.cause.Error() }

// afterListener returns the error of a retry listener, or the rollback that was
// decided on.
func afterListener(listenerErr error, todo decision, cause error, past int) error {
	if listenerErr == nil && todo == repeatChunk {
		return &rollbackError{cause, past}
	}
	return listenerErr
}

// rollBack takes the chunk back and opens the reader and the writer at the last
// commit (11.9).
func (l *loop) rollBack(r *rollbackError) error {
	if err := l.takeBack(r.cause); err != nil {
		return fmt.Errorf("roll back after %q: %w", r.cause.Error(), err)
	}
	l.retryPast = max(l.retryPast, r.past)
	if err := l.openBoth(l.openWriter, l.openReader); err != nil {
		return withClosing(fmt.Errorf("roll back after %q: %w", r.cause.Error(), err), l.closeBoth())
	}
	return nil
}

// failStep rolls back without opening again, and returns cause.
func (l *loop) failStep(cause error) error { return withClosing(cause, l.takeBack(cause)) }

// takeBack closes the writer and the reader, calls OnError, and restores the
// progress of the last commit.
func (l *loop) takeBack(cause error) error {
	err := l.closeBoth()
	listenerErr := l.listeners.onError(context.WithoutCancel(l.ctx), cause)
	if err == nil {
		err = listenerErr
	}
	rollbacks := l.now.metrics.Rollback + 1
	l.now = l.committed
	l.now.metrics.Rollback = rollbacks
	l.atEnd = false
	return err
}

// openBoth calls two of openReader and openWriter, until one fails.
func (l *loop) openBoth(first, second func() error) error {
	if err := first(); err != nil {
		return err
	}
	return second()
}

func (l *loop) openReader() error {
	if err := guard(func() error { return l.Reader.Open(l.ctx, agent.Checkpoint(l.last.Reader)) }); err != nil {
		return fmt.Errorf("open the reader: %w", err)
	}
	l.readerOpen = true
	return nil
}

func (l *loop) openWriter() error {
	if err := guard(func() error { return l.Writer.Open(l.ctx, agent.Checkpoint(l.last.Writer)) }); err != nil {
		return fmt.Errorf("open the writer: %w", err)
	}
	l.writerOpen = true
	return nil
}

// closeBoth closes the writer and the reader, as far as they are open. It
// returns the first error; the second artifact is closed all the same.
func (l *loop) closeBoth() error {
	err := l.closeWriter()
	if !l.readerOpen {
		return err
	}
	l.readerOpen = false
	ctx := context.WithoutCancel(l.ctx)
	if readerErr := guard(func() error { return l.Reader.Close(ctx) }); readerErr != nil && err == nil {
		err = fmt.Errorf("close the reader: %w", readerErr)
	}
	return err
}

func (l *loop) closeWriter() error {
	if !l.writerOpen {
		return nil
	}
	l.writerOpen = false
	ctx := context.WithoutCancel(l.ctx)
	if err := guard(func() error { return l.Writer.Close(ctx) }); err != nil {
		return fmt.Errorf("close the writer: %w", err)
	}
	return nil
}

// reopenWriter takes the writer back to the last commit.
func (l *loop) reopenWriter() error {
	if err := l.closeWriter(); err != nil {
		return err
	}
	return l.openWriter()
}

// withClosing adds to err what went wrong after it.
func withClosing(err, later error) error {
	if later == nil {
		return err
	}
	return fmt.Errorf("%w; then %s", err, later.Error())
}

// guard calls f. A panic becomes an error.
func guard(f func() error) (err error) {
	defer recoverPanic(&err)
	if err = f(); err != nil {
		_ = err.Error() // that of a nil pointer panics
	}
	return err
}

// recoverPanic turns a panic into an error. It is deferred.
func recoverPanic(err *error) {
	if p := recover(); p != nil {
		*err = &PanicError{p, debug.Stack()}
	}
}

func isFiltered(err error) bool { return err != nil && errors.Is(err, agent.ErrFiltered) }

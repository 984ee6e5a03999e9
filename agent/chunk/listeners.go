package chunk

import (
	"context"
	"fmt"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// listeners holds the listeners of a step by what they listen to.
type listeners struct {
	chunk        []agent.ChunkListener
	read         []agent.ItemReadListener
	process      []agent.ItemProcessListener
	write        []agent.ItemWriteListener
	skipRead     []agent.SkipReadListener
	skipProcess  []agent.SkipProcessListener
	skipWrite    []agent.SkipWriteListener
	retryRead    []agent.RetryReadListener
	retryProcess []agent.RetryProcessListener
	retryWrite   []agent.RetryWriteListener
}

func sortListeners(all []any) (l listeners) {
	for _, one := range all {
		addListener(&l.chunk, one)
		addListener(&l.read, one)
		addListener(&l.process, one)
		addListener(&l.write, one)
		addListener(&l.skipRead, one)
		addListener(&l.skipProcess, one)
		addListener(&l.skipWrite, one)
		addListener(&l.retryRead, one)
		addListener(&l.retryProcess, one)
		addListener(&l.retryWrite, one)
	}
	return l
}

func addListener[L any](to *[]L, one any) {
	if l, ok := one.(L); ok {
		*to = append(*to, l)
	}
}

// callAll calls a method of all listeners, until one fails.
func callAll[L any](all []L, method string, call func(L) error) error {
	for _, one := range all {
		if err := guard(func() error { return call(one) }); err != nil {
			return fmt.Errorf("listener %T, %s: %w", one, method, err)
		}
	}
	return nil
}

func (l *listeners) beforeChunk(ctx context.Context) error {
	return callAll(l.chunk, "BeforeChunk", func(c agent.ChunkListener) error { return c.BeforeChunk(ctx) })
}

func (l *listeners) afterChunk(ctx context.Context) error {
	return callAll(l.chunk, "AfterChunk", func(c agent.ChunkListener) error { return c.AfterChunk(ctx) })
}

func (l *listeners) onError(ctx context.Context, cause error) error {
	return callAll(l.chunk, "OnError", func(c agent.ChunkListener) error { return c.OnError(ctx, cause) })
}

func (l *listeners) beforeRead(ctx context.Context) error {
	return callAll(l.read, "BeforeRead", func(r agent.ItemReadListener) error { return r.BeforeRead(ctx) })
}

func (l *listeners) afterRead(ctx context.Context, item any) error {
	return callAll(l.read, "AfterRead", func(r agent.ItemReadListener) error { return r.AfterRead(ctx, item) })
}

func (l *listeners) onReadError(ctx context.Context, cause error) error {
	return callAll(l.read, "OnReadError", func(r agent.ItemReadListener) error { return r.OnReadError(ctx, cause) })
}

func (l *listeners) beforeProcess(ctx context.Context, item any) error {
	return callAll(l.process, "BeforeProcess", func(p agent.ItemProcessListener) error { return p.BeforeProcess(ctx, item) })
}

func (l *listeners) afterProcess(ctx context.Context, item, result any) error {
	return callAll(l.process, "AfterProcess", func(p agent.ItemProcessListener) error { return p.AfterProcess(ctx, item, result) })
}

func (l *listeners) onProcessError(ctx context.Context, item any, cause error) error {
	return callAll(l.process, "OnProcessError", func(p agent.ItemProcessListener) error { return p.OnProcessError(ctx, item, cause) })
}

func (l *listeners) beforeWrite(ctx context.Context, items []any) error {
	return callAll(l.write, "BeforeWrite", func(w agent.ItemWriteListener) error { return w.BeforeWrite(ctx, items) })
}

func (l *listeners) afterWrite(ctx context.Context, items []any) error {
	return callAll(l.write, "AfterWrite", func(w agent.ItemWriteListener) error { return w.AfterWrite(ctx, items) })
}

func (l *listeners) onWriteError(ctx context.Context, items []any, cause error) error {
	return callAll(l.write, "OnWriteError", func(w agent.ItemWriteListener) error { return w.OnWriteError(ctx, items, cause) })
}

func (l *listeners) onSkipRead(ctx context.Context, cause error) error {
	return callAll(l.skipRead, "OnSkipReadItem", func(s agent.SkipReadListener) error { return s.OnSkipReadItem(ctx, cause) })
}

func (l *listeners) onSkipProcess(ctx context.Context, item any, cause error) error {
	return callAll(l.skipProcess, "OnSkipProcessItem", func(s agent.SkipProcessListener) error { return s.OnSkipProcessItem(ctx, item, cause) })
}

func (l *listeners) onSkipWrite(ctx context.Context, items []any, cause error) error {
	return callAll(l.skipWrite, "OnSkipWriteItem", func(s agent.SkipWriteListener) error { return s.OnSkipWriteItem(ctx, items, cause) })
}

func (l *listeners) onRetryRead(ctx context.Context, cause error) error {
	return callAll(l.retryRead, "OnRetryReadException", func(r agent.RetryReadListener) error { return r.OnRetryReadException(ctx, cause) })
}

func (l *listeners) onRetryProcess(ctx context.Context, item any, cause error) error {
	return callAll(l.retryProcess, "OnRetryProcessException", func(r agent.RetryProcessListener) error { return r.OnRetryProcessException(ctx, item, cause) })
}

func (l *listeners) onRetryWrite(ctx context.Context, items []any, cause error) error {
	return callAll(l.retryWrite, "OnRetryWriteException", func(r agent.RetryWriteListener) error { return r.OnRetryWriteException(ctx, items, cause) })
}

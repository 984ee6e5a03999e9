package agent

import "context"

// The listeners of a chunk step. The artifact that [Listener] registers
// implements one or more of them. An error of a listener fails the step
// (8.2.7), and so does a panic. Items are as read, processed or written: of the
// types that the artifacts have.

// ChunkListener is called around each chunk (9.2.3).
type ChunkListener interface {
	BeforeChunk(ctx context.Context) error
	// AfterChunk is called before the checkpoint is taken.
	AfterChunk(ctx context.Context) error
	// OnError is called instead of AfterChunk before the chunk is rolled back.
	OnError(ctx context.Context, cause error) error
}

// ItemReadListener is called around each read (9.2.4).
type ItemReadListener interface {
	BeforeRead(ctx context.Context) error
	// AfterRead is called with nil at the end of the input.
	AfterRead(ctx context.Context, item any) error
	OnReadError(ctx context.Context, cause error) error
}

// ItemProcessListener is called around the processing of each item (9.2.5).
type ItemProcessListener interface {
	BeforeProcess(ctx context.Context, item any) error
	// AfterProcess gets the result nil if the item was filtered.
	AfterProcess(ctx context.Context, item, result any) error
	OnProcessError(ctx context.Context, item any, cause error) error
}

// ItemWriteListener is called around each write (9.2.6).
type ItemWriteListener interface {
	BeforeWrite(ctx context.Context, items []any) error
	AfterWrite(ctx context.Context, items []any) error
	OnWriteError(ctx context.Context, items []any, cause error) error
}

// SkipReadListener is called for each read that is skipped (9.2.7).
type SkipReadListener interface {
	OnSkipReadItem(ctx context.Context, cause error) error
}

// SkipProcessListener is called for each item that is skipped because the
// processor failed (9.2.7).
type SkipProcessListener interface {
	OnSkipProcessItem(ctx context.Context, item any, cause error) error
}

// SkipWriteListener is called for the items that are skipped because the writer
// failed (9.2.7).
type SkipWriteListener interface {
	OnSkipWriteItem(ctx context.Context, items []any, cause error) error
}

// RetryReadListener is called before a failed read is retried (9.2.8).
type RetryReadListener interface {
	OnRetryReadException(ctx context.Context, cause error) error
}

// RetryProcessListener is called before an item is processed again (9.2.8).
type RetryProcessListener interface {
	OnRetryProcessException(ctx context.Context, item any, cause error) error
}

// RetryWriteListener is called before items are written again (9.2.8).
type RetryWriteListener interface {
	OnRetryWriteException(ctx context.Context, items []any, cause error) error
}

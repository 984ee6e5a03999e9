package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// ErrFiltered is what [ItemProcessor.ProcessItem] returns for an item that is
// not to be written. It is not a failure (9.1.1.2).
var ErrFiltered = errors.New("item filtered")

// Checkpoint is the JSON of the value that CheckpointInfo returned before the
// last commit of a chunk. It is nil if there was no commit, or if the value was
// nil.
type Checkpoint json.RawMessage

// Load decodes the checkpoint into v. It reports whether there is a checkpoint.
func (c Checkpoint) Load(v any) (bool, error) {
	if len(c) == 0 {
		return false, nil
	}
	if err := json.Unmarshal(c, v); err != nil {
		return true, fmt.Errorf("decode the checkpoint: %w", err)
	}
	return true, nil
}

// ItemReader reads the items of a chunk step (9.1.1.1). All its methods are
// called by one goroutine at a time. Its errors can be skipped and retried by
// their class: see [ErrorClass].
type ItemReader[T any] interface {
	// Open prepares the reader to read the item after the checkpoint, or the
	// first one. It is called at the start of the step, and again after each
	// rollback.
	Open(ctx context.Context, last Checkpoint) error
	// ReadItem returns the next item. At the end of the input it returns io.EOF
	// itself. An error that wraps io.EOF is a failure to read, so a broken
	// source does not look like a short one. ctx ends when the step is stopped:
	// a reader that waits for input then returns the error of ctx. The contexts of
	// all other calls live on for the agent's grace period.
	ReadItem(ctx context.Context) (T, error)
	// CheckpointInfo returns the present position as a value for package
	// encoding/json, at most 1 MiB of JSON. It is called before each commit.
	CheckpointInfo(ctx context.Context) (any, error)
	// Close is called once after each Open that has succeeded: at the end of the
	// step, and before a rollback. ctx has not ended, even if the step was
	// stopped.
	Close(ctx context.Context) error
}

// ItemProcessor turns an item that was read into one to write (9.1.1.2).
type ItemProcessor[I, O any] interface {
	// ProcessItem returns the item to write. To leave the item out, it returns
	// [ErrFiltered], or a nil pointer or interface.
	ProcessItem(ctx context.Context, item I) (O, error)
}

// ItemWriter writes the items of a chunk (9.1.1.3). Its methods are called by
// one goroutine at a time.
type ItemWriter[T any] interface {
	// Open prepares the writer to write after the checkpoint. What was written
	// after that checkpoint was not committed: a writer that appends truncates
	// its target to the checkpoint.
	Open(ctx context.Context, last Checkpoint) error
	// WriteItems writes the items of one chunk. It is not called for a chunk
	// without items. The slice belongs to the caller and changes after the call.
	WriteItems(ctx context.Context, items []T) error
	// CheckpointInfo returns the position after the last write, as that of an
	// [ItemReader] does. What was written must be durable before it returns.
	CheckpointInfo(ctx context.Context) (any, error)
	// Close is called as that of an [ItemReader].
	Close(ctx context.Context) error
}

// ReaderFunc is an [ItemReader] without a checkpoint: after a rollback, and
// after a restart, the function is called for the next item all the same.
type ReaderFunc[T any] func(ctx context.Context) (T, error)

// ReadItem calls f.
func (f ReaderFunc[T]) ReadItem(ctx context.Context) (T, error) { return f(ctx) }

// Open does nothing.
func (f ReaderFunc[T]) Open(context.Context, Checkpoint) error { return nil }

// CheckpointInfo returns nil.
func (f ReaderFunc[T]) CheckpointInfo(context.Context) (any, error) { return nil, nil }

// Close does nothing.
func (f ReaderFunc[T]) Close(context.Context) error { return nil }

// ProcessorFunc is an [ItemProcessor].
type ProcessorFunc[I, O any] func(ctx context.Context, item I) (O, error)

// ProcessItem calls f.
func (f ProcessorFunc[I, O]) ProcessItem(ctx context.Context, item I) (O, error) {
	return f(ctx, item)
}

// WriterFunc is an [ItemWriter] without a checkpoint.
type WriterFunc[T any] func(ctx context.Context, items []T) error

// WriteItems calls f.
func (f WriterFunc[T]) WriteItems(ctx context.Context, items []T) error { return f(ctx, items) }

// Open does nothing.
func (f WriterFunc[T]) Open(context.Context, Checkpoint) error { return nil }

// CheckpointInfo returns nil.
func (f WriterFunc[T]) CheckpointInfo(context.Context) (any, error) { return nil, nil }

// Close does nothing.
func (f WriterFunc[T]) Close(context.Context) error { return nil }

// CheckpointAlgorithm decides when a chunk with the checkpoint policy "custom"
// ends (9.1.1.4).
type CheckpointAlgorithm interface {
	// CheckpointTimeout returns how many seconds the next chunk may take; 0 is
	// no limit. The context of the chunk's calls ends after that time.
	CheckpointTimeout(ctx context.Context) (seconds int, err error)
	// BeginCheckpoint is called before each chunk.
	BeginCheckpoint(ctx context.Context) error
	// IsReadyToCheckpoint is called after each item. If it returns true, the
	// chunk ends.
	IsReadyToCheckpoint(ctx context.Context) (bool, error)
	// EndCheckpoint is called after each commit.
	EndCheckpoint(ctx context.Context) error
}

// Chunk is a reader, a processor and a writer whose items have types that the
// compiler checks. [Chunk.Register] makes an [Option] of it.
type Chunk[I, O any] struct {
	Reader    Factory[ItemReader[I]]
	Processor Factory[ItemProcessor[I, O]] // may be nil if I is O
	Writer    Factory[ItemWriter[O]]
}

// Register registers the reader, the processor and the writer, all under the
// name ref.
func (c Chunk[I, O]) Register(ref string) Option {
	return func(a *Agent) error {
		if c.Processor == nil && reflect.TypeFor[I]() != reflect.TypeFor[O]() {
			return fmt.Errorf("chunk %s: want a processor that turns %v into %v", ref, reflect.TypeFor[I](), reflect.TypeFor[O]())
		}
		options := []Option{Reader(ref, c.Reader), Writer(ref, c.Writer)}
		if c.Processor != nil {
			options = append(options, Processor(ref, c.Processor))
		}
		for _, o := range options {
			if err := o(a); err != nil {
				return err
			}
		}
		return nil
	}
}

// untypedReader makes an ItemReader[any] of a typed one.
type untypedReader[T any] struct{ ItemReader[T] }

func (r untypedReader[T]) ReadItem(ctx context.Context) (any, error) {
	return r.ItemReader.ReadItem(ctx)
}

type untypedProcessor[I, O any] struct {
	ref       string
	isPointer bool // whether O is a pointer
	typed     ItemProcessor[I, O]
}

func (p untypedProcessor[I, O]) ProcessItem(ctx context.Context, item any) (any, error) {
	typed, ok := item.(I)
	if !ok {
		return nil, typeError[I]("processor", p.ref, item)
	}
	o, err := p.typed.ProcessItem(ctx, typed)
	if err == nil && p.isPointer && reflect.ValueOf(o).IsNil() {
		return nil, nil
	}
	return o, err
}

type untypedWriter[T any] struct {
	ItemWriter[T]
	ref   string
	typed []T // of the present call
}

func (w *untypedWriter[T]) WriteItems(ctx context.Context, items []any) error {
	defer func() { clear(w.typed); w.typed = w.typed[:0] }()
	for _, item := range items {
		typed, ok := item.(T)
		if !ok {
			return typeError[T]("writer", w.ref, item)
		}
		w.typed = append(w.typed, typed)
	}
	return w.ItemWriter.WriteItems(ctx, w.typed)
}

func typeError[T any](what, ref string, item any) error {
	return fmt.Errorf("%s %s: got an item of type %T, want %v", what, ref, item, reflect.TypeFor[T]())
}

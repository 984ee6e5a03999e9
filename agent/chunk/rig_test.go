package chunk_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/chunk"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

var (
	errBad  = errors.New("bad")
	errOdd  = fmt.Errorf("odd: %w", errBad) // a subclass of bad
	classes = []agent.ErrorClass{
		agent.ErrorIs("Bad", "", errBad),
		agent.ErrorIs("Odd", "Bad", errOdd),
	}
)

// rig is a chunk step with the items 1 to n whose artifacts write a trace. Its
// reader, processor, writer, algorithm and listener are the rig itself in
// several roles.
type rig struct {
	n      int
	chunk  jsl.Chunk
	filter func(item int) bool
	// fault is asked before each call; its error is that of the artifact, and a
	// panic is one.
	fault   func(call string) error
	ready   func(items int) bool // of the checkpoint algorithm
	onCall  func(call string)    // after it is in the trace
	traced  []string             // beginnings of calls that are in the trace; nil: all
	silent  bool                 // without listener
	last    chunk.State
	commits []chunk.State

	trace    []string
	next     int
	inChunk  int
	written  []int // by calls that returned nil
	writes   []string
	position int // of the writer
}

func (r *rig) call(format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	if r.traced == nil || slices.ContainsFunc(r.traced, func(p string) bool { return strings.HasPrefix(call, p) }) {
		r.trace = append(r.trace, call)
	}
	if r.onCall != nil {
		r.onCall(call)
	}
	if r.fault != nil {
		return r.fault(call)
	}
	return nil
}

// failing returns a fault that fails the named calls: each call as often as the
// number says, or always if it is negative.
func failing(err error, times map[string]int) func(string) error {
	return func(call string) error {
		if times[call] == 0 {
			return nil
		}
		times[call]--
		return err
	}
}

type reader struct{ *rig }

func (r reader) Open(_ context.Context, c agent.Checkpoint) error {
	r.next = 0
	if err := r.call("open reader %s", string(c)); err != nil {
		return err
	}
	_, err := c.Load(&r.next)
	return err
}

func (r reader) ReadItem(context.Context) (any, error) {
	if r.next == r.n {
		if err := r.call("read end"); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	r.next++
	if err := r.call("read %d", r.next); err != nil {
		return nil, err
	}
	r.inChunk++
	return r.next, nil
}

func (r reader) CheckpointInfo(context.Context) (any, error) {
	if err := r.call("reader checkpoint"); err != nil {
		return nil, err
	}
	if r.next == 0 {
		return nil, nil
	}
	return r.next, nil
}

func (r reader) Close(context.Context) error { return r.call("close reader") }

type processor struct{ *rig }

func (r processor) ProcessItem(_ context.Context, item any) (any, error) {
	if err := r.call("process %d", item); err != nil {
		return nil, err
	}
	if r.filter != nil && r.filter(item.(int)) {
		return nil, agent.ErrFiltered
	}
	return item, nil
}

type writer struct{ *rig }

func (r writer) Open(_ context.Context, c agent.Checkpoint) error {
	if err := r.call("open writer %s", string(c)); err != nil {
		return err
	}
	r.position = 0
	_, err := c.Load(&r.position)
	r.written = r.written[:min(len(r.written), r.position)] // as a file is truncated
	return err
}

func (r writer) WriteItems(_ context.Context, items []any) error {
	if err := r.call("write %v", items); err != nil {
		return err
	}
	r.writes = append(r.writes, fmt.Sprint(items))
	for _, i := range items {
		r.written = append(r.written, i.(int))
	}
	r.position = len(r.written)
	return nil
}

func (r writer) CheckpointInfo(context.Context) (any, error) {
	if err := r.call("writer checkpoint"); err != nil {
		return nil, err
	}
	return r.position, nil
}

func (r writer) Close(context.Context) error { return r.call("close writer") }

type algorithm struct{ *rig }

func (r algorithm) CheckpointTimeout(context.Context) (int, error) {
	return 0, r.call("timeout")
}

func (r algorithm) BeginCheckpoint(context.Context) error {
	r.inChunk = 0
	return r.call("begin")
}

func (r algorithm) IsReadyToCheckpoint(context.Context) (bool, error) {
	return r.ready(r.inChunk), r.call("ready?")
}
func (r algorithm) EndCheckpoint(context.Context) error { return r.call("end") }

type listener struct{ *rig }

func (r listener) BeforeChunk(context.Context) error            { return r.call("BeforeChunk") }
func (r listener) AfterChunk(context.Context) error             { return r.call("AfterChunk") }
func (r listener) OnError(_ context.Context, cause error) error { return r.call("OnError %v", cause) }
func (r listener) BeforeRead(context.Context) error             { return r.call("BeforeRead") }
func (r listener) AfterRead(_ context.Context, item any) error  { return r.call("AfterRead %v", item) }
func (r listener) OnReadError(_ context.Context, cause error) error {
	return r.call("OnReadError %v", cause)
}
func (r listener) BeforeProcess(_ context.Context, i any) error {
	return r.call("BeforeProcess %v", i)
}
func (r listener) AfterProcess(_ context.Context, i, o any) error {
	return r.call("AfterProcess %v %v", i, o)
}
func (r listener) OnProcessError(_ context.Context, i any, cause error) error {
	return r.call("OnProcessError %v %v", i, cause)
}
func (r listener) BeforeWrite(_ context.Context, i []any) error { return r.call("BeforeWrite %v", i) }
func (r listener) AfterWrite(_ context.Context, i []any) error  { return r.call("AfterWrite %v", i) }
func (r listener) OnWriteError(_ context.Context, i []any, cause error) error {
	return r.call("OnWriteError %v %v", i, cause)
}
func (r listener) OnSkipReadItem(_ context.Context, cause error) error {
	return r.call("OnSkipReadItem %v", cause)
}
func (r listener) OnSkipProcessItem(_ context.Context, i any, cause error) error {
	return r.call("OnSkipProcessItem %v %v", i, cause)
}
func (r listener) OnSkipWriteItem(_ context.Context, i []any, cause error) error {
	return r.call("OnSkipWriteItem %v %v", i, cause)
}
func (r listener) OnRetryReadException(_ context.Context, cause error) error {
	return r.call("OnRetryReadException %v", cause)
}
func (r listener) OnRetryProcessException(_ context.Context, i any, cause error) error {
	return r.call("OnRetryProcessException %v %v", i, cause)
}
func (r listener) OnRetryWriteException(_ context.Context, i []any, cause error) error {
	return r.call("OnRetryWriteException %v %v", i, cause)
}

// run runs the step. stop ends it gracefully.
func (r *rig) run(t *testing.T, stop context.Context) (subjects.BatchStatus, subjects.Metrics, error) {
	t.Helper()
	known, err := chunk.NewClasses(classes)
	if err != nil {
		t.Fatal(err)
	}
	s := &chunk.Step{
		Chunk: &r.chunk, Reader: reader{r}, Writer: writer{r}, Classes: known, Last: r.last,
		Commit: func(_ context.Context, s chunk.State) error {
			if err := r.call("commit"); err != nil {
				return err
			}
			r.commits = append(r.commits, s)
			return nil
		},
	}
	if r.chunk.Processor != nil {
		s.Processor = processor{r}
	}
	if r.ready != nil {
		s.Algorithm = algorithm{r}
	}
	if !r.silent {
		s.Listeners = []any{listener{r}}
	}
	return s.Run(stop, context.Background())
}

// lastCommit returns the state that a restart begins with.
func (r *rig) lastCommit() chunk.State {
	if len(r.commits) == 0 {
		return r.last
	}
	return r.commits[len(r.commits)-1]
}

func numbers(from, to int) (all []int) {
	for i := from; i <= to; i++ {
		all = append(all, i)
	}
	return all
}

func include(names ...string) *jsl.ExceptionClasses { return &jsl.ExceptionClasses{Include: names} }

var someProcessor = &jsl.Artifact{Ref: "p"}

// lines splits a wanted trace: one call a line, without indentation.
func lines(text string) []string {
	var all []string
	for _, l := range strings.Split(strings.TrimSpace(text), "\n") {
		all = append(all, strings.TrimSpace(l))
	}
	return all
}

func (r *rig) checkTrace(t *testing.T, want string) {
	t.Helper()
	got := make([]string, len(r.trace))
	for i, c := range r.trace {
		got[i] = strings.TrimSpace(c)
	}
	if w := lines(want); !slices.Equal(got, w) {
		t.Errorf("calls:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(w, "\n"))
	}
}

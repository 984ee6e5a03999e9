package agent_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
)

func newIntReader(*agent.StepContext) (agent.ItemReader[int], error) {
	return agent.ReaderFunc[int](func(context.Context) (int, error) { return 0, io.EOF }), nil
}

func newTextWriter(*agent.StepContext) (agent.ItemWriter[string], error) {
	return agent.WriterFunc[string](func(context.Context, []string) error { return nil }), nil
}

func newAgent(options ...agent.Option) error {
	_, err := agent.New(agent.Config{Apps: []string{"shop"}, Runtime: native.New(native.Config{}), Log: slog.New(slog.DiscardHandler)}, options...)
	return err
}

func TestRegistration(t *testing.T) {
	reader := agent.Reader("r", newIntReader)
	for _, c := range []struct {
		name    string
		options []agent.Option
		want    string // part of the error; empty for none
	}{
		{"a reader and a writer of one name", []agent.Option{reader, agent.Writer("r", newTextWriter)}, ""},
		{"a reader twice", []agent.Option{reader, reader}, "item reader r is registered twice"},
		{"no name", []agent.Option{agent.Reader("", newIntReader)}, "item reader: want a name"},
		{"no factory", []agent.Option{agent.Writer[int]("w", nil)}, "item writer w: want a factory, not nil"},
		{"a chunk whose types differ", []agent.Option{agent.Chunk[int, string]{Reader: newIntReader, Writer: newTextWriter}.Register("c")},
			"chunk c: want a processor that turns int into string"},
		{"a class of errors without a function", []agent.Option{agent.ErrorClasses(agent.ErrorClass{Name: "x"})}, "needs a name and a function"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := newAgent(c.options...)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("New: %v, want %q", err, c.want)
			}
		})
	}
}

func TestUntypedItems(t *testing.T) {
	ctx := t.Context()
	var got []string
	w, err := agent.UntypedWriter("w", func(*agent.StepContext) (agent.ItemWriter[string], error) {
		return agent.WriterFunc[string](func(_ context.Context, items []string) error {
			got = append(got, items...)
			return nil
		}), nil
	})(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteItems(ctx, []any{"a", "b"}); err != nil || !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("wrote %v, %v", got, err)
	}
	if err := w.WriteItems(ctx, []any{"c", 1}); err == nil || err.Error() != "writer w: got an item of type int, want string" {
		t.Errorf("an int for a writer of strings: %v", err)
	}
	if err := w.WriteItems(ctx, []any{"d"}); err != nil || !slices.Equal(got, []string{"a", "b", "d"}) {
		t.Errorf("wrote %v after a failure, %v", got, err)
	}

	// 9.1.1.2: a processor filters an item by the result nil.
	p, err := agent.UntypedProcessor("p", func(*agent.StepContext) (agent.ItemProcessor[int, *string], error) {
		return agent.ProcessorFunc[int, *string](func(_ context.Context, i int) (*string, error) {
			if i == 0 {
				return nil, nil
			}
			return new(string), nil
		}), nil
	})(nil)
	if err != nil {
		t.Fatal(err)
	}
	if o, err := p.ProcessItem(ctx, 0); o != nil || err != nil {
		t.Errorf("a nil pointer became %#v, %v, want nil", o, err)
	}
	if o, err := p.ProcessItem(ctx, 1); o == nil || err != nil {
		t.Errorf("a pointer became %#v, %v", o, err)
	}
}

func TestErrorClass(t *testing.T) {
	is := agent.ErrorIs("eof", "", io.ErrUnexpectedEOF)
	if !is.Matches(errors.Join(errors.New("x"), io.ErrUnexpectedEOF)) || is.Matches(io.EOF) {
		t.Error("ErrorIs does not use errors.Is")
	}
}

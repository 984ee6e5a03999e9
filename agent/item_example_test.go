package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
)

// words reads the words of a text. Its checkpoint is the number of words that
// were read.
type words struct {
	all  []string
	next int
}

func (w *words) Open(_ context.Context, last agent.Checkpoint) error {
	w.next = 0
	_, err := last.Load(&w.next)
	return err
}

func (w *words) ReadItem(context.Context) (string, error) {
	if w.next == len(w.all) {
		return "", io.EOF
	}
	w.next++
	return w.all[w.next-1], nil
}

func (w *words) CheckpointInfo(context.Context) (any, error) { return w.next, nil }
func (w *words) Close(context.Context) error                 { return nil }

// A reader goes on from its checkpoint after a rollback or a restart.
func ExampleItemReader() {
	ctx := context.Background()
	first := &words{all: strings.Fields("to be or not")}
	_ = first.Open(ctx, nil)
	fmt.Println(first.ReadItem(ctx))
	fmt.Println(first.ReadItem(ctx))
	position, _ := first.CheckpointInfo(ctx)
	checkpoint, _ := json.Marshal(position)

	second := &words{all: first.all}
	_ = second.Open(ctx, checkpoint)
	fmt.Println(second.ReadItem(ctx))
	// Output:
	// to <nil>
	// be <nil>
	// or <nil>
}

// The compiler checks that the items of a chunk fit together: the processor
// takes what the reader reads, and the writer writes what the processor
// returns.
func ExampleChunk() {
	counts := agent.Chunk[string, int]{
		Reader: func(s *agent.StepContext) (agent.ItemReader[string], error) {
			return &words{all: strings.Fields(s.Properties["text"])}, nil
		},
		Processor: func(*agent.StepContext) (agent.ItemProcessor[string, int], error) {
			return agent.ProcessorFunc[string, int](func(_ context.Context, word string) (int, error) {
				if word == "or" {
					return 0, agent.ErrFiltered
				}
				return len(word), nil
			}), nil
		},
		Writer: func(s *agent.StepContext) (agent.ItemWriter[int], error) {
			return agent.WriterFunc[int](func(_ context.Context, lengths []int) error {
				s.Log.Info("written", "lengths", lengths)
				return nil
			}), nil
		},
	}
	_, err := agent.New(agent.Config{
		Apps:    []string{"shop"},
		Runtime: native.New(native.Config{}),
		Log:     slog.New(slog.DiscardHandler),
	}, counts.Register("shop.Words"))
	fmt.Println(err)
	// Output: <nil>
}

package chunk_test

import (
	"context"
	"io"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/chunk"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// BenchmarkChunks measures a reader and a writer that do nothing, with an
// item-count of 1,000. An iteration is one item.
func BenchmarkChunks(b *testing.B) {
	known, err := chunk.NewClasses(nil)
	if err != nil {
		b.Fatal(err)
	}
	item := any("item")
	for _, withProcessor := range []bool{false, true} {
		name := "reader and writer"
		if withProcessor {
			name = "with a processor"
		}
		b.Run(name, func(b *testing.B) {
			left := b.N
			s := &chunk.Step{
				Chunk: &jsl.Chunk{ItemCount: "1000"}, Classes: known,
				Reader: agent.ReaderFunc[any](func(context.Context) (any, error) {
					if left == 0 {
						return nil, io.EOF
					}
					left--
					return item, nil
				}),
				Writer: agent.WriterFunc[any](func(context.Context, []any) error { return nil }),
				Commit: func(context.Context, chunk.State) error { return nil },
			}
			if withProcessor {
				s.Processor = agent.ProcessorFunc[any, any](func(_ context.Context, i any) (any, error) { return i, nil })
			}
			b.ReportAllocs()
			b.ResetTimer()
			if _, _, err := s.Run(b.Context(), b.Context()); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
		})
	}
}

package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// Chunk artifacts for experiments, which every agent of this program has.
const (
	countReader = "jobstreamer.CountReader"
	sayWriter   = "jobstreamer.SayWriter"
)

var (
	ownReaders = map[string]agent.Factory[agent.ItemReader[int]]{countReader: newCounter}
	ownWriters = map[string]agent.Factory[agent.ItemWriter[int]]{sayWriter: newSayer}
)

// counter reads the numbers From to To. Its checkpoint is the number that was
// read last.
type counter struct {
	From   int           `batch:"from,default=1"`
	To     int           `batch:"to,required"`
	Pause  time.Duration `batch:"pause"` // before each number
	FailAt int           `batch:"fail_at"`
	Why    string        `batch:"why,default=it is broken"`

	step *agent.StepContext
	last int
}

func newCounter(s *agent.StepContext) (agent.ItemReader[int], error) {
	c := &counter{step: s}
	return c, agent.Inject(c, s.Properties)
}

func (c *counter) Open(_ context.Context, checkpoint agent.Checkpoint) error {
	c.last = c.From - 1
	found, err := checkpoint.Load(&c.last)
	if found && err == nil {
		text := fmt.Sprintf("item %d was read before: going on with item %d", c.last, c.last+1)
		c.step.Log.Info(text)
	}
	return err
}

func (c *counter) ReadItem(ctx context.Context) (int, error) {
	next := c.last + 1
	if next > c.To {
		return 0, io.EOF
	}
	select {
	case <-time.After(c.Pause):
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	if next == c.FailAt {
		return 0, fmt.Errorf("item %d: %s", next, c.Why)
	}
	c.last = next
	return next, nil
}

func (c *counter) CheckpointInfo(context.Context) (any, error) { return c.last, nil }
func (c *counter) Close(context.Context) error                 { return nil }

// newSayer creates a writer that writes to the output which items it got.
func newSayer(s *agent.StepContext) (agent.ItemWriter[int], error) {
	var p struct {
		Message string `batch:"message,default=wrote items"`
	}
	if err := agent.Inject(&p, s.Properties); err != nil {
		return nil, err
	}
	return agent.WriterFunc[int](func(_ context.Context, items []int) error {
		text := fmt.Sprintf("%s %d to %d", p.Message, items[0], items[len(items)-1])
		s.Log.Info(text)
		return nil
	}), nil
}

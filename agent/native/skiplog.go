package native

import (
	"context"
	"fmt"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// maxSkipLines is how many skips of a step, or of a partition, the output has.
const maxSkipLines = 100

// skipLog is a listener that writes to the output what a chunk skips. Without
// it, a job without listeners of its own would only count the skips.
type skipLog struct {
	run *stepRun
	n   int
}

// OnSkipReadItem writes why a read is skipped.
func (l *skipLog) OnSkipReadItem(_ context.Context, cause error) error {
	return l.write(fmt.Sprintf("skipped: read: %v", cause))
}

// OnSkipProcessItem writes why an item is skipped.
func (l *skipLog) OnSkipProcessItem(_ context.Context, _ any, cause error) error {
	return l.write(fmt.Sprintf("skipped: process: %v", cause))
}

// OnSkipWriteItem writes why the items of a chunk are skipped.
func (l *skipLog) OnSkipWriteItem(_ context.Context, items []any, cause error) error {
	return l.write(fmt.Sprintf("skipped: write of %d items: %v", len(items), cause))
}

func (l *skipLog) write(text string) error {
	switch l.n++; {
	case l.n == maxSkipLines+1:
		text = fmt.Sprintf("more than %d skips: no further ones are shown", maxSkipLines)
	case l.n > maxSkipLines:
		return nil
	}
	l.run.run.work.Log.Line(agent.Own, "warn", l.run.step.ID, text)
	return nil
}

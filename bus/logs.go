package bus

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// PurgeLogs deletes the output of an execution.
func (b *Bus) PurgeLogs(ctx context.Context, app, job string, id int64) error {
	s, err := b.JS.Stream(ctx, subjects.LogsStream)
	if err == nil {
		err = s.Purge(ctx, jetstream.WithPurgeSubject(subjects.LogFilter(app, job, id)))
	}
	if err != nil {
		return fmt.Errorf("purge output of %d: %w", id, err)
	}
	return nil
}

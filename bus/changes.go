package bus

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// maxChanges is the maximum number of changes that one context records.
const maxChanges = 32

// definitions are the buckets whose writes [RecordChanges] records.
var definitions = []string{
	subjects.AppsBucket, subjects.JobsBucket, subjects.SchedulesBucket, subjects.CalendarsBucket, subjects.PausesBucket,
	subjects.DeploymentsBucket, subjects.AgentsBucket, subjects.UsersBucket, subjects.TokensBucket,
}

// Change is one write to a definition.
type Change struct {
	Key    string `json:"key" doc:"Bucket and key of what was written, such as jobs/shop.nightly."`
	Before uint64 `json:"before,omitzero" doc:"Revision before the write. Absent if there was none."`
	After  uint64 `json:"after,omitzero" doc:"Revision after the write. Absent if the key was deleted."`
}

// Changes are the writes to definitions that were made with one context.
type Changes struct {
	mu   sync.Mutex
	list []Change
}

type changesKey struct{}

// RecordChanges returns a context that records the writes to definitions which
// are made with it.
func RecordChanges(ctx context.Context) (context.Context, *Changes) {
	c := new(Changes)
	return context.WithValue(ctx, changesKey{}, c), c
}

// List returns the first changes, at most [maxChanges], in their order.
func (c *Changes) List() []Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.list)
}

// isRecorded reports whether ctx records writes to the store.
func (s *Store[T]) isRecorded(ctx context.Context) bool {
	_, ok := ctx.Value(changesKey{}).(*Changes)
	return ok && slices.Contains(definitions, s.kv.Bucket())
}

// NoteChange records that a key was written or deleted with a context. The
// methods of Store do so themselves; it is for batches of [Store.Message].
func (s *Store[T]) NoteChange(ctx context.Context, key string, before, after uint64) {
	c, ok := ctx.Value(changesKey{}).(*Changes)
	if !ok || !slices.Contains(definitions, s.kv.Bucket()) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.list) < maxChanges {
		c.list = append(c.list, Change{strings.TrimPrefix(s.kv.Bucket(), subjects.BucketPrefix) + "/" + key, before, after})
	}
}

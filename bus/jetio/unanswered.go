package jetio

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// unansweredAge is for how long an unanswered write counts, unless a later
// write to the same stream is answered.
const unansweredAge = 30 * time.Second

// unanswered records which streams do not answer writes. If the disk of a
// nats-server was full for a moment, the server answers no write to the streams
// that it could not write, until it is restarted, though it answers everything
// else.
type unanswered struct {
	some  atomic.Bool // whether there is any in since
	mu    sync.Mutex
	since map[string]time.Time // by streamPrefix
}

// streamPrefix returns the common prefix of a stream's subjects: $KV.bucket,
// jobstreamer.result, jobstreamer.request.app.
func streamPrefix(subject string) string {
	n := 2
	if strings.HasPrefix(subject, "jobstreamer.request.") {
		n = 3
	}
	return strings.Join(strings.SplitN(subject, ".", n+1)[:min(n, strings.Count(subject, ".")+1)], ".")
}

// recordTimeout records a write that got no answer.
func (t *unanswered) recordTimeout(subject string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.since == nil {
		t.since = map[string]time.Time{}
	}
	t.since[streamPrefix(subject)] = time.Now()
	t.some.Store(true)
}

// recordStored records a write that was stored.
func (t *unanswered) recordStored(subject string) {
	if !t.some.Load() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.since, streamPrefix(subject))
	t.some.Store(len(t.since) > 0)
}

// asError returns an error that names the streams that do not answer writes, or
// nil.
func (t *unanswered) asError() error {
	if !t.some.Load() {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.since, func(_ string, at time.Time) bool { return time.Since(at) > unansweredAge })
	t.some.Store(len(t.since) > 0)
	if len(t.since) == 0 {
		return nil
	}
	return fmt.Errorf("JetStream does not answer writes to %s; is its disk full? (a nats-server that failed to write must be restarted): %w",
		strings.Join(slices.Sorted(maps.Keys(t.since)), ", "), ErrAway)
}

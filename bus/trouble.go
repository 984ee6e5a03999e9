package bus

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// troubleAge is how long a write without an answer counts, if none to the same stream was answered since.
const troubleAge = 30 * time.Second

// trouble remembers which streams do not answer writes. A nats-server whose disk was full for a moment answers none to the streams that
// it could not write, until it is started again, though it answers everything else.
type trouble struct {
	some atomic.Bool // whether there is any
	mu   sync.Mutex
	at   map[string]time.Time // by what writes to one stream have in common
}

// kindOf is what the subjects of a stream have in common: $KV.bucket, jobstreamer.result, jobstreamer.request.app.
func kindOf(subject string) string {
	n := 2
	if strings.HasPrefix(subject, "jobstreamer.request.") {
		n = 3
	}
	return strings.Join(strings.SplitN(subject, ".", n+1)[:min(n, strings.Count(subject, ".")+1)], ".")
}

// note takes in a write that got no answer.
func (t *trouble) note(subject string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at == nil {
		t.at = map[string]time.Time{}
	}
	t.at[kindOf(subject)] = time.Now()
	t.some.Store(true)
}

// over takes in a write that was stored.
func (t *trouble) over(subject string) {
	if !t.some.Load() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.at, kindOf(subject))
	t.some.Store(len(t.at) > 0)
}

// report returns an error that names the streams that do not answer writes.
func (t *trouble) report() error {
	if !t.some.Load() {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.at, func(_ string, at time.Time) bool { return time.Since(at) > troubleAge })
	t.some.Store(len(t.at) > 0)
	if len(t.at) == 0 {
		return nil
	}
	return fmt.Errorf("JetStream does not answer writes to %s; is its disk full? (a nats-server that could not write has to be started again): %w",
		strings.Join(slices.Sorted(maps.Keys(t.at)), ", "), ErrAway)
}

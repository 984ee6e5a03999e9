package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent/datadir"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// keptResult is a terminal result that is not known to be stored in the broker.
type keptResult struct {
	subjects.Attempt
	Result *pendingResult `json:"record"`
	path   string         // of its file; empty if it is in memory only
}

// outbox keeps terminal results that could not be stored in time, in files if
// it has a folder. It sends them again until the broker stores or refuses them.
// Sending a result that was stored after all does no harm: the broker refuses
// the duplicate.
type outbox struct {
	dir       string // empty: in memory only
	pub       *resultPublisher
	log       *slog.Logger
	onRefused func(*keptResult) // called for a result that does not count any more
	wake      chan struct{}

	mu      sync.Mutex
	results []*keptResult
}

// openOutbox reads the results that an earlier process left in dir.
func openOutbox(dir string, log *slog.Logger) (*outbox, error) {
	o := &outbox{dir: dir, log: log, wake: make(chan struct{}, 1)}
	if dir == "" {
		return o, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		k, err := readKept(file)
		if err != nil { // not half a file, since results are written atomically
			log.Error("unreadable kept result skipped, its file is not removed", "file", file, "err", err)
			continue
		}
		o.results = append(o.results, k)
	}
	return o, nil
}

func readKept(file string) (*keptResult, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	k := &keptResult{path: file}
	if err := json.Unmarshal(data, k); err != nil {
		return nil, err
	}
	if k.Result == nil || k.Result.Subject == "" {
		return nil, errors.New("want a result with a subject")
	}
	k.Result.inDoubt = true
	return k, nil
}

// keepResult adds a result. If there is a folder, the result is on disk when
// keepResult returns.
func (o *outbox) keepResult(k *keptResult) {
	if o.dir != "" {
		file := filepath.Join(o.dir, fmt.Sprintf("%d-%d-%s.json", k.ID, k.Attempt.Attempt, k.Result.Handling))
		if err := replaceWithJSON(file, k); err != nil {
			o.log.Error("result kept in memory only", "execution", k.ID, "attempt", k.Attempt.Attempt, "err", err)
		} else {
			k.path = file
		}
	}
	o.mu.Lock()
	o.results = append(o.results, k)
	o.mu.Unlock()
	o.retrySoon()
}

// retrySoon wakes keepSending, which sends all results again.
func (o *outbox) retrySoon() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// attemptNames returns the attempts whose results are kept, for heartbeats.
func (o *outbox) attemptNames() []subjects.Attempt {
	o.mu.Lock()
	defer o.mu.Unlock()
	names := make([]subjects.Attempt, len(o.results))
	for i, k := range o.results {
		names[i] = k.Attempt
	}
	return names
}

// dropAttempt removes the result of an attempt that the bus has given up, and
// reports whether there was one.
func (o *outbox) dropAttempt(id int64, attempt int) bool {
	o.mu.Lock()
	i := slices.IndexFunc(o.results, func(k *keptResult) bool { return k.ID == id && k.Attempt.Attempt == attempt })
	var k *keptResult
	if i >= 0 {
		k = o.results[i]
	}
	o.mu.Unlock()
	if k == nil {
		return false
	}
	o.removeResult(k)
	return true
}

func (o *outbox) removeResult(k *keptResult) {
	o.mu.Lock()
	o.results = slices.DeleteFunc(o.results, func(other *keptResult) bool { return other == k })
	o.mu.Unlock()
	if k.path != "" {
		if err := os.Remove(k.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			o.log.Error("kept result not removed", "file", k.path, "err", err)
		}
	}
}

// keepSending sends the kept results now, after each retrySoon, and every
// maxPause, until ctx ends.
func (o *outbox) keepSending(ctx context.Context) {
	tick := time.NewTicker(maxPause)
	defer tick.Stop()
	for {
		o.sendAll(ctx)
		select {
		case <-ctx.Done():
			return
		case <-o.wake:
		case <-tick.C:
		}
	}
}

// sendAll tries each result once. It stops at the first one that gets no
// answer.
func (o *outbox) sendAll(ctx context.Context) {
	o.mu.Lock()
	all := slices.Clone(o.results)
	o.mu.Unlock()
	for _, k := range all {
		once, cancel := context.WithTimeout(ctx, endTimeout)
		_, err := o.pub.storeResult(once, k.Result)
		cancel()
		switch {
		case err == nil:
			o.log.Info("kept result stored", "app", k.App, "job", k.Job, "execution", k.ID, "attempt", k.Attempt.Attempt)
			o.removeResult(k)
		case errors.Is(err, errRefused):
			o.removeResult(k)
			o.onRefused(k)
		default:
			return
		}
	}
}

// replaceWithJSON writes v as JSON, atomically and durably.
func replaceWithJSON(file string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return datadir.ReplaceFile(file, data)
}

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
	"strings"
	"sync"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// kept is a terminal result that has still to be stored.
type kept struct {
	subjects.Attempt
	Record *record `json:"record"`
	file   string  // where it is kept; empty: nowhere
}

// outbox keeps terminal results that could not be stored at once, in files if
// it has a folder, and sends them again until they are stored or refused. One
// that is not known to be stored costs one more message and nothing else: the
// broker refuses the second.
type outbox struct {
	dir     string // empty: in memory only
	pub     *publisher
	log     *slog.Logger
	refused func(*kept) // its result does not count any more
	wake    chan struct{}

	mu   sync.Mutex
	kept []*kept
}

// openOutbox reads what an earlier life left in dir.
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
		if err != nil { // half a file cannot be: whoever made it did not see it renamed
			log.Error("kept result not readable, left where it is", "file", file, "err", err)
			continue
		}
		o.kept = append(o.kept, k)
	}
	return o, nil
}

func readKept(file string) (*kept, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	k := &kept{file: file}
	if err := json.Unmarshal(data, k); err != nil {
		return nil, err
	}
	if k.Record == nil || k.Record.Subject == "" {
		return nil, errors.New("no record")
	}
	k.Record.doubt = true
	return k, nil
}

// add takes a result over. When it returns, the result survives the process, if
// there is a folder.
func (o *outbox) add(k *kept) {
	if o.dir != "" {
		file := filepath.Join(o.dir, fmt.Sprintf("%d-%d-%s.json", k.ID, k.Attempt.Attempt, k.Record.Handling))
		if err := writeFile(file, k); err != nil {
			o.log.Error("result kept in memory only", "execution", k.ID, "attempt", k.Attempt.Attempt, "err", err)
		} else {
			k.file = file
		}
	}
	o.mu.Lock()
	o.kept = append(o.kept, k)
	o.mu.Unlock()
	o.retry()
}

// retry sends everything again soon.
func (o *outbox) retry() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// attempts names what is kept, for heartbeats.
func (o *outbox) attempts() []subjects.Attempt {
	o.mu.Lock()
	defer o.mu.Unlock()
	names := make([]subjects.Attempt, len(o.kept))
	for i, k := range o.kept {
		names[i] = k.Attempt
	}
	return names
}

// drop forgets the results of an attempt that was fenced off, and says whether
// there was one.
func (o *outbox) drop(id int64, attempt int) bool {
	o.mu.Lock()
	i := slices.IndexFunc(o.kept, func(k *kept) bool { return k.ID == id && k.Attempt.Attempt == attempt })
	var k *kept
	if i >= 0 {
		k = o.kept[i]
	}
	o.mu.Unlock()
	if k == nil {
		return false
	}
	o.remove(k)
	return true
}

func (o *outbox) remove(k *kept) {
	o.mu.Lock()
	o.kept = slices.DeleteFunc(o.kept, func(other *kept) bool { return other == k })
	o.mu.Unlock()
	if k.file != "" {
		if err := os.Remove(k.file); err != nil && !errors.Is(err, os.ErrNotExist) {
			o.log.Error("kept result not removed", "file", k.file, "err", err)
		}
	}
}

// run sends what is kept, now and whenever there may be a reason to try again,
// until ctx ends.
func (o *outbox) run(ctx context.Context) {
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

// sendAll tries each result once, and stops at the first that gets no answer.
func (o *outbox) sendAll(ctx context.Context) {
	o.mu.Lock()
	all := slices.Clone(o.kept)
	o.mu.Unlock()
	for _, k := range all {
		once, cancel := context.WithTimeout(ctx, endTimeout)
		_, err := o.pub.store(once, k.Record)
		cancel()
		switch {
		case err == nil:
			o.log.Info("kept result stored", "app", k.App, "job", k.Job, "execution", k.ID, "attempt", k.Attempt.Attempt)
			o.remove(k)
		case errors.Is(err, errRefused):
			o.remove(k)
			o.refused(k)
		default:
			return
		}
	}
}

// writeFile writes v so that there is the whole file, on disk, or none.
func writeFile(file string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), strings.TrimSuffix(filepath.Base(file), ".json")+".tmp*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return syncDir(filepath.Dir(file))
}

// syncDir makes a rename last. Where a folder cannot be synced the file system
// does it by itself.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	_ = d.Sync()
	return d.Close()
}

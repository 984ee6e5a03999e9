package builtin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// fileWatch waits for files.
type fileWatch struct {
	pattern           string
	count             int
	interval, timeout time.Duration
	stable            time.Duration
	value             string
	seen              map[string]fileSight
}

// fileSight is how a file looked, and since when it has looked so.
type fileSight struct {
	size     int64
	modified time.Time
	since    time.Time
}

// runFileWatch runs the batchlet [FileWatch].
func (c Config) runFileWatch(ctx context.Context, s *agent.StepContext) (string, error) {
	p := newProperties(s)
	w := fileWatch{
		pattern:  p.requiredText("path", "a file, or a pattern such as /in/*.csv"),
		count:    p.number("count", 1, 1, 100_000),
		interval: p.duration("interval", time.Second, false),
		timeout:  p.duration("timeout", 0, false),
		stable:   p.duration("stable", 5*time.Second, true),
		value:    p.text("value", ""),
		seen:     map[string]fileSight{},
	}
	if _, err := filepath.Match(w.pattern, ""); err != nil {
		p.fault("path", "a file, or a pattern such as /in/*.csv", w.pattern)
	}
	if w.value != "" && !subjects.ValidValueName(w.value) {
		p.fault("value", "a name of a-z, 0-9 and _", w.value)
	}
	c.checkFiles(p, "path")
	if err := p.check(); err != nil {
		return "", err
	}
	found, err := w.waitForFiles(ctx, s)
	if err != nil {
		return timeoutStatus(err), err
	}
	s.Log.Info("found " + strings.Join(firstOf(found, 20), ", "))
	if w.value != "" {
		return "", s.SetValue(w.value, strings.Join(found, "\n"))
	}
	return "", nil
}

// waitForFiles blocks until there are enough files that no longer change, and
// returns all of those.
func (w *fileWatch) waitForFiles(ctx context.Context, s *agent.StepContext) ([]string, error) {
	start, told := time.Now(), false
	for {
		found, waiting, err := w.lookOnce(time.Now())
		if err != nil {
			return nil, err
		}
		if len(found) >= w.count && waiting == 0 {
			return found, nil
		}
		if w.timeout > 0 && time.Since(start) >= w.timeout {
			return nil, fmt.Errorf("%w after %v: %s has %d files that do not change, and %d that do; want %d",
				errTimeout, w.timeout, w.pattern, len(found), waiting, w.count)
		}
		if !told {
			s.Log.Info("waiting for " + w.pattern)
			told = true
		}
		next := w.interval
		if w.timeout > 0 {
			next = max(min(next, w.timeout-time.Since(start)), time.Millisecond)
		}
		if err := wait(ctx, next); err != nil {
			return nil, err
		}
	}
}

// lookOnce returns the files that have not changed for long enough, and the
// number of those that have.
func (w *fileWatch) lookOnce(now time.Time) (stable []string, changing int, err error) {
	names, err := w.listFiles()
	if err != nil {
		return nil, 0, err
	}
	seen := map[string]fileSight{}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			continue // gone, or a directory
		}
		sight := fileSight{size: info.Size(), modified: info.ModTime(), since: now}
		if was, ok := w.seen[name]; ok && was.size == sight.size && was.modified.Equal(sight.modified) {
			sight.since = was.since
		}
		seen[name] = sight
		if now.Sub(sight.since) >= w.stable {
			stable = append(stable, name)
		} else {
			changing++
		}
	}
	w.seen = seen
	return stable, changing, nil
}

// listFiles returns the file of the path if it exists, whatever characters its
// name has, or else the files that match the path as a pattern.
func (w *fileWatch) listFiles() ([]string, error) {
	_, err := os.Stat(w.pattern)
	switch {
	case err == nil:
		return []string{w.pattern}, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("property path: %w", err)
	}
	names, err := filepath.Glob(w.pattern)
	slices.Sort(names)
	return names, err
}

var errTimeout = errors.New("timeout")

// timeoutStatus returns the exit status of a step that failed with err.
func timeoutStatus(err error) string {
	if errors.Is(err, errTimeout) {
		return "TIMEOUT"
	}
	return ""
}

// firstOf returns up to n texts, and how many more there are.
func firstOf(all []string, n int) []string {
	if len(all) <= n {
		return all
	}
	return append(slices.Clone(all[:n]), fmt.Sprintf("and %d more", len(all)-n))
}

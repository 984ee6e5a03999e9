package builtin_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/builtin"
)

// after runs f after a time, in the bubble of the test.
func after(d time.Duration, f func()) { time.AfterFunc(d, f) }

func TestFileWatch(t *testing.T) {
	for _, test := range []struct {
		name       string
		properties map[string]string // $DIR stands for a folder
		happens    func(put func(name, text string))
		took       time.Duration
		exit, err  string
		files      string // value of the step
	}{
		{"a file that is there", map[string]string{"path": "$DIR/old"}, nil, 5 * time.Second, "", "", "$DIR/old"},
		{"a file that need not be stable", map[string]string{"path": "$DIR/old", "stable": "0"}, nil, 0, "", "", "$DIR/old"},
		{"a file that comes", map[string]string{"path": "$DIR/new"}, func(put func(name, text string)) {
			after(89500*time.Millisecond, func() { put("new", "x") })
		}, 95 * time.Second, "", "", "$DIR/new"},
		{"a file that grows", map[string]string{"path": "$DIR/new", "stable": "10s"}, func(put func(name, text string)) {
			for i := range 4 {
				after(time.Duration(i)*8*time.Second+500*time.Millisecond, func() { put("new", strings.Repeat("x", i+1)) })
			}
		}, 35 * time.Second, "", "", "$DIR/new"},
		{"a pattern", map[string]string{"path": "$DIR/*.csv", "count": "2", "stable": "2s"}, func(put func(name, text string)) {
			after(10500*time.Millisecond, func() { put("b.csv", "x") })
			after(20500*time.Millisecond, func() { put("a.csv", "x") })
		}, 23 * time.Second, "", "", "$DIR/a.csv\n$DIR/b.csv"},
		{"a name that is a pattern", map[string]string{"path": "$DIR/[x]"}, func(put func(name, text string)) { put("[x]", "") }, 5 * time.Second, "", "", "$DIR/[x]"},
		{"a folder does not count", map[string]string{"path": "$DIR/*older", "timeout": "10s"}, nil, 10 * time.Second, "TIMEOUT", "timeout after 10s: $DIR/*older has 0 files that do not change, and 0 that do; want 1", ""},
		{"a timeout between two looks", map[string]string{"path": "$DIR/none", "timeout": "90s", "interval": "1h"}, nil, 90 * time.Second, "TIMEOUT", "timeout after 1m30s", ""},
		{"no path", map[string]string{}, nil, 0, "", "property path: want a file", ""},
		{"a bad pattern", map[string]string{"path": "["}, nil, 0, "", "property path: want a file, or a pattern", ""},
		{"a bad count", map[string]string{"path": "x", "count": "0"}, nil, 0, "", `property count: want a number from 1 to 100000, got "0"`, ""},
		{"a bad name of a value", map[string]string{"path": "x", "value": "A"}, nil, 0, "", "property value: want a name of a-z", ""},
		{"an unknown property", map[string]string{"path": "x", "file": "y"}, nil, 0, "", "property file: unknown, want count, interval, path, stable, timeout, value", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			put := func(name, text string) {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Error(err)
				}
			}
			put("old", "x")
			if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
				t.Fatal(err)
			}
			in := func(text string) string { return strings.ReplaceAll(text, "$DIR", dir) }
			synctest.Test(t, func(t *testing.T) {
				properties := with(test.properties, "path", in(test.properties["path"]))
				if test.files != "" {
					properties["value"] = "files"
				}
				if test.happens != nil {
					test.happens(put)
				}
				begin := time.Now()
				got := runBatchlet(t.Context(), builtin.Config{}, builtin.FileWatch, properties)
				checkOutcome(t, got, test.exit, in(test.err))
				if took := time.Since(begin); took != test.took {
					t.Errorf("it took %v, want %v", took, test.took)
				}
				if got.values["files"] != in(test.files) {
					t.Errorf("it found %q, want %q", got.values["files"], in(test.files))
				}
			})
		})
	}
}

func TestFileWatchStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		after(time.Hour, func() { cancel(agent.ErrStopped) })
		got := runBatchlet(ctx, builtin.Config{}, builtin.FileWatch, map[string]string{"path": "/no/such/file"})
		if !errors.Is(got.err, agent.ErrStopped) {
			t.Errorf("it ended with %v", got.err)
		}
	})
}

package deploy

import (
	"bytes"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// warningCounter counts log lines that report components that were not loaded.
type warningCounter struct{ atomic.Int32 }

func (l *warningCounter) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("components not loaded")) {
		l.Add(1)
	}
	return len(b), nil
}

func TestARevisionThatCannotBeReadIsTriedMoreAndMoreSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var said warningCounter
		w.log = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn}))
		warnings := func() int32 {
			synctest.Wait()
			return said.Swap(0)
		}
		rec := bus.Revision{App: "shop", Number: 1, Object: strings.Repeat("0", 64)}
		if _, err := w.b.Revisions.Create(t.Context(), rec.Key(), rec); err != nil {
			t.Fatal(err)
		}
		rev, err := w.b.Deployed.Create(t.Context(), "shop", bus.Deployed{Current: 1, Kept: []int{1}, Last: 1})
		if err != nil {
			t.Fatal(err)
		}
		w.runDeployer(w.Deployer) // becomes ready in spite of the unreadable revision
		time.Sleep(63 * time.Second)
		if n := warnings(); n < 6 || n > 8 {
			t.Errorf("%d warnings in the first minute, want about 7", n)
		}
		time.Sleep(time.Hour)
		if n := warnings(); n < 59 || n > 61 {
			t.Errorf("%d warnings in an hour, want about 60", n)
		}
		// After a successful read, the backoff starts again from the shortest
		// pause.
		if rev, err = w.b.Deployed.Update(t.Context(), "shop", bus.Deployed{Last: 1}, rev); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if n := warnings(); n != 0 {
			t.Errorf("%d warnings of nothing", n)
		}
		if _, err := w.b.Deployed.Update(t.Context(), "shop", bus.Deployed{Current: 1, Kept: []int{1}, Last: 1}, rev); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if n := warnings(); n < 3 || n > 5 {
			t.Errorf("%d warnings in ten seconds, want about 4", n)
		}
	})
}

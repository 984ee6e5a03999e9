package cli

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestBackfill(t *testing.T) {
	e, b := withBus(t)
	e.applyFiles(t, "nightly", "Noop")
	backfill := func(args ...string) outcome {
		return e.runOnce(t.Context(), append([]string{"backfill", "nightly"}, args...)...)
	}
	if got := backfill(); got.out != "No backfills.\n" {
		t.Errorf("%+v", got)
	}
	if got := backfill("--from", "2d", "--to", "yesterday"); got.failed == nil || !strings.Contains(got.failed.Error(), "no schedule") {
		t.Errorf("%+v", got)
	}
	if got := e.runOnce(t.Context(), "schedule", "set", "nightly", "0 30 2 * * ?", "--timezone", "Asia/Tokyo"); got.failed != nil {
		t.Fatalf("%+v", got)
	}
	got := backfill("--from", "2026-10-01", "--to", "2026-10-03", "--dry-run")
	if !strings.Contains(got.out, "2026-09-30 17:30  2026-10-01T02:30:00+09:00  2026-10-01     would run") || !strings.HasSuffix(got.out, "Job nightly would run for 3 fire times.\n") {
		t.Errorf("%+v", got)
	}
	if got := backfill(); got.out != "No backfills.\n" {
		t.Errorf("a dry run made one: %+v", got)
	}
	got = backfill("--from", "2026-10-01 02:30", "--to", "2026-10-03", "-n", "2", "--concurrency", "2")
	if !strings.Contains(got.out, "Job nightly runs for 2 fire times, as backfill ") || !strings.Contains(got.out, "There is more than the limit: go on with --from 2026-10-02T17:30:00Z.\n") {
		t.Errorf("%+v", got)
	}
	got = backfill("--from", "2026-10-01", "--to", "2026-10-03")
	if !strings.Contains(got.out, "Job nightly runs for 1 fire time, as backfill ") || !strings.Contains(got.out, " 2 times were left out.\n") {
		t.Errorf("%+v", got)
	}
	got = backfill()
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "BACKFILL") || !strings.Contains(lines[1], "2026-10-02 17:30") {
		t.Errorf("%+v", got)
	}
	if got := e.runOnce(t.Context(), "schedule", "fires", "nightly"); !strings.Contains(got.out, "fired by backfill ") {
		t.Errorf("%+v", got)
	}
	if got := e.runOnce(t.Context(), "why", "nightly", "2026-10-02 12:00"); !strings.Contains(got.out, "ordered it at") {
		t.Errorf("%+v", got)
	}
	if got := backfill("--cancel"); !strings.HasSuffix(got.out, " that waited will not run.\n") {
		t.Errorf("%+v", got)
	}
	if got := backfill("--cancel", "--id", "99999999"); got.failed == nil || !strings.Contains(got.failed.Error(), "no backfill 99999999") {
		t.Errorf("%+v", got)
	}
	if _, err := b.Schedules.Get(t.Context(), "default.nightly"); err != nil {
		t.Fatal(err)
	}

	for _, x := range []struct {
		args []string
		want string
	}{
		{[]string{"--from", "2026-10-01"}, "--to is missing"},
		{[]string{"--from", "noon", "--to", "today"}, `--from "noon": want 18:00`},
		{[]string{"--to", "2199-10-01", "--from", "2026-10-01"}, "/to: want a time that is not to come"},
		{[]string{"--from", "2026-10-01", "--to", "2026-10-02", "-n", "0"}, "--limit 0: want a number from 1 to 100000"},
		{[]string{"--from", "2026-10-01", "--to", "2026-10-02", "--concurrency", "-1"}, "--concurrency -1: want a number from 1 to 1000"},
		{[]string{"--dry-run"}, "--dry-run: want --from and --to beside it"},
		{[]string{"--id", "7"}, "--id: want --cancel beside it"},
		{[]string{"--cancel", "--from", "2026-10-01"}, "--cancel: no --from"},
		{[]string{"--from", "2026-10-01", "--to", "2026-10-02", "--dry-run", "--wait"}, "--wait: nothing runs with --dry-run"},
	} {
		if got := backfill(x.args...); got.failed == nil || !strings.Contains(got.failed.Error(), x.want) {
			t.Errorf("%v: %+v, want %q", x.args, got, x.want)
		}
	}
}

func TestWaitForABackfill(t *testing.T) {
	e, b := withBus(t)
	e.applyFiles(t, "nightly", "Noop")
	if got := e.runOnce(t.Context(), "schedule", "set", "nightly", "0 30 2 * * ?"); got.failed != nil {
		t.Fatalf("%+v", got)
	}
	ctx, end := context.WithCancel(t.Context())
	var stops sync.WaitGroup
	stops.Go(func() { // there is no agent: each execution ends because somebody stops it
		for ctx.Err() == nil {
			all, _ := b.Executions.List(ctx, "default.nightly.*")
			for _, x := range all {
				if !x.Value.BatchStatus.Ended() {
					e.runOnce(ctx, "execution", "stop", strconv.FormatInt(x.Value.ID, 10))
				}
			}
			pauseFor(ctx, 20*time.Millisecond)
		}
	})
	got := e.runOnce(t.Context(), "backfill", "nightly", "--from", "2026-10-01", "--to", "2026-10-03", "--wait")
	end()
	stops.Wait()
	if ExitStatus(got.failed) != ExitFailed || !strings.Contains(got.out, ": 0 waiting, 0 running, 0 completed, 3 failed\n") {
		t.Errorf("%+v", got)
	}
}

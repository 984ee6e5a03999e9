//go:build linux

package crashtest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// chain are jobs each of which starts the next. The first one is scheduled for
// every second. The job daily needs the first and the last for a business day.
var chain = []string{"tick", "second", "third", "fourth", "fifth"}

const daily = "daily"

// TestLeadersDieWhileSchedulesFire kills the buses of a running schedule, and
// pauses them for longer than the lease. The files that the jobs write show
// each second once, and each business day once.
func TestLeadersDieWhileSchedulesFire(t *testing.T) {
	t.Parallel()
	runs, length := 1, 25*time.Second
	if os.Getenv(longEnv) == "1" {
		runs, length = 20, 3*time.Minute
	}
	for range runs {
		c := newChaos(t, 3, 0, 0)
		c.Logf("%s=%d", seedEnv, c.seed)
		c.runSchedule(length)
	}
}

func (c *chaos) runSchedule(length time.Duration) {
	for _, d := range append(c.buses, c.agents...) {
		d.startAndWait(c.T)
	}
	dir := c.TempDir()
	cl := c.newClient(0)
	put := func(path string, body any) {
		ctx, cancel := context.WithTimeout(c.Context(), patience)
		defer cancel()
		if _, err := cl.sendUntilAnswered(ctx, http.MethodPut, path, "", body, nil); err != nil {
			c.Fatal(err)
		}
	}
	put("/app/"+app, struct{}{})
	for i, job := range chain {
		var by []rest.Trigger
		if i > 0 {
			by = []rest.Trigger{{Job: chain[i-1], On: bus.OnEnded}} // a slow machine may lose an agent
		}
		put(jobPath(job), writingJob(job, dir, "$JOBSTREAMER_SCHEDULED_FOR", "any", by))
	}
	put(jobPath(daily), writingJob(daily, dir, "$JOBSTREAMER_SCHEDULED_DATE", "all", []rest.Trigger{{Job: chain[0], On: bus.OnEnded}, {Job: chain[4], On: bus.OnEnded}}))
	put(jobPath(chain[0])+"/schedule", rest.NewSchedule{CronNotation: "* * * * * ?", Misfire: bus.MisfireFireAll})

	ctx, cancel := context.WithTimeout(c.Context(), length)
	c.disturbBuses(ctx)
	<-ctx.Done()
	cancel()
	// A pause skips what is late. So all times until now have to be decided.
	c.waitForSecond(dir, time.Now())
	put(jobPath(chain[0])+"/schedule/pause", struct{}{})
	c.waitForLines(dir)
	c.checkLines(dir)
	for _, d := range append(c.buses, c.agents...) {
		d.killAndWait()
	}
}

// writingJob is the file of a job that appends a line with a text to the file
// of its name.
func writingJob(job, dir, text, needed string, by []rest.Trigger) json.RawMessage {
	def := map[string]any{
		"id": job,
		"steps": []any{map[string]any{
			"id": "write", "command": fmt.Sprintf(`echo "%s $JOBSTREAMER_EXECUTION_ID" >> "%s"`, text, filepath.Join(dir, job)),
		}},
	}
	if by != nil {
		def["triggers"] = rest.Triggers{Needed: needed, Jobs: by}
	}
	data, err := json.Marshal(def)
	if err != nil {
		panic(fmt.Sprint("of strings: ", err))
	}
	return data
}

// disturbBuses kills buses, or pauses them for longer than the lease, one after
// the other, until ctx ends. Then all of them run.
func (c *chaos) disturbBuses(ctx context.Context) {
	r := rand.New(rand.NewPCG(c.seed, 0))
	var troubles sync.WaitGroup
	defer troubles.Wait()
	for _, d := range c.buses {
		pause := r.IntN(2) == 0
		wait := randomBetween(r, 2*time.Second, 8*time.Second)
		troubles.Go(func() {
			for sleepUnless(ctx, wait) {
				if pause = !pause; pause {
					c.countTrouble(d, "paused for long")
					d.sendSignal(syscall.SIGSTOP)
					sleepUnless(ctx, bus.LeaseTTL+2*time.Second)
					d.sendSignal(syscall.SIGCONT)
					continue
				}
				c.countTrouble(d, "killed")
				d.killAndWait()
				d.startAndWait(c.T)
			}
		})
	}
}

// readLines returns how often each first word is in the file of a job.
func readLines(t *testing.T, dir, job string) map[string]int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, job))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	lines := map[string]int{}
	for line := range strings.Lines(string(text)) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		lines[word]++
	}
	return lines
}

// waitForSecond waits until the first job of the chain has run for the second
// of t or a later one.
func (c *chaos) waitForSecond(dir string, t time.Time) {
	want := subjects.TimeOf(t).String()
	for end := time.Now().Add(2 * patience); ; time.Sleep(500 * time.Millisecond) {
		for word := range readLines(c.T, dir, chain[0]) {
			if word >= want {
				return
			}
		}
		if time.Now().After(end) {
			c.Errorf("after %v %s has not run for %s or later", 2*patience, chain[0], want)
			return
		}
	}
}

// waitForLines waits until the last job of the chain has run as often as the
// first, and daily has run.
func (c *chaos) waitForLines(dir string) {
	total := func(job string) (n int) {
		for _, k := range readLines(c.T, dir, job) {
			n += k
		}
		return n
	}
	for end := time.Now().Add(2 * patience); ; time.Sleep(500 * time.Millisecond) {
		first, last, days := total(chain[0]), total(chain[4]), total(daily)
		if first > 0 && first == last && days > 0 {
			return
		}
		if time.Now().After(end) {
			c.Errorf("after %v %s ran %d times, %s %d times and %s %d times", 2*patience, chain[0], first, chain[4], last, daily, days)
			return
		}
	}
}

// whyNot returns what the control bus says about a second for which the first
// job of the chain did not run.
func (c *chaos) whyNot(at time.Time) string {
	ctx, cancel := context.WithTimeout(c.Context(), patience)
	defer cancel()
	var answer json.RawMessage
	path := jobPath(chain[0]) + "/why?at=" + at.UTC().Format(time.RFC3339)
	if _, err := c.newClient(0).sendUntilAnswered(ctx, http.MethodGet, path, "", nil, &answer); err != nil {
		return err.Error()
	}
	return string(answer)
}

// checkLines checks that the schedule fired for each second once, that each
// execution started the chain once, and that daily ran once for each day.
func (c *chaos) checkLines(dir string) {
	time.Sleep(2 * time.Second) // whatever is double may still come
	seconds := map[int64]bool{}
	var first, last time.Time
	for word, n := range readLines(c.T, dir, chain[0]) {
		at, err := time.Parse(time.RFC3339, word)
		if err != nil || n != 1 {
			c.Errorf("%s ran %d times for %q (%v)", chain[0], n, word, err)
			continue
		}
		seconds[at.Unix()] = true
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	for at := first; !at.After(last); at = at.Add(time.Second) {
		if !seconds[at.Unix()] {
			c.Errorf("%s did not run for %v: %s", chain[0], at, c.whyNot(at))
		}
	}
	for _, job := range chain[1:] {
		n := 0
		for _, k := range readLines(c.T, dir, job) {
			n += k
		}
		if n != len(seconds) {
			c.Errorf("%s ran %d times, %s %d times", job, n, chain[0], len(seconds))
		}
	}
	days := map[string]bool{first.UTC().Format(time.DateOnly): true, last.UTC().Format(time.DateOnly): true}
	for day, n := range readLines(c.T, dir, daily) {
		if n != 1 || !days[day] {
			c.Errorf("%s ran %d times for %s, want once for each of %v", daily, n, day, days)
		}
	}
	c.Logf("%d seconds from %v to %v; troubles: %v", len(seconds), first.UTC(), last.UTC(), c.did)
}

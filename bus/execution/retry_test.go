package execution

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// retried is a definition with a retry.
func retried(id, retry, more string) string {
	return fmt.Sprintf(`{"id":%q,%s"retry":%s,"steps":[{"id":"S","batchlet":{"ref":"x"}}]}`, id, more, retry)
}

// run claims the request of e and ends it, with an exit status if exit is not
// empty.
func (w *world) run(e *bus.Execution, status subjects.BatchStatus, exit string) *bus.Execution {
	w.Helper()
	d := w.fetch()
	if d == nil || d.Execution.ID != e.ID {
		w.Fatalf("in the queue is %+v, want execution %d", d, e.ID)
	}
	h := w.handle(d, "a1")
	h.claim()
	if err := h.say(status, func(r *subjects.Result) { r.ExitStatus = exit }); err != nil {
		w.Fatal(err)
	}
	return w.want(e, status)
}

// get reads a record.
func (w *world) get(e *bus.Execution) *bus.Execution {
	w.Helper()
	now, err := w.bus.Get(w.Context(), e.App, e.Job, e.ID)
	if err != nil {
		w.Fatal(err)
	}
	return now
}

// successor returns the execution that restarts e, which must exist.
func (w *world) successor(e *bus.Execution) *bus.Execution {
	w.Helper()
	old := w.get(e)
	if old.RestartedBy == 0 {
		w.Fatalf("execution %d was not restarted: %+v, due %v, %q", e.ID, old.Retry, old.RetryDue, old.RetryEnded)
	}
	return w.get(&bus.Execution{Execution: subjects.Execution{App: e.App, Job: e.Job, ID: old.RestartedBy}})
}

// count returns how many executions a job has.
func (w *world) count(job string) int {
	w.Helper()
	all, err := w.bus.b.Executions.List(w.Context(), "default."+job+".*")
	if err != nil {
		w.Fatal(err)
	}
	return len(all)
}

func TestRetry(t *testing.T) {
	play(t, "a failed execution is restarted after its backoff, which doubles", func(w *world) {
		w.job("R", retried("R", `{"attempts":4,"backoff":"1m","max_backoff":"3m"}`, ""))
		e, _, err := w.bus.Submit(w.Context(), Submission{App: "default", Job: "R", Parameters: map[string]string{"k": "v"}})
		if err != nil {
			w.Fatal(err)
		}
		for run, delay := range []time.Duration{time.Minute, 2 * time.Minute, 3 * time.Minute} {
			old := w.run(e, subjects.Failed, "")
			if got := old.RetryDue.Std().Sub(old.EndTime.Std()); got != delay || !old.AwaitsRetry() {
				w.Errorf("run %d is retried %v after its end, want %v", run+1, got, delay)
			}
			time.Sleep(delay - time.Second)
			if got := w.get(e); got.RestartedBy != 0 {
				w.Errorf("run %d was restarted before its time", run+1)
			}
			time.Sleep(3 * time.Second)
			next := w.successor(e)
			if next.RestartOf != e.ID || next.InstanceID != old.InstanceID || next.Retry.Run != run+2 || !maps.Equal(next.Parameters, e.Parameters) || next.BatchStatus != subjects.Unrestarted {
				w.Errorf("restarted as %+v, %+v", next.Execution, next.Retry)
			}
			e = next
		}
		old := w.run(e, subjects.Failed, "")
		if old.AwaitsRetry() || old.RetryEnded != "it was the last of 4 runs" {
			w.Errorf("the last run is retried at %v, %q", old.RetryDue, old.RetryEnded)
		}
		time.Sleep(3 * time.Minute)
		if n := w.count("R"); n != 4 {
			w.Errorf("%d executions, want 4", n)
		}
		// A restart by a user begins again.
		next, _, err := w.bus.Restart(w.Context(), e.App, e.Job, e.ID, nil)
		if err != nil || next.Retry.Run != 1 {
			w.Errorf("restarted by a user as %+v, %v", next, err)
		}
	})

	for name, c := range map[string]struct {
		retry, exit string
		status      subjects.BatchStatus
		want        string
	}{
		"an exit status that matches on is retried":         {`{"attempts":2,"on":["X","E*"]}`, "E17", subjects.Failed, ""},
		"an exit status that does not match on is not":      {`{"attempts":2,"on":["X","E*"]}`, "F17", subjects.Failed, "not with the exit status F17"},
		"an exit status that matches not_on is not retried": {`{"attempts":2,"not_on":["E?"]}`, "E1", subjects.Failed, "not with the exit status E1"},
		"a completed execution is not retried":              {`{"attempts":2}`, "E1", subjects.Completed, "none"},
		"a stopped execution is not retried":                {`{"attempts":2}`, "", subjects.Stopped, "none"},
	} {
		play(t, name, func(w *world) {
			w.job("R", retried("R", c.retry, ""))
			e := w.submit("R")
			old := w.run(e, c.status, c.exit)
			time.Sleep(time.Minute)
			got := w.get(e)
			if c.want == "" {
				if w.successor(e).Retry.Run != 2 {
					w.Error("it is not the second run")
				}
				return
			}
			if c.want == "none" {
				c.want = ""
			}
			if got.RestartedBy != 0 || old.AwaitsRetry() || got.RetryEnded != c.want {
				w.Errorf("restarted as %d, due %v, %q; want %q", got.RestartedBy, old.RetryDue, got.RetryEnded, c.want)
			}
		})
	}

	play(t, "the exit status of a failed step counts too", func(w *world) {
		w.job("R", retried("R", `{"attempts":3,"backoff":"0s","on":["7","8"],"not_on":["8"]}`, ""))
		e := w.submit("R")
		for _, exit := range []string{"7", "8"} {
			h := w.handle(w.fetch(), "a1")
			h.claim()
			steps := []subjects.StepExecution{{ID: 1, Step: "S", BatchStatus: subjects.Failed, ExitStatus: exit}}
			if err := h.say(subjects.Failed, func(r *subjects.Result) { r.Steps = steps }); err != nil {
				w.Fatal(err)
			}
			w.want(e, subjects.Failed)
			if exit == "7" {
				time.Sleep(5 * time.Second)
				e = w.successor(e)
			}
		}
		if got := w.get(e); got.AwaitsRetry() || got.RetryEnded != "not with the exit status FAILED, 8" {
			w.Errorf("due %v, %q", got.RetryDue, got.RetryEnded)
		}
	})

	play(t, "an execution whose agent is lost is retried, and goes on where it ended", func(w *world) {
		w.job("R", retried("R", `{"attempts":2,"backoff":"1s"}`, ""))
		e := w.submit("R")
		h := w.handle(w.fetch(), "a1")
		step := subjects.StepExecution{ID: 1, Step: "S", BatchStatus: subjects.Completed}
		if err := h.say(subjects.Started, func(r *subjects.Result) { r.Steps = []subjects.StepExecution{step} }); err != nil {
			w.Fatal(err)
		}
		if err := h.d.msg.DoubleAck(w.Context()); err != nil {
			w.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		w.want(e, subjects.Failed)
		time.Sleep(5 * time.Second)
		d := w.fetch()
		if d == nil || d.Execution.RestartOf != e.ID || len(d.Steps) != 1 || d.Steps[0].BatchStatus != subjects.Completed {
			w.Fatalf("requested %+v", d)
		}
		if strings.Contains(string(d.Definition), "retry") {
			w.Errorf("an older agent would refuse the definition %s", d.Definition)
		}
	})
}

func TestRetryEnds(t *testing.T) {
	const soon = `{"attempts":3,"backoff":"1m"}`
	for name, c := range map[string]struct {
		act  func(w *world, e *bus.Execution) error
		want string // why it is not retried
	}{
		"stop ends a retry": {func(w *world, e *bus.Execution) error {
			_, err := w.bus.Stop(w.Context(), e.App, e.Job, e.ID)
			return err
		}, "it was stopped"},
		"abandon ends a retry": {func(w *world, e *bus.Execution) error {
			_, err := w.bus.Abandon(w.Context(), e.App, e.Job, e.ID)
			return err
		}, "it was abandoned"},
		"a definition without a retry ends it": {func(w *world, _ *bus.Execution) error {
			return w.redefine("R", `{"id":"R","steps":[{"id":"S","batchlet":{"ref":"x"}}]}`)
		}, "the job default.R has no retry any more"},
		"a definition with fewer attempts ends it": {func(w *world, _ *bus.Execution) error {
			return w.redefine("R", retried("R", `{"attempts":2}`, ""))
		}, "the retry of the job default.R now allows 2 runs only"},
		"a definition that is not restartable ends it": {func(w *world, _ *bus.Execution) error {
			return w.redefine("R", retried("R", soon, `"restartable":false,`))
		}, "the job default.R is not restartable"},
		"so does one that a parameter makes so": {func(w *world, _ *bus.Execution) error {
			return w.redefine("R", retried("R", soon, `"restartable":"#{jobParameters['again']}?:false;",`))
		}, "the job default.R is not restartable"},
		"the end of the job ends it": {func(w *world, _ *bus.Execution) error {
			j, err := w.bus.b.Job(w.Context(), "default", "R")
			if err != nil {
				return err
			}
			return w.bus.b.Jobs.Delete(w.Context(), j.Key, j.Revision)
		}, "there is no job R in the application default"},
	} {
		play(t, name, func(w *world) {
			w.job("R", retried("R", soon, ""))
			e := w.submit("R")
			w.run(e, subjects.Failed, "")
			time.Sleep(65 * time.Second)
			e = w.successor(e)
			w.run(e, subjects.Failed, "")
			if err := c.act(w, e); err != nil {
				w.Fatal(err)
			}
			time.Sleep(3 * time.Minute)
			if got := w.get(e); got.RestartedBy != 0 || got.AwaitsRetry() || !strings.Contains(got.RetryEnded, c.want) {
				w.Errorf("restarted as %d, due %v, %q; want %q", got.RestartedBy, got.RetryDue, got.RetryEnded, c.want)
			}
			if n := w.count("R"); n != 2 {
				w.Errorf("%d executions, want 2", n)
			}
		})
	}

	play(t, "a stop of a running execution ends its retry", func(w *world) {
		w.job("R", retried("R", soon, ""))
		e := w.submit("R")
		h := w.handle(w.fetch(), "a1")
		h.claim()
		w.want(e, subjects.Started)
		if _, err := w.bus.Stop(w.Context(), e.App, e.Job, e.ID); err != nil {
			w.Fatal(err)
		}
		h.end(subjects.Failed)
		if got := w.want(e, subjects.Failed); got.AwaitsRetry() || got.RetryEnded == "" {
			w.Errorf("due %v, %q", got.RetryDue, got.RetryEnded)
		}
	})

	play(t, "an abandon wins, though the record does not show the failure yet", func(w *world) {
		w.job("R", retried("R", `{"attempts":3,"backoff":"0s"}`, ""))
		e := w.submit("R")
		h := w.handle(w.fetch(), "a1")
		h.claim()
		w.want(e, subjects.Started)
		w.bus.stop() // nobody folds
		idle := w.idle(Config{})
		h.end(subjects.Failed)
		if _, err := idle.Abandon(w.Context(), e.App, e.Job, e.ID); err != nil {
			w.Fatal(err)
		}
		w.node(Config{})
		time.Sleep(time.Minute)
		if got := w.want(e, subjects.Abandoned); got.RestartedBy != 0 || got.RetryEnded != "it was abandoned" {
			w.Errorf("an abandoned execution was retried as %d, or could have been: %q", got.RestartedBy, got.RetryEnded)
		}
	})

	play(t, "a deleted execution is not retried", func(w *world) {
		w.job("R", retried("R", soon, ""))
		e := w.submit("R")
		w.run(e, subjects.Failed, "")
		if err := w.bus.DeleteHistory(w.Context(), "default", "R"); err != nil {
			w.Fatal(err)
		}
		time.Sleep(3 * time.Minute)
		if n := w.count("R"); n != 0 {
			w.Errorf("%d executions, want none", n)
		}
	})

	play(t, "a restart by a user takes the place of the retry", func(w *world) {
		w.job("R", retried("R", soon, ""))
		e := w.submit("R")
		w.run(e, subjects.Failed, "")
		next, _, err := w.bus.Restart(w.Context(), e.App, e.Job, e.ID, nil)
		if err != nil || next.Retry.Run != 1 {
			w.Fatalf("restarted as %+v, %v", next, err)
		}
		time.Sleep(3 * time.Minute)
		if n := w.count("R"); n != 2 {
			w.Errorf("%d executions, want 2", n)
		}
	})
}

// redefine writes another definition of a job.
func (w *world) redefine(name, definition string) error {
	e, err := w.bus.b.Job(w.Context(), "default", name)
	if err != nil {
		return err
	}
	e.Value.Definition = json.RawMessage(definition)
	_, err = w.bus.b.Jobs.Update(w.Context(), e.Key, e.Value, e.Revision)
	return err
}

func TestRetryOfAnExclusiveJob(t *testing.T) {
	const soon = `{"attempts":3,"backoff":"1m"}`
	play(t, "it waits for the other execution", func(w *world) {
		w.job("R", retried("R", soon, `"exclusive":true,`))
		e := w.submit("R")
		w.run(e, subjects.Failed, "")
		time.Sleep(5 * time.Second)
		other := w.submit("R")
		h := w.handle(w.fetch(), "a1")
		h.claim()
		for range 100 {
			w.beat("a1", subjects.Attempt{ID: other.ID, Attempt: 1})
			time.Sleep(time.Second)
		}
		if got := w.get(e); got.RestartedBy != 0 || !got.AwaitsRetry() {
			w.Errorf("restarted as %d beside %d", got.RestartedBy, other.ID)
		}
		h.end(subjects.Completed)
		time.Sleep(5 * time.Second)
		w.run(w.successor(e), subjects.Completed, "")
	})

	play(t, "another execution that comes between does not end it", func(w *world) {
		w.job("R", retried("R", soon, `"exclusive":true,`))
		e := w.submit("R")
		w.run(e, subjects.Failed, "")
		// A bus records the restart; before it has the lock, another execution
		// gets it.
		next, err := w.bus.b.NextID(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		other := w.submit("R")
		old, err := w.bus.changeRecord(w.Context(), e.App, e.Job, e.ID, func(o *bus.Execution) (bool, error) {
			o.RestartedBy, o.RestartRun = next, 2
			return true, nil
		})
		if err != nil {
			w.Fatal(err)
		}
		r, _, err := w.bus.submitRestart(w.Context(), old, time.Now(), true)
		if err != nil {
			w.Fatal(err)
		}
		if got := w.bus.WaitingFor(w.Context(), r); !strings.Contains(got.For, fmt.Sprint("execution ", other.ID)) {
			w.Errorf("it waits for %q", got.For)
		}
		time.Sleep(30 * time.Second)
		w.want(r, subjects.Unrestarted)
		w.run(other, subjects.Completed, "")
		time.Sleep(30 * time.Second)
		w.run(r, subjects.Completed, "")
	})
}

// A retry happens once, though buses die at any instruction.
func TestRetryHappensOnce(t *testing.T) {
	const soon = `{"attempts":3,"backoff":"1m"}`
	fail := func(w *world) *bus.Execution {
		w.job("R", retried("R", soon, ""))
		e := w.submit("R")
		w.run(e, subjects.Failed, "")
		return w.get(e)
	}
	once := func(w *world, e *bus.Execution) {
		w.Helper()
		next := w.successor(e)
		if next.Retry == nil || next.Retry.Run != 2 {
			w.Errorf("the retry is %+v", next.Retry)
		}
		w.run(next, subjects.Completed, "")
		time.Sleep(3 * time.Minute)
		if d := w.fetch(); d != nil {
			w.Errorf("requested again: %+v", d.Request)
		}
		if n := w.count("R"); n != 2 {
			w.Errorf("%d executions, want 2", n)
		}
	}

	play(t, "two buses that both think they lead", func(w *world) {
		e := fail(w)
		second := w.idle(Config{})
		w.bus.stop()
		time.Sleep(2 * time.Minute)
		done := make(chan bool)
		for _, n := range []*node{w.bus, second} {
			for range 8 {
				go func() {
					_ = n.newRecoverer().runRound(w.Context())
					done <- true
				}()
			}
		}
		for range 16 {
			<-done
		}
		w.node(Config{})
		time.Sleep(30 * time.Second)
		once(w, e)
	})

	play(t, "overdue after a downtime", func(w *world) {
		e := fail(w)
		w.bus.stop()
		time.Sleep(time.Hour)
		w.node(Config{})
		time.Sleep(20 * time.Second) // the lease of the one before
		if _, err := w.bus.Stop(w.Context(), e.App, e.Job, e.ID); !bus.HasCode(err, bus.CodeNotRunning) {
			w.Errorf("a stop after the retry: %v", err)
		}
		once(w, e)
	})

	play(t, "the bus dies after the end is stored", func(w *world) {
		w.job("R", retried("R", soon, ""))
		e := w.submit("R")
		h := w.handle(w.fetch(), "a1")
		h.claim()
		w.want(e, subjects.Started)
		w.bus.stop()
		h.end(subjects.Failed)
		w.node(Config{})
		time.Sleep(2 * time.Minute)
		once(w, e)
	})

	play(t, "the bus dies after it has recorded the restart", func(w *world) {
		e := fail(w)
		next, err := w.bus.b.NextID(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		if _, err := w.bus.changeRecord(w.Context(), e.App, e.Job, e.ID, func(o *bus.Execution) (bool, error) {
			o.RestartedBy, o.RestartParams, o.RestartRun = next, o.Parameters, 2
			return true, nil
		}); err != nil {
			w.Fatal(err)
		}
		w.bus.stop()
		w.node(Config{})
		time.Sleep(30 * time.Second)
		once(w, e)
	})

	play(t, "the bus dies after the record of the retry", func(w *world) {
		e := fail(w)
		w.bus.stop()
		time.Sleep(2 * time.Minute)
		second := w.idle(Config{})
		second.newRecoverer().retryExecution(w.Context(), second.x.DueRetries(subjects.Now(), 1)[0])
		// As if it had died before the request.
		if err := w.bus.b.PurgeRequest(w.Context(), &w.successor(e).Execution); err != nil {
			w.Fatal(err)
		}
		w.node(Config{})
		time.Sleep(40 * time.Second)
		once(w, e)
	})

	play(t, "the bus dies before the record of the retry, which an agent has claimed", func(w *world) {
		e := fail(w)
		w.bus.stop()
		old, err := w.bus.changeRecord(w.Context(), e.App, e.Job, e.ID, func(o *bus.Execution) (bool, error) {
			id, err := w.bus.b.NextID(w.Context())
			o.RestartedBy, o.RestartRun = id, 3 // the last run
			return true, err
		})
		if err != nil {
			w.Fatal(err)
		}
		def, parsed, err := w.bus.jobDefinition(w.Context(), "default", "R")
		if err != nil {
			w.Fatal(err)
		}
		rec := w.bus.newRecord(old.RestartedBy, def, parsed, time.Now())
		rec.RestartOf = old.ID
		if err := <-w.bus.requestAttempt(rec, 1, 0); err != nil {
			w.Fatal(err)
		}
		h := w.handle(w.fetch(), "a1")
		h.claim()
		w.node(Config{})
		if got := w.want(rec, subjects.Started); got.Retry == nil || got.Retry.Run != 3 {
			w.Errorf("the rebuilt record has %+v", got.Retry)
		}
		h.end(subjects.Failed)
		if got := w.want(rec, subjects.Failed); got.AwaitsRetry() {
			w.Error("the last run is retried")
		}
	})

	play(t, "the retention does not take it away", func(w *world) {
		w.job("R", retried("R", `{"attempts":2,"backoff":"2h","max_backoff":"2h"}`, ""))
		e := w.submit("R")
		w.run(e, subjects.Failed, "")
		if old := w.bus.x.EndedBefore(time.Now().Add(time.Hour), 10); slices.ContainsFunc(old, func(s index.Summary) bool { return s.ID == e.ID }) {
			w.Error("the janitor would remove it before its retry")
		}
		time.Sleep(2*time.Hour + 5*time.Second)
		w.successor(e)
	})

	play(t, "a retry and a restart by a user at the same time", func(w *world) {
		e := fail(w)
		w.bus.stop()
		time.Sleep(2 * time.Minute)
		done := make(chan error)
		go func() {
			w.bus.newRecoverer().retryExecution(w.Context(), w.bus.x.DueRetries(subjects.Now(), 1)[0])
			done <- nil
		}()
		go func() {
			_, _, err := w.bus.Restart(w.Context(), e.App, e.Job, e.ID, nil)
			done <- err
		}()
		if err := errors.Join(<-done, <-done); err != nil && !bus.HasCode(err, bus.CodeNotMostRecent) {
			w.Error(err)
		}
		w.node(Config{})
		time.Sleep(3 * time.Minute)
		if n := w.count("R"); n != 2 {
			w.Errorf("%d executions, want 2", n)
		}
	})
}

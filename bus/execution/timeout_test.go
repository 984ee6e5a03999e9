package execution

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// timed is a definition of the job T with a timeout of a minute.
func timed(more string) string {
	return fmt.Sprintf(`{"id":"T","timeout":"1m",%s"steps":[{"id":"S","batchlet":{"ref":"x"}}]}`, more)
}

// start submits an execution of T, which a1 claims.
func (w *world) start(definition string) (*bus.Execution, *handling) {
	w.Helper()
	w.job("T", definition)
	e := w.submit("T")
	h := w.handle(w.fetch(), "a1")
	h.claim()
	w.want(e, subjects.Started)
	return e, h
}

// live lets a1 name the execution for so long.
func (h *handling) live(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(2 * time.Second) {
		h.w.beat(h.agent, subjects.Attempt{ID: h.d.Execution.ID, Attempt: h.d.Attempt})
	}
}

func TestTimeout(t *testing.T) {
	play(t, "an execution that stops after its timeout has failed", func(w *world) {
		stops := w.commands("a1", subjects.StopCommand)
		e, h := w.start(timed(""))
		h.live(58 * time.Second)
		if got := w.get(e); got.BatchStatus != subjects.Started || len(stops()) != 0 {
			w.Errorf("before its timeout it is %s, with %d commands", got.BatchStatus, len(stops()))
		}
		h.live(6 * time.Second)
		if got := w.get(e); got.BatchStatus != subjects.Stopping || len(stops()) == 0 {
			w.Errorf("after its timeout it is %s, with %d commands", got.BatchStatus, len(stops()))
		}
		if err := h.say(subjects.Stopped, nil); err != nil {
			w.Fatal(err)
		}
		got := w.want(e, subjects.Failed)
		if got.ExitStatus != bus.TimeoutExit || got.Exception != "it ran longer than its timeout of 1m0s" {
			w.Errorf("it ended with %s, %q", got.ExitStatus, got.Exception)
		}
		r, err := w.bus.b.LastResult(w.Context(), e.App, e.Job, e.ID)
		if err != nil {
			w.Fatal(err)
		}
		if at, changed, err := w.bus.At(w.Context(), r); err != nil || !changed || at.BatchStatus != subjects.Failed || at.ExitStatus != bus.TimeoutExit {
			w.Errorf("as of its end it is %+v, %v", at, err)
		}
	})

	play(t, "an execution that does not stop is ended after its grace", func(w *world) {
		e, h := w.start(timed(`"timeout_grace":"20s",`))
		h.live(78 * time.Second)
		w.want(e, subjects.Stopping)
		h.live(5 * time.Second)
		got := w.want(e, subjects.Failed)
		if got.ExitStatus != bus.TimeoutExit || !strings.Contains(got.Exception, "had not ended 20s later") {
			w.Errorf("it ended with %s, %q", got.ExitStatus, got.Exception)
		}
		if err := h.say(subjects.Completed, nil); err == nil {
			w.Error("a late end was stored")
		}
		drops := w.commands("a1", subjects.DropCommand)
		h.live(5 * time.Second)
		if len(drops()) == 0 {
			w.Error("the agent was not told to drop it")
		}
		if got, want := w.results(e), []subjects.BatchStatus{"started", "failed"}; !slices.Equal(got, want) {
			w.Errorf("results %v, want %v", got, want)
		}
	})

	for _, status := range []subjects.BatchStatus{subjects.Completed, subjects.Failed} {
		play(t, "an execution that ends as "+string(status)+" within its grace keeps its end", func(w *world) {
			e, h := w.start(timed(""))
			h.live(65 * time.Second)
			w.want(e, subjects.Stopping)
			if err := h.say(status, func(r *subjects.Result) { r.ExitStatus = "MINE" }); err != nil {
				w.Fatal(err)
			}
			if got := w.want(e, status); got.ExitStatus != "MINE" || got.Exception != "" {
				w.Errorf("it ended with %s, %q", got.ExitStatus, got.Exception)
			}
		})
	}

	play(t, "the time in the queue does not count", func(w *world) {
		w.job("T", timed(""))
		e := w.submit("T")
		time.Sleep(10 * time.Minute)
		h := w.handle(w.fetch(), "a1")
		h.claim()
		h.live(50 * time.Second)
		w.want(e, subjects.Started)
		h.end(subjects.Completed)
		w.want(e, subjects.Completed)
	})

	play(t, "an execution that is lost after its timeout has failed by it", func(w *world) {
		e, h := w.start(timed(`"on_agent_lost":"requeue","timeout_grace":"10m",`))
		h.live(65 * time.Second)
		w.want(e, subjects.Stopping)
		time.Sleep(30 * time.Second)
		if got := w.want(e, subjects.Failed); got.ExitStatus != bus.TimeoutExit {
			w.Errorf("it ended with %s", got.ExitStatus)
		}
		if d := w.fetch(); d != nil {
			w.Errorf("requested again: %+v", d.Request)
		}
	})

	play(t, "an execution that waits for its next attempt has failed by it", func(w *world) {
		e, _ := w.start(timed(`"on_agent_lost":"requeue",`))
		time.Sleep(30 * time.Second)
		w.want(e, subjects.Unknown)
		time.Sleep(40 * time.Second)
		if got := w.want(e, subjects.Failed); got.ExitStatus != bus.TimeoutExit {
			w.Errorf("it ended with %s", got.ExitStatus)
		}
		if d := w.fetch(); d != nil {
			w.Errorf("its request is left: %+v", d.Request)
		}
	})

	play(t, "a timeout is retried", func(w *world) {
		e, h := w.start(timed(`"timeout_grace":"10s","retry":{"attempts":2,"backoff":"1s","on":["TIMEOUT"]},`))
		h.live(80 * time.Second)
		w.want(e, subjects.Failed)
		if next := w.successor(e); next.Retry.Run != 2 || next.TimedOut != 0 || next.TimeoutMS != 60_000 {
			w.Errorf("retried as %+v", next)
		}
		if d := w.fetch(); d == nil || d.Execution.RestartOf != e.ID || strings.Contains(string(d.Definition), "timeout") {
			w.Errorf("requested %+v", d)
		}
	})

	play(t, "a stop by a user prevents the retry", func(w *world) {
		e, h := w.start(timed(`"timeout_grace":"10s","retry":{"attempts":2,"backoff":"1s"},`))
		h.live(50 * time.Second)
		if _, err := w.bus.Stop(w.Context(), e.App, e.Job, e.ID); err != nil {
			w.Fatal(err)
		}
		h.live(30 * time.Second)
		got := w.want(e, subjects.Failed)
		if got.ExitStatus != bus.TimeoutExit || got.AwaitsRetry() || got.RestartedBy != 0 {
			w.Errorf("it ended with %s, due %v, restarted by %d", got.ExitStatus, got.RetryDue, got.RestartedBy)
		}
	})

	// Fault injection: the bus dies after each step.
	for name, step := range map[string]func(w *world, n *node, e *bus.Execution){
		"before it marks the timeout": func(*world, *node, *bus.Execution) {},
		"before it commands the stop": func(w *world, n *node, e *bus.Execution) {
			if _, err := n.markTimedOut(w.Context(), e); err != nil {
				w.Fatal(err)
			}
		},
		"after it has ended the execution": func(w *world, n *node, e *bus.Execution) {
			now, err := n.markTimedOut(w.Context(), e)
			if err != nil {
				w.Fatal(err)
			}
			last, err := n.readLastResult(w.Context(), now, subjects.Undispatched)
			if err != nil {
				w.Fatal(err)
			}
			if err := n.newRecoverer().fenceOverdue(w.Context(), now, last); err != nil {
				w.Fatal(err)
			}
		},
	} {
		play(t, "a bus dies "+name, func(w *world) {
			e, h := w.start(timed(`"timeout_grace":"10s",`))
			w.bus.stop()
			time.Sleep(2 * time.Minute)
			idle := w.idle(Config{})
			step(w, idle, w.get(e))
			one, two := w.node(Config{}), w.node(Config{})
			for range 30 {
				h.live(2 * time.Second)
				_ = one.newRecoverer().runRound(w.Context()) // both think they lead
				_ = two.newRecoverer().runRound(w.Context())
			}
			if got := w.want(e, subjects.Failed); got.ExitStatus != bus.TimeoutExit {
				w.Errorf("it ended with %s", got.ExitStatus)
			}
			if got, want := w.results(e), []subjects.BatchStatus{"started", "failed"}; !slices.Equal(got, want) {
				w.Errorf("results %v, want %v", got, want)
			}
		})
	}
}

// commands returns a function that returns the commands of a verb that an agent
// has received so far.
func (w *world) commands(agent, verb string) func() [][]byte {
	w.Helper()
	sub, err := w.nc.SubscribeSync(subjects.CommandSubject(agent, verb))
	if err != nil {
		w.Fatal(err)
	}
	var all [][]byte
	return func() [][]byte {
		for {
			m, err := sub.NextMsg(time.Second)
			if err != nil {
				return all
			}
			all = append(all, m.Data)
			_ = m.Respond([]byte(`{"ok":true}`))
		}
	}
}

package notify

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const there = "http://notificator"

func TestStatusNotifications(t *testing.T) {
	play(t, "a batch status is told when it comes", func(w *world) {
		n := w.node(there)
		w.job("J", onStatus(subjects.Failed, "mail"))
		w.start(n, "J").says(subjects.Failed, "X", subjects.StepExecution{ID: 1, Step: "S", BatchStatus: subjects.Failed, ExitStatus: "1", StartTime: subjects.Now()})
		w.start(n, "J").says(subjects.Completed, "")
		time.Sleep(time.Minute)
		w.want("POST /mail")
		p := w.sink.posts()[0]
		if want := `{:execution-id 1 :start-time #inst "2000-01-01T00:00:02.000-00:00" :end-time #inst "2000-01-01T00:00:02.000-00:00" ` +
			`:batch-status :batch-status/failed :exit-status "X" :job-parameter {:who "x"} :step-executions [{:step-execution-id 1 ` +
			`:start-time #inst "2000-01-01T00:00:02.000-00:00" :end-time nil :exit-status "1" :batch-status :batch-status/failed :step-name "S"}] ` +
			`:job-name "J"}`; p.body != want || p.media != "application/edn" {
			w.Errorf("posted %s as %s\nwant   %s", p.body, p.media, want)
		}
	})
	play(t, "a step is no change of the execution", func(w *world) {
		n := w.node(there)
		w.job("J", onStatus(subjects.Started, "mail"))
		step := subjects.StepExecution{ID: 1, Step: "S", BatchStatus: subjects.Started}
		e := w.start(n, "J").says(subjects.Started, "", step).says(subjects.Started, "", step)
		time.Sleep(time.Minute)
		e.says(subjects.Started, "", step).says(subjects.Completed, "")
		time.Sleep(time.Minute)
		w.want("POST /mail")
	})
	play(t, "an exit status is told at the end", func(w *world) {
		n := w.node(there)
		w.job("J", bus.Settings{Notifications: []bus.StatusNotification{
			{ID: 1, ExitStatus: "COMPLETED", Type: "plain"}, {ID: 2, ExitStatus: "X", Type: "x"}, {ID: 3, BatchStatus: subjects.Completed, Type: "any"},
		}})
		w.start(n, "J").says(subjects.Completed, "")
		w.start(n, "J").says(subjects.Completed, "X")
		w.start(n, "J").says(subjects.Failed, "Y")
		time.Sleep(time.Minute)
		w.want("POST /plain", "POST /x", "POST /any", "POST /any")
	})
	play(t, "what the bus decides is told too", func(w *world) {
		n := w.node(there)
		w.job("J", bus.Settings{Notifications: []bus.StatusNotification{
			{ID: 1, BatchStatus: subjects.Stopped, Type: "stopped"}, {ID: 2, BatchStatus: subjects.Abandoned, Type: "abandoned"},
		}})
		e := w.submit(n, "J")
		if _, err := n.life.Stop(w.Context(), e.App, e.Job, e.ID); err != nil {
			w.Fatal(err)
		}
		if _, err := n.life.Abandon(w.Context(), e.App, e.Job, e.ID); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.want("POST /stopped", "POST /abandoned")
	})
	play(t, "nothing of what was before", func(w *world) {
		n := w.node("")
		w.job("J", onStatus(subjects.Completed, "mail"))
		w.start(n, "J").says(subjects.Completed, "")
		w.node(there)
		time.Sleep(time.Minute)
		w.want()
		w.start(n, "J").says(subjects.Completed, "")
		time.Sleep(time.Minute)
		w.want("POST /mail")
	})
	play(t, "without a notificator there is no consumer", func(w *world) {
		w.node("")
		if _, err := w.bus.JS.Consumer(w.Context(), subjects.ResultsStream, Consumer); err == nil {
			w.Error("there is one")
		}
	})
	play(t, "a consumer that is gone is made again", func(w *world) {
		n := w.node(there)
		w.job("J", onStatus(subjects.Completed, "mail"))
		if err := w.bus.JS.DeleteConsumer(w.Context(), subjects.ResultsStream, Consumer); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.start(n, "J").says(subjects.Completed, "")
		time.Sleep(time.Minute)
		w.want("POST /mail")
	})
}

// open is how many results the broker has handed out, or not yet, that nobody
// is done with.
func (w *world) open() int {
	w.Helper()
	c, err := w.bus.JS.Consumer(w.Context(), subjects.ResultsStream, Consumer)
	var info *jetstream.ConsumerInfo
	if err == nil {
		info, err = c.Info(w.Context())
	}
	if err != nil {
		w.Fatal(err)
	}
	return info.NumAckPending + int(info.NumPending)
}

func TestOnce(t *testing.T) {
	play(t, "several buses tell each change once", func(w *world) {
		nodes := []*node{w.node(there), w.node(there), w.node("")}
		w.job("J", onStatus(subjects.Completed, "mail"))
		var want []string
		for i := range 60 {
			w.start(nodes[i%3], "J").says(subjects.Completed, "")
			want = append(want, "POST /mail")
		}
		time.Sleep(time.Minute)
		w.want(want...)
		seen := map[string]bool{}
		for _, p := range w.sink.posts() {
			seen[p.body] = true
		}
		if len(seen) != 60 || w.open() != 0 {
			w.Errorf("%d of 60 executions told, %d results open", len(seen), w.open())
		}
	})
	play(t, "a result that is delivered again is not told again", func(w *world) {
		tap, b := bustest.Tapped(w, w.srv)
		n := w.nodeOn(b, there)
		w.job("J", onStatus(subjects.Completed, "mail"))
		w.sink.answers(func(string, int) (int, time.Duration) { return 200, 2 * time.Second })
		w.start(n, "J").says(subjects.Completed, "")
		time.Sleep(time.Second)
		tap.Hold("$JS.ACK."+subjects.ResultsStream+"."+Consumer, 1)
		time.Sleep(3 * ackWait)
		w.want("POST /mail")
		tap.Release(w)
		time.Sleep(2 * ackWait)
		w.want("POST /mail")
		if n := w.open(); n != 0 {
			w.Errorf("%d results open", n)
		}
	})
	play(t, "a slow notificator is waited for, longer than the broker waits", func(w *world) {
		n, _ := w.node(there), w.node(there)
		w.job("J", onStatus(subjects.Completed, "mail"))
		w.sink.answers(func(string, int) (int, time.Duration) { return 200, postTimeout - time.Second })
		for range 5 * atOnce {
			w.start(n, "J").says(subjects.Completed, "")
		}
		time.Sleep(5 * time.Minute)
		if got := len(w.sink.posts()); got != 5*atOnce {
			w.Errorf("%d posts of %d executions", got, 5*atOnce)
		}
	})
	play(t, "a bus that ends leaves the rest to another", func(w *world) {
		one, two := w.node(there), w.node("")
		w.job("J", onStatus(subjects.Completed, "mail"))
		w.sink.answers(func(string, int) (int, time.Duration) { return 500, 0 })
		w.start(two, "J").says(subjects.Completed, "")
		time.Sleep(2 * time.Second) // it has been tried twice
		one.stop()
		w.sink.answers(nil)
		w.node(there)
		time.Sleep(time.Second)
		w.want("POST /mail", "POST /mail", "POST /mail")
	})
	play(t, "so does one that is silent for long", func(w *world) {
		tap, b := bustest.Tapped(w, w.srv)
		w.nodeOn(b, there)
		two := w.node("")
		w.job("J", onStatus(subjects.Completed, "mail"))
		w.sink.answers(func(string, int) (int, time.Duration) { return 500, 0 })
		w.start(two, "J").says(subjects.Completed, "")
		time.Sleep(500 * time.Millisecond)
		tap.Hold("$JS.ACK."+subjects.ResultsStream+"."+Consumer, 1)
		time.Sleep(10 * time.Second)
		w.want("POST /mail", "POST /mail", "POST /mail")
		w.node(there)
		time.Sleep(10 * time.Minute)
		if got := len(w.sink.posts()); got != 2*tries {
			w.Errorf("%d posts by two buses", got)
		}
		if n := w.open(); n != 0 {
			w.Errorf("%d results open", n)
		}
	})
}

func TestTries(t *testing.T) {
	play(t, "five tries, with longer and longer pauses", func(w *world) {
		n := w.node(there)
		w.job("J", onStatus(subjects.Completed, "mail"))
		w.sink.answers(func(string, int) (int, time.Duration) { return 503, 0 })
		w.start(n, "J").says(subjects.Completed, "")
		time.Sleep(5 * time.Minute)
		var pauses []time.Duration
		posts := w.sink.posts()
		for i := 1; i < len(posts); i++ {
			pauses = append(pauses, posts[i].at.Sub(posts[i-1].at))
		}
		if got := fmt.Sprint(pauses); got != "[1s 4s 16s 1m4s]" {
			w.Errorf("pauses %v", got)
		}
		if log := w.logged(); strings.Count(log, "notification given up") != 1 || !strings.Contains(log, "app=default job=J execution=1 type=mail notificator=notificator tries=5") {
			w.Errorf("log: %s", log)
		}
		if n := w.open(); n != 0 {
			w.Errorf("%d results open", n)
		}
	})
	play(t, "a refusal is final", func(w *world) {
		n := w.node(there)
		w.job("J", onStatus(subjects.Completed, "nobody"))
		w.sink.answers(func(string, int) (int, time.Duration) { return 404, 0 })
		w.start(n, "J").says(subjects.Completed, "")
		time.Sleep(5 * time.Minute)
		w.want("POST /nobody")
	})
	play(t, "the second try may be the one", func(w *world) {
		n := w.node(there)
		w.job("J", onStatus(subjects.Completed, "mail"))
		w.sink.answers(func(_ string, nth int) (int, time.Duration) { return map[bool]int{true: 500, false: 200}[nth == 1], 0 })
		w.start(n, "J").says(subjects.Completed, "")
		time.Sleep(5 * time.Minute)
		w.want("POST /mail", "POST /mail")
	})
	play(t, "what is tried again holds up nothing else", func(w *world) {
		n := w.node(there)
		w.job("bad", onStatus(subjects.Completed, "bad"))
		w.job("good", onStatus(subjects.Completed, "good"))
		w.sink.answers(func(path string, _ int) (int, time.Duration) {
			return map[bool]int{true: 500, false: 200}[path == "/bad"], 0
		})
		for range 2 * atOnce {
			w.start(n, "bad").says(subjects.Completed, "")
		}
		w.start(n, "good").says(subjects.Completed, "")
		time.Sleep(500 * time.Millisecond)
		good := 0
		for _, p := range w.sink.posts() {
			if p.path == "POST /good" {
				good++
			}
		}
		if good != 1 {
			w.Errorf("%d posts of the good one", good)
		}
	})
	play(t, "a record that is not there is waited for, not for ever", func(w *world) {
		n := w.node(there)
		r := &bus.StoredResult{Sequence: 77, Result: subjects.Result{ID: 77, App: "default", Job: "J", BatchStatus: subjects.Completed}}
		var said []string
		for delivered := 1; delivered <= tries; delivered++ {
			n.hands.take(r.Sequence, &delivery{said: &said})
			n.notify(w.Context(), r, onStatus(subjects.Completed, "mail").Notifications, delivered)
		}
		if got := fmt.Sprint(said); got != "[later 1s later 4s later 16s later 1m4s done]" {
			w.Errorf("said %v", got)
		}
		w.want()
	})
}

// A result is worked on once, however often it is delivered.
func TestHands(t *testing.T) {
	h := newHands()
	var first, second, third []string
	if !h.take(7, &delivery{said: &first}) || h.take(7, &delivery{said: &second}) {
		t.Error("it is not taken once")
	}
	h.settle(t.Context(), 7)
	if h.take(7, &delivery{said: &third}) {
		t.Error("it is taken when it is done with")
	}
	if got := fmt.Sprint(first, second, third); got != "[] [done] [acknowledged]" {
		t.Errorf("said %s", got)
	}
	for seq := range uint64(remembered) {
		h.take(100+seq, &delivery{said: &first})
		h.settle(t.Context(), 100+seq)
	}
	if len(h.open) != 0 || len(h.done) != remembered || !h.take(7, &delivery{said: &third}) {
		t.Errorf("%d open, %d remembered", len(h.open), len(h.done))
	}
}

// delivery is a message that notes what is said of it.
type delivery struct {
	jetstream.Msg
	said *[]string
}

func (d *delivery) Ack() error { *d.said = append(*d.said, "acknowledged"); return nil }

func (d *delivery) DoubleAck(context.Context) error { *d.said = append(*d.said, "done"); return nil }

func (d *delivery) NakWithDelay(after time.Duration) error {
	*d.said = append(*d.said, "later", after.String())
	return nil
}

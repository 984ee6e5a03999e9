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
	"github.com/job-streamer/job-streamer-control-bus/bus/notify/senders"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const notificatorURL = "http://notificator"

func TestStatusNotifications(t *testing.T) {
	runInWorld(t, "a batch status is told when it comes", func(w *world) {
		n := w.startBus(notificatorURL)
		w.storeJob("J", notifyOnStatus(subjects.Failed, "mail"))
		w.startJob(n, "J").publishResult(subjects.Failed, "X", subjects.StepExecution{ID: 1, Step: "S", BatchStatus: subjects.Failed, ExitStatus: "1", StartTime: subjects.Now()})
		w.startJob(n, "J").publishResult(subjects.Completed, "")
		time.Sleep(time.Minute)
		w.wantPosts("POST /mail")
		p := w.notificator.receivedPosts()[0]
		if want := `{:execution-id 1 :start-time #inst "2000-01-01T00:00:02.000-00:00" :end-time #inst "2000-01-01T00:00:02.000-00:00" ` +
			`:batch-status :batch-status/failed :exit-status "X" :job-parameter {:who "x"} :step-executions [{:step-execution-id 1 ` +
			`:start-time #inst "2000-01-01T00:00:02.000-00:00" :end-time nil :exit-status "1" :batch-status :batch-status/failed :step-name "S"}] ` +
			`:job-name "J"}`; p.body != want || p.media != "application/edn" {
			w.Errorf("posted %s as %s\nwant   %s", p.body, p.media, want)
		}
	})
	runInWorld(t, "a step is no change of the execution", func(w *world) {
		n := w.startBus(notificatorURL)
		w.storeJob("J", notifyOnStatus(subjects.Started, "mail"))
		step := subjects.StepExecution{ID: 1, Step: "S", BatchStatus: subjects.Started}
		e := w.startJob(n, "J").publishResult(subjects.Started, "", step).publishResult(subjects.Started, "", step)
		time.Sleep(time.Minute)
		e.publishResult(subjects.Started, "", step).publishResult(subjects.Completed, "")
		time.Sleep(time.Minute)
		w.wantPosts("POST /mail")
	})
	runInWorld(t, "an exit status is told at the end", func(w *world) {
		n := w.startBus(notificatorURL)
		w.storeJob("J", bus.Settings{Notifications: []bus.StatusNotification{
			{ID: 1, ExitStatus: "COMPLETED", Type: "plain"}, {ID: 2, ExitStatus: "X", Type: "x"}, {ID: 3, BatchStatus: subjects.Completed, Type: "any"},
		}})
		w.startJob(n, "J").publishResult(subjects.Completed, "")
		w.startJob(n, "J").publishResult(subjects.Completed, "X")
		w.startJob(n, "J").publishResult(subjects.Failed, "Y")
		time.Sleep(time.Minute)
		w.wantPosts("POST /plain", "POST /x", "POST /any", "POST /any")
	})
	runInWorld(t, "what the bus decides is told too", func(w *world) {
		n := w.startBus(notificatorURL)
		w.storeJob("J", bus.Settings{Notifications: []bus.StatusNotification{
			{ID: 1, BatchStatus: subjects.Stopped, Type: "stopped"}, {ID: 2, BatchStatus: subjects.Abandoned, Type: "abandoned"},
		}})
		e := w.submitJob(n, "J")
		if _, err := n.executions.Stop(w.Context(), e.App, e.Job, e.ID); err != nil {
			w.Fatal(err)
		}
		if _, err := n.executions.Abandon(w.Context(), e.App, e.Job, e.ID); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.wantPosts("POST /stopped", "POST /abandoned")
	})
	runInWorld(t, "nothing of what was before", func(w *world) {
		n := w.startBus("")
		w.storeJob("J", notifyOnStatus(subjects.Completed, "mail"))
		w.startJob(n, "J").publishResult(subjects.Completed, "")
		w.startBus(notificatorURL)
		time.Sleep(time.Minute)
		w.wantPosts()
		w.startJob(n, "J").publishResult(subjects.Completed, "")
		time.Sleep(time.Minute)
		w.wantPosts("POST /mail")
	})
	runInWorld(t, "without a notificator there is no consumer", func(w *world) {
		w.startBus("")
		if _, err := w.bus.JS.Consumer(w.Context(), subjects.ResultsStream, Consumer); err == nil {
			w.Error("there is one")
		}
	})
	runInWorld(t, "a consumer that is gone is made again", func(w *world) {
		n := w.startBus(notificatorURL)
		w.storeJob("J", notifyOnStatus(subjects.Completed, "mail"))
		if err := w.bus.JS.DeleteConsumer(w.Context(), subjects.ResultsStream, Consumer); err != nil {
			w.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.startJob(n, "J").publishResult(subjects.Completed, "")
		time.Sleep(time.Minute)
		w.wantPosts("POST /mail")
	})
}

// countUnacked returns how many results and notifications are delivered or
// pending and not acknowledged.
func (w *world) countUnacked() (all int) {
	w.Helper()
	for stream, name := range map[string]string{subjects.ResultsStream: Consumer, subjects.NotificationsStream: SenderConsumer} {
		c, err := w.bus.JS.Consumer(w.Context(), stream, name)
		var info *jetstream.ConsumerInfo
		if err == nil {
			info, err = c.Info(w.Context())
		}
		if err != nil {
			w.Fatal(err)
		}
		all += info.NumAckPending + int(info.NumPending)
	}
	return all
}

// deadLetters returns what was not sent.
func (w *world) deadLetters(n *node) []DeadLetter {
	w.Helper()
	all, err := n.DeadLetters(w.Context(), 100, func(string) bool { return true })
	if err != nil {
		w.Fatal(err)
	}
	return all
}

func TestNotifiedOnce(t *testing.T) {
	runInWorld(t, "several buses tell each change once", func(w *world) {
		nodes := []*node{w.startBus(notificatorURL), w.startBus(notificatorURL), w.startBus("")}
		w.storeJob("J", notifyOnStatus(subjects.Completed, "mail"))
		var want []string
		for i := range 60 {
			w.startJob(nodes[i%3], "J").publishResult(subjects.Completed, "")
			want = append(want, "POST /mail")
		}
		time.Sleep(time.Minute)
		w.wantPosts(want...)
		seen := map[string]bool{}
		for _, p := range w.notificator.receivedPosts() {
			seen[p.body] = true
		}
		if len(seen) != 60 || w.countUnacked() != 0 {
			w.Errorf("%d of 60 executions told, %d results open", len(seen), w.countUnacked())
		}
	})
	for stream, consumer := range map[string]string{subjects.ResultsStream: Consumer, subjects.NotificationsStream: SenderConsumer} {
		runInWorld(t, "a message that is delivered again is not told again: "+consumer, func(w *world) {
			tap, b := bustest.Tapped(w, w.srv)
			n := w.startBusOn(b, notificatorURL)
			w.storeJob("J", notifyOnStatus(subjects.Completed, "mail"))
			w.notificator.setAnswer(func(string, int) (int, time.Duration) { return 200, 2 * time.Second })
			tap.Hold("$JS.ACK."+stream+"."+consumer, 1)
			w.startJob(n, "J").publishResult(subjects.Completed, "")
			time.Sleep(time.Second)
			time.Sleep(3 * ackWait)
			w.wantPosts("POST /mail")
			tap.Release(w)
			time.Sleep(2 * ackWait)
			w.wantPosts("POST /mail")
			if n := w.countUnacked(); n != 0 {
				w.Errorf("%d messages open", n)
			}
		})
	}
	runInWorld(t, "a slow notificator is waited for, longer than the broker waits", func(w *world) {
		n, _ := w.startBus(notificatorURL), w.startBus(notificatorURL)
		w.storeJob("J", notifyOnStatus(subjects.Completed, "mail"))
		w.notificator.setAnswer(func(string, int) (int, time.Duration) { return 200, postTimeout - time.Second })
		for range 5 * maxPosts {
			w.startJob(n, "J").publishResult(subjects.Completed, "")
		}
		time.Sleep(5 * time.Minute)
		if got := len(w.notificator.receivedPosts()); got != 5*maxPosts {
			w.Errorf("%d posts of %d executions", got, 5*maxPosts)
		}
	})
	runInWorld(t, "a bus that ends leaves the rest to another", func(w *world) {
		one, two := w.startBus(notificatorURL), w.startBus("")
		w.storeJob("J", notifyOnStatus(subjects.Completed, "mail"))
		w.notificator.setAnswer(func(string, int) (int, time.Duration) { return 500, 0 })
		w.startJob(two, "J").publishResult(subjects.Completed, "")
		time.Sleep(2 * time.Second) // it has been tried twice
		one.stop()
		w.notificator.setAnswer(nil)
		w.startBus(notificatorURL)
		time.Sleep(10 * time.Second)
		w.wantPosts("POST /mail", "POST /mail", "POST /mail")
	})
	runInWorld(t, "so does one that is silent for long", func(w *world) {
		tap, b := bustest.Tapped(w, w.srv)
		w.startBusOn(b, notificatorURL)
		two := w.startBus("")
		w.storeJob("J", notifyOnStatus(subjects.Completed, "mail"))
		w.notificator.setAnswer(func(string, int) (int, time.Duration) { return 500, 0 })
		tap.Hold("$JS.ACK."+subjects.NotificationsStream+"."+SenderConsumer, 1)
		w.startJob(two, "J").publishResult(subjects.Completed, "")
		time.Sleep(10 * time.Second)
		w.wantPosts("POST /mail")
		w.startBus(notificatorURL)
		w.notificator.setAnswer(nil)
		time.Sleep(10 * time.Minute)
		w.wantPosts("POST /mail", "POST /mail")
		if n := w.countUnacked(); n != 0 {
			w.Errorf("%d messages open", n)
		}
	})
	runInWorld(t, "attempts count over restarts of the bus", func(w *world) {
		w.notificator.setAnswer(func(string, int) (int, time.Duration) { return 500, 0 })
		n := w.startBus(notificatorURL)
		w.storeJob("J", notifyOnStatus(subjects.Completed, "mail"))
		w.startJob(n, "J").publishResult(subjects.Completed, "")
		for range 5 {
			time.Sleep(time.Minute)
			n.stop()
			n = w.startBus(notificatorURL)
		}
		time.Sleep(10 * time.Minute)
		if got := len(w.notificator.receivedPosts()); got != maxAttempts {
			w.Errorf("%d attempts, want %d", got, maxAttempts)
		}
		if dead := w.deadLetters(n); len(dead) != 1 || dead[0].Attempts != maxAttempts {
			w.Errorf("dead letters: %+v", dead)
		}
	})
}

func TestRetryDelay(t *testing.T) {
	var all []time.Duration
	var sum time.Duration
	for try := 1; try < maxAttempts; try++ {
		all = append(all, retryDelay(try, time.Hour))
		sum += all[try-1]
	}
	if got := fmt.Sprint(all, sum); got != "[1s 4s 16s 1m4s 4m16s 17m4s 1h0m0s 1h0m0s 1h0m0s] 3h22m45s" {
		t.Errorf("delays %s", got)
	}
	if got := retryDelay(1000, time.Hour); got != time.Hour {
		t.Errorf("the last delay is %s", got)
	}
}

func TestRetries(t *testing.T) {
	runInWorld(t, "ten attempts, with longer and longer pauses, then a dead letter", func(w *world) {
		n := w.startBus(notificatorURL)
		events, err := w.bus.NC.SubscribeSync("jobstreamer.event.notification.dead.>")
		if err != nil {
			w.Fatal(err)
		}
		w.storeJob("J", notifyOnStatus(subjects.Completed, "mail"))
		w.notificator.setAnswer(func(string, int) (int, time.Duration) { return 503, 0 })
		w.startJob(n, "J").publishResult(subjects.Completed, "")
		time.Sleep(10 * time.Minute)
		var pauses []time.Duration
		posts := w.notificator.receivedPosts()
		for i := 1; i < len(posts); i++ {
			pauses = append(pauses, posts[i].at.Sub(posts[i-1].at).Round(time.Second/2))
		}
		if got := fmt.Sprint(pauses); got != "[1s 4s 16s 1m0s 1m0s 1m0s 1m0s 1m0s 1m0s]" {
			w.Errorf("pauses %v", got)
		}
		if log := w.logText(); strings.Count(log, "notification not sent, gave up") != 1 || !strings.Contains(log, "app=default job=J execution=1 attempts=10") {
			w.Errorf("log: %s", log)
		}
		if n := w.countUnacked(); n != 0 {
			w.Errorf("%d messages open", n)
		}
		dead := w.deadLetters(n)
		if len(dead) != 1 || dead[0].Execution != 1 || dead[0].Type != "mail" || dead[0].Attempts != 10 || dead[0].Reason != "the receiver answered 503 Service Unavailable" {
			w.Errorf("dead letters: %+v", dead)
		}
		if m, err := events.NextMsg(time.Second); err != nil || m.Subject != "jobstreamer.event.notification.dead.default.J" {
			w.Errorf("event: %+v, %v", m, err)
		}
	})
	runInWorld(t, "a refusal is final", func(w *world) {
		n := w.startBus(notificatorURL)
		w.storeJob("J", notifyOnStatus(subjects.Completed, "nobody"))
		w.notificator.setAnswer(func(string, int) (int, time.Duration) { return 404, 0 })
		w.startJob(n, "J").publishResult(subjects.Completed, "")
		time.Sleep(5 * time.Minute)
		w.wantPosts("POST /nobody")
		if dead := w.deadLetters(n); len(dead) != 1 || dead[0].Attempts != 1 {
			w.Errorf("dead letters: %+v", dead)
		}
	})
	runInWorld(t, "an unknown sender is a dead letter", func(w *world) {
		n := w.startBusWith(senders.Set{"ops": &fakeSender{}}, "")
		w.storeJob("J", notifyOnStatus(subjects.Completed, "mial"))
		w.startJob(n, "J").publishResult(subjects.Completed, "")
		time.Sleep(time.Minute)
		if dead := w.deadLetters(n); len(dead) != 1 || !strings.Contains(dead[0].Reason, "has no sender mial") {
			w.Errorf("dead letters: %+v", dead)
		}
	})
	runInWorld(t, "a type names its sender, and the notificator gets the others", func(w *world) {
		ops := &fakeSender{}
		n := w.startBusWith(senders.Set{"ops": ops}, notificatorURL)
		w.storeJob("J", bus.Settings{Notifications: []bus.StatusNotification{
			{ID: 1, BatchStatus: subjects.Completed, Type: "ops"}, {ID: 2, BatchStatus: subjects.Completed, Type: "mail"}, {ID: 3, BatchStatus: subjects.Completed, Type: "ops:x"},
		}})
		w.startJob(n, "J").publishResult(subjects.Completed, "FINE")
		time.Sleep(time.Minute)
		w.wantPosts("POST /mail")
		if got := fmt.Sprint(ops.sentTexts()); got != "[ops: default/J: execution 1 is completed, exit status FINE]" {
			w.Errorf("sent %s", got)
		}
		if dead := w.deadLetters(n); len(dead) != 1 || dead[0].Type != "ops:x" {
			w.Errorf("dead letters: %+v", dead)
		}
	})
	runInWorld(t, "the second try may be the one", func(w *world) {
		n := w.startBus(notificatorURL)
		w.storeJob("J", notifyOnStatus(subjects.Completed, "mail"))
		w.notificator.setAnswer(func(_ string, nth int) (int, time.Duration) { return map[bool]int{true: 500, false: 200}[nth == 1], 0 })
		w.startJob(n, "J").publishResult(subjects.Completed, "")
		time.Sleep(5 * time.Minute)
		w.wantPosts("POST /mail", "POST /mail")
	})
	runInWorld(t, "what is tried again holds up nothing else", func(w *world) {
		n := w.startBus(notificatorURL)
		w.storeJob("bad", notifyOnStatus(subjects.Completed, "bad"))
		w.storeJob("good", notifyOnStatus(subjects.Completed, "good"))
		w.notificator.setAnswer(func(path string, _ int) (int, time.Duration) {
			return map[bool]int{true: 500, false: 200}[path == "/bad"], 0
		})
		for range 2 * maxPosts {
			w.startJob(n, "bad").publishResult(subjects.Completed, "")
		}
		w.startJob(n, "good").publishResult(subjects.Completed, "")
		time.Sleep(500 * time.Millisecond)
		good := 0
		for _, p := range w.notificator.receivedPosts() {
			if p.path == "POST /good" {
				good++
			}
		}
		if good != 1 {
			w.Errorf("%d posts of the good one", good)
		}
	})
	runInWorld(t, "a record that is not there is waited for, not for ever", func(w *world) {
		n := w.startBus(notificatorURL)
		r := &bus.StoredResult{Sequence: 77, Result: subjects.Result{ID: 77, App: "default", Job: "J", BatchStatus: subjects.Completed}}
		var said []string
		for delivered := 1; delivered <= maxReads; delivered++ {
			n.queueNotifications(w.Context(), &fakeDelivery{said: &said}, r, notifyOnStatus(subjects.Completed, "mail").Notifications, delivered)
		}
		if got := fmt.Sprint(said); got != "[later 1s later 4s later 16s later 1m0s acknowledged]" {
			w.Errorf("said %v", got)
		}
		w.wantPosts()
		if dead := w.deadLetters(n); len(dead) != 1 || dead[0].Execution != 77 || !strings.Contains(dead[0].Reason, "cannot be read") {
			w.Errorf("dead letters: %+v", dead)
		}
	})
}

// A message is handled once, however often it is delivered.
func TestInFlight(t *testing.T) {
	h := newInFlight()
	var first, second, third []string
	if !h.addDelivery(7, &fakeDelivery{said: &first}) || h.addDelivery(7, &fakeDelivery{said: &second}) {
		t.Error("it is not taken once")
	}
	h.ackMessage(t.Context(), 7)
	if h.addDelivery(7, &fakeDelivery{said: &third}) {
		t.Error("it is taken when it is done with")
	}
	if got := fmt.Sprint(first, second, third); got != "[] [done] [acknowledged]" {
		t.Errorf("said %s", got)
	}
	for seq := range uint64(remembered) {
		h.addDelivery(100+seq, &fakeDelivery{said: &first})
		h.ackMessage(t.Context(), 100+seq)
	}
	if len(h.open) != 0 || len(h.done) != remembered || !h.addDelivery(7, &fakeDelivery{said: &third}) {
		t.Errorf("%d open, %d remembered", len(h.open), len(h.done))
	}
}

// fakeDelivery is a message that records its acknowledgements.
type fakeDelivery struct {
	jetstream.Msg
	said *[]string
}

func (d *fakeDelivery) Ack() error { *d.said = append(*d.said, "acknowledged"); return nil }

func (d *fakeDelivery) DoubleAck(context.Context) error {
	*d.said = append(*d.said, "done")
	return nil
}

func (d *fakeDelivery) NakWithDelay(after time.Duration) error {
	*d.said = append(*d.said, "later", after.String())
	return nil
}

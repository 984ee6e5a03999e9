package notify

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func withTimeMonitor(minutes int, action, kind string) bus.Settings {
	return bus.Settings{TimeMonitor: &bus.TimeMonitor{Minutes: minutes, Action: action, Type: kind}}
}

// answerStops answers stop commands as an agent does, and publishes the result.
func (w *world) answerStops(e *testExecution) {
	w.Helper()
	sub, err := w.bus.NC.Subscribe(subjects.CommandSubject("a1", subjects.StopCommand), func(m *nats.Msg) {
		_ = m.Respond([]byte(`{"ok":true}`))
		if w.readRecord(e).BatchStatus == subjects.Stopping {
			e.publishResult(subjects.Stopped, "")
		}
	})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = sub.Unsubscribe() })
}

func TestAlerts(t *testing.T) {
	runInWorld(t, "an alert comes once, when it is time", func(w *world) {
		n, _ := w.startBus(notificatorURL), w.startBus(notificatorURL)
		w.storeJob("J", withTimeMonitor(3, bus.ActionAlert, "mail"))
		e := w.submitJob(n, "J")
		time.Sleep(4 * time.Minute) // it waits, which is no matter
		e.publishResult(subjects.Started, "")
		time.Sleep(3*time.Minute - time.Second)
		w.wantPosts()
		time.Sleep(10 * time.Second)
		w.wantPosts("POST /mail")
		if p := w.notificator.receivedPosts()[0]; p.body != `{:job-name "J" :duration 3}` || p.media != "application/edn" {
			w.Errorf("posted %s as %s", p.body, p.media)
		}
		time.Sleep(5 * time.Minute)
		w.wantPosts("POST /mail")
		e.publishResult(subjects.Completed, "")
		time.Sleep(time.Minute)
		if rec := w.readRecord(e); rec.BatchStatus != subjects.Completed || rec.Monitored != bus.ActionAlert {
			w.Errorf("%s, noted %q", rec.BatchStatus, rec.Monitored)
		}
	})
	runInWorld(t, "none for what has ended", func(w *world) {
		n := w.startBus(notificatorURL)
		w.storeJob("J", withTimeMonitor(3, bus.ActionAlert, "mail"))
		e := w.startJob(n, "J")
		time.Sleep(2 * time.Minute)
		e.publishResult(subjects.Completed, "")
		time.Sleep(5 * time.Minute)
		w.wantPosts()
	})
	runInWorld(t, "another bus sends none again", func(w *world) {
		one, two := w.startBus(notificatorURL), w.startBus("")
		w.storeJob("J", withTimeMonitor(1, bus.ActionAlert, "mail"))
		w.startJob(two, "J")
		time.Sleep(2 * time.Minute)
		one.stop()
		w.startBus(notificatorURL)
		time.Sleep(3 * time.Minute)
		w.wantPosts("POST /mail")
	})
	runInWorld(t, "a bus without a notificator leaves it to one that has", func(w *world) {
		n := w.startBus("")
		w.storeJob("J", withTimeMonitor(1, bus.ActionAlert, "mail"))
		e := w.startJob(n, "J")
		time.Sleep(3 * time.Minute)
		if all := n.Alerts(10, anyAlert); len(all) != 1 || all[0].Execution != e.ID || all[0].Notified {
			w.Errorf("alerts %+v", all)
		}
		w.startBus(notificatorURL)
		time.Sleep(time.Minute)
		w.wantPosts("POST /mail")
	})
	runInWorld(t, "a monitor that is set meanwhile counts from the start", func(w *world) {
		n := w.startBus(notificatorURL)
		w.storeJob("J", bus.Settings{})
		w.startJob(n, "J")
		time.Sleep(3 * time.Minute)
		w.storeJob("J", withTimeMonitor(2, bus.ActionAlert, "mail"))
		time.Sleep(10 * time.Second)
		w.wantPosts("POST /mail")
	})
	runInWorld(t, "it is tried again like any other", func(w *world) {
		n := w.startBus(notificatorURL)
		w.storeJob("J", withTimeMonitor(1, bus.ActionAlert, "mail"))
		w.notificator.setAnswer(func(_ string, nth int) (int, time.Duration) { return map[bool]int{true: 500, false: 200}[nth < 3], 0 })
		w.startJob(n, "J")
		time.Sleep(3 * time.Minute)
		w.wantPosts("POST /mail", "POST /mail", "POST /mail")
	})
}

func TestTimeMonitor(t *testing.T) {
	runInWorld(t, "a stop is requested like anybody's, and needs no notificator", func(w *world) {
		n, _ := w.startBus(""), w.startBus("")
		w.storeJob("J", withTimeMonitor(3, bus.ActionStop, ""))
		e := w.startJob(n, "J")
		w.answerStops(e)
		time.Sleep(2 * time.Minute)
		if rec := w.readRecord(e); rec.StopRequest != "" {
			w.Errorf("stopped too early: %q", rec.StopRequest)
		}
		time.Sleep(2 * time.Minute)
		if rec := w.readRecord(e); rec.BatchStatus != subjects.Stopped || rec.Monitored != bus.ActionStop {
			w.Errorf("%s, noted %q", rec.BatchStatus, rec.Monitored)
		}
		if log := w.logText(); strings.Count(log, "execution takes too long") != 1 || !strings.Contains(log, "app=default job=J execution=1 minutes=3 action=stop") {
			w.Errorf("log: %s", log)
		}
		w.wantPosts()
	})
	runInWorld(t, "abandon stops, and gives up what has stopped", func(w *world) {
		n := w.startBus("")
		w.storeJob("J", withTimeMonitor(3, bus.ActionAbandon, ""))
		e := w.startJob(n, "J")
		w.answerStops(e)
		time.Sleep(4 * time.Minute)
		if rec := w.readRecord(e); rec.BatchStatus != subjects.Abandoned {
			w.Errorf("%s, want abandoned", rec.BatchStatus)
		}
	})
	runInWorld(t, "another bus abandons what this one stopped", func(w *world) {
		one, two := w.startBus(""), w.startBus("")
		w.storeJob("J", withTimeMonitor(3, bus.ActionAbandon, ""))
		e := w.startJob(one, "J")
		time.Sleep(4 * time.Minute) // the agent does not stop
		one.stop()
		time.Sleep(time.Minute)
		e.publishResult(subjects.Stopped, "")
		time.Sleep(time.Minute)
		if rec := w.readRecord(e); rec.BatchStatus != subjects.Abandoned {
			w.Errorf("%s, want abandoned", rec.BatchStatus)
		}
		two.stop()
	})
	runInWorld(t, "what completes all the same is not abandoned", func(w *world) {
		n := w.startBus("")
		w.storeJob("J", withTimeMonitor(3, bus.ActionAbandon, ""))
		e := w.startJob(n, "J")
		time.Sleep(4 * time.Minute)
		e.publishResult(subjects.Completed, "")
		time.Sleep(2 * time.Minute)
		if rec := w.readRecord(e); rec.BatchStatus != subjects.Completed {
			w.Errorf("%s, want completed", rec.BatchStatus)
		}
	})
}

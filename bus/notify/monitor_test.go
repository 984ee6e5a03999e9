package notify

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func monitored(minutes int, action, kind string) bus.Settings {
	return bus.Settings{TimeMonitor: &bus.TimeMonitor{Minutes: minutes, Action: action, Type: kind}}
}

// stops answers the commands to stop, as the agent does, and says what it
// stopped.
func (w *world) stops(e *running) {
	w.Helper()
	sub, err := w.bus.NC.Subscribe(subjects.CommandSubject("a1", subjects.StopCommand), func(m *nats.Msg) {
		_ = m.Respond([]byte(`{"ok":true}`))
		if w.record(e).BatchStatus == subjects.Stopping {
			e.says(subjects.Stopped, "")
		}
	})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = sub.Unsubscribe() })
}

func TestAlerts(t *testing.T) {
	play(t, "an alert comes once, when it is time", func(w *world) {
		n, _ := w.node(there), w.node(there)
		w.job("J", monitored(3, bus.ActionAlert, "mail"))
		e := w.submit(n, "J")
		time.Sleep(4 * time.Minute) // it waits, which is no matter
		e.says(subjects.Started, "")
		time.Sleep(3*time.Minute - time.Second)
		w.want()
		time.Sleep(10 * time.Second)
		w.want("POST /mail")
		if p := w.sink.posts()[0]; p.body != `{:job-name "J" :duration 3}` || p.media != "application/edn" {
			w.Errorf("posted %s as %s", p.body, p.media)
		}
		time.Sleep(5 * time.Minute)
		w.want("POST /mail")
		e.says(subjects.Completed, "")
		time.Sleep(time.Minute)
		if rec := w.record(e); rec.BatchStatus != subjects.Completed || rec.Monitored != bus.ActionAlert {
			w.Errorf("%s, noted %q", rec.BatchStatus, rec.Monitored)
		}
	})
	play(t, "none for what has ended", func(w *world) {
		n := w.node(there)
		w.job("J", monitored(3, bus.ActionAlert, "mail"))
		e := w.start(n, "J")
		time.Sleep(2 * time.Minute)
		e.says(subjects.Completed, "")
		time.Sleep(5 * time.Minute)
		w.want()
	})
	play(t, "another bus sends none again", func(w *world) {
		one, two := w.node(there), w.node("")
		w.job("J", monitored(1, bus.ActionAlert, "mail"))
		w.start(two, "J")
		time.Sleep(2 * time.Minute)
		one.stop()
		w.node(there)
		time.Sleep(3 * time.Minute)
		w.want("POST /mail")
	})
	play(t, "a bus without a notificator leaves it to one that has", func(w *world) {
		n := w.node("")
		w.job("J", monitored(1, bus.ActionAlert, "mail"))
		e := w.start(n, "J")
		time.Sleep(3 * time.Minute)
		if rec := w.record(e); rec.Monitored != "" {
			w.Errorf("noted %q", rec.Monitored)
		}
		w.node(there)
		time.Sleep(time.Minute)
		w.want("POST /mail")
	})
	play(t, "a monitor that is set meanwhile counts from the start", func(w *world) {
		n := w.node(there)
		w.job("J", bus.Settings{})
		w.start(n, "J")
		time.Sleep(3 * time.Minute)
		w.job("J", monitored(2, bus.ActionAlert, "mail"))
		time.Sleep(10 * time.Second)
		w.want("POST /mail")
	})
	play(t, "it is tried again like any other", func(w *world) {
		n := w.node(there)
		w.job("J", monitored(1, bus.ActionAlert, "mail"))
		w.sink.answers(func(_ string, nth int) (int, time.Duration) { return map[bool]int{true: 500, false: 200}[nth < 3], 0 })
		w.start(n, "J")
		time.Sleep(3 * time.Minute)
		w.want("POST /mail", "POST /mail", "POST /mail")
	})
}

func TestTimeMonitor(t *testing.T) {
	play(t, "a stop is requested like anybody's, and needs no notificator", func(w *world) {
		n, _ := w.node(""), w.node("")
		w.job("J", monitored(3, bus.ActionStop, ""))
		e := w.start(n, "J")
		w.stops(e)
		time.Sleep(2 * time.Minute)
		if rec := w.record(e); rec.StopRequest != "" {
			w.Errorf("stopped too early: %q", rec.StopRequest)
		}
		time.Sleep(2 * time.Minute)
		if rec := w.record(e); rec.BatchStatus != subjects.Stopped || rec.Monitored != bus.ActionStop {
			w.Errorf("%s, noted %q", rec.BatchStatus, rec.Monitored)
		}
		if log := w.logged(); strings.Count(log, "execution takes too long") != 1 || !strings.Contains(log, "app=default job=J execution=1 minutes=3 action=stop") {
			w.Errorf("log: %s", log)
		}
		w.want()
	})
	play(t, "abandon stops, and gives up what has stopped", func(w *world) {
		n := w.node("")
		w.job("J", monitored(3, bus.ActionAbandon, ""))
		e := w.start(n, "J")
		w.stops(e)
		time.Sleep(4 * time.Minute)
		if rec := w.record(e); rec.BatchStatus != subjects.Abandoned {
			w.Errorf("%s, want abandoned", rec.BatchStatus)
		}
	})
	play(t, "another bus abandons what this one stopped", func(w *world) {
		one, two := w.node(""), w.node("")
		w.job("J", monitored(3, bus.ActionAbandon, ""))
		e := w.start(one, "J")
		time.Sleep(4 * time.Minute) // the agent does not stop
		one.stop()
		time.Sleep(time.Minute)
		e.says(subjects.Stopped, "")
		time.Sleep(time.Minute)
		if rec := w.record(e); rec.BatchStatus != subjects.Abandoned {
			w.Errorf("%s, want abandoned", rec.BatchStatus)
		}
		two.stop()
	})
	play(t, "what completes all the same is not abandoned", func(w *world) {
		n := w.node("")
		w.job("J", monitored(3, bus.ActionAbandon, ""))
		e := w.start(n, "J")
		time.Sleep(4 * time.Minute)
		e.says(subjects.Completed, "")
		time.Sleep(2 * time.Minute)
		if rec := w.record(e); rec.BatchStatus != subjects.Completed {
			w.Errorf("%s, want completed", rec.BatchStatus)
		}
	})
}

package notify

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func anyAlert(*bus.Alert) bool { return true }

func promise(s bus.SLA) bus.Settings {
	s.Since = subjects.Now()
	return bus.Settings{SLA: &s}
}

// wantAlerts compares the rules and executions of all alerts, in any order.
func (w *world) wantAlerts(n *node, want ...string) {
	w.Helper()
	got := []string{}
	for _, a := range n.Alerts(100, anyAlert) {
		got = append(got, fmt.Sprintf("%s %d", a.Rule, a.Execution))
	}
	slices.Sort(got)
	slices.Sort(want)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.Errorf("alerts %v, want %v", got, want)
	}
}

func TestPromises(t *testing.T) {
	runInWorld(t, "an execution that waits too long", func(w *world) {
		n := w.startBus(notificatorURL)
		events, err := w.bus.NC.SubscribeSync("jobstreamer.event.alert.>")
		if err != nil {
			w.Fatal(err)
		}
		w.storeJob("J", promise(bus.SLA{StartWithin: "10m", Type: "mail"}))
		e := w.submitJob(n, "J")
		w.startJob(n, "J")
		time.Sleep(10*time.Minute - 2*time.Second)
		w.wantAlerts(n)
		time.Sleep(20 * time.Second)
		w.wantAlerts(n, "start_within 1")
		w.wantPosts("POST /mail")
		if m, err := events.NextMsg(time.Second); err != nil || m.Subject != "jobstreamer.event.alert.default.J" || !strings.Contains(string(m.Data), "did not start within 10m") {
			w.Errorf("event %+v, %v", m, err)
		}
		e.publishResult(subjects.Started, "").publishResult(subjects.Completed, "")
		time.Sleep(time.Hour)
		w.wantAlerts(n, "start_within 1")
		w.wantPosts("POST /mail")
	})
	runInWorld(t, "an execution that is late but short", func(w *world) {
		n := w.startBus("")
		w.storeJob("J", promise(bus.SLA{StartWithin: "1m"}))
		e, _, err := n.executions.Submit(w.Context(), execution.Submission{App: "default", Job: "J", ScheduledFor: subjects.TimeOf(time.Now().Add(-time.Hour))})
		if err != nil {
			w.Fatal(err)
		}
		(&testExecution{Execution: e, w: w}).publishResult(subjects.Started, "").publishResult(subjects.Completed, "")
		time.Sleep(time.Minute)
		w.wantAlerts(n) // the promise was made later
		w.storeJob("K", promise(bus.SLA{StartWithin: "1m"}))
		time.Sleep(10 * time.Minute)
		e, _, err = n.executions.Submit(w.Context(), execution.Submission{App: "default", Job: "K", ScheduledFor: subjects.TimeOf(time.Now().Add(-2 * time.Minute))})
		if err != nil {
			w.Fatal(err)
		}
		(&testExecution{Execution: e, w: w}).publishResult(subjects.Started, "").publishResult(subjects.Completed, "")
		time.Sleep(time.Minute)
		w.wantAlerts(n, fmt.Sprintf("start_within %d", e.ID))
	})
	runInWorld(t, "an execution that is not done at six", func(w *world) {
		n := w.startBus("")
		// It is midnight in UTC, and 01:00 in Berlin.
		w.storeJob("J", promise(bus.SLA{FinishBy: "06:00", TimeZone: "Europe/Berlin"}))
		late, failed := w.startJob(n, "J"), w.startJob(n, "J")
		w.startJob(n, "J").publishResult(subjects.Completed, "")
		failed.publishResult(subjects.Failed, "X")
		time.Sleep(5*time.Hour - time.Minute)
		w.wantAlerts(n)
		time.Sleep(2 * time.Minute)
		w.wantAlerts(n, "finish_by 1", "finish_by 2")
		if all := n.Alerts(1, anyAlert); !strings.HasSuffix(all[0].Text, "was not completed by 2000-01-01 06:00 CET") {
			w.Errorf("text %q", all[0].Text)
		}
		late.publishResult(subjects.Completed, "")
		time.Sleep(time.Hour)
		w.wantAlerts(n, "finish_by 1", "finish_by 2")
	})
	runInWorld(t, "a restart that completes in time keeps the promise", func(w *world) {
		n := w.startBus("")
		w.storeJob("J", promise(bus.SLA{FinishBy: "1h"}))
		e := w.startJob(n, "J").publishResult(subjects.Failed, "X")
		time.Sleep(30 * time.Minute)
		again, _, err := n.executions.Restart(w.Context(), e.App, e.Job, e.ID, nil)
		if err != nil {
			w.Fatal(err)
		}
		(&testExecution{Execution: again, w: w}).publishResult(subjects.Started, "").publishResult(subjects.Completed, "")
		time.Sleep(time.Hour)
		w.wantAlerts(n)
	})
	runInWorld(t, "a job without executions", func(w *world) {
		n := w.startBus("")
		w.storeJob("J", promise(bus.SLA{MissingAfter: "1h"}))
		time.Sleep(50 * time.Minute)
		w.startJob(n, "J").publishResult(subjects.Completed, "")
		time.Sleep(50 * time.Minute)
		w.wantAlerts(n)
		time.Sleep(3 * time.Hour)
		w.wantAlerts(n, "missing_after 0")
		w.startJob(n, "J").publishResult(subjects.Completed, "")
		time.Sleep(2 * time.Hour)
		w.wantAlerts(n, "missing_after 0", "missing_after 0")
	})
}

func TestAlertsOnce(t *testing.T) {
	runInWorld(t, "several buses, and restarts of them, raise an alert once", func(w *world) {
		one, two, silent := w.startBus(notificatorURL), w.startBus(notificatorURL), w.startBus("")
		w.storeJob("J", promise(bus.SLA{StartWithin: "10m", MissingAfter: "30m", Type: "mail"}))
		w.submitJob(silent, "J")
		time.Sleep(12 * time.Minute)
		one.stop()
		time.Sleep(time.Minute)
		two.stop()
		three := w.startBus(notificatorURL)
		time.Sleep(time.Hour)
		w.wantAlerts(three, "start_within 1", "missing_after 0")
		w.wantPosts("POST /mail", "POST /mail")
	})
	runInWorld(t, "what became due while no bus ran is raised by the next", func(w *world) {
		one := w.startBus(notificatorURL)
		w.storeJob("J", promise(bus.SLA{FinishBy: "10m", Type: "mail"}))
		e := w.startJob(one, "J")
		one.stop()
		time.Sleep(time.Hour)
		two := w.startBus(notificatorURL)
		e.publishResult(subjects.Completed, "")
		time.Sleep(time.Minute)
		w.wantAlerts(two, "finish_by 1")
		w.wantPosts("POST /mail")
	})
	runInWorld(t, "an alert of a bus that died before it notified is notified by another", func(w *world) {
		one := w.startBus("")
		w.storeJob("J", promise(bus.SLA{StartWithin: "1m", Type: "mail"}))
		w.submitJob(one, "J")
		time.Sleep(2 * time.Minute)
		w.wantAlerts(one, "start_within 1")
		w.wantPosts()
		one.stop()
		two := w.startBus(notificatorURL)
		time.Sleep(time.Minute)
		w.wantPosts("POST /mail")
		if all := two.Alerts(1, anyAlert); !all[0].Notified {
			w.Errorf("%+v", all)
		}
	})
}

func TestDeadline(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ by, nominal, want string }{
		{"06:00", "2026-11-29T02:00:00+01:00", "2026-11-29T06:00:00+01:00"},
		{"06:00", "2026-11-29T22:00:00+01:00", "2026-11-30T06:00:00+01:00"},
		{"06:00", "2026-11-29T06:00:00+01:00", "2026-11-30T06:00:00+01:00"},
		{"02:30", "2026-03-29T00:00:00+01:00", "2026-03-29T03:30:00+02:00"}, // the clocks skip it
		{"90m", "2026-11-29T02:00:00+01:00", "2026-11-29T03:30:00+01:00"},
	} {
		nominal, err := time.Parse(time.RFC3339, c.nominal)
		if err != nil {
			t.Fatal(err)
		}
		s := bus.SLA{FinishBy: c.by}
		if got, ok := s.Deadline(nominal, berlin); !ok || got.Format(time.RFC3339) != c.want {
			t.Errorf("%s after %s: %s, want %s", c.by, c.nominal, got.Format(time.RFC3339), c.want)
		}
	}
	if _, ok := (&bus.SLA{}).Deadline(time.Now(), berlin); ok {
		t.Error("nothing is promised, and there is a deadline")
	}
}

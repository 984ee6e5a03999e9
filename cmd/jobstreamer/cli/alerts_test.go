package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/bus/notify"
	"github.com/job-streamer/job-streamer-control-bus/httpapi"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestAlertList(t *testing.T) {
	late := &lateNotifier{}
	e, b := withBus(t, func(cfg *httpapi.Config) { cfg.Notifier = late })
	x := index.New(b)
	bustest.RunBackground(t, x.Run)
	n, err := notify.New(notify.Config{Bus: b, Index: x})
	if err != nil {
		t.Fatal(err)
	}
	late.Notifier = n
	if got := e.runOnce(t.Context(), "alert", "list"); got.failed != nil || got.out != "No alerts.\n" {
		t.Errorf("%+v", got)
	}
	bustest.RunBackground(t, n.Run)
	a := bus.Alert{App: "default", Job: "j", Name: "j", Rule: bus.RuleFinish, Execution: 7, Due: subjects.Now(), Time: subjects.Now(), Text: "execution 7 was not completed"}
	if _, err := b.Alerts.Create(t.Context(), a.Key(), a); err != nil {
		t.Fatal(err)
	}
	var got outcome
	for range 3000 { // until the bus has seen it
		if got = e.runOnce(t.Context(), "alert", "list"); !strings.Contains(got.out, "No alerts") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if got.failed != nil || !strings.Contains(got.out, "default      j    finish_by  execution 7 was not completed") {
		t.Errorf("%+v", got)
	}
	if got := e.runOnce(t.Context(), "alert", "list", "--job", "k"); got.out != "No alerts.\n" {
		t.Errorf("%+v", got)
	}
	if got := e.runOnce(t.Context(), "alert", "list", "--limit", "0"); got.failed == nil {
		t.Errorf("%+v", got)
	}
}

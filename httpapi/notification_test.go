package httpapi

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus/audit"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/notify"
	"github.com/job-streamer/job-streamer-control-bus/bus/notify/senders"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// fakeSender is a sender whose answer is err.
type fakeSender struct {
	err error
	got []string
}

func (s *fakeSender) Target() (kind, host string) { return "webhook", "alerts.example.com" }
func (s *fakeSender) Accepts(string) error        { return nil }

func (s *fakeSender) Send(_ context.Context, m *senders.Message) error {
	s.got = append(s.got, m.Text)
	return s.err
}

func TestNotifications(t *testing.T) {
	e := newEnv(t, withLogin)
	has := func(path, want string, headers ...string) {
		t.Helper()
		if got := strings.TrimSpace(string(e.call("GET", path, "", headers...).want(200).body)); got != want {
			t.Errorf("%s = %s, want %s", path, got, want)
		}
	}
	admin, watcher := bearing(e.user("ann", "admin").Token), bearing(e.user("wes", "watcher").Token)
	has("/notifications/senders", `{"results":[]}`, watcher...)
	has("/notifications/dead", `{"results":[]}`, watcher...)
	e.call("POST", "/notifications/test", `{"type":"ops"}`, admin...).code(409, "no_notificator")
	ops := &fakeSender{}
	n, err := notify.New(notify.Config{Bus: e.bus, Index: e.index, Senders: senders.Set{"ops": ops}, URL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	e.server.cfg.Notifier = n
	has("/notifications/senders", `{"results":[{"name":"ops","kind":"webhook"},{"name":null,"kind":"notificator"}]}`, watcher...)
	var is rest.TestNotification
	e.call("POST", "/notifications/test", `{"type":"ops"}`, admin...).want(200).into(&is)
	if !is.Sent || is.Host != "alerts.example.com" || is.Kind != "webhook" || len(ops.got) != 1 || !strings.HasSuffix(ops.got[0], " for ann.") {
		t.Errorf("%+v, sent %q", is, ops.got)
	}
	ops.err = errors.New("the receiver answered 503 Service Unavailable")
	e.call("POST", "/notifications/test", `{"type":"ops"}`, admin...).want(200).into(&is)
	if is.Sent || is.Reason != ops.err.Error() {
		t.Errorf("%+v", is)
	}
	e.call("POST", "/notifications/test", `{"type":""}`, admin...).code(422, "invalid_body")
	e.call("POST", "/notifications/test", `{"type":"ops"}`, watcher...).code(403, "forbidden")
	for _, sent := range []string{`{}`, `{"numbers":[]}`, `{"numbers":[1],"all":true}`, `{"numbers":[-1]}`, `{"numbers":[1.5]}`, `{"all":"yes"}`} {
		e.call("POST", "/notifications/resend", sent, admin...).code(422, "invalid_body")
	}
	e.call("POST", "/notifications/resend", `{"numbers":[`+strings.Repeat("1,", notify.MaxResend)+`1]}`, admin...).code(422, "invalid_body")
	e.call("POST", "/notifications/resend", `{"all":true}`, watcher...).code(403, "forbidden")
	got := e.call("POST", "/notifications/resend", `{"numbers":[7]}`, admin...).want(200)
	if want := `{"queued":0,"refused":[{"number":7,"reason":"there is no such dead notification; it was sent again, or is older than 30 days"}],"more":false}`; strings.TrimSpace(string(got.body)) != want {
		t.Errorf("resend = %s, want %s", got.body, want)
	}
	if got := e.call("POST", "/notifications/resend", `{:all true}`, append(admin, "Content-Type", "application/edn", "Accept", "application/edn")...).want(200); !strings.Contains(string(got.body), ":queued 0") {
		t.Errorf("resend = %s", got.body)
	}
	rows, err := e.server.cfg.Audit.List(t.Context(), audit.Query{Kind: "notification", Limit: 100})
	resent := slices.IndexFunc(rows.Rows, func(r audit.Stored) bool {
		return r.Action == "post-notifications-resend" && r.User == "ann" && r.Code == ""
	})
	if err != nil || resent < 0 || rows.Rows[len(rows.Rows)-1].Action != "post-notifications-test" {
		t.Errorf("audit: %+v, %v", rows.Rows, err)
	}
}

// What a job promises is set by its own route and by the job's file, and alerts
// are listed to those who may read the application.
func TestSLA(t *testing.T) {
	e := newEnv(t)
	n, err := notify.New(notify.Config{Bus: e.bus, Index: e.index, Every: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	e.server.cfg.Notifier = n
	bustest.RunBackground(t, n.Run)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	at := "/default/job/a/settings"
	var set rest.Settings
	e.call("PUT", at+"/sla", `{"start_within":"1s","finish_by":"06:00","time_zone":"Europe/Berlin","notification_type":"mail"}`).want(200).into(&set)
	if want := (rest.SLA{StartWithin: "1s", FinishBy: "06:00", TimeZone: "Europe/Berlin", NotificationType: "mail"}); set.SLA == nil || *set.SLA != want || len(set.Warnings) != 1 {
		t.Errorf("%+v, warnings %q", set.SLA, set.Warnings)
	}
	for sent, pointer := range map[string]string{
		`{}`: "/finish_by", `{"start_within":"soon"}`: "/start_within", `{"start_within":"1ms"}`: "/start_within", `{"finish_by":"6:00"}`: "/finish_by",
		`{"finish_by":"24:00"}`: "/finish_by", `{"missing_after":"9000h"}`: "/missing_after", `{"finish_by":"06:00","time_zone":"Mars"}`: "/time_zone",
		`{"finish_by":"1h","time_zone":"Asia/Tokyo"}`: "/time_zone", `{"missing_after":"1h","notification_type":"healthcheck"}`: "/notification_type",
	} {
		if r := e.call("PUT", at+"/sla", sent).code(422, "invalid_body"); !strings.Contains(string(r.body), `"`+pointer+`"`) {
			t.Errorf("%s: %s", sent, r.body)
		}
	}
	file := e.call("GET", "/default/job/a/file", "").want(200)
	if !strings.Contains(string(file.body), `"sla":{"start_within":"1s","finish_by":"06:00","time_zone":"Europe/Berlin","notification_type":"mail"}`) {
		t.Errorf("file %s", file.body)
	}
	since := func() string {
		j, err := e.bus.Jobs.Get(t.Context(), "default.a")
		if err != nil {
			t.Fatal(err)
		}
		if j.Value.Settings.SLA == nil {
			return ""
		}
		return j.Value.Settings.SLA.Since.String()
	}
	was := since()
	e.call("PUT", "/default/job/a", string(file.body)).want(200)
	if is := since(); is != was {
		t.Errorf("a file that changes nothing makes the promise anew: %s, want %s", is, was)
	}
	id := e.start("a", "")
	var all rest.Alerts
	for range 3000 {
		if e.call("GET", "/alerts?app=default&job=a", "").want(200).into(&all); len(all.Results) > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if len(all.Results) != 1 || all.Results[0].Rule != "start_within" || *all.Results[0].ExecutionID != id || all.Results[0].Notified {
		t.Errorf("alerts %+v", all)
	}
	if e.call("GET", "/alerts?app=other", "").want(200).into(&all); len(all.Results) != 0 {
		t.Errorf("alerts of another application %+v", all)
	}
	e.call("DELETE", at+"/sla", "").want(204)
	if is := since(); is != "" {
		t.Errorf("still promised since %s", is)
	}
}

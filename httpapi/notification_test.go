package httpapi

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus/audit"
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
	rows, err := e.server.cfg.Audit.List(t.Context(), audit.Query{Kind: "notification", Limit: 10})
	if err != nil || len(rows.Rows) == 0 || rows.Rows[len(rows.Rows)-1].Action != "post-notifications-test" {
		t.Errorf("audit: %+v, %v", rows.Rows, err)
	}
}

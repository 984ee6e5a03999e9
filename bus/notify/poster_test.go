package notify

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/notify/senders"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestURLs(t *testing.T) {
	for _, url := range []string{"ftp://me:secret@h", "localhost:2121", "http://", "http://h?token=secret", "http://h#secret", "http://me:secret@h:x", "\x7f:secret"} {
		_, err := New(Config{URL: url})
		var field *bus.FieldError
		if !errors.As(err, &field) || field.Path != "notificator-url" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
	for _, url := range []string{"", "http://localhost:2121", "https://me:secret@h/some/path/"} {
		if _, err := New(Config{URL: url}); err != nil {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// A notificator on TCP receives the message. If it refuses, or is unreachable,
// the error says so without the password of the URL.
func TestPost(t *testing.T) {
	var got *http.Request
	status := 200
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	defer srv.Close()
	p, err := newPoster(strings.Replace(srv.URL, "://", "://me:secret@", 1)+"/base/", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.closeIdle()
	m := &senders.Message{Kind: senders.KindAlert, Type: "a/b c"}
	for _, c := range []struct {
		status       int
		taken, final bool
	}{{200, true, false}, {204, true, false}, {302, false, true}, {404, false, true}, {429, false, false}, {503, false, false}} {
		status = c.status
		if err := p.Send(t.Context(), m); (err == nil) != c.taken || senders.IsFinal(err) != c.final {
			t.Errorf("%d: %v", c.status, err)
		}
		user, password, _ := got.BasicAuth()
		if got.URL.EscapedPath() != "/base/a%2Fb%20c" || user != "me" || password != "secret" || got.Method != "POST" {
			t.Errorf("%s %s by %q", got.Method, got.URL.EscapedPath(), user)
		}
	}
	srv.Close()
	p.closeIdle()
	err = p.Send(t.Context(), m)
	if err == nil || !strings.Contains(err.Error(), "refused") || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "me:") {
		t.Errorf("of one that is away: %v", err)
	}
}

func TestStatusBody(t *testing.T) {
	e := &subjects.Execution{
		ID: 119, Job: "x", BatchStatus: subjects.Unknown, StartTime: 1_500,
		Parameters: map[string]string{"who": "a \"b\"\n", "two words": "2", "a/b": "3"},
	}
	want := `{:execution-id 119 :start-time #inst "1970-01-01T00:00:01.500-00:00" :end-time nil :batch-status :batch-status/unknown :exit-status nil ` +
		`:job-parameter {"a/b" "3" "two words" "2" :who "a \"b\"\n"} :step-executions [] :job-name "x"}`
	if got := string(statusBody(e, e.Job)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	e.Parameters = nil
	if got := string(statusBody(e, e.Job)); !strings.Contains(got, ":job-parameter nil") {
		t.Errorf("without parameters: %s", got)
	}
}

package notify

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
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
// the error is ErrNotSent.
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
	var log bytes.Buffer
	m := message{"a/b c", []byte("{}"), slog.New(slog.NewTextHandler(&log, nil))}
	for _, c := range []struct {
		status int
		taken  bool
	}{{200, true}, {204, true}, {302, false}, {404, false}, {429, false}, {503, false}} {
		status = c.status
		if err := p.postOnce(t.Context(), m); (err == nil) != c.taken || err != nil && !errors.Is(err, ErrNotSent) {
			t.Errorf("%d: %v", c.status, err)
		}
		user, password, _ := got.BasicAuth()
		if got.URL.EscapedPath() != "/base/a%2Fb%20c" || user != "me" || password != "secret" || got.Method != "POST" {
			t.Errorf("%s %s by %q", got.Method, got.URL.EscapedPath(), user)
		}
	}
	srv.Close()
	p.closeIdle()
	if err := p.postOnce(t.Context(), m); !errors.Is(err, ErrNotSent) {
		t.Errorf("of one that is away: %v", err)
	}
	if !strings.Contains(log.String(), "refused") || strings.Contains(log.String(), "secret") || strings.Contains(log.String(), "me:") {
		t.Errorf("log: %s", log.String())
	}
}

func TestFinalStatus(t *testing.T) {
	for status, want := range map[refusal]bool{302: true, 400: true, 404: true, 408: false, 429: false, 500: false, 503: false} {
		if got := status.isFinal(); got != want {
			t.Errorf("%d: final %v", int(status), got)
		}
	}
}

func TestStatusBody(t *testing.T) {
	e := &bus.Execution{Execution: subjects.Execution{
		ID: 119, Job: "x", BatchStatus: subjects.Unknown, StartTime: 1_500,
		Parameters: map[string]string{"who": "a \"b\"\n", "two words": "2", "a/b": "3"},
	}}
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

package builtin_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/builtin"
)

// outcome is how a batchlet ended.
type outcome struct {
	exit   string
	err    error
	values map[string]string
	log    string
}

// runBatchlet runs a batchlet. change may change its context.
func runBatchlet(ctx context.Context, c builtin.Config, ref string, properties map[string]string, change ...func(*agent.StepContext)) outcome {
	s := agent.NewStepContext(nil, nil)
	s.Properties = properties
	var log syncBuffer
	s.Log = slog.New(slog.NewTextHandler(&log, nil))
	for _, f := range change {
		f(s)
	}
	exit, err := c.Batchlets()[ref](ctx, s)
	return outcome{exit, err, s.NextValues(), log.String()}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// with returns properties with further ones.
func with(base map[string]string, pairs ...string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, base)
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

// checkOutcome compares an outcome with what is wanted; err is a part of the
// error, empty for none.
func checkOutcome(t *testing.T, got outcome, exit, err string) {
	t.Helper()
	if got.exit != exit || (err == "") != (got.err == nil) || got.err != nil && !strings.Contains(got.err.Error(), err) {
		t.Errorf("it ended with %q, %v; want %q, %s\n%s", got.exit, got.err, exit, err, got.log)
	}
}

// newServer starts a server that tells in its answers what it was asked.
func newServer(t *testing.T) *httptest.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s|%s|%s|%s", r.Method, r.URL.RawQuery, r.Header.Get("Content-Type"), r.Header.Get("Authorization"), r.Header.Get("User-Agent"), body)
	})
	mux.HandleFunc("/json", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"id": 17, "a/b": [{"name": "x y"}], "none": null}`)
	})
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		var code int
		_, _ = fmt.Sscan(r.PathValue("code"), &code)
		w.WriteHeader(code)
	})
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/echo?moved", http.StatusFound) })
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("long ", 5000)) })
	mux.HandleFunc("/bytes", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte{1, 0, 2}) })
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func TestHTTP(t *testing.T) {
	s := newServer(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "body.json")
	if err := os.WriteFile(file, []byte(`{"from": "file"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, path, exit, err string
		properties            map[string]string
		log                   string // part of it
		values                string
	}{
		{"GET", "/echo?a=b", "200", "", nil, "GET a=b ||jobstreamer|", ""},
		{"a body is a POST", "/echo", "200", "", map[string]string{"body": `{"a": 1}`}, `POST  application/json||jobstreamer|{\"a\": 1}`, ""},
		{"a body of text", "/echo", "200", "", map[string]string{"body": "a=1", "method": "put"}, "PUT  text/plain; charset=utf-8||jobstreamer|a=1", ""},
		{"a body from a file", "/echo", "200", "", map[string]string{"body_file": file}, `{\"from\": \"file\"}`, ""},
		{"headers", "/echo", "200", "", map[string]string{"header.content-type": "text/x", "header.User-Agent": "me", "body": "b"}, "POST  text/x||me|b", ""},
		{"values of earlier steps", "/echo?id=${value.id}&${value.unknown}", "200", "", map[string]string{"body": "at ${value.id}"}, "|at 17", ""},
		{"another status", "/status/404", "404", "the server answered 404 Not Found, want 200-299", nil, "404 Not Found", ""},
		{"an expected status", "/status/404", "404", "", map[string]string{"expect": "2xx, 404"}, "", ""},
		{"values", "/json", "200", "", map[string]string{"value.id": "/id", "value.name": "/a~1b/0/name", "value.first": "/a~1b/0", "value.none": "/none"}, "", `map[first:{"name": "x y"} id:17 name:x y none:null]`},
		{"the whole answer is a value", "/echo", "200", "the body is not JSON", map[string]string{"value.all": ""}, "", ""},
		{"a value that is not there", "/json", "200", `property value.id: /ids in the answer: there is no member "ids"`, map[string]string{"value.id": "/ids"}, "", ""},
		{"an item that is not there", "/json", "200", `there is no item "1" among 1`, map[string]string{"value.id": "/a~1b/1"}, "", ""},
		{"a redirect", "/away", "200", "", nil, "GET moved", ""},
		{"a redirect is not followed", "/away", "302", "", map[string]string{"redirects": "return", "expect": "302"}, "302 Found", ""},
		{"redirects without an end", "/loop", "", "stopped after 10 redirects", nil, "", ""},
		{"a timeout", "/slow", "", "GET " + s.URL + "/slow: context deadline exceeded", map[string]string{"timeout": "50ms"}, "", ""},
		{"a long answer is cut", "/long", "200", "", map[string]string{"log_bytes": "10"}, "long long ... (25000 bytes in all)", ""},
		{"an answer that is no text", "/bytes", "200", "", nil, "(3 bytes that are no text)", ""},
		{"an unknown property", "/echo", "", "property urls: unknown, want body, body_file,", map[string]string{"urls": "x"}, "", ""},
		{"several faults", "/echo", "", `property timeout: want a duration such as 90s or 10m, or a number of seconds, got "soon"; property redirects: want one of follow, return, got "no"`, map[string]string{"timeout": "soon", "redirects": "no"}, "", ""},
		{"a bad status", "/echo", "", `property expect: want statuses such as 200,201-204,3xx, got "ok"`, map[string]string{"expect": "ok"}, "", ""},
		{"a bad header", "/echo", "", "property header.a b: want the name and value", map[string]string{"header.a b": "c"}, "", ""},
		{"two bodies", "/echo", "", "not both", map[string]string{"body": "a", "body_file": file}, "", ""},
		{"a bad method", "/echo", "", "property method: want an HTTP method", map[string]string{"method": "G T"}, "", ""},
		{"a value with capitals", "/echo", "", "property value.Id: want a name", map[string]string{"value.Id": "/id"}, "", ""},
		{"a poll without an end", "/echo", "", "property poll_until: want one or more values", map[string]string{"poll_field": "/state"}, "", ""},
		{"poll_until alone", "/echo", "", "property poll_field: want a JSON pointer such as /state, since there is poll_until", map[string]string{"poll_until": "DONE"}, "", ""},
		{"a CA that is none", "/echo", "", "property ca_file: want a PEM file", map[string]string{"ca_file": file}, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := runBatchlet(t.Context(), builtin.Config{}, builtin.HTTP, with(test.properties, "url", s.URL+test.path), func(s *agent.StepContext) {
				s.Values = map[string]string{"id": "17"}
			})
			checkOutcome(t, got, test.exit, test.err)
			if !strings.Contains(got.log, test.log) {
				t.Errorf("the log is %s, want %s in it", got.log, test.log)
			}
			if test.values != "" && fmt.Sprint(got.values) != test.values {
				t.Errorf("the values are %v, want %s", got.values, test.values)
			}
		})
	}
	for _, u := range []string{"", "ftp://x/y", "/echo", "http://", "http://a b/"} {
		checkOutcome(t, runBatchlet(t.Context(), builtin.Config{}, builtin.HTTP, map[string]string{"url": u}), "", "property url: want an http or https URL")
	}
}

// An answer goes to a file once it is complete.
func TestHTTPOutputFile(t *testing.T) {
	s := newServer(t)
	file := filepath.Join(t.TempDir(), "answer")
	for path, exit := range map[string]string{"/echo?x": "200", "/status/500": "500"} {
		got := runBatchlet(t.Context(), builtin.Config{}, builtin.HTTP, map[string]string{"url": s.URL + path, "output_file": file})
		if got.exit != exit {
			t.Errorf("%s ended with %q, %v", path, got.exit, got.err)
		}
	}
	if b, err := os.ReadFile(file); !strings.HasPrefix(string(b), "GET x") {
		t.Errorf("the file has %q, %v", b, err)
	}
	if files, _ := os.ReadDir(filepath.Dir(file)); len(files) != 1 {
		t.Errorf("the folder has %v", files)
	}
	noFiles := builtin.Config{NoFiles: "this agent runs jobs as ann"}
	checkOutcome(t, runBatchlet(t.Context(), noFiles, builtin.HTTP, map[string]string{"url": s.URL + "/echo", "output_file": file}), "", "property output_file: this agent runs jobs as ann")
	checkOutcome(t, runBatchlet(t.Context(), noFiles, builtin.HTTP, map[string]string{"url": s.URL + "/echo", "ca_file": "/etc/shadow"}), "", "property ca_file: this agent runs jobs as ann")
	checkOutcome(t, runBatchlet(t.Context(), noFiles, builtin.FileWatch, map[string]string{"path": file}), "", "property path: this agent runs jobs as ann")
}

// Secrets reach the server, and neither the log, an error, nor another server.
func TestHTTPSecrets(t *testing.T) {
	s := newServer(t)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "other got %q %q", r.Header.Get("Authorization"), r.Header.Get("X-Api-Key"))
	}))
	defer other.Close()
	away := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusFound))
	defer away.Close()
	c := builtin.Config{Secrets: builtin.SecretsFrom(map[string]string{"JOBSTREAMER_SECRET_API": "s3cr3t-value", "PATH": "/bin", "JOBSTREAMER_SECRET_": "x"})}
	bearer := map[string]string{"header.Authorization": "Bearer ${secret.API}", "header.X-Api-Key": "plain-key"}
	got := runBatchlet(t.Context(), c, builtin.HTTP, with(bearer, "url", s.URL+"/echo"))
	checkOutcome(t, got, "200", "")
	if strings.Contains(got.log, "s3cr3t-value") || !strings.Contains(got.log, "GET  |xxxxx|") {
		t.Errorf("the log is %s", got.log)
	}
	got = runBatchlet(t.Context(), c, builtin.HTTP, with(bearer, "url", away.URL))
	checkOutcome(t, got, "200", "")
	if !strings.Contains(got.log, `other got \"\" \"\"`) {
		t.Errorf("another server got the headers: %s", got.log)
	}
	for text, want := range map[string]string{
		"${secret.NONE}": "property header.Authorization: neither the application nor this agent has a secret NONE: jobstreamer secret set NONE --app NAME, or the variable JOBSTREAMER_SECRET_NONE",
		"${secret.API} and the text ${secret.API} of a parameter": "property header.Authorization: the parameter evil could choose a secret",
	} {
		got := runBatchlet(t.Context(), c, builtin.HTTP, map[string]string{"url": s.URL + "/echo", "header.Authorization": text}, func(s *agent.StepContext) {
			s.Parameters = map[string]string{"evil": "the text ${secret.API} of a parameter", "good": `{"a": 1}`}
		})
		checkOutcome(t, got, "", want)
	}
	got = runBatchlet(t.Context(), c, builtin.HTTP, map[string]string{"url": "http://ann:s3cr3t-value@" + strings.TrimPrefix(s.URL, "http://") + "/status/500?key=hidden"})
	if text := got.log + got.err.Error(); strings.Contains(text, "s3cr3t-value") || strings.Contains(text, "hidden") {
		t.Errorf("the log and the error are %s", text)
	}
	got = runBatchlet(t.Context(), c, builtin.HTTP, map[string]string{"url": "http://127.0.0.1:1/x?key=hidden"})
	if got.err == nil || strings.Contains(got.err.Error(), "hidden") {
		t.Errorf("the error is %v", got.err)
	}
}

// A value of an earlier step chooses no secret: it can come from anywhere.
func TestValueChoosesNoSecret(t *testing.T) {
	c := builtin.Config{Secrets: map[string]string{"API": "s3cr3t-value"}}
	for _, body := range []string{"${value.x}", "${secret.API} ${value.x}", "${secret.${value.api}}"} {
		var got string
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			data, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			got = string(data) + r.Header.Get("X-Body")
		}))
		defer s.Close()
		properties := map[string]string{"url": s.URL, "method": "POST", "body": body, "header.X-Body": body}
		checkOutcome(t, runBatchlet(t.Context(), c, builtin.HTTP, properties, func(s *agent.StepContext) {
			s.Values = map[string]string{"x": "${secret.API}", "api": "API"}
		}), "200", "")
		if want := 2 * strings.Count(body, "${secret.API}"); strings.Count(got, "s3cr3t-value") != want {
			t.Errorf("%s: the server got %q, want the secret %d times", body, got, want)
		}
	}
}

func TestHTTPWithTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	defer s.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	checkOutcome(t, runBatchlet(t.Context(), builtin.Config{}, builtin.HTTP, map[string]string{"url": s.URL}), "", "certificate")
	checkOutcome(t, runBatchlet(t.Context(), builtin.Config{}, builtin.HTTP, map[string]string{"url": s.URL, "ca_file": ca}), "200", "")
}

// A stop ends a request that is under way.
func TestHTTPStop(t *testing.T) {
	asked := make(chan bool)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { close(asked); <-r.Context().Done() }))
	defer s.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() { <-asked; cancel(agent.ErrStopped) }()
	if got := runBatchlet(ctx, builtin.Config{}, builtin.HTTP, map[string]string{"url": s.URL}); !errors.Is(got.err, agent.ErrStopped) {
		t.Errorf("it ended with %v", got.err)
	}
}

// pipeServer serves connections in memory, so that time can be fake.
type pipeServer struct{ conns chan net.Conn }

func (p *pipeServer) Accept() (net.Conn, error) {
	c, ok := <-p.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p *pipeServer) Close() error   { return nil }
func (p *pipeServer) Addr() net.Addr { return &net.TCPAddr{} }
func (p *pipeServer) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	p.conns <- server
	return client, nil
}

func TestHTTPPoll(t *testing.T) {
	start := map[string]string{"url": "http://jobs.test/jobs", "body": "{}", "poll_field": "/state", "poll_until": "DONE, PARTLY*", "poll_fail": "FAILED", "poll_interval": "20s", "poll_timeout": "5m"}
	for _, test := range []struct {
		name       string
		properties map[string]string
		answers    []string // of the GETs
		exit, err  string
		asked      string // path of the GETs
		took       time.Duration
	}{
		{"until it is done", with(start, "value.result", "/result"), []string{`{"state":"QUEUED"}`, `{"state":"RUNNING"}`, `{"state":"DONE","result":"42"}`}, "DONE", "", "/jobs/7", time.Minute},
		{"a pattern", start, []string{`{"state":"PARTLY_DONE"}`}, "PARTLY_DONE", "", "/jobs/7", 20 * time.Second},
		{"it fails", start, []string{`{"state":"QUEUED"}`, `{"state":"FAILED"}`}, "FAILED", `/state is "FAILED"`, "/jobs/7", 40 * time.Second},
		{"errors of the server pass", start, []string{"503", "429", `{"state":"DONE"}`}, "DONE", "", "/jobs/7", time.Minute},
		{"a refusal ends it", start, []string{"403"}, "", "the server answered 403 Forbidden", "/jobs/7", 20 * time.Second},
		{"a timeout", start, []string{`{"state":"RUNNING"}`}, "TIMEOUT", `timeout after 5m0s: /state is "RUNNING", want DONE, PARTLY*`, "/jobs/7", 5 * time.Minute},
		{"an id in the first answer", with(start, "poll_url", "/by-id/${answer/id}/state"), []string{`{"state":"DONE"}`}, "DONE", "", "/by-id/a%2Fb/state", 20 * time.Second},
		{"an id that is not there", with(start, "poll_url", "/by-id/${answer/no}"), nil, "", `property poll_url: /no in the answer: there is no member "no"`, "", 0},
		{"a field that is not there", with(start, "poll_field", "/status"), []string{`{"state":"DONE"}`}, "", `property poll_field: /status in the answer: there is no member "status"`, "/jobs/7", 20 * time.Second},
		{"the server says when", start, []string{`wait{"state":"RUNNING"}`, `{"state":"DONE"}`}, "DONE", "", "/jobs/7", 20*time.Second + 100*time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked, gets := "", 0
				listener := &pipeServer{make(chan net.Conn, 16)}
				server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPost {
						w.Header().Set("Location", "/jobs/7")
						w.WriteHeader(http.StatusAccepted)
						_, _ = io.WriteString(w, `{"id": "a/b"}`)
						return
					}
					asked = r.URL.EscapedPath()
					text := test.answers[min(gets, len(test.answers)-1)]
					gets++
					var code int
					if n, _ := fmt.Sscanf(text, "%d", &code); n == 1 {
						w.WriteHeader(code)
						return
					}
					if rest, ok := strings.CutPrefix(text, "wait"); ok {
						text = rest
						w.Header().Set("Retry-After", "100")
					}
					_, _ = io.WriteString(w, text)
				})}
				go func() { _ = server.Serve(listener) }()
				var c builtin.Config
				c.SetDial(listener.dial)
				begin := time.Now()
				got := runBatchlet(t.Context(), c, builtin.HTTP, test.properties)
				took := time.Since(begin)
				checkOutcome(t, got, test.exit, test.err)
				if asked != test.asked || took != test.took {
					t.Errorf("it asked %s for %v, want %s, %v", asked, took, test.asked, test.took)
				}
				if _, ok := test.properties["value.result"]; ok && got.values["result"] != "42" {
					t.Errorf("the values are %v", got.values)
				}
				close(listener.conns)
				_ = server.Close()
			})
		})
	}
}

// A GET of the state needs no further request if it is final already. A stop
// ends the waiting.
func TestHTTPPollOfOneURL(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"state":"DONE"}`) }))
	defer s.Close()
	properties := map[string]string{"url": s.URL, "poll_field": "/state", "poll_until": "DONE", "poll_interval": "1h"}
	checkOutcome(t, runBatchlet(t.Context(), builtin.Config{}, builtin.HTTP, properties), "DONE", "")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(agent.ErrStopped) })
	if got := runBatchlet(ctx, builtin.Config{}, builtin.HTTP, with(properties, "poll_until", "NEVER")); !errors.Is(got.err, agent.ErrStopped) {
		t.Errorf("it ended with %v", got.err)
	}
}

// A secret of the application comes before one of the agent.
func TestSecretsOfTheApplication(t *testing.T) {
	c := builtin.Config{Secrets: map[string]string{"API": "of-the-agent", "OTHER": "other-of-the-agent"}}
	down := errors.New("no control bus")
	source := func(_ context.Context, names []string) (map[string]string, error) {
		switch names[0] {
		case "API":
			return map[string]string{"API": "of-the-application"}, nil
		case "DOWN":
			return nil, down
		}
		return nil, &agent.MissingSecretsError{App: "app", Names: names}
	}
	for _, test := range []struct{ body, sent, err string }{
		{"<${secret.API}>", "<of-the-application>", ""},
		{"<${secret.OTHER}>", "<other-of-the-agent>", ""},
		{"<${secret.DOWN}>", "", "property body: no control bus"},
		{"<${secret.NONE}>", "", "neither the application nor this agent has a secret NONE"},
	} {
		var sent string
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			data, _ := io.ReadAll(r.Body)
			sent = string(data)
			_, _ = w.Write(data)
		}))
		defer s.Close()
		secrets := agent.NewSecrets("app", source)
		got := runBatchlet(t.Context(), c, builtin.HTTP, map[string]string{"url": s.URL, "body": test.body}, func(s *agent.StepContext) {
			s.Secrets = secrets
		})
		// The attempt redacts what the step hands over, such as an exit status.
		if text := secrets.Redact(test.sent); test.sent != "" && text != "<***>" {
			t.Errorf("%s: redacted as %q", test.body, text)
		}
		checkOutcome(t, got, map[bool]string{true: "200", false: ""}[test.err == ""], test.err)
		if sent != test.sent || strings.Contains(got.log, "of-the-a") {
			t.Errorf("%s: the server got %q, want %q; the log is %s", test.body, sent, test.sent, got.log)
		}
	}
}

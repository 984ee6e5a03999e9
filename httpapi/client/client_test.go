package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/audit"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/catalog"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/deploy"
	"github.com/job-streamer/job-streamer-control-bus/httpapi"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/scheduler"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestMain(m *testing.M) { os.Exit(bustest.MainWithoutLeaks(m)) }

// start runs a control bus and returns a client of it.
func start(t testing.TB) (*client.Client, *bus.Bus) {
	t.Helper()
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	x := index.New(b)
	life := execution.New(b, x, execution.Config{})
	plan := scheduler.New(scheduler.Config{Bus: b, Index: x, Submit: life})
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	g.Go(func() error { return x.Run(ctx) })
	g.Go(func() error { return life.Run(ctx) })
	g.Go(func() error { return plan.Run(ctx) })
	<-x.Ready()
	deployer, err := deploy.New(deploy.Config{Bus: b, Objects: bustest.Artifacts(t, b), TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	rows := audit.New(b)
	g.Go(func() error { return rows.Run(ctx) })
	api, err := httpapi.New(httpapi.Config{Audit: rows, Health: b.Healthy, Broker: b.JS, Catalog: catalog.New(catalog.Config{Bus: b, Index: x, History: life, Schedules: plan}), Index: x, Executions: life, Agents: life.Agents(), Schedules: plan, Deployments: deployer, Version: "2.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(api)
	c := connect(t, s.URL)
	t.Cleanup(func() {
		s.Close()
		cancel()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	})
	return c, b
}

func connect(t testing.TB, url string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// run plays an agent that runs an execution in no time and says a line.
func run(t testing.TB, b *bus.Bus, e *rest.Execution) {
	t.Helper()
	rec, err := b.Executions.Get(t.Context(), bus.ExecutionKey(e.App, e.Job, e.ExecutionID))
	if err != nil {
		t.Error(err)
		return
	}
	line := subjects.LogMessage{Attempt: 1, Lines: []subjects.LogLine{{Time: subjects.Now(), Level: "info", Stream: "stdout", Message: "hello"}}}
	data, _ := json.Marshal(line)
	if _, err := b.JS.Publish(t.Context(), subjects.LogSubject(e.App, e.Job, e.ExecutionID, "a1"), data); err != nil {
		t.Error(err)
	}
	var last uint64
	for i, status := range []subjects.BatchStatus{subjects.Started, subjects.Completed} {
		r := subjects.Result{
			ID: e.ExecutionID, App: e.App, Job: e.Job, Attempt: 1, BatchStatus: status, Agent: "a1", Handling: "h",
			Number: i + 1, Time: subjects.Now(), Execution: &rec.Value.Execution,
		}
		data, _ := json.Marshal(r)
		m := &nats.Msg{Subject: subjects.ResultSubject(e.App, e.Job, e.ExecutionID, "a1"), Data: data}
		if last, err = b.Pub.Do(t.Context(), m, subjects.ResultFilter(e.App, e.Job, e.ExecutionID), int64(last)); err != nil {
			t.Error(err)
		}
	}
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if got := client.Code(err); got != code {
		t.Errorf("%v has the code %q, want %q", err, got, code)
	}
}

func TestClient(t *testing.T) {
	c, b := start(t)
	ctx := t.Context()
	if err := c.Healthy(ctx); err != nil {
		t.Fatal(err)
	}
	if v := must(c.Version(ctx))(t); v != "2.0.0" {
		t.Errorf("version %q", v)
	}
	_, tag, err := c.PutApp(ctx, rest.App{Name: "shop"}, client.Condition{Create: true})
	if err != nil || tag == "" {
		t.Fatal(tag, err)
	}
	_, _, err = c.PutApp(ctx, rest.App{Name: "shop"}, client.Condition{Create: true})
	wantCode(t, err, "conflict")
	_, _, err = c.PutApp(ctx, rest.App{Name: "shop"}, client.Condition{ETag: `"99"`})
	wantCode(t, err, "precondition_failed")
	if l := must(c.Apps(ctx, client.Page{Offset: 2, Limit: 1}))(t); l.Hits != 2 || l.Results[0].Name != "shop" {
		t.Errorf("apps %+v", l)
	}
	def := []byte(`{"id":"night","steps":[{"id":"s","batchlet":{"ref":"x"}}]}`)
	if _, _, err = c.PostJob(ctx, "shop", def, client.Condition{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err = c.PutJob(ctx, "shop", "other", []byte(`{"job/name":"other","job/svg-notation":"<svg/>","job/components":[{"id":"s"}]}`), client.Condition{}); err != nil {
		t.Fatal(err)
	}
	j, etag, err := c.RenameJob(ctx, "shop", "other", "day")
	if err != nil || j.Name != "day" || j.SVGNotation != "<svg/>" {
		t.Errorf("renamed: %+v, %v", j, err)
	}
	if now, tag, err := c.Job(ctx, "shop", "day"); err != nil || tag != etag || now.SVGNotation != "<svg/>" {
		t.Errorf("day: %+v at %s, %v; want it at %s", now, tag, err, etag)
	}
	_, _, err = c.RenameJob(ctx, "shop", "day", "night")
	wantCode(t, err, "job_exists")
	_, _, err = c.RenameJob(ctx, "shop", "other", "more")
	wantCode(t, err, "no_such_job")
	if err := c.DeleteJob(ctx, "shop", "day", false, client.Condition{ETag: etag}); err != nil {
		t.Error(err)
	}
	if l := must(c.Jobs(ctx, "shop", client.JobSearch{Query: "ni", SortBy: "name:desc"}))(t); l.Hits != 1 {
		t.Errorf("jobs %+v", l)
	}
	e := must(c.Submit(ctx, "shop", "night", client.Submission{Parameters: map[string]string{"a": "b"}, IdempotencyKey: "k"}))(t)
	if again := must(c.Submit(ctx, "shop", "night", client.Submission{Parameters: map[string]string{"a": "b"}, IdempotencyKey: "k"}))(t); again.ExecutionID != e.ExecutionID {
		t.Errorf("execution %d, then %d", e.ExecutionID, again.ExecutionID)
	}
	time.AfterFunc(100*time.Millisecond, func() { run(t, b, e) })
	var lines []string
	end, err := c.FollowLog(ctx, "shop", "", e.ExecutionID, func(l rest.LogLine) error {
		lines = append(lines, l.Message)
		return nil
	})
	if err != nil || end == nil || end.BatchStatus != subjects.Completed || strings.Join(lines, "|") != "hello" {
		t.Errorf("followed %q to %+v, %v", lines, end, err)
	}
	if e = must(c.Await(ctx, "shop", "night", e.ExecutionID, time.Minute))(t); e.BatchStatus != subjects.Completed || e.JobParameters["a"] != "b" {
		t.Errorf("%+v", e)
	}
	var text strings.Builder
	if err := c.Log(ctx, "shop", "night", e.ExecutionID, &text); err != nil || !strings.Contains(text.String(), "stdout - | hello") {
		t.Errorf("log %q, %v", text.String(), err)
	}
	if l := must(c.LogLines(ctx, "shop", "", e.ExecutionID))(t); l.Hits != 1 || l.Results[0].Message != "hello" {
		t.Errorf("lines %+v", l)
	}
	_, err = c.Restart(ctx, "shop", "night", e.ExecutionID, client.Submission{})
	wantCode(t, err, "job_execution_already_complete")
	_, err = c.Stop(ctx, "shop", "night", e.ExecutionID)
	wantCode(t, err, "job_execution_not_running")
	_, err = c.Execution(ctx, "shop", "", 999)
	wantCode(t, err, "no_such_job_execution")
	if _, err := c.PutSchedule(ctx, "shop", "night", "", rest.NewSchedule{CronNotation: "0 0 3 * * ?"}); err != nil {
		t.Error(err)
	}
	if s := must(c.PauseSchedule(ctx, "shop", "night", "", "maintenance"))(t); s.Active {
		t.Error("active after pause")
	}
	if s := must(c.ResumeSchedule(ctx, "shop", "night", "", false))(t); !s.Active {
		t.Error("not active after resume")
	}
	if err := c.DeleteSchedule(ctx, "shop", "night", ""); err != nil {
		t.Error(err)
	}
	if l := must(c.Executions(ctx, "shop", "night", client.Page{}))(t); l.Hits != 1 {
		t.Errorf("executions %+v", l)
	}
	if err := c.DeleteExecutions(ctx, "shop", "night"); err != nil {
		t.Error(err)
	}
	_, err = c.Agent(ctx, "none")
	wantCode(t, err, "no_such_agent")
	if l := must(c.Agents(ctx, client.Page{}))(t); l.Hits != 0 {
		t.Errorf("agents %+v", l)
	}
	if s := must(c.Stats(ctx, "shop"))(t); s.Jobs != 1 {
		t.Errorf("stats %+v", s)
	}
	_, tag, err = c.Job(ctx, "shop", "night")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteJob(ctx, "shop", "night", false, client.Condition{ETag: tag}); err != nil {
		t.Error(err)
	}
	if err := c.DeleteApp(ctx, "shop"); err != nil {
		t.Error(err)
	}
}

func TestEvents(t *testing.T) {
	c, _ := start(t)
	if _, _, err := c.PutApp(t.Context(), rest.App{Name: "default"}, client.Condition{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.PostJob(t.Context(), "default", []byte(`{"id":"a","steps":[{"id":"s","batchlet":{"ref":"x"}}]}`), client.Condition{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	done := errors.New("done")
	got := make(chan error, 1)
	go func() {
		got <- c.Events(ctx, client.EventFilter{App: "default", Job: "a"}, func(id string, e rest.Event) error {
			if id == "" || e.BatchStatus != subjects.Undispatched {
				return fmt.Errorf("event %q %+v", id, e)
			}
			return done
		})
	}()
	for { // until the listener is there
		if _, err := c.Submit(ctx, "default", "a", client.Submission{}); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-got:
			if !errors.Is(err, done) {
				t.Error(err)
			}
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestBrokenStream(t *testing.T) {
	var n atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch n.Add(1) {
		case 1: // breaks within an event
			fmt.Fprint(w, ": hello\n\nid: 7\ndata: {\"execution_id\":1}\n\nid: 8\ndata: {\"execu")
		case 2:
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"code":"unavailable","status":503}`)
		case 3:
			fmt.Fprintf(w, "id: 9\ndata: {\"execution_id\":2,\ndata: \"job\":%q}\n\n", r.Header.Get("Last-Event-ID"))
		default:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "no problem of ours")
		}
	}))
	defer s.Close()
	var got []string
	err := connect(t, s.URL).Events(t.Context(), client.EventFilter{After: "6"}, func(id string, e rest.Event) error {
		got = append(got, fmt.Sprint(id, " ", e.ExecutionID, " ", e.Job))
		if len(got) == 2 {
			return errors.New("enough")
		}
		return nil
	})
	if want := "7 1 |9 2 7"; strings.Join(got, "|") != want || err == nil || err.Error() != "enough" {
		t.Errorf("events %q, %v; want %q", got, err, want)
	}
	if n.Load() != 3 {
		t.Errorf("%d connections, want 3", n.Load())
	}
}

func TestErrors(t *testing.T) {
	t.Run("a proxy's page is an error", func(t *testing.T) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "<h1>Bad Gateway</h1>", http.StatusBadGateway)
		}))
		defer s.Close()
		err := connect(t, s.URL).Healthy(t.Context())
		if err == nil || !strings.Contains(err.Error(), "502") || !strings.Contains(err.Error(), "Bad Gateway") || client.Code(err) != "" {
			t.Errorf("%v", err)
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		c := connect(t, "http://127.0.0.1:1")
		if err := c.Healthy(t.Context()); err == nil {
			t.Error("no error")
		}
		if err := c.Events(t.Context(), client.EventFilter{}, nil); err == nil {
			t.Error("no error from a stream")
		}
	})
	for _, url := range []string{"localhost:45102", "ftp://x", "http://", "http://a b", ":"} {
		if _, err := client.New(client.Config{URL: url}); err == nil {
			t.Errorf("New(%q): no error", url)
		}
	}
}

func TestForms(t *testing.T) {
	c, _ := start(t)
	ctx := t.Context()
	if _, _, err := c.PutApp(ctx, rest.App{Name: "shop"}, client.Condition{}); err != nil {
		t.Fatal(err)
	}
	yaml := "id: night\nsteps:\n  - id: s\n    batchlet: {ref: x}\n"
	if j, _, err := c.ApplyJob(ctx, "shop", "", "application/yaml", []byte(yaml), client.Condition{Create: true}); err != nil || j.Name != "night" {
		t.Fatal(j, err)
	}
	t.Run("a definition is had in its forms", func(t *testing.T) {
		for media, want := range map[string]string{"application/yaml": "id: night", "application/xml": `id="night"`, "application/edn": ":id", "application/json": `"id"`} {
			var b strings.Builder
			if err := c.Definition(ctx, "shop", "night", media, &b); err != nil || !strings.Contains(b.String(), want) {
				t.Errorf("%s: %q, %v", media, b.String(), err)
			}
		}
	})
	t.Run("an answer is copied as it comes", func(t *testing.T) {
		var b strings.Builder
		list, err := c.As("application/yaml", &b).Apps(ctx, client.Page{})
		if err != nil || list.Hits != 0 || !strings.Contains(b.String(), "- name: shop") {
			t.Errorf("%q, %+v, %v", b.String(), list, err)
		}
	})
	t.Run("errors keep line and column in every form", func(t *testing.T) {
		_, _, err := c.ApplyJob(ctx, "shop", "", "application/yaml", []byte("id: night\nsteps:\n  - id: s\n    bachlet: {ref: x}\n"), client.Condition{})
		var p *client.Problem
		if !errors.As(err, &p) || len(p.Errors) == 0 || p.Errors[0].Line != 4 {
			t.Errorf("%v", err)
		}
	})
	t.Run("problems are understood in every form", func(t *testing.T) {
		for _, media := range []string{"application/yaml", "application/edn", "application/json"} {
			var b strings.Builder
			_, _, err := c.As(media, &b).App(ctx, "none")
			wantCode(t, err, "no_such_app")
			var p *client.Problem
			if errors.As(err, &p) && (p.Status != http.StatusNotFound || !strings.Contains(p.Detail, "none")) {
				t.Errorf("%s: %+v", media, p)
			}
			if b.Len() > 0 {
				t.Errorf("%s: an error was copied: %s", media, b.String())
			}
		}
	})
	t.Run("fires are foreseen", func(t *testing.T) {
		v := must(c.Preview(ctx, rest.NewPreview{NewSchedule: rest.NewSchedule{CronNotation: "0 0 3 * * ?", TimeZone: "Asia/Tokyo"}, From: "2026-11-24T00:00:00Z", Count: 2}))(t)
		if len(v.Fires) != 2 || v.Fires[0].Local != "2026-11-25T03:00:00+09:00" {
			t.Errorf("%+v", v)
		}
	})
}

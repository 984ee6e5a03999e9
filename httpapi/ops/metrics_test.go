package ops

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.yaml.in/yaml/v4"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/agents"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestMain(m *testing.M) { os.Exit(bustest.Main(m)) }

// state is what a bus knows.
type state struct {
	live   []index.Live
	apps   []bus.App
	agents []agents.Info
}

func (s *state) Live() []index.Live  { return s.live }
func (s *state) Apps() []bus.App     { return s.apps }
func (s *state) List() []agents.Info { return s.agents }

// busyMetrics returns the metrics of a bus on which something has happened, as
// they are served.
func busyMetrics(t *testing.T) (m *Metrics, text string) {
	t.Helper()
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	s := &state{apps: []bus.App{{Name: "shop"}}}
	for i := range 3 {
		s.live = append(s.live, index.Live{Summary: index.Summary{ID: int64(i), App: "shop", Job: fmt.Sprint("secretjob", i), BatchStatus: subjects.Started}})
	}
	a := agents.Info{Alive: true}
	a.Status, a.Slots, a.Running = subjects.AgentReady, 4, 3
	s.agents = []agents.Info{a}
	m = NewMetrics(b, s, s)
	bustest.RunBackground(t, m.Run)

	if err := b.EnsurePool(t.Context(), "shop", "linux"); err != nil {
		t.Fatal(err)
	}
	r := subjects.Request{Attempt: 1}
	r.Execution.ID, r.Execution.App, r.Execution.Job, r.Execution.Pool, r.Execution.Priority = 8, "shop", "secretjob", "linux", subjects.Normal
	asked := make(chan error, 1)
	b.Request(&r, func(err error) { asked <- err })
	if err := <-asked; err != nil {
		t.Fatal(err)
	}
	start := subjects.Now()
	e := bus.Execution{}
	e.ID, e.App, e.Job, e.BatchStatus, e.StartTime, e.EndTime = 7, "shop", "secretjob", subjects.Completed, start, start+5000
	never := e // stopped while it waited
	never.ID, never.BatchStatus, never.StartTime = 9, subjects.Stopped, 0
	for deadline := time.Now().Add(10 * time.Second); ; { // until Run has subscribed
		for _, e := range []bus.Execution{never, e} {
			data, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.JS.Publish(t.Context(), "$KV."+subjects.ExecutionsBucket+"."+bus.ExecutionKey(e.App, e.Job, e.ID), data); err != nil {
				t.Fatal(err)
			}
		}
		b.Event("fire", "fired", []string{"shop", "secretjob"}, &bus.Fire{Nominal: start, Time: start + 2000})
		w := httptest.NewRecorder()
		m.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		text = w.Body.String()
		if strings.Contains(text, "execution_duration_seconds_count") && !strings.Contains(text, "fire_lateness_seconds_count 0") {
			return m, text
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing was counted:\n%s", text)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	m, got := busyMetrics(t)
	for _, want := range []string{
		`jobstreamer_executions{app="shop",status="started"} 3`,
		`jobstreamer_agents{state="ready"} 1`,
		`jobstreamer_agent_slots{state="free"} 1`,
		`jobstreamer_executions_ended_total{app="shop",status="completed"} 1`,
		`jobstreamer_executions_ended_total{app="shop",status="stopped"} 1`,
		`jobstreamer_execution_duration_seconds_count{app="shop",status="completed"} 1`,
		`jobstreamer_execution_duration_seconds_sum{app="shop",status="completed"} 5`,
		`jobstreamer_fire_lateness_seconds_bucket{le="1"} 0`,
		`jobstreamer_queue_waiting_requests{app="shop",pool="linux"} 1`,
		`jobstreamer_queue_oldest_request_age_seconds{app="shop",pool="linux"} `,
		`jobstreamer_nats_up 1`,
		`go_goroutines `,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, `duration_seconds_count{app="shop",status="stopped"}`) {
		t.Error("an execution that never started has a duration")
	}
	if strings.Contains(got, "secretjob") {
		t.Errorf("the name of a job is in\n%s", got)
	}
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("names: %v %v", problems, err)
	}
	for i := range 2 * maxNames {
		m.bound("app", fmt.Sprint("app", i))
	}
	if name := m.bound("app", "one more"); name != otherName || m.bound("app", "shop") != "shop" {
		t.Errorf("after %d applications another one is %s", maxNames, name)
	}
}

// The dashboard and the alerts use metrics that exist.
func TestMonitoringFiles(t *testing.T) {
	t.Parallel()
	_, served := busyMetrics(t)
	for _, file := range []string{"dashboard.json", "alerts.yaml"} {
		text, err := os.ReadFile("../../deploy/monitoring/" + file)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := yaml.Unmarshal(text, &v); err != nil || strings.HasSuffix(file, ".json") && !json.Valid(text) {
			t.Errorf("%s: %v", file, err)
		}
		names := regexp.MustCompile(`\b(jobstreamer|go|process)_[a-z_]+`).FindAllString(string(text), -1)
		if len(names) == 0 {
			t.Errorf("%s uses no metric", file)
		}
		for _, name := range names {
			if !strings.Contains(served, "\n"+name+"{") && !strings.Contains(served, "\n"+name+" ") && name != "jobstreamer_consumer_pending_messages" {
				t.Errorf("%s uses %s, which does not exist", file, name)
			}
		}
	}
}

// An agent may report any status. Each scrape answers all the same, and the
// values of the label are bounded.
func TestOddStatusOfAnAgent(t *testing.T) {
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	s := &state{}
	for i := range maxNames + 10 {
		a := agents.Info{Alive: true}
		a.Status = fmt.Sprint("odd", i)
		s.agents = append(s.agents, a)
	}
	s.agents[0].Status, s.agents[1].Status = "", "a\x00b"
	w := httptest.NewRecorder()
	NewMetrics(b, s, s).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if n := strings.Count(w.Body.String(), "\njobstreamer_agents{"); w.Code != http.StatusOK || n < 2 || n > maxNames+1 {
		t.Errorf("status %d with %d series of agents, want 200 and at most %d", w.Code, n, maxNames+1)
	}
}

// A request that an agent has taken but not claimed does not wait.
func TestAgeOfQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bustest.Open(t, bustest.Server(t), bus.Config{})
		s := &state{apps: []bus.App{{Name: "shop"}}}
		m := NewMetrics(b, s, s)
		if err := b.EnsurePool(t.Context(), "shop", "linux"); err != nil {
			t.Fatal(err)
		}
		for id := range int64(2) {
			r := subjects.Request{Attempt: 1}
			r.Execution.ID, r.Execution.App, r.Execution.Job, r.Execution.Pool, r.Execution.Priority = id+1, "shop", "j", "linux", subjects.Normal
			asked := make(chan error, 1)
			b.Request(&r, func(err error) { asked <- err })
			if err := <-asked; err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Minute)
		}
		age := func() float64 {
			f := scrapedValues{}
			if err := m.addBroker(t.Context(), f); err != nil {
				t.Fatal(err)
			}
			return f[seriesOf(ageDesc, "shop", "linux")] / 60
		}
		if got := age(); got < 20 || got > 21 {
			t.Errorf("the age is %v minutes, want 20", got)
		}
		c, err := b.JS.Consumer(t.Context(), subjects.RequestStream("shop"), subjects.RequestConsumer("linux", subjects.Normal))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Next(); err != nil {
			t.Fatal(err)
		}
		if got := age(); got < 10 || got > 11 {
			t.Errorf("without the request that was taken, the age is %v minutes, want 10", got)
		}
	})
}

// A scrape without an answer about the consumers says so.
func TestScrapeWithoutConsumers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tap, b := bustest.Tapped(t, bustest.Server(t))
		s := &state{}
		tap.Hold("$JS.API.CONSUMER.LIST.", 1)
		w := httptest.NewRecorder()
		NewMetrics(b, s, s).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		if got := w.Body.String(); !strings.Contains(got, "\njobstreamer_nats_up 0\n") || !strings.Contains(got, "\njobstreamer_jetstream_stored_bytes ") {
			t.Errorf("want jobstreamer_nats_up 0 and the stored bytes, got\n%s", got)
		}
	})
}

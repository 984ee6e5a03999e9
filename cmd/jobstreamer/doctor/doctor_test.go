package doctor_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/notify"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/doctor"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestMain(m *testing.M) { os.Exit(bustest.Main(m)) }

// patient is a bus with all that a healthy one has: a lease, a consumer that records, a queue, an agent that is heard.
type patient struct {
	*bus.Bus
	t     *testing.T
	beat  subjects.Heartbeat
	quiet chan struct{}
}

func newPatient(t *testing.T) *patient {
	p := &patient{Bus: bustest.Open(t, bustest.Server(t), bus.Config{Retention: bus.Retention{Logs: time.Hour, Sessions: time.Hour}}), t: t, quiet: make(chan struct{})}
	ctx := t.Context()
	if held, err := p.Leases.Renew(ctx, "scheduler", "bus-1"); !held {
		t.Fatal(err)
	}
	if err := p.EnsurePool(ctx, "shop", "default"); err != nil {
		t.Fatal(err)
	}
	_, err := p.JS.CreateConsumer(ctx, subjects.ResultsStream, jetstream.ConsumerConfig{Durable: "projector", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	p.beat = subjects.Heartbeat{
		Agent: "a1", Status: subjects.AgentReady, Host: "h1", IntervalMS: 100, Slots: 2,
		Apps: []string{"shop"}, Pools: []string{"default"},
	}
	if _, err := p.Agents.Create(ctx, "a1", bus.Agent{Heartbeat: p.beat, LastSeen: subjects.Now()}); err != nil {
		t.Fatal(err)
	}
	return p
}

// speak lets the agent be heard until the test ends, or until it is quiet.
func (p *patient) speak() {
	b, err := json.Marshal(p.beat)
	if err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for p.NC.Publish(subjects.HeartbeatSubject("a1"), b) == nil {
			select {
			case <-p.quiet:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	p.t.Cleanup(func() { close(p.quiet); <-ended })
}

func (p *patient) request(app, pool string, id int64) {
	p.t.Helper()
	ctx := p.t.Context()
	if _, err := p.JS.Publish(ctx, subjects.RequestSubject(app, pool, subjects.Normal, id), []byte(`{}`)); err != nil {
		p.t.Fatal(err)
	}
}

// waiting returns when the broker counts a result for a consumer, which it does a moment after it stored it.
func (p *patient) waiting(consumer string) {
	p.t.Helper()
	c, err := p.stream(subjects.ResultsStream).Consumer(p.t.Context(), consumer)
	for end := time.Now().Add(10 * time.Second); err == nil && time.Now().Before(end); time.Sleep(time.Millisecond) {
		info, ierr := c.Info(p.t.Context())
		if err = ierr; err == nil && info.NumPending > 0 {
			return
		}
	}
	p.t.Fatalf("no result waits for %s: %v", consumer, err)
}

func (p *patient) stream(name string) jetstream.Stream {
	p.t.Helper()
	s, err := p.JS.Stream(p.t.Context(), name)
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Each row makes one thing wrong; the doctor must find that, and nothing else.
func TestFindings(t *testing.T) {
	for name, c := range map[string]struct {
		silent bool
		spoil  func(t *testing.T, p *patient)
		check  string
		want   string // part of what is said
	}{
		"all is well": {spoil: func(*testing.T, *patient) {}},
		"a bucket was deleted": {check: "streams", want: "KV_jobstreamer_jobs is missing: nothing keeps jobs", spoil: func(t *testing.T, p *patient) {
			must(t, p.JS.DeleteStream(t.Context(), "KV_jobstreamer_jobs"))
		}},
		"the results are gone": {check: "streams", want: "nothing keeps what happens to executions", spoil: func(t *testing.T, p *patient) {
			must(t, p.JS.DeleteStream(t.Context(), subjects.ResultsStream))
		}},
		"a stream was altered": {check: "streams", want: "JOBSTREAMER_RESULTS was altered: max_msgs is 5, not unset", spoil: func(t *testing.T, p *patient) {
			cfg := p.stream(subjects.ResultsStream).CachedInfo().Config
			cfg.MaxMsgs = 5
			_, err := p.JS.UpdateStream(t.Context(), cfg)
			must(t, err)
		}},
		"how long output is kept is the operator's": {spoil: func(t *testing.T, p *patient) {
			cfg := p.stream(subjects.LogsStream).CachedInfo().Config
			cfg.MaxAge, cfg.MaxBytes = time.Hour, 1<<20
			_, err := p.JS.UpdateStream(t.Context(), cfg)
			must(t, err)
		}},
		"a consumer is paused": {check: "queues", want: "consumer default=normal of JOBSTREAMER_REQUEST_shop is paused for another 1h0m0s", spoil: func(t *testing.T, p *patient) {
			_, err := p.stream("JOBSTREAMER_REQUEST_shop").PauseConsumer(t.Context(), "default=normal", time.Now().Add(time.Hour))
			must(t, err)
		}},
		"a consumer is missing": {check: "queues", want: "consumer default=low of JOBSTREAMER_REQUEST_shop is missing", spoil: func(t *testing.T, p *patient) {
			must(t, p.stream("JOBSTREAMER_REQUEST_shop").DeleteConsumer(t.Context(), "default=low"))
		}},
		"a stranger eats requests": {check: "queues", want: "consumer mine of JOBSTREAMER_REQUEST_shop is not the control bus's", spoil: func(t *testing.T, p *patient) {
			_, err := p.JS.CreateConsumer(t.Context(), "JOBSTREAMER_REQUEST_shop", jetstream.ConsumerConfig{
				Durable: "mine", AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "jobstreamer.request.shop.other.>",
			})
			must(t, err)
		}},
		"nobody works in a pool": {check: "queues", want: "1 execution of application shop waiting in pool gpu: no agent takes work from it", spoil: func(t *testing.T, p *patient) {
			must(t, p.EnsurePool(t.Context(), "shop", "gpu"))
			p.request("shop", "gpu", 1)
		}},
		"the agents are blocked": {check: "queues", want: "its agents take no work", spoil: func(t *testing.T, p *patient) {
			p.beat.Status = subjects.AgentBlocked
			p.request("shop", "default", 1)
		}},
		"an agent does not ask": {check: "queues", want: "do not ask for them although they have 2 free slots", spoil: func(_ *testing.T, p *patient) {
			p.request("shop", "default", 1)
		}},
		"busy agents may let others wait": {spoil: func(_ *testing.T, p *patient) {
			p.beat.Running = 2
			p.request("shop", "default", 1)
		}},
		"an agent is silent": {silent: true, check: "agents", want: "agent a1 on h1 is silent since", spoil: func(*testing.T, *patient) {}},
		"an agent that said goodbye is not missed": {silent: true, check: "agents", want: "there is no agent", spoil: func(t *testing.T, p *patient) {
			e, err := p.Agents.Get(t.Context(), "a1")
			must(t, err)
			e.Value.Status = subjects.AgentGone
			_, err = p.Agents.Update(t.Context(), "a1", e.Value, e.Revision)
			must(t, err)
		}},
		"no bus does the chores": {check: "bus", want: "no control bus does the chores", spoil: func(t *testing.T, p *patient) {
			must(t, p.Leases.Release(t.Context(), "scheduler", "bus-1"))
		}},
		"results are not recorded": {check: "results", want: "projector of JOBSTREAMER_RESULTS is stuck: 1 result waiting to be recorded", spoil: func(t *testing.T, p *patient) {
			_, err := p.JS.Publish(t.Context(), subjects.ResultSubject("shop", "j", 1, "a1"), []byte(`{}`))
			must(t, err)
			p.waiting("projector")
		}},
		"a notificator that is away is no matter of records": {spoil: func(t *testing.T, p *patient) {
			_, err := p.JS.CreateConsumer(t.Context(), subjects.ResultsStream, jetstream.ConsumerConfig{Durable: notify.Consumer, AckPolicy: jetstream.AckExplicitPolicy})
			must(t, err)
			must(t, p.stream(subjects.ResultsStream).DeleteConsumer(t.Context(), "projector"))
			_, err = p.JS.Publish(t.Context(), subjects.ResultSubject("shop", "j", 1, "a1"), []byte(`{}`))
			must(t, err)
			_, err = p.JS.CreateConsumer(t.Context(), subjects.ResultsStream, jetstream.ConsumerConfig{
				Durable: "projector", AckPolicy: jetstream.AckExplicitPolicy, DeliverPolicy: jetstream.DeliverNewPolicy,
			})
			must(t, err)
		}},
		"nothing records results": {check: "results", want: "nobody records results", spoil: func(t *testing.T, p *patient) {
			must(t, p.stream(subjects.ResultsStream).DeleteConsumer(t.Context(), "projector"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPatient(t)
			c.spoil(t, p)
			if !c.silent {
				p.speak()
			}
			r, err := doctor.Examine(t.Context(), doctor.Config{Conn: p.NC, Listen: 300 * time.Millisecond, Data: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, check := range r.Checks {
				for _, f := range check.Findings {
					found = append(found, check.Name+": "+f.Wrong)
					if f.Do == "" {
						t.Errorf("%s: nothing is said to do", f.Wrong)
					}
				}
			}
			switch {
			case c.want == "" && len(found) > 0:
				t.Errorf("found %q, want nothing", found)
			case c.want != "" && (len(found) != 1 || !strings.HasPrefix(found[0], c.check+": ") || !strings.Contains(found[0], c.want)):
				t.Errorf("found %q, want %s: %s", found, c.check, c.want)
			}
			if r.Wrong != len(found) {
				t.Errorf("wrong = %d, want %d", r.Wrong, len(found))
			}
		})
	}
}

func TestWithoutJetStream(t *testing.T) {
	s, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true})
	must(t, err)
	go s.Start()
	defer s.Shutdown()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server did not get ready")
	}
	nc, err := nats.Connect("", nats.InProcessServer(s))
	must(t, err)
	defer nc.Close()
	r, err := doctor.Examine(t.Context(), doctor.Config{Conn: nc})
	if err != nil || r.Wrong != 1 || !strings.Contains(r.Checks[0].Findings[0].Wrong, "JetStream does not answer") {
		t.Errorf("%+v, %v", r, err)
	}
}

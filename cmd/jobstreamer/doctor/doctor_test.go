package doctor_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/bus/notify"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/doctor"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestMain(m *testing.M) { os.Exit(bustest.Main(m)) }

// patient is a healthy control bus: it has a lease, a consumer that records
// results, a queue, and an agent that sends heartbeats.
type patient struct {
	*bus.Bus
	t     *testing.T
	srv   *server.Server
	beat  subjects.Heartbeat
	quiet chan struct{}
}

func newPatient(t *testing.T) *patient {
	srv := bustest.Server(t)
	p := &patient{srv: srv, Bus: bustest.Open(t, srv, bus.Config{Retention: bus.Retention{Logs: time.Hour, Sessions: time.Hour}}), t: t, quiet: make(chan struct{})}
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

// sendHeartbeat sends heartbeats until the test ends or the agent is quiet.
func (p *patient) sendHeartbeat() {
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

func (p *patient) putRequest(app, pool string, id int64) {
	p.t.Helper()
	ctx := p.t.Context()
	if _, err := p.JS.Publish(ctx, subjects.RequestSubject(app, pool, subjects.Normal, id), []byte(`{}`)); err != nil {
		p.t.Fatal(err)
	}
}

// putRecord creates the record of an execution.
func (p *patient) putRecord(app, job string, id int64, status subjects.BatchStatus) {
	p.t.Helper()
	e := bus.Execution{Execution: subjects.Execution{ID: id, App: app, Job: job, BatchStatus: status}}
	if _, err := p.Executions.Create(p.t.Context(), bus.ExecutionKey(app, job, id), e); err != nil {
		p.t.Fatal(err)
	}
}

// putJob creates a job of the application shop.
func (p *patient) putJob(name, definition string, settings bus.Settings) {
	p.t.Helper()
	j := bus.Job{App: "shop", Name: name, PermanentKey: name, Definition: json.RawMessage(definition), Settings: settings}
	if _, err := p.Jobs.Create(p.t.Context(), bus.JobKey("shop", name), j); err != nil {
		p.t.Fatal(err)
	}
}

// waitingCount blocks until the broker counts a result for a consumer, which is
// shortly after it stored the result.
func (p *patient) waitingCount(consumer string) {
	p.t.Helper()
	c, err := p.editStream(subjects.ResultsStream).Consumer(p.t.Context(), consumer)
	for end := time.Now().Add(10 * time.Second); err == nil && time.Now().Before(end); time.Sleep(time.Millisecond) {
		info, ierr := c.Info(p.t.Context())
		if err = ierr; err == nil && info.NumPending > 0 {
			return
		}
	}
	p.t.Fatalf("no result waits for %s: %v", consumer, err)
}

func (p *patient) editStream(name string) jetstream.Stream {
	p.t.Helper()
	s, err := p.JS.Stream(p.t.Context(), name)
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

func failOnError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Each row breaks one thing; the doctor must report it and nothing else.
func TestFindings(t *testing.T) {
	for name, c := range map[string]struct {
		silent bool
		spoil  func(t *testing.T, p *patient)
		check  string
		want   string // part of the finding
	}{
		"all is well": {spoil: func(*testing.T, *patient) {}},
		"a bucket was deleted": {check: "streams", want: "KV_jobstreamer_jobs is missing: it stores the bucket jobs", spoil: func(t *testing.T, p *patient) {
			failOnError(t, p.JS.DeleteStream(t.Context(), "KV_jobstreamer_jobs"))
		}},
		"the results are gone": {check: "streams", want: "it stores the results of executions", spoil: func(t *testing.T, p *patient) {
			failOnError(t, p.JS.DeleteStream(t.Context(), subjects.ResultsStream))
		}},
		"a stream was altered": {check: "streams", want: "JOBSTREAMER_RESULTS was changed: max_msgs is 5, want unset", spoil: func(t *testing.T, p *patient) {
			cfg := p.editStream(subjects.ResultsStream).CachedInfo().Config
			cfg.MaxMsgs = 5
			_, err := p.JS.UpdateStream(t.Context(), cfg)
			failOnError(t, err)
		}},
		"how long output is kept is the operator's": {spoil: func(t *testing.T, p *patient) {
			cfg := p.editStream(subjects.LogsStream).CachedInfo().Config
			cfg.MaxAge, cfg.MaxBytes = time.Hour, 1<<20
			_, err := p.JS.UpdateStream(t.Context(), cfg)
			failOnError(t, err)
		}},
		"a consumer is paused": {check: "queues", want: "consumer default=normal of JOBSTREAMER_REQUEST_shop is paused for another 1h0m0s", spoil: func(t *testing.T, p *patient) {
			_, err := p.editStream("JOBSTREAMER_REQUEST_shop").PauseConsumer(t.Context(), "default=normal", time.Now().Add(time.Hour))
			failOnError(t, err)
		}},
		"a consumer is missing": {check: "queues", want: "consumer default=low of JOBSTREAMER_REQUEST_shop is missing", spoil: func(t *testing.T, p *patient) {
			failOnError(t, p.editStream("JOBSTREAMER_REQUEST_shop").DeleteConsumer(t.Context(), "default=low"))
		}},
		"a stranger eats requests": {check: "queues", want: "consumer mine of JOBSTREAMER_REQUEST_shop does not belong to the control bus", spoil: func(t *testing.T, p *patient) {
			_, err := p.JS.CreateConsumer(t.Context(), "JOBSTREAMER_REQUEST_shop", jetstream.ConsumerConfig{
				Durable: "mine", AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "jobstreamer.request.shop.other.>",
			})
			failOnError(t, err)
		}},
		"a pool without agents": {check: "queues", want: "1 waiting execution of application shop in pool gpu: no agent serves this pool", spoil: func(t *testing.T, p *patient) {
			failOnError(t, p.EnsurePool(t.Context(), "shop", "gpu"))
			p.putRequest("shop", "gpu", 1)
		}},
		"an abandoned execution waits for no agent": {spoil: func(t *testing.T, p *patient) {
			failOnError(t, p.EnsurePool(t.Context(), "shop", "gpu"))
			p.putRequest("shop", "gpu", 1)
			p.putRecord("shop", "j", 1, subjects.Abandoned)
		}},
		"a settled one does not hide one that waits": {check: "queues", want: "1 waiting execution of application shop in pool gpu", spoil: func(t *testing.T, p *patient) {
			failOnError(t, p.EnsurePool(t.Context(), "shop", "gpu"))
			for id, status := range map[int64]subjects.BatchStatus{1: subjects.Stopped, 2: subjects.Undispatched} {
				p.putRequest("shop", "gpu", id)
				p.putRecord("shop", "j", id, status)
			}
		}},
		"a job with a parameter in a command": {check: "jobs", want: "1 job with parameters in shell commands: whoever may start them can run any command (shop/old)", spoil: func(_ *testing.T, p *patient) {
			p.putJob("old", `{"id": "old", "steps": [{"id": "s", "command": "echo #{jobParameters['who']}"}]}`, bus.Settings{})
			p.putJob("known", `{"id": "known", "unsafe_substitution": true, "steps": [{"id": "s", "command": "echo #{jobParameters['who']}"}]}`, bus.Settings{})
		}},
		"a job of a pool without agents": {check: "jobs", want: "2 jobs of application shop in pool gpu: no agent serves this pool (train, tune)", spoil: func(_ *testing.T, p *patient) {
			p.putJob("train", `{"id": "train", "pool": "gpu"}`, bus.Settings{})
			p.putJob("tune", `{"id": "tune", "pool": "gpu"}`, bus.Settings{})
			p.putJob("sell", `{"id": "sell"}`, bus.Settings{})
		}},
		"a job whose agent is silent": {silent: true, check: "agents", want: "agent a1 on h1 has sent no heartbeat since", spoil: func(_ *testing.T, p *patient) {
			p.putJob("sell", `{"id": "sell"}`, bus.Settings{})
		}},
		"all schedules are paused": {check: "pauses", want: "all schedules are paused since 2026-11-24 18:00:00 UTC by ann: maintenance", spoil: func(t *testing.T, p *patient) {
			from := subjects.TimeOf(time.Date(2026, 11, 24, 18, 0, 0, 0, time.UTC))
			_, err := p.Pauses.Create(t.Context(), bus.PausesKey(""), bus.Pauses{Periods: []bus.PausePeriod{{From: from, By: "ann", Reason: "maintenance"}}})
			failOnError(t, err)
		}},
		"an application is paused": {check: "pauses", want: "all schedules of application shop are paused since 2026-11-24 18:00:00 UTC", spoil: func(t *testing.T, p *patient) {
			from := subjects.TimeOf(time.Date(2026, 11, 24, 18, 0, 0, 0, time.UTC))
			_, err := p.Pauses.Create(t.Context(), bus.PausesKey("shop"), bus.Pauses{Periods: []bus.PausePeriod{{From: 1, To: 2}, {From: from}}})
			failOnError(t, err)
		}},
		"a pause that has ended is no finding": {spoil: func(t *testing.T, p *patient) {
			_, err := p.Pauses.Create(t.Context(), bus.PausesKey("shop"), bus.Pauses{Periods: []bus.PausePeriod{{From: 1, To: 2}}})
			failOnError(t, err)
		}},
		"notifications without a notificator": {check: "jobs", want: "2 jobs with notifications that cannot be sent: no control bus has senders or a notificator (shop/a, shop/b)", spoil: func(_ *testing.T, p *patient) {
			p.putJob("a", `{"id": "a"}`, bus.Settings{Notifications: []bus.StatusNotification{{ID: 1, BatchStatus: subjects.Failed, Type: "mail"}}})
			p.putJob("b", `{"id": "b"}`, bus.Settings{TimeMonitor: &bus.TimeMonitor{Minutes: 1, Action: bus.ActionAlert, Type: "mail"}})
		}},
		"notifications with one": {spoil: func(t *testing.T, p *patient) {
			p.putJob("a", `{"id": "a"}`, bus.Settings{Notifications: []bus.StatusNotification{{ID: 1, BatchStatus: subjects.Failed, Type: "mail"}}})
			if held, err := p.Leases.Renew(t.Context(), notify.AlertsLease, "bus-1"); !held {
				t.Fatal(err)
			}
		}},
		"an agent's clock is wrong": {check: "clock", want: "the clock of agent a1 on h1 is ", spoil: func(_ *testing.T, p *patient) {
			p.beat.Time = subjects.TimeOf(time.Now().Add(time.Hour))
		}},
		"an agent's clock is right": {spoil: func(_ *testing.T, p *patient) {
			p.beat.Time = subjects.Now()
		}},
		"a bus's clock is wrong": {check: "clock", want: "the clock of control bus bus-1 is 2m0", spoil: func(t *testing.T, p *patient) {
			b, err := json.Marshal(bus.Lease{Holder: "bus-1", Time: subjects.TimeOf(time.Now().Add(-2 * time.Minute))})
			failOnError(t, err)
			kv, err := p.JS.KeyValue(t.Context(), subjects.LeasesBucket)
			failOnError(t, err)
			_, err = kv.Put(t.Context(), "scheduler", b)
			failOnError(t, err)
		}},
		"no room": {check: "disk", want: "JetStream has no space left: it stores", spoil: func(t *testing.T, p *patient) {
			// It cannot be renewed.
			failOnError(t, p.editStream(jetio.BucketStream(subjects.LeasesBucket)).Purge(t.Context()))
			stored := int64(p.srv.GlobalAccount().JetStreamUsage().Store)
			failOnError(t, p.srv.GlobalAccount().UpdateJetStreamLimits(map[string]server.JetStreamAccountLimits{"": {
				MaxMemory: -1, MaxStore: stored, MaxStreams: -1, MaxConsumers: -1, MaxAckPending: -1, MemoryMaxStreamBytes: -1, StoreMaxStreamBytes: -1,
			}}))
		}},
		"the agents are blocked": {check: "queues", want: "all agents of this pool are blocked", spoil: func(t *testing.T, p *patient) {
			p.beat.Status = subjects.AgentBlocked
			p.putRequest("shop", "default", 1)
		}},
		"an agent does not ask": {check: "queues", want: "fetch no requests although they have 2 free slots", spoil: func(_ *testing.T, p *patient) {
			p.putRequest("shop", "default", 1)
		}},
		"busy agents may let others wait": {spoil: func(_ *testing.T, p *patient) {
			p.beat.Running = 2
			p.putRequest("shop", "default", 1)
		}},
		"an agent is silent": {silent: true, check: "agents", want: "agent a1 on h1 has sent no heartbeat since", spoil: func(*testing.T, *patient) {}},
		"an agent that said goodbye is not missed": {silent: true, check: "agents", want: "no agent is running", spoil: func(t *testing.T, p *patient) {
			e, err := p.Agents.Get(t.Context(), "a1")
			failOnError(t, err)
			e.Value.Status = subjects.AgentGone
			_, err = p.Agents.Update(t.Context(), "a1", e.Value, e.Revision)
			failOnError(t, err)
		}},
		"no bus is active": {check: "bus", want: "no control bus is active", spoil: func(t *testing.T, p *patient) {
			failOnError(t, p.Leases.Release(t.Context(), "scheduler", "bus-1"))
		}},
		"results are not recorded": {check: "results", want: "projector of JOBSTREAMER_RESULTS is stuck: 1 result waiting to be recorded", spoil: func(t *testing.T, p *patient) {
			_, err := p.JS.Publish(t.Context(), subjects.ResultSubject("shop", "j", 1, "a1"), []byte(`{}`))
			failOnError(t, err)
			p.waitingCount("projector")
		}},
		"a notificator that is away is no matter of records": {spoil: func(t *testing.T, p *patient) {
			_, err := p.JS.CreateConsumer(t.Context(), subjects.ResultsStream, jetstream.ConsumerConfig{Durable: notify.Consumer, AckPolicy: jetstream.AckExplicitPolicy})
			failOnError(t, err)
			failOnError(t, p.editStream(subjects.ResultsStream).DeleteConsumer(t.Context(), "projector"))
			_, err = p.JS.Publish(t.Context(), subjects.ResultSubject("shop", "j", 1, "a1"), []byte(`{}`))
			failOnError(t, err)
			_, err = p.JS.CreateConsumer(t.Context(), subjects.ResultsStream, jetstream.ConsumerConfig{
				Durable: "projector", AckPolicy: jetstream.AckExplicitPolicy, DeliverPolicy: jetstream.DeliverNewPolicy,
			})
			failOnError(t, err)
		}},
		"nothing records results": {check: "results", want: "no consumer records results", spoil: func(t *testing.T, p *patient) {
			failOnError(t, p.editStream(subjects.ResultsStream).DeleteConsumer(t.Context(), "projector"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPatient(t)
			c.spoil(t, p)
			if !c.silent {
				p.sendHeartbeat()
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
	failOnError(t, err)
	go s.Start()
	defer s.Shutdown()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server did not get ready")
	}
	nc, err := nats.Connect("", nats.InProcessServer(s))
	failOnError(t, err)
	defer nc.Close()
	r, err := doctor.Examine(t.Context(), doctor.Config{Conn: nc})
	if err != nil || r.Wrong != 1 || !strings.Contains(r.Checks[0].Findings[0].Wrong, "JetStream does not answer") {
		t.Errorf("%+v, %v", r, err)
	}
}

// The doctor ends with its context although NATS does not answer.
func TestExamineEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	failOnError(t, err)
	defer l.Close() //nolint:errcheck // the test is over
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		fmt.Fprint(c, "INFO {\"server_id\":\"x\",\"version\":\"2.15.2\",\"proto\":1,\"headers\":true,\"max_payload\":1048576}\r\n")
		for r := bufio.NewScanner(c); r.Scan(); { // answer only the PING of the greeting
			if r.Text() == "PING" {
				fmt.Fprint(c, "PONG\r\n")
				break
			}
		}
		<-t.Context().Done()
	}()
	nc, err := nats.Connect("nats://" + l.Addr().String())
	failOnError(t, err)
	defer nc.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err = doctor.Examine(ctx, doctor.Config{Conn: nc}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Examine = %v, want the end of its context", err)
	}
}

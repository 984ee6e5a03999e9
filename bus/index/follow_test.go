package index

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// message is a message of the bucket's stream.
type message struct {
	jetstream.Msg // its other methods are not called
	subject       string
	header        nats.Header
	data          []byte
	meta          *jetstream.MsgMetadata
}

func (m *message) Subject() string      { return m.subject }
func (m *message) Headers() nats.Header { return m.header }
func (m *message) Data() []byte         { return m.data }

func (m *message) Metadata() (*jetstream.MsgMetadata, error) {
	if m.meta == nil {
		return nil, errors.New("no metadata")
	}
	return m.meta, nil
}

// messageOf is the message that stores e at a revision, or, if data is given,
// other data under its key.
func messageOf(t *testing.T, e *bus.Execution, rev uint64, data ...string) *message {
	t.Helper()
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 0 {
		b = []byte(data[0])
	}
	return &message{
		subject: "$KV." + subjects.ExecutionsBucket + "." + e.Key(), data: b,
		meta: &jetstream.MsgMetadata{Sequence: jetstream.SequencePair{Stream: rev}},
	}
}

// marked is the marker of a removed key.
func (m *message) marked(key, value string) *message {
	m.header, m.data = nats.Header{key: {value}}, nil
	return m
}

// Each message of the stream changes what the index holds, or leaves it.
func TestApplyMessage(t *testing.T) {
	t.Parallel()
	started, failed := execution(1, subjects.Started), execution(1, subjects.Failed)
	removed := execution(1, subjects.Failed)
	removed.DeleteTime = 7
	for _, tt := range []struct {
		name string
		m    *message
		want subjects.BatchStatus // empty: it is not in the index
		log  string
	}{
		{"a newer record", messageOf(t, failed, 6), subjects.Failed, ""},
		{"the echo of the index's own record", messageOf(t, failed, 5), subjects.Started, ""},
		{"an older record", messageOf(t, failed, 4), subjects.Started, ""},
		{"a deletion marker", messageOf(t, failed, 6).marked("KV-Operation", "DEL"), "", ""},
		{"a purge marker", messageOf(t, failed, 6).marked("KV-Operation", "PURGE"), "", ""},
		{"a marker of the server", messageOf(t, failed, 6).marked("Nats-Marker-Reason", "MaxAge"), "", ""},
		{"a marker of another execution", messageOf(t, execution(2, subjects.Failed), 6).marked("KV-Operation", "DEL"), subjects.Started, ""},
		{"a deleted record", messageOf(t, removed, 6), "", ""},
		{"no JSON", messageOf(t, failed, 6, `{`), subjects.Started, "unreadable record skipped"},
		{"an empty value", messageOf(t, failed, 6, ``), subjects.Started, "unreadable record skipped"},
		{"the record of another execution", messageOf(t, failed, 6, `{"execution_id":2}`), subjects.Started, "want execution 1, got 2"},
		{"fields that the index does not know", messageOf(t, failed, 6, `{"execution_id":1,"batch_status":"failed","later":[{}]}`), subjects.Failed, ""},
		{"a subject of something else", &message{subject: "$KV.b.a.j.1.x", data: []byte(`{}`)}, subjects.Started, ""},
		{"no metadata", &message{subject: "$KV.b.a.j.1", data: []byte(`{"execution_id":1}`)}, subjects.Started, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			x := New(&bus.Bus{Log: slog.New(slog.NewTextHandler(&log, nil))})
			x.PutExecution(started, 5)
			x.applyMessage(tt.m)
			if s, ok := x.Find(1); ok != (tt.want != "") || s.BatchStatus != tt.want {
				t.Errorf("the index holds %+v, want %q", s, tt.want)
			}
			if got := log.String(); (got != "") != (tt.log != "") || !strings.Contains(got, tt.log) {
				t.Errorf("log %q, want %q", got, tt.log)
			}
			if want := tt.want == ""; tt.name == "a deleted record" && (len(x.Doomed()) == 1) != want {
				t.Errorf("the janitor is told of %v", x.Doomed())
			}
		})
	}
}

// The index reads the same fields from a record as it takes from an execution.
func TestRecordsAreReadInFull(t *testing.T) {
	t.Parallel()
	e := execution(1, subjects.Undispatched)
	e.Job, e.JobName = bus.NameKey("Umsätze"), "Umsätze"
	e.InstanceID, e.StartTime, e.Priority, e.Pool, e.Attempt = 9, 2000, subjects.High, "linux", 3
	e.ScheduledFor, e.RestartOf, e.RestartedBy, e.StopRequest = 900, 8, 12, bus.StopRequested
	own, read := New(nil), New(nil)
	own.PutExecution(e, 5)
	read.applyMessage(messageOf(t, e, 5))
	a, _ := own.Find(1)
	b, ok := read.Find(1)
	if !ok || a != b || a.Name != "Umsätze" || a.StopRequest == "" {
		t.Errorf("read   %+v\nwant   %+v", b, a)
	}
	if a, b := fmt.Sprint(own.Unsubmitted(), own.Positions([]int64{1})), fmt.Sprint(read.Unsubmitted(), read.Positions([]int64{1})); a != b {
		t.Errorf("read %s, want %s", b, a)
	}
}

func TestSplitSubject(t *testing.T) {
	t.Parallel()
	for subject, want := range map[string]string{
		"$KV.executions.a.j.12":                  "a j 12 true",
		"$KV.executions.a.j.9223372036854775807": "a j 9223372036854775807 true",
		"$KV.executions.a.j.9223372036854775808": "a j 9223372036854775807 false",
		"$KV.executions.a.j.0":                   "a j 0 false",
		"$KV.executions.a.j.-1":                  "a j -1 false",
		"$KV.executions.a.j.x":                   "a j 0 false",
		"$KV.executions.a.j":                     "  0 false",
		"$KV.executions.a.j.1.2":                 "  0 false",
		"":                                       "  0 false",
	} {
		app, job, id, ok := splitSubject(subject)
		if got := fmt.Sprint(app, " ", job, " ", id, " ", ok); got != want {
			t.Errorf("splitSubject(%s) = %s, want %s", subject, got, want)
		}
	}
}

// A batch holds what is there, up to 256 for one decoder. All messages of one
// key go to the same decoder, in order.
func TestGatherBatches(t *testing.T) {
	t.Parallel()
	msgs, seed := make(chan jetstream.Msg, 2000), maphash.MakeSeed()
	const n = 1500
	for i := range n {
		m := messageOf(t, execution(int64(i%100+1), subjects.Started), uint64(i+1))
		m.meta.NumPending = uint64(max(0, n-100-i-1)) // the last 100 came after the start
		msgs <- m
	}
	decoderOf, lastOf, total, filled := map[string]int{}, map[string]uint64{}, 0, 0
	for total < n {
		batches, last := gatherBatches(t.Context(), msgs, seed, filled == 0)
		if last {
			filled = total + len(batches[0]) + len(batches[1])
		}
		for i, batch := range batches {
			if len(batch) > 256 {
				t.Errorf("a batch of %d", len(batch))
			}
			for _, m := range batch {
				meta, _ := m.Metadata()
				if d, ok := decoderOf[m.Subject()]; ok && d != i || lastOf[m.Subject()] >= meta.Sequence.Stream {
					t.Fatalf("message %d of %s came after %d, at decoder %d", meta.Sequence.Stream, m.Subject(), lastOf[m.Subject()], i)
				}
				decoderOf[m.Subject()], lastOf[m.Subject()] = i, meta.Sequence.Stream
				total++
			}
		}
	}
	if total != n || filled < n-100 || filled > n {
		t.Errorf("%d messages, filled after %d; want %d, filled after %d or a batch more", total, filled, n, n-100)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if batches, last := gatherBatches(ended, msgs, seed, true); len(batches[0])+len(batches[1]) != 0 || last {
		t.Error("a batch after the end")
	}
}

// An index that falls behind by thousands of changes catches up: it ends with
// the same content as one that starts later.
func TestFollowingFallsBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := bustest.Open(t, bustest.Server(t), bus.Config{})
		write(t, b, 10)
		x, stop := run(t, b)
		x.putJob.Lock() // the definitions cannot be applied
		x.mu.RLock()    // nor the executions
		const n = 5000
		done := make(chan struct{})
		go func() { // a writer that does not wait for the index
			defer close(done)
			for id := range int64(n) {
				e := execution(id+11, subjects.Completed)
				b.Executions.Write(e.Key(), *e, 0, func(_ uint64, err error) {
					if err != nil {
						t.Error(err)
					}
				})
			}
			if _, err := b.Jobs.Create(t.Context(), "a.j", *jobNamed("j")); err != nil {
				t.Error(err)
			}
		}()
		<-done
		x.mu.RUnlock()
		x.putJob.Unlock()
		e, err := b.Executions.Get(t.Context(), bus.ExecutionKey("a", "j", 3))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Executions.Purge(t.Context(), e.Key, e.Revision, time.Hour); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		later, stopLater := run(t, b)
		synctest.Wait()
		_, behind := x.Executions("a", "j", 0, 1)
		_, fresh := later.Executions("a", "j", 0, 1)
		if j, ok := x.Job("a", "j"); behind != n+9 || fresh != n+9 || !ok || j.Stats != (Stats{n + 9, n + 9, 0, 10 * time.Millisecond}) {
			t.Errorf("%d executions after the delay, %d in a fresh index, want %d; the job is %+v", behind, fresh, n+9, j)
		}
		stop()
		stopLater()
	})
}

// Run fills the definitions too, and follows what other buses do with them.
func TestDefinitionsOfOtherBuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := bustest.Open(t, bustest.Server(t), bus.Config{})
		ctx := t.Context()
		must := func(rev uint64, err error) uint64 {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			return rev
		}
		job := must(b.Jobs.Create(ctx, "a.j", *jobNamed("j")))
		must(b.Jobs.Create(ctx, "nodot", *jobNamed("nodot"))) // no key of a job
		must(b.Schedules.Create(ctx, "nodot", bus.Schedule{}))
		schedule := must(b.Schedules.Create(ctx, "a.j", bus.Schedule{App: "a", Job: "j", Cron: "0 0 3 * * ?"}))
		must(b.Apps.Create(ctx, "shop", bus.App{Name: "shop"}))
		x, stop := run(t, b)
		defer stop()
		select {
		case <-x.Ready():
		default:
			t.Error("Ready is not closed, although WaitReady has returned")
		}
		j, ok := x.Job("a", "j")
		if _, _, app := x.App("shop"); !ok || j.Schedule == nil || x.Schedules()[0].Revision != schedule || len(x.jobs) != 1 || !app {
			t.Fatalf("filled with %+v, %d jobs, application %v", j, len(x.jobs), app)
		}
		renamed := jobNamed("k")
		renamed.PermanentKey = "j"
		job = must(b.Jobs.Update(ctx, "a.j", *renamed, job))
		if err := b.Schedules.Delete(ctx, "a.j", schedule); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if key, ok := x.PermanentKey("a", "k"); !ok || key != "j" || len(x.Schedules()) != 0 {
			t.Errorf("after the rename k has the key %q, %v; schedules %v", key, ok, x.Schedules())
		}
		if err := b.Jobs.Delete(ctx, "a.j", job); err != nil {
			t.Fatal(err)
		}
		app, err := b.Apps.Get(ctx, "shop")
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Apps.Delete(ctx, "shop", app.Revision); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, _, app := x.App("shop"); app || x.CountJobs("a") != 0 {
			t.Errorf("after the deletions there are %d jobs, application %v", x.CountJobs("a"), app)
		}
	})
}

// An index that nothing fills says so, and a caller that gives up is told why.
func TestNotReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := New(nil)
		begin := time.Now()
		if err := x.WaitReady(t.Context()); err == nil || time.Since(begin) != time.Minute {
			t.Errorf("WaitReady = %v after %v, want an error after a minute", err, time.Since(begin))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := x.WaitReady(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("WaitReady = %v, want %v", err, context.DeadlineExceeded)
		}
	})
}

// Without its stream an index does not run as if it were empty.
func TestFollowWithoutTheStream(t *testing.T) {
	t.Parallel()
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	if err := b.JS.DeleteStream(t.Context(), jetio.BucketStream(subjects.ExecutionsBucket)); err != nil {
		t.Fatal(err)
	}
	x := New(b)
	err := x.Run(t.Context())
	if !errors.Is(err, jetstream.ErrStreamNotFound) || !strings.Contains(err.Error(), "executions: ") {
		t.Errorf("Run = %v, want %v", err, jetstream.ErrStreamNotFound)
	}
	select {
	case <-x.Ready():
		t.Error("the index counts as filled")
	default:
	}
}

package bus_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// streamConfigs are the settings of all streams of the bus, as JetStream has
// them.
func streamConfigs(t *testing.T, b *bus.Bus) map[string]jetstream.StreamConfig {
	t.Helper()
	all := map[string]jetstream.StreamConfig{}
	for _, cfg := range bus.Streams(1, b.Retention()) {
		s, err := b.JS.Stream(t.Context(), cfg.Name)
		if err != nil {
			t.Fatal(err)
		}
		all[cfg.Name] = s.CachedInfo().Config
	}
	return all
}

// A bus that starts again changes the settings that differ, and no others, and
// keeps what is stored.
func TestSettingsOfStreamsFollowTheBus(t *testing.T) {
	t.Parallel()
	s := bustest.Server(t)
	first := bustest.Open(t, s, bus.Config{})
	if _, err := first.Sessions.Create(t.Context(), "a", bus.Session{User: "one"}); err != nil {
		t.Fatal(err)
	}
	before := streamConfigs(t, first)
	if again := streamConfigs(t, bustest.Open(t, s, bus.Config{})); !reflect.DeepEqual(again, before) {
		t.Error("a second bus with the same settings changed a stream")
	}
	second := bustest.Open(t, s, bus.Config{Retention: bus.Retention{Sessions: time.Hour, Logs: 48 * time.Hour, LogBytes: 1 << 30}})
	after := streamConfigs(t, second)
	for name, cfg := range after {
		was := before[name]
		switch name {
		case jetio.BucketStream(subjects.SessionsBucket):
			if cfg.MaxAge != time.Hour || was.MaxAge != 0 {
				t.Errorf("logins are kept for %v, before %v", cfg.MaxAge, was.MaxAge)
			}
		case subjects.LogsStream:
			if cfg.MaxAge != 48*time.Hour || cfg.MaxBytes != 1<<30 {
				t.Errorf("output is kept for %v, up to %d bytes", cfg.MaxAge, cfg.MaxBytes)
			}
		default:
			if !reflect.DeepEqual(cfg, was) {
				t.Errorf("the settings of %s changed", name)
			}
		}
	}
	if e, err := second.Sessions.Get(t.Context(), "a"); err != nil || e.Value.User != "one" {
		t.Errorf("a login after the change: %+v, %v", e.Value, err)
	}
}

// A bucket that an earlier version made gets the settings of this one, and
// keeps its values.
func TestBucketOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	s := bustest.Server(t)
	js, err := jetstream.New(bustest.Conn(t, s))
	if err != nil {
		t.Fatal(err)
	}
	old, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: subjects.JobsBucket, History: 2})
	if err != nil {
		t.Fatal(err)
	}
	rev, err := old.PutString(t.Context(), "a.j", `{"app":"a","name":"j","definition":{"id":"j"}}`)
	if err != nil {
		t.Fatal(err)
	}
	b := bustest.Open(t, s, bus.Config{})
	cfg := streamConfigs(t, b)[jetio.BucketStream(subjects.JobsBucket)]
	if cfg.MaxMsgsPerSubject != 64 || !cfg.AllowAtomicPublish || !cfg.AllowMsgTTL || cfg.SubjectDeleteMarkerTTL == 0 {
		t.Errorf("the bucket has the settings %+v", cfg)
	}
	e, err := b.Job(t.Context(), "a", "j")
	if err != nil || e.Revision != rev || e.Value.PermanentKey != "j" {
		t.Errorf("the job = %+v, %v", e, err)
	}
	if _, err := b.Jobs.Update(t.Context(), e.Key, e.Value, rev); err != nil {
		t.Errorf("an update: %v", err)
	}
}

// A bus opens on a JetStream that is full, as long as all its streams exist. It
// uses them as they are, and says so.
func TestOpenOnAFullAccount(t *testing.T) {
	t.Parallel()
	s := bustest.Server(t)
	bustest.Open(t, s, bus.Config{Retention: bus.Retention{LogBytes: 1 << 30}})
	accountLimit(t, s, 1)
	var log bytes.Buffer
	b := bustest.Open(t, s, bus.Config{Log: slog.New(slog.NewTextHandler(&log, nil)), Retention: bus.Retention{LogBytes: 2 << 30}})
	if n := strings.Count(log.String(), "the settings of the stream are not updated"); n == 0 {
		t.Errorf("log %s", &log)
	}
	if _, err := b.Apps.Get(t.Context(), bus.DefaultApp); err != nil {
		t.Errorf("a read: %v", err)
	}
	if err := b.Room(t.Context()); !errors.Is(err, bus.ErrFull) {
		t.Errorf("Room = %v, want %v", err, bus.ErrFull)
	}
	empty := bustest.Server(t)
	accountLimit(t, empty, 1)
	if b, err := bus.Open(t.Context(), bustest.Conn(t, empty), bus.Config{Retention: bus.Retention{LogBytes: 1 << 30}}); !errors.Is(err, bus.ErrFull) {
		t.Errorf("a bus on a full JetStream without its streams: %v, %v; want %v", b, err, bus.ErrFull)
	}
}

// The answer about the room is a second old at most, and two callers do not ask
// at the same time.
func TestRoomIsAskedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := bustest.Server(t)
		tap, b := bustest.Tapped(t, s)
		accountLimit(t, s, 1)
		if err := b.Room(t.Context()); !errors.Is(err, bus.ErrFull) {
			t.Errorf("Room = %v, want %v", err, bus.ErrFull)
		}
		accountLimit(t, s, -1)
		if err := b.Room(t.Context()); !errors.Is(err, bus.ErrFull) {
			t.Errorf("at the same moment Room = %v, want the last answer", err)
		}
		time.Sleep(time.Second)
		tap.Hold("$JS.API.INFO ", 1)
		asking := make(chan error)
		go func() { asking <- b.Room(t.Context()) }()
		synctest.Wait()
		if err := b.Room(t.Context()); !errors.Is(err, bus.ErrFull) {
			t.Errorf("while another caller asks Room = %v, want the last answer", err)
		}
		begin := time.Now()
		if err := <-asking; err != nil || time.Since(begin) > time.Second {
			t.Errorf("without an answer Room = %v after %v, want none within a second", err, time.Since(begin))
		}
		tap.Release(t)
		if err := b.Room(t.Context()); err != nil {
			t.Errorf("with room Room = %v", err)
		}
	})
}

// Nobody has asked yet, and one caller does: the others go on.
func TestRoomBeforeTheFirstAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tap, b := bustest.Tapped(t, bustest.Server(t))
		tap.Hold("$JS.API.INFO ", 1)
		asking := make(chan error)
		go func() { asking <- b.Room(t.Context()) }()
		synctest.Wait()
		begin := time.Now()
		if err := b.Room(t.Context()); err != nil || time.Now() != begin {
			t.Errorf("Room = %v after %v, want no wait", err, time.Since(begin))
		}
		if err := <-asking; err != nil {
			t.Errorf("Room = %v", err)
		}
	})
}

// A result whose acknowledgement was lost is sent again. The refusal of the
// second one shows that the first one was stored.
func TestResultWithALostAcknowledgement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tap, b := bustest.Tapped(t, bustest.Server(t))
		type outcome struct {
			seq uint64
			err error
		}
		publish := func(ctx context.Context, status subjects.BatchStatus) <-chan outcome {
			done := make(chan outcome, 1)
			go func() {
				seq, err := b.PublishResult(ctx, resultOf(1, status), 0)
				done <- outcome{seq, err}
			}()
			return done
		}
		tap.Hold(subjects.ResultSubject("a", "j", 1, subjects.Bus)+" ", 1)
		first := publish(t.Context(), subjects.Failed)
		time.Sleep(bus.AckTimeout + jetio.RetryDelay/2) // between the timeout and the second attempt
		tap.Release(t)
		o := <-first
		last, err := b.LastResult(t.Context(), "a", "j", 1)
		if err != nil || o.err != nil || o.seq != last.Sequence || last.BatchStatus != subjects.Failed {
			t.Errorf("PublishResult = %d, %v; stored %+v, %v", o.seq, o.err, last, err)
		}
		if o := <-publish(t.Context(), subjects.Stopped); !errors.Is(o.err, bus.ErrChanged) {
			t.Errorf("another decision = %d, %v; want %v", o.seq, o.err, bus.ErrChanged)
		}
		tap.Hold(subjects.ResultSubject("a", "j", 1, subjects.Bus)+" ", 1)
		ctx, cancel := context.WithCancel(t.Context())
		given := publish(ctx, subjects.Stopped)
		time.Sleep(bus.AckTimeout + jetio.RetryDelay/2)
		cancel()
		if o := <-given; !errors.Is(o.err, bus.ErrUnknown) {
			t.Errorf("a caller that gives up in doubt: %d, %v; want %v", o.seq, o.err, bus.ErrUnknown)
		}
	})
}

// The output of one execution goes, and no other's.
func TestPurgeLogs(t *testing.T) {
	t.Parallel()
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	of := func(app, job string, id int64) string { return subjects.LogSubject(app, job, id, "agent-1") }
	all := []string{of("a", "j", 1), of("a", "j", 1), of("a", "j", 12), of("a", "k", 1), of("b", "j", 1)}
	for _, subject := range all {
		if _, err := b.JS.Publish(t.Context(), subject, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second time there is nothing left
		if err := b.PurgeLogs(t.Context(), "a", "j", 1); err != nil {
			t.Fatal(err)
		}
	}
	s, err := b.JS.Stream(t.Context(), subjects.LogsStream)
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Info(t.Context(), jetstream.WithSubjectFilter(">"))
	if err != nil || len(info.State.Subjects) != 3 || info.State.Subjects[all[0]] != 0 {
		t.Errorf("left: %v, %v", info.State.Subjects, err)
	}
}

// Without a connection each operation says what it could not do.
func TestOperationsWithoutAConnection(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	b := bustest.Open(t, bustest.Server(t), bus.Config{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	b.NC.Close()
	b.Event("job", "created", []string{"shop", "j"}, nil)
	if !strings.Contains(log.String(), "event not published") {
		t.Errorf("log %s", &log)
	}
	e := requestOf("shop", 4).Execution
	for want, err := range map[string]error{
		"purge output of 4: ":                   b.PurgeLogs(t.Context(), "a", "j", 4),
		"purge results of 4: ":                  b.PurgeResults(t.Context(), "a", "j", 4, 0),
		"purge request of 4: ":                  b.PurgeRequest(t.Context(), &e),
		"read results: ":                        errorOf(b.LastResult(t.Context(), "a", "j", 4)),
		"publish failed of 4 after 0: ":         errorOf(b.PublishResult(t.Context(), resultOf(4, subjects.Failed), 0)),
		"reserve a block of execution ids: ":    errorOf(b.NextID(t.Context())),
		"read the queue of shop: ":              errorOf(b.QueuedRequests(t.Context(), "shop")),
		"delete the work queue of shop: ":       b.RemoveQueue(t.Context(), "shop"),
		"get " + subjects.LeasesBucket + "/x: ": errorOf(b.Leases.Renew(t.Context(), "x", "one")),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want it to begin with %q", err, want)
		}
	}
}

package agent

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// resultStream is a stream RESULTS with the results of one execution.
type resultStream struct {
	t  *testing.T
	nc *nats.Conn
	js jetstream.JetStream
}

func newResultStream(t *testing.T) *resultStream {
	t.Helper()
	l := &resultStream{t: t, nc: bustest.Conn(t, bustest.Server(t))}
	var err error
	if l.js, err = jetstream.New(l.nc); err != nil {
		t.Fatal(err)
	}
	l.createStream()
	return l
}

func (l *resultStream) createStream() {
	l.t.Helper()
	for _, s := range bus.Streams(1, bus.Retention{}) {
		if s.Name == subjects.ResultsStream {
			if _, err := l.js.CreateStream(context.Background(), s); err != nil {
				l.t.Fatal(err)
			}
		}
	}
}

// newResult returns a result of the execution that is not stored yet.
func (l *resultStream) newResult(handling string, number int, expect uint64) *pendingResult {
	data, _ := json.Marshal(subjects.Result{ID: 1, Handling: handling, Number: number})
	return &pendingResult{
		Subject: subjects.ResultSubject("app", "job", 1, handling), Filter: subjects.ResultFilter("app", "job", 1),
		Expect: expect, Handling: handling, Number: number, Data: data,
	}
}

// storeResult stores a result as if its acknowledgement had been lost.
func (l *resultStream) storeResult(handling string, number int, expect uint64) uint64 {
	l.t.Helper()
	seq, err := (&resultPublisher{l.nc}).storeResult(context.Background(), l.newResult(handling, number, expect))
	if err != nil {
		l.t.Fatal(err)
	}
	return seq
}

func (l *resultStream) storedCount() uint64 {
	l.t.Helper()
	s, err := l.js.Stream(context.Background(), subjects.ResultsStream)
	if err != nil {
		l.t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

func TestStoreWithAnUnknownOutcome(t *testing.T) {
	for _, test := range []struct {
		name   string
		doubt  bool
		before func(*resultStream) // what is stored already; the new result is "me" 2, and expects 1
		seq    uint64
		err    error
	}{
		{"nothing happened", false, func(*resultStream) {}, 2, nil},
		{"nothing was stored", true, func(*resultStream) {}, 2, nil},
		{"it was stored", true, func(l *resultStream) { l.storeResult("me", 2, 1) }, 2, nil},
		{"it was stored, as nobody doubted", false, func(l *resultStream) { l.storeResult("me", 2, 1) }, 0, errRefused},
		{"somebody else came first", true, func(l *resultStream) { l.storeResult("other", 2, 1) }, 0, errRefused},
		{"another handling of the same agent came first", true, func(l *resultStream) { l.storeResult("me-too", 2, 1) }, 0, errRefused},
		{"it was stored, and then fenced off", true, func(l *resultStream) { l.storeResult("me", 2, 1); l.storeResult("bus", 1, 2) }, 0, errRefused},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newResultStream(t)
				l.storeResult("me", 1, 0)
				test.before(l)
				rec := l.newResult("me", 2, 1)
				rec.inDoubt = test.doubt
				seq, err := (&resultPublisher{l.nc}).storeResult(t.Context(), rec)
				if seq != test.seq || !errors.Is(err, test.err) {
					t.Errorf("store = %d, %v, want %d, %v", seq, err, test.seq, test.err)
				}
			})
		})
	}
}

// The end of an attempt may follow a change of which nobody knows whether it
// was stored.
func TestStoreFollowsAnEarlierResultOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newResultStream(t)
		l.storeResult("me", 1, 0)
		l.storeResult("me", 2, 1) // its acknowledgement was lost
		rec := l.newResult("me", 3, 1)
		rec.inDoubt = true
		if seq, err := (&resultPublisher{l.nc}).storeResult(t.Context(), rec); seq != 3 || err != nil {
			t.Errorf("store = %d, %v, want 3", seq, err)
		}
	})
}

// swallower is a connection to the broker that loses all acknowledgements. The
// messages of the client arrive.
type swallower struct {
	nats.InProcessConnProvider
	deaf atomic.Bool
}

type deafConn struct {
	net.Conn
	s *swallower
}

func (s *swallower) InProcessConn() (net.Conn, error) {
	c, err := s.InProcessConnProvider.InProcessConn()
	return &deafConn{c, s}, err
}

func (c *deafConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || !c.s.deaf.Load() {
			return n, err
		}
	}
}

func TestStoreWhenTheAcknowledgementIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := bustest.Server(t)
		l := &resultStream{t: t, nc: bustest.Conn(t, s)}
		l.js, _ = jetstream.New(l.nc)
		l.createStream()
		way := &swallower{InProcessConnProvider: s}
		nc, err := nats.Connect("", nats.InProcessServer(way), nats.ReconnectBufSize(-1))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		way.deaf.Store(true)
		time.AfterFunc(3*time.Second, func() { way.deaf.Store(false) })
		seq, err := (&resultPublisher{nc}).storeResult(t.Context(), l.newResult("me", 1, 0))
		if seq != 1 || err != nil {
			t.Errorf("store = %d, %v, want 1", seq, err)
		}
		if n := l.storedCount(); n != 1 {
			t.Errorf("%d results are stored, want 1", n)
		}
	})
}

// Stored results are removed after a while. A claim that was held for longer
// must not be accepted then.
func TestStoreNotAfterItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newResultStream(t)
		rec := l.newResult("me", 1, 0)
		rec.deadline = time.Now().Add(-time.Millisecond)
		if _, err := (&resultPublisher{l.nc}).storeResult(t.Context(), rec); !errors.Is(err, errHeld) {
			t.Errorf("store returned %v, want errHeld", err)
		}
		if n := l.storedCount(); n != 0 {
			t.Errorf("%d results are stored, want none", n)
		}
	})
}

func TestParseAck(t *testing.T) {
	for _, test := range []struct {
		name, text string
		seq        uint64
		refused    bool
		failed     bool
	}{
		{"stored", `{"stream":"S","seq":7}`, 7, false, false},
		{"refused", `{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 5"},"stream":"S","seq":0}`, 0, true, true},
		{"another is being stored in the cluster", `{"error":{"code":400,"err_code":10164,"description":"wrong last sequence"},"stream":"S","seq":0}`, 0, false, true},
		{"another error", `{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"},"stream":"S","seq":0}`, 0, false, true},
		{"no sequence", `{}`, 0, false, true},
		{"no answer of a stream", `hello`, 0, false, true},
	} {
		seq, err := parseAck([]byte(test.text))
		if seq != test.seq || errors.Is(err, errRefused) != test.refused || (err != nil) != test.failed {
			t.Errorf("%s: parseAck(%s) = %d, %v", test.name, test.text, seq, err)
		}
	}
}

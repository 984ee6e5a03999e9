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

// ledger is a RESULTS stream and the results of one execution in it.
type ledger struct {
	t  *testing.T
	nc *nats.Conn
	js jetstream.JetStream
}

func newLedger(t *testing.T) *ledger {
	t.Helper()
	l := &ledger{t: t, nc: bustest.Conn(t, bustest.Server(t))}
	var err error
	if l.js, err = jetstream.New(l.nc); err != nil {
		t.Fatal(err)
	}
	l.create()
	return l
}

func (l *ledger) create() {
	l.t.Helper()
	for _, s := range bus.Streams(1, bus.Retention{}) {
		if s.Name == subjects.ResultsStream {
			if _, err := l.js.CreateStream(context.Background(), s); err != nil {
				l.t.Fatal(err)
			}
		}
	}
}

// record is a result of the execution on its way.
func (l *ledger) record(handling string, number int, expect uint64) *record {
	data, _ := json.Marshal(subjects.Result{ID: 1, Handling: handling, Number: number})
	return &record{
		Subject: subjects.ResultSubject("app", "job", 1, handling), Filter: subjects.ResultFilter("app", "job", 1),
		Expect: expect, Handling: handling, Number: number, Data: data,
	}
}

// put stores a result, as it may have been stored without the sender knowing.
func (l *ledger) put(handling string, number int, expect uint64) uint64 {
	l.t.Helper()
	seq, err := (&publisher{l.nc}).store(context.Background(), l.record(handling, number, expect))
	if err != nil {
		l.t.Fatal(err)
	}
	return seq
}

func (l *ledger) size() uint64 {
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
		before func(*ledger) // what is there already; the record is "me" 2, and expects 1
		seq    uint64
		err    error
	}{
		{"nothing happened", false, func(*ledger) {}, 2, nil},
		{"nothing was stored", true, func(*ledger) {}, 2, nil},
		{"it was stored", true, func(l *ledger) { l.put("me", 2, 1) }, 2, nil},
		{"it was stored, as nobody doubted", false, func(l *ledger) { l.put("me", 2, 1) }, 0, errRefused},
		{"somebody else came first", true, func(l *ledger) { l.put("other", 2, 1) }, 0, errRefused},
		{"another handling of the same agent came first", true, func(l *ledger) { l.put("me-too", 2, 1) }, 0, errRefused},
		{"it was stored, and then fenced off", true, func(l *ledger) { l.put("me", 2, 1); l.put("bus", 1, 2) }, 0, errRefused},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLedger(t)
				l.put("me", 1, 0)
				test.before(l)
				rec := l.record("me", 2, 1)
				rec.doubt = test.doubt
				seq, err := (&publisher{l.nc}).store(t.Context(), rec)
				if seq != test.seq || !errors.Is(err, test.err) {
					t.Errorf("store = %d, %v, want %d, %v", seq, err, test.seq, test.err)
				}
			})
		})
	}
}

// The end of an attempt follows a change that may or may not have been stored.
func TestStoreFollowsAnEarlierResultOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		l.put("me", 1, 0)
		l.put("me", 2, 1) // its acknowledgement was lost
		rec := l.record("me", 3, 1)
		rec.doubt = true
		if seq, err := (&publisher{l.nc}).store(t.Context(), rec); seq != 3 || err != nil {
			t.Errorf("store = %d, %v, want 3", seq, err)
		}
	})
}

// swallower is a way to the broker on which acknowledgements get lost: what the
// client sends arrives.
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
		l := &ledger{t: t, nc: bustest.Conn(t, s)}
		l.js, _ = jetstream.New(l.nc)
		l.create()
		way := &swallower{InProcessConnProvider: s}
		nc, err := nats.Connect("", nats.InProcessServer(way), nats.ReconnectBufSize(-1))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		way.deaf.Store(true)
		time.AfterFunc(3*time.Second, func() { way.deaf.Store(false) })
		seq, err := (&publisher{nc}).store(t.Context(), l.record("me", 1, 0))
		if seq != 1 || err != nil {
			t.Errorf("store = %d, %v, want 1", seq, err)
		}
		if n := l.size(); n != 1 {
			t.Errorf("%d results are stored, want 1", n)
		}
	})
}

// Results go away after a while. A claim that was held for longer must not pass
// then.
func TestStoreNotAfterItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		rec := l.record("me", 1, 0)
		rec.until = time.Now().Add(-time.Millisecond)
		if _, err := (&publisher{l.nc}).store(t.Context(), rec); !errors.Is(err, errHeld) {
			t.Errorf("store returned %v, want errHeld", err)
		}
		if n := l.size(); n != 0 {
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

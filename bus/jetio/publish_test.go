package jetio_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
)

func TestMain(m *testing.M) { os.Exit(bustest.Main(m)) }

const (
	storedAt7 = `{"stream":"S","seq":7}`
	refused   = `{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 5"},"stream":"S","seq":0}`
	inFlight  = `{"error":{"code":400,"err_code":10164,"description":"wrong last sequence"},"stream":"S","seq":0}`
)

func TestPublisher(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers []string // the last one again and again
		expect  int64
		seq     uint64
		err     error
		sent    int // 0: any number
	}{
		{"stored", []string{storedAt7}, 5, 7, nil, 1},
		{"refused", []string{refused}, 5, 0, jetio.ErrChanged, 1},
		{"another in flight is dropped", []string{inFlight, inFlight, storedAt7}, 5, 7, nil, 3},
		{"another in flight is stored", []string{inFlight, refused}, 5, 0, jetio.ErrChanged, 2},
		{"another in flight for ever", []string{inFlight}, 5, 0, jetio.ErrUnknown, 0},
		{"what expects nothing is sent once", []string{inFlight}, -1, 0, jetio.ErrUnknown, 1},
		{"an acknowledgement that says nothing", []string{`{}`}, 5, 0, jetio.ErrUnknown, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nc := bustest.Conn(t, bustest.Server(t))
				sent := 0
				if _, err := nc.Subscribe("s", func(m *nats.Msg) {
					if want := map[bool]string{true: "5"}[c.expect >= 0]; m.Header.Get("Nats-Expected-Last-Subject-Sequence") != want {
						t.Errorf("message %d expects %v, want %q", sent, m.Header, want)
					}
					_ = m.Respond([]byte(c.answers[min(sent, len(c.answers)-1)]))
					sent++
				}); err != nil {
					t.Fatal(err)
				}
				p, err := jetio.NewPublisher(nc)
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				seq, err := p.Do(ctx, &nats.Msg{Subject: "s"}, "s", c.expect)
				if seq != c.seq || !errors.Is(err, c.err) || ctx.Err() != nil {
					t.Errorf("answer %d, %v, want %d, %v", seq, err, c.seq, c.err)
				}
				if c.err != jetio.ErrChanged && errors.Is(err, jetio.ErrChanged) {
					t.Errorf("answer %v, want no refusal", err)
				}
				if synctest.Wait(); c.sent != 0 && sent != c.sent {
					t.Errorf("sent %d times, want %d", sent, c.sent)
				}
			})
		})
	}
}

// A write waits for a stream that the server does not know yet, but not long.
func TestPublishWithoutAStream(t *testing.T) {
	for _, c := range []struct {
		name   string
		after  time.Duration // until there is a stream
		expect int64
		seq    uint64
		err    error
	}{
		{"a stream comes soon", 300 * time.Millisecond, 5, 7, nil},
		{"a stream comes late", 2 * time.Second, 5, 0, jetio.ErrAway},
		{"what expects nothing is sent once", 300 * time.Millisecond, -1, 0, jetio.ErrAway},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nc := bustest.Conn(t, bustest.Server(t))
				p, err := jetio.NewPublisher(nc)
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				late := time.AfterFunc(c.after, func() {
					if _, err := nc.Subscribe("s", func(m *nats.Msg) { _ = m.Respond([]byte(storedAt7)) }); err != nil {
						t.Error(err)
					}
				})
				defer late.Stop()
				begin := time.Now()
				seq, err := p.Do(t.Context(), &nats.Msg{Subject: "s"}, "s", c.expect)
				if took := time.Since(begin); seq != c.seq || !errors.Is(err, c.err) || took > time.Second {
					t.Errorf("answer %d, %v after %v, want %d, %v", seq, err, took, c.seq, c.err)
				}
			})
		})
	}
}

// TestUnanswered holds that a stream which does not answer writes is named
// until it answers one, or until nobody has written to it for a while.
func TestUnanswered(t *testing.T) {
	for _, answersAgain := range []bool{true, false} {
		t.Run(fmt.Sprintf("answers again: %v", answersAgain), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nc := bustest.Conn(t, bustest.Server(t))
				var answers atomic.Bool
				if _, err := nc.Subscribe("$KV.b.*", func(m *nats.Msg) {
					if answers.Load() {
						_ = m.Respond([]byte(storedAt7))
					}
				}); err != nil {
					t.Fatal(err)
				}
				p, err := jetio.NewPublisher(nc)
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				if _, err := p.Do(t.Context(), &nats.Msg{Subject: "$KV.b.key"}, "", -1); !errors.Is(err, jetio.ErrUnknown) {
					t.Errorf("no acknowledgement: %v, want ErrUnknown", err)
				}
				if err := p.Unanswered(); !errors.Is(err, jetio.ErrAway) || !strings.Contains(err.Error(), "$KV.b") {
					t.Errorf("unanswered: %v, want the bucket's name", err)
				}
				if answers.Store(answersAgain); answersAgain {
					if _, err := p.Do(t.Context(), &nats.Msg{Subject: "$KV.b.other"}, "", -1); err != nil {
						t.Error(err)
					}
				} else {
					time.Sleep(time.Minute)
				}
				if err := p.Unanswered(); err != nil {
					t.Errorf("unanswered: %v, want nothing", err)
				}
			})
		})
	}
}

// TestCloseEndsWrites holds that a write in flight learns that its outcome is
// unknown when the publisher is closed.
func TestCloseEndsWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nc := bustest.Conn(t, bustest.Server(t))
		if _, err := nc.Subscribe("s", func(*nats.Msg) {}); err != nil {
			t.Fatal(err)
		}
		p, err := jetio.NewPublisher(nc)
		if err != nil {
			t.Fatal(err)
		}
		var got error
		p.Publish(&nats.Msg{Subject: "s"}, "", -1, func(_ uint64, err error) { got = err })
		if synctest.Wait(); got != nil {
			t.Fatalf("before the publisher is closed: %v, want no outcome", got)
		}
		if p.Close(); !errors.Is(got, jetio.ErrUnknown) {
			t.Errorf("after the publisher was closed: %v, want ErrUnknown", got)
		}
	})
}

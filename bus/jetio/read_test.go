package jetio_test

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
)

func TestRead(t *testing.T) {
	t.Parallel()
	nc, _, p := openStream(t)
	for i, subject := range []string{"s.a", "s.b", "s.a"} {
		m := nats.NewMsg(subject)
		m.Data = []byte{byte('1' + i)}
		m.Header.Set("Written-By", subject)
		if _, err := p.Do(t.Context(), m, "", -1); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		filter string
		from   uint64 // 0: the last one
		want   uint64 // 0: none
	}{
		{"last of a subject", "s.a", 0, 3},
		{"last of another subject", "s.b", 0, 2},
		{"last of a wildcard", "s.*", 0, 3},
		{"last of an empty subject", "s.c", 0, 0},
		{"first of a subject", "s.a", 1, 1},
		{"next of a subject", "s.a", 2, 3},
		{"next of a wildcard", "s.*", 2, 2},
		{"next of a subject that has no more", "s.b", 3, 0},
		{"next after the end", "s.*", 4, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m *jetio.StoredMessage
			var err error
			if c.from == 0 {
				m, err = jetio.ReadLast(t.Context(), nc, "S", c.filter)
			} else {
				m, err = jetio.ReadNext(t.Context(), nc, "S", c.filter, c.from)
			}
			if c.want == 0 {
				if !errors.Is(err, jetio.ErrNotFound) {
					t.Fatalf("got %+v, %v, want ErrNotFound", m, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if m.Sequence != c.want || string(m.Data) != string(rune('0'+c.want)) || m.Header.Get("Written-By") != m.Subject || m.Time.IsZero() {
				t.Errorf("got %+v, want message %d with its subject, header, data and time", m, c.want)
			}
		})
	}
}

// TestReadAway holds that a stream which cannot be read is not taken for one
// that has no such message.
func TestReadAway(t *testing.T) {
	t.Parallel()
	nc := bustest.Conn(t, bustest.Server(t))
	if _, err := jetio.ReadLast(t.Context(), nc, "S", "s.a"); !errors.Is(err, jetio.ErrAway) || errors.Is(err, jetio.ErrNotFound) {
		t.Errorf("without the stream: %v, want ErrAway", err)
	}
	nc.Close()
	if _, err := jetio.ReadLast(t.Context(), nc, "S", "s.a"); !errors.Is(err, jetio.ErrAway) || errors.Is(err, jetio.ErrNotFound) {
		t.Errorf("without a connection: %v, want ErrAway", err)
	}
}

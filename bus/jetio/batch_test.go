package jetio_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
)

// openStream creates the stream S for the subjects s.*, and a publisher to it.
func openStream(t *testing.T) (*nats.Conn, jetstream.Stream, *jetio.Publisher) {
	t.Helper()
	nc := bustest.Conn(t, bustest.Server(t))
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.*"}, AllowAtomicPublish: true})
	if err != nil {
		t.Fatal(err)
	}
	p, err := jetio.NewPublisher(nc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return nc, stream, p
}

// outcome is what a write's callback was called with.
type outcome struct {
	seq   uint64
	err   error
	calls int
}

// publishAll publishes n writes at once, each to a subject of its own that must
// be empty, and returns their outcomes.
func publishAll(b *jetio.Batcher, n int) []outcome {
	all := make([]outcome, n)
	var pending sync.WaitGroup
	var mu sync.Mutex
	pending.Add(n)
	for i := range all {
		subject := fmt.Sprint("s.", i)
		b.Publish(&nats.Msg{Subject: subject, Data: fmt.Append(nil, i)}, subject, 0, func(seq uint64, err error) {
			mu.Lock()
			defer mu.Unlock()
			all[i].seq, all[i].err = seq, err
			if all[i].calls++; all[i].calls == 1 {
				pending.Done()
			}
		})
	}
	pending.Wait()
	mu.Lock()
	defer mu.Unlock()
	return all
}

// checkStored checks that a write was stored once, as its outcome says.
func checkStored(t *testing.T, stream jetstream.Stream, i int, o outcome) {
	t.Helper()
	if o.err != nil || o.calls != 1 {
		t.Fatalf("write %d: %v after %d calls, want one that was stored", i, o.err, o.calls)
	}
	m, err := stream.GetMsg(t.Context(), o.seq)
	if err != nil || m.Subject != fmt.Sprint("s.", i) || string(m.Data) != fmt.Sprint(i) {
		t.Fatalf("write %d has sequence %d, which holds %+v, %v", i, o.seq, m, err)
	}
}

// TestBatcher holds that writes which come faster than they are acknowledged go
// out in batches, and that each learns its own sequence.
func TestBatcher(t *testing.T) {
	t.Parallel()
	nc, stream, p := openStream(t)
	var batched atomic.Int64
	if _, err := nc.Subscribe("s.*", func(m *nats.Msg) {
		if m.Header.Get("Nats-Batch-Id") != "" {
			batched.Add(1)
		}
	}); err != nil {
		t.Fatal(err)
	}
	const n = 1500
	for i, o := range publishAll(jetio.NewBatcher(p), n) {
		checkStored(t, stream, i, o)
	}
	if info, err := stream.Info(t.Context()); err != nil || info.State.Msgs != n {
		t.Errorf("%d messages are stored, %v, want %d", info.State.Msgs, err, n)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if batched.Load() < n/2 {
		t.Errorf("%d of %d writes were in batches, want most of them", batched.Load(), n)
	}
}

// TestBatcherRefused holds that a write with a wrong expected sequence is
// refused alone: the others of its batch are stored.
func TestBatcherRefused(t *testing.T) {
	t.Parallel()
	nc, stream, p := openStream(t)
	wrong := map[int]bool{0: true, 100: true, 101: true, 299: true}
	for i := range wrong {
		if _, err := p.Do(t.Context(), &nats.Msg{Subject: fmt.Sprint("s.", i)}, "", -1); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for i, o := range publishAll(jetio.NewBatcher(p), 300) {
		if !wrong[i] {
			checkStored(t, stream, i, o)
		} else if !errors.Is(o.err, jetio.ErrChanged) || o.calls != 1 {
			t.Errorf("write %d: %v after %d calls, want one refusal", i, o.err, o.calls)
		}
	}
}

// TestBatcherAway holds that each write ends when nobody takes its subject.
func TestBatcherAway(t *testing.T) {
	t.Parallel()
	nc := bustest.Conn(t, bustest.Server(t))
	p, err := jetio.NewPublisher(nc)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for i, o := range publishAll(jetio.NewBatcher(p), 100) {
		if !errors.Is(o.err, jetio.ErrAway) || o.calls != 1 {
			t.Errorf("write %d without a stream: %v after %d calls, want one ErrAway", i, o.err, o.calls)
		}
	}
	nc.Close()
	for i, o := range publishAll(jetio.NewBatcher(p), 100) {
		if !errors.Is(o.err, jetio.ErrAway) || o.calls != 1 {
			t.Errorf("write %d without a connection: %v after %d calls, want one ErrAway", i, o.err, o.calls)
		}
	}
}

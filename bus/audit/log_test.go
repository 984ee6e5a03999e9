package audit

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestMain(m *testing.M) { os.Exit(bustest.MainWithoutLeaks(m)) }

// runLog runs the audit of a bus until stop or the end of the test.
func runLog(t *testing.T, b *bus.Bus) (l *Log, stop func()) {
	t.Helper()
	l = New(b)
	return l, bustest.RunBackground(t, l.Run)
}

func openBus(t *testing.T, s *server.Server) *bus.Bus {
	t.Helper()
	return bustest.Open(t, s, bus.Config{})
}

// appendRow appends a row and waits for it.
func appendRow(t *testing.T, l *Log, r Row) error {
	t.Helper()
	if err := l.Reserve(t.Context(), true); err != nil {
		return err
	}
	return l.Append(t.Context(), r)
}

// wholeChain reads the whole audit and ends the test if it has faults.
func wholeChain(t *testing.T, l *Log) []Stored {
	t.Helper()
	var all []Stored
	for q := (Query{Oldest: true, Limit: 1000}); ; {
		p, err := l.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p.Rows...)
		if q.After = p.Next; p.Next != 0 {
			continue
		}
		r := Verify(func(yield func(uint64, []byte) bool) {
			for _, s := range all {
				if !yield(s.Sequence, s.Data) {
					return
				}
			}
		}, p.Last, p.Head.Hash)
		if len(r.Faults) > 0 {
			t.Fatalf("faults: %q", r.Faults)
		}
		return all
	}
}

// Two buses append at the same time; neither loses a row or forks the chain.
func TestTwoBusesAppendToOneChain(t *testing.T) {
	t.Parallel()
	s := bustest.Server(t)
	appendFromAll(t, openBus(t, s), openBus(t, s))
}

func TestTwoBusesAppendToOneChainInACluster(t *testing.T) {
	t.Parallel()
	var buses []*bus.Bus
	for _, s := range bustest.Cluster(t) {
		buses = append(buses, bustest.Open(t, s, bus.Config{Replicas: 3}))
	}
	appendFromAll(t, buses...)
}

// appendFromAll appends rows from many goroutines of each bus. On a slow machine
// a row may be late; it must not get lost, or lose its place.
func appendFromAll(t *testing.T, buses ...*bus.Bus) {
	t.Helper()
	var g sync.WaitGroup
	const each, writers = 25, 8
	var last *Log
	for _, b := range buses {
		l, _ := runLog(t, b)
		last = l
		for w := range writers {
			g.Go(func() {
				for i := range each {
					r := Row{User: fmt.Sprint(l.b.Name(), w), Name: fmt.Sprint(i)}
					if err := l.Reserve(t.Context(), false); err != nil {
						t.Error(err)
						return
					}
					if i%5 == 4 {
						l.AppendLater(r)
					} else if err := l.Append(t.Context(), r); err != nil && !errors.Is(err, ErrWaiting) {
						t.Error(err)
					}
				}
			})
		}
	}
	g.Wait()
	all := wholeChain(t, last)
	for end := time.Now().Add(time.Minute); len(all) < len(buses)*writers*each && time.Now().Before(end); all = wholeChain(t, last) {
		time.Sleep(20 * time.Millisecond)
	}
	next := map[string]int{}
	for _, r := range all {
		if r.Name != fmt.Sprint(next[r.User]) {
			t.Errorf("%s has row %s, want %d: rows keep their order", r.User, r.Name, next[r.User])
		}
		next[r.User]++
	}
	if len(next) != len(buses)*writers {
		t.Errorf("%d writers, want %d", len(next), len(buses)*writers)
	}
	for user, n := range next {
		if n != each {
			t.Errorf("%s has %d rows, want %d", user, n, each)
		}
	}
}

func TestChainGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	b := openBus(t, bustest.Server(t))
	for i := range 3 {
		l, stop := runLog(t, b)
		if err := appendRow(t, l, Row{User: "ann", Changes: []bus.Change{{Key: "jobs/shop.nightly", After: 7}}}); err != nil {
			t.Fatal(err)
		}
		if all := wholeChain(t, l); len(all) != i+1 || all[i].Bus != b.Name() || all[i].Time == 0 || all[i].Changes[0].After != 7 {
			t.Errorf("%+v, want %d rows", all, i+1)
		}
		stop()
	}
}

// A row whose acknowledgement does not come is published again; whichever copy
// the broker gets first is the only one that it stores.
func TestLateRowIsStoredOnce(t *testing.T) {
	for _, others := range []int{0, 3} {
		synctest.Test(t, func(t *testing.T) {
			s := bustest.Server(t)
			tap, b := bustest.Tapped(t, s)
			l, _ := runLog(t, b)
			other, _ := runLog(t, openBus(t, s))
			tap.Hold("jobstreamer.audit.", 1)
			if err := appendRow(t, l, Row{User: "ann"}); !errors.Is(err, ErrWaiting) {
				t.Fatalf("Append = %v, want ErrWaiting", err)
			}
			for range others {
				if err := appendRow(t, other, Row{User: "bob"}); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(3 * jetio.AckTimeout)
			if err := l.Healthy(t.Context()); err == nil || !strings.Contains(err.Error(), "the audit cannot be written: 1 rows wait") {
				t.Errorf("Healthy() = %v while a row waits", err)
			}
			if err := appendRow(t, l, Row{User: "ann"}); !errors.Is(err, ErrUnavailable) {
				t.Errorf("Reserve = %v, want ErrUnavailable", err)
			}
			if err := l.Reserve(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			l.AppendLater(Row{User: "ann"})
			tap.Release(t)
			time.Sleep(10 * time.Second)
			if err := l.Healthy(t.Context()); err != nil {
				t.Error(err)
			}
			users := map[string]int{}
			for _, r := range wholeChain(t, l) {
				users[r.User]++
			}
			if users["ann"] != 2 || users["bob"] != others {
				t.Errorf("rows by user: %v, want 2 of ann and %d of bob", users, others)
			}
		})
	}
}

// What cannot be stored until the bus stops is in the log. Once too many rows
// wait, nothing may be changed.
func TestRowsThatCannotBeStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := openBus(t, bustest.Server(t))
		b.Log = slog.New(slog.NewTextHandler(&log, nil))
		l, stop := runLog(t, b)
		if err := b.JS.DeleteStream(t.Context(), subjects.AuditStream); err != nil {
			t.Fatal(err)
		}
		if err := appendRow(t, l, Row{User: "ann"}); !errors.Is(err, ErrWaiting) {
			t.Errorf("Append = %v, want ErrWaiting", err)
		}
		later := 1
		for ; ; later++ {
			if err := l.Reserve(t.Context(), false); errors.Is(err, ErrUnavailable) {
				break
			}
			l.AppendLater(Row{User: "bob"})
		}
		if later != maxWaiting {
			t.Errorf("%d rows wait, want %d", later, maxWaiting)
		}
		l.AppendRefused(Row{User: "eve"})
		l.Record(Row{Action: StartedWithLogin})
		stop()
		for _, want := range []string{"audit rows not stored, retrying", "audit row lost", `\"user\":\"ann\"`, `\"user\":\"bob\"`, StartedWithLogin} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %s", want)
			}
		}
		if strings.Contains(log.String(), `"eve`) {
			t.Error("a refused request has a row in the log")
		}
	})
}

// Rows for which nobody waits are stored soon, together; one for which somebody
// waits takes them along. When the bus stops, none is lost.
func TestLaterRowsAreStoredTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBus(t, bustest.Server(t))
		l, stop := runLog(t, b)
		later := func(n int) {
			for range n {
				if err := l.Reserve(t.Context(), false); err != nil {
					t.Fatal(err)
				}
				l.AppendLater(Row{User: "ann"})
			}
		}
		later(1200)
		time.Sleep(2 * flushDelay)
		if got := len(wholeChain(t, l)); got != 1200 {
			t.Errorf("%d rows after %v, want 1200", got, 2*flushDelay)
		}
		begun := time.Now()
		later(10)
		if err := appendRow(t, l, Row{User: "bob"}); err != nil || time.Since(begun) >= flushDelay {
			t.Errorf("Append = %v after %v, want it to wait for no other row", err, time.Since(begun))
		}
		later(700)
		stop()
		if got := len(wholeChain(t, l)); got != 1911 {
			t.Errorf("%d rows after a stop, want 1911", got)
		}
		time.Sleep(time.Second) // for the files of the broker
		if got := l.places.Load(); got != 0 {
			t.Errorf("%d places are taken, want 0", got)
		}
	})
}

// A place that is given back is free.
func TestPlacesAreReleased(t *testing.T) {
	t.Parallel()
	l := New(openBus(t, bustest.Server(t)))
	for range 2 * maxWaiting {
		if err := l.Reserve(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		l.Release()
	}
}

// Floods of refused requests have few rows, and a count of the others. One
// without a login hides no request of a user.
func TestRefusedRequestsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, stop := runLog(t, openBus(t, bustest.Server(t)))
		for range 5000 {
			l.AppendRefused(Row{User: Nobody, Code: "login_required"})
		}
		l.AppendRefused(Row{User: "ann", Code: "forbidden"})
		time.Sleep(30 * time.Second)
		for range 5000 {
			l.AppendRefused(Row{User: Nobody, Code: "login_required"})
		}
		stop()
		rows, omitted := map[string]int{}, int64(0)
		for _, r := range wholeChain(t, l) {
			rows[r.User]++
			omitted += r.Omitted
		}
		time.Sleep(time.Second) // for the files of the broker
		if rows[Nobody] != refusedBurst+30 || rows["ann"] != 1 || rows[Bus] < 2 || omitted != 10_000-refusedBurst-30 {
			t.Errorf("rows by user %v with %d omitted, want %d of nobody, 1 of ann, at least 2 of the bus", rows, omitted, refusedBurst+30)
		}
	})
}

func TestRowsAreListedByPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := runLog(t, openBus(t, bustest.Server(t)))
		start := time.Now()
		const n = 1200 // more than two chunks
		for i := range n {
			r := Row{User: "ann", Action: "put-job", Kind: "job", App: "shop", Name: "nightly"}
			if i%100 == 0 {
				r = Row{User: "bob", Action: "delete-job", Kind: "execution", Name: "4711", Job: "nightly"}
			}
			if err := appendRow(t, l, r); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
		}
		at := func(i int) time.Time { return start.Add(time.Duration(i) * 10 * time.Second) }
		for _, c := range []struct {
			name        string
			q           Query
			first, last uint64 // rows
			n           int
		}{
			{"newest first", Query{}, n, 1, n},
			{"oldest first", Query{Oldest: true}, 1, n, n},
			{"of a user", Query{User: "bob"}, 1101, 1, 12},
			{"of a user, oldest first", Query{User: "bob", Oldest: true}, 1, 1101, 12},
			{"of an action", Query{Action: "delete-job"}, 1101, 1, 12},
			{"of a kind", Query{Kind: "execution"}, 1101, 1, 12},
			{"of a name", Query{Name: "4711"}, 1101, 1, 12},
			{"of a job and its executions", Query{Name: "nightly"}, n, 1, n},
			{"of an application", Query{App: "shop"}, n, 2, n - 12},
			{"of nobody", Query{User: "eve"}, 0, 0, 0},
			{"from a time", Query{From: at(600)}, n, 601, 600},
			{"to a time", Query{To: at(600)}, 600, 1, 600},
			{"between", Query{From: at(100), To: at(701), User: "bob", Oldest: true}, 101, 701, 7},
			{"in the future", Query{From: at(9999)}, 0, 0, 0},
			{"before all", Query{To: at(-1)}, 0, 0, 0},
		} {
			for _, limit := range []int{100, 500, 5000} {
				q, got := c.q, []uint64(nil)
				q.Limit = limit
				for {
					p, err := l.List(t.Context(), q)
					if err != nil {
						t.Fatal(err)
					}
					if p.Head.Number != n || p.Last != n || len(p.Rows) > limit {
						t.Fatalf("%s: head %v, last %d, %d rows", c.name, p.Head, p.Last, len(p.Rows))
					}
					for _, r := range p.Rows {
						got = append(got, r.Number)
					}
					if q.After = p.Next; p.Next == 0 {
						break
					}
				}
				if len(got) != c.n || c.n > 0 && (got[0] != c.first || got[c.n-1] != c.last) || len(slices.Compact(slices.Clone(got))) != c.n {
					t.Errorf("%s, pages of %d: %d rows %v, want %d from %d to %d", c.name, limit, len(got), got[:min(3, len(got))], c.n, c.first, c.last)
				}
			}
		}
	})
}

// What a purge leaves is a whole chain, which states what is gone.
func TestOldRowsArePurged(t *testing.T) {
	t.Parallel()
	l, _ := runLog(t, openBus(t, bustest.Server(t)))
	add := func(n int) time.Time {
		for range n {
			if err := appendRow(t, l, Row{User: "ann"}); err != nil {
				t.Fatal(err)
			}
		}
		return time.Now()
	}
	start := time.Now()
	first, second := add(5), add(3)
	for _, c := range []struct {
		name   string
		before time.Time
		oldest uint64 // row
		n      int
	}{
		{"nothing is old", start, 1, 8},
		{"five are old", first, 6, 4},
		{"the same once more", first, 6, 4},
		{"three more are old", second, 9, 2},
		{"all are old", time.Now().Add(time.Hour), 11, 1},
	} {
		if err := l.purgeBefore(t.Context(), c.before); err != nil {
			t.Fatal(err)
		}
		if all := wholeChain(t, l); len(all) != c.n || all[0].Number != c.oldest || c.oldest > 1 && all[c.n-1].Anchor.Number != c.oldest-1 {
			t.Errorf("%s: %d rows from %d, want %d from %d and an anchor", c.name, len(all), all[0].Number, c.n, c.oldest)
		}
	}
}

func TestNobodyDeletesARow(t *testing.T) {
	t.Parallel()
	b := openBus(t, bustest.Server(t))
	l, _ := runLog(t, b)
	for range 3 {
		if err := appendRow(t, l, Row{User: "ann"}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := b.JS.Stream(t.Context(), subjects.AuditStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteMsg(t.Context(), 2); err == nil {
		t.Error("the broker deleted a row")
	}
	if _, err := b.NC.Request("$JS.API.DIRECT.GET."+subjects.AuditStream+"."+subjects.AuditSubject(""), nil, time.Second); err == nil {
		t.Error("a direct read got a row")
	}
	if got := len(wholeChain(t, l)); got != 3 {
		t.Errorf("%d rows, want 3", got)
	}
}

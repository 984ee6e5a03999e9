package chunk_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent/chunk"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// The order of all calls, without errors (11.6, 11.8).
func TestOrderOfCalls(t *testing.T) {
	t.Run("a reader without items", func(t *testing.T) { // one chunk, committed, without a write
		r := &rig{chunk: jsl.Chunk{Processor: someProcessor}}
		status, m, err := r.run(t, t.Context())
		if status != subjects.Completed || err != nil || m != (subjects.Metrics{Commit: 1}) {
			t.Errorf("%v %+v %v, want completed with one commit", status, m, err)
		}
		r.checkTrace(t, `open reader
			open writer
			BeforeChunk
			BeforeRead
			read end
			AfterRead <nil>
			AfterChunk
			reader checkpoint
			writer checkpoint
			commit
			close writer
			close reader`)
	})
	t.Run("two chunks and the end", func(t *testing.T) {
		r := &rig{n: 2, chunk: jsl.Chunk{ItemCount: "1", Processor: someProcessor}}
		if status, _, err := r.run(t, t.Context()); status != subjects.Completed || err != nil {
			t.Errorf("%v %v", status, err)
		}
		chunk := func(i int) string {
			return strings.ReplaceAll(`BeforeChunk
				BeforeRead
				read #
				AfterRead #
				BeforeProcess #
				process #
				AfterProcess # #
				BeforeWrite [#]
				write [#]
				AfterWrite [#]
				AfterChunk
				reader checkpoint
				writer checkpoint
				commit
				`, "#", fmt.Sprint(i))
		}
		r.checkTrace(t, "open reader\nopen writer\n"+chunk(1)+chunk(2)+`BeforeChunk
			BeforeRead
			read end
			AfterRead <nil>
			AfterChunk
			reader checkpoint
			writer checkpoint
			commit
			close writer
			close reader`)
	})
	t.Run("a checkpoint algorithm", func(t *testing.T) { // 11.10
		r := &rig{n: 3, silent: true, ready: func(items int) bool { return items == 2 },
			chunk: jsl.Chunk{CheckpointPolicy: "custom", ItemCount: "1"}}
		if status, _, err := r.run(t, t.Context()); status != subjects.Completed || err != nil {
			t.Errorf("%v %v", status, err)
		}
		r.checkTrace(t, `open reader
			open writer
			timeout
			begin
			read 1
			ready?
			read 2
			ready?
			write [1 2]
			reader checkpoint
			writer checkpoint
			commit
			end
			timeout
			begin
			read 3
			ready?
			read end
			write [3]
			reader checkpoint
			writer checkpoint
			commit
			end
			close writer
			close reader`)
	})
}

// What chunks hold and when they end (8.2.1).
func TestChunks(t *testing.T) {
	for _, c := range []struct {
		name   string
		rig    rig
		writes string
		want   subjects.Metrics
	}{
		{"ten items by default", rig{n: 12}, "[1 2 3 4 5 6 7 8 9 10] [11 12]", subjects.Metrics{Read: 12, Write: 12, Commit: 2}},
		{"a multiple of item-count ends with an empty chunk", rig{n: 4, chunk: jsl.Chunk{ItemCount: "2"}},
			"[1 2] [3 4]", subjects.Metrics{Read: 4, Write: 4, Commit: 3}},
		{"all items of a chunk are filtered", rig{n: 10, chunk: jsl.Chunk{ItemCount: "5"}, filter: func(i int) bool { return i <= 5 }},
			"[6 7 8 9 10]", subjects.Metrics{Read: 10, Write: 5, Filter: 5, Commit: 3}},
		{"a filtered item counts for item-count", rig{n: 29, filter: func(i int) bool { return i == 3 }},
			"[1 2 4 5 6 7 8 9 10] [11 12 13 14 15 16 17 18 19 20] [21 22 23 24 25 26 27 28 29]",
			subjects.Metrics{Read: 29, Write: 28, Filter: 1, Commit: 3}},
		{"a skipped read is not the end", rig{n: 3, fault: failing(errBad, map[string]int{"read 2": 1}),
			chunk: jsl.Chunk{ItemCount: "3", Skippable: include("Bad")}},
			"[1 3]", subjects.Metrics{Read: 2, Write: 2, Commit: 1, ReadSkip: 1}},
		{"the algorithm is not asked with the policy item", rig{n: 3, ready: func(int) bool { return true },
			fault: failing(errBad, map[string]int{"ready?": -1, "begin": -1}), chunk: jsl.Chunk{CheckpointPolicy: "item", ItemCount: "2"}},
			"[1 2] [3]", subjects.Metrics{Read: 3, Write: 3, Commit: 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &c.rig
			r.chunk.Processor = someProcessor
			status, m, err := r.run(t, t.Context())
			if status != subjects.Completed || err != nil {
				t.Fatalf("%v %v", status, err)
			}
			if got := strings.Join(r.writes, " "); got != c.writes {
				t.Errorf("wrote %s, want %s", got, c.writes)
			}
			if m != c.want {
				t.Errorf("metrics %+v, want %+v", m, c.want)
			}
			if last := r.lastCommit(); string(last.Reader) != fmt.Sprint(r.n) || last.Metrics != m {
				t.Errorf("last commit %s %+v, want all items and the metrics", last.Reader, last.Metrics)
			}
		})
	}
}

// A time limit ends a chunk between two items (8.2.1).
func TestTimeLimit(t *testing.T) {
	for _, c := range []struct{ limit, writes string }{
		{"2", "[1 2] [3 4] [5]"},
		{"0", "[1 2 3 4 5]"},
	} {
		t.Run("time-limit "+c.limit, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &rig{n: 5, chunk: jsl.Chunk{ItemCount: "1000", TimeLimit: jsl.Int(c.limit)}}
				r.onCall = func(call string) {
					if strings.HasPrefix(call, "read ") {
						time.Sleep(time.Second)
					}
				}
				if status, _, err := r.run(t, t.Context()); status != subjects.Completed || err != nil {
					t.Errorf("%v %v", status, err)
				}
				if got := strings.Join(r.writes, " "); got != c.writes {
					t.Errorf("wrote %s, want %s", got, c.writes)
				}
			})
		})
	}
}

// A stop finishes the present item, writes what is in the buffer and commits
// (11.13).
func TestStop(t *testing.T) {
	r := &rig{n: 20, chunk: jsl.Chunk{ItemCount: "1000", Processor: someProcessor}}
	stop, cancel := context.WithCancel(t.Context())
	r.onCall = func(call string) {
		if call == "read 7" {
			cancel()
		}
	}
	status, m, err := r.run(t, stop)
	if status != subjects.Stopped || err != nil || !slices.Equal(r.written, numbers(1, 7)) || m.Commit != 1 {
		t.Fatalf("%v %v, wrote %v, %+v", status, err, r.written, m)
	}
	again := &rig{n: 20, last: r.lastCommit(), written: r.written}
	if status, _, err := again.run(t, t.Context()); status != subjects.Completed || err != nil || !slices.Equal(again.written, numbers(1, 20)) {
		t.Errorf("the restart: %v %v, wrote %v", status, err, again.written)
	}
	if !slices.Contains(again.trace, "read 8") || slices.Contains(again.trace, "read 7") {
		t.Error("the restart does not begin at item 8")
	}
}

// A stop between two chunks begins no further one.
func TestStopBetweenChunks(t *testing.T) {
	r := &rig{n: 20, chunk: jsl.Chunk{ItemCount: "5"}}
	stop, cancel := context.WithCancel(t.Context())
	r.onCall = func(call string) {
		if call == "commit" {
			cancel()
		}
	}
	if status, m, err := r.run(t, stop); status != subjects.Stopped || err != nil || m.Commit != 1 || !slices.Equal(r.written, numbers(1, 5)) {
		t.Errorf("%v %v %+v, wrote %v", status, err, m, r.written)
	}
}

// Errors outside of read, process and write fail the step (8.2.7), whatever the
// lists say.
func TestFailures(t *testing.T) {
	lists := jsl.Chunk{ItemCount: "2", Skippable: include("java.lang.Exception"), Retryable: include("java.lang.Exception")}
	for _, c := range []struct {
		call      string
		onError   bool
		committed int // items of the last commit
	}{
		{"open reader ", false, 0},
		{"open writer ", false, 0},
		{"close writer", false, 4},
		{"close reader", false, 4},
		{"BeforeChunk", true, 0},
		{"AfterChunk", true, 0},
		{"BeforeRead", true, 0},
		{"AfterRead 2", true, 0},
		{"BeforeWrite [3 4]", true, 2},
		{"AfterWrite [1 2]", true, 0},
	} {
		t.Run(strings.TrimSpace(c.call), func(t *testing.T) {
			r := &rig{n: 4, chunk: lists, fault: failing(errBad, map[string]int{c.call: -1})}
			status, _, err := r.run(t, t.Context())
			if status != subjects.Failed || !errors.Is(err, errBad) {
				t.Errorf("%v %v, want failed", status, err)
			}
			if got := slices.ContainsFunc(r.trace, func(s string) bool { return strings.HasPrefix(s, "OnError") }); got != c.onError {
				t.Errorf("OnError called: %v, want %v", got, c.onError)
			}
			want := ""
			if c.committed > 0 {
				want = fmt.Sprint(c.committed)
			}
			if got := string(r.lastCommit().Reader); got != want {
				t.Errorf("committed up to %q, want %q", got, want)
			}
			opened := slices.Contains(r.trace, "open writer ") && c.call != "open writer "
			if got := slices.Contains(r.trace, "close writer"); got != opened {
				t.Errorf("writer closed: %v, opened: %v", got, opened)
			}
			if got := slices.Contains(r.trace, "close reader"); got != (c.call != "open reader ") {
				t.Errorf("reader closed: %v", got)
			}
		})
	}
}

// A panic fails the step. It is skipped only if its class is listed.
func TestPanics(t *testing.T) {
	for _, call := range []string{"open reader ", "read 1", "process 1", "write [1]", "writer checkpoint", "commit", "BeforeChunk", "close reader"} {
		t.Run(strings.TrimSpace(call), func(t *testing.T) {
			r := &rig{n: 1, chunk: jsl.Chunk{Processor: someProcessor, Skippable: include("java.lang.Exception", "error", "Bad")},
				fault: func(c string) error {
					if c == call {
						panic("out of paper")
					}
					return nil
				}}
			status, _, err := r.run(t, t.Context())
			var p *chunk.PanicError
			if status != subjects.Failed || !errors.As(err, &p) || p.Value != "out of paper" || len(p.Stack) == 0 {
				t.Errorf("%v %v, want a panic", status, err)
			}
		})
	}
	r := &rig{n: 2, chunk: jsl.Chunk{Skippable: include("panic")}, fault: func(c string) error {
		if c == "read 1" {
			panic("out of paper")
		}
		return nil
	}}
	if status, m, err := r.run(t, t.Context()); status != subjects.Completed || m.ReadSkip != 1 {
		t.Errorf("a listed panic: %v %+v %v, want it skipped", status, m, err)
	}
}

// A restart goes on behind the last commit (8.2.1.4.4).
func TestRestart(t *testing.T) {
	r := &rig{n: 10, chunk: jsl.Chunk{ItemCount: "3", Processor: someProcessor}, fault: failing(errBad, map[string]int{"process 8": 1})}
	status, m, err := r.run(t, t.Context())
	if status != subjects.Failed || err == nil || err.Error() != "process: bad" {
		t.Errorf("%v %v", status, err)
	}
	if want := (subjects.Metrics{Read: 6, Write: 6, Commit: 2, Rollback: 1}); m != want {
		t.Errorf("metrics %+v, want %+v", m, want)
	}
	again := &rig{n: 10, chunk: r.chunk, last: r.lastCommit(), written: r.written}
	if status, m, err := again.run(t, t.Context()); status != subjects.Completed || err != nil || m.Read != 4 {
		t.Errorf("the restart: %v %v %+v", status, err, m)
	}
	if !slices.Equal(again.written, numbers(1, 10)) || again.trace[0] != "open reader 6" || again.trace[1] != "open writer 6" {
		t.Errorf("the restart wrote %v after %v", again.written, again.trace[:2])
	}
}

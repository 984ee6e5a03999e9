package chunk_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/chunk"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Skips, retries and rollbacks (8.2.1.4).
func TestErrors(t *testing.T) {
	bad := include("Bad")
	for _, c := range []struct {
		name   string
		n      int
		chunk  jsl.Chunk
		faults map[string]int
		status subjects.BatchStatus
		writes string
		want   subjects.Metrics
	}{
		{"a skipped write loses the chunk", 9, jsl.Chunk{ItemCount: "3", Skippable: bad}, map[string]int{"write [4 5 6]": -1},
			subjects.Completed, "[1 2 3] [7 8 9]", subjects.Metrics{Read: 9, Write: 6, Commit: 4, WriteSkip: 1}},
		{"skips of reads and of processing", 4, jsl.Chunk{Skippable: bad}, map[string]int{"read 2": 1, "process 3": 1},
			subjects.Completed, "[1 4]", subjects.Metrics{Read: 3, Write: 2, Commit: 1, ReadSkip: 1, ProcessSkip: 1}},
		{"skip-limit counts all kinds of skips", 6, jsl.Chunk{ItemCount: "2", Skippable: bad, SkipLimit: "2"},
			map[string]int{"read 1": 1, "process 2": 1, "write [5 6]": 1},
			subjects.Completed, "[3] [4 5] [6]", subjects.Metrics{Read: 5, Write: 4, Commit: 3, ReadSkip: 1, ProcessSkip: 1}},
		{"a third skip with skip-limit 2", 6, jsl.Chunk{ItemCount: "2", Skippable: bad, SkipLimit: "2"},
			map[string]int{"read 1": 1, "process 2": 1, "write [4 5]": 1},
			subjects.Failed, "[3]", subjects.Metrics{Read: 2, Write: 1, Commit: 1, ReadSkip: 1, ProcessSkip: 1, Rollback: 1}},
		{"skip-limit 0 skips nothing", 2, jsl.Chunk{Skippable: bad, SkipLimit: "0"}, map[string]int{"read 1": 1},
			subjects.Failed, "", subjects.Metrics{Rollback: 1}},
		{"no skip-limit is no limit", 30, jsl.Chunk{Skippable: bad, ItemCount: "50"}, map[string]int{
			"read 1": 1, "read 2": 1, "read 3": 1, "read 4": 1, "read 5": 1, "read 6": 1, "read 7": 1, "read 8": 1, "read 9": 1, "read 10": 1,
			"read 11": 1, "read 12": 1, "read 13": 1, "read 14": 1, "read 15": 1, "read 16": 1, "read 17": 1, "read 18": 1, "read 19": 1, "read 20": 1,
			"read 21": 1, "read 22": 1, "read 23": 1, "read 24": 1, "read 25": 1, "read 26": 1, "read 27": 1, "read 28": 1, "read 29": 1},
			subjects.Completed, "[30]", subjects.Metrics{Read: 1, Write: 1, Commit: 1, ReadSkip: 29}},
		{"an error in no list", 2, jsl.Chunk{Skippable: include("Odd"), Retryable: include("Odd")}, map[string]int{"read 2": 1},
			subjects.Failed, "", subjects.Metrics{Rollback: 1}},
		{"no-rollback without retryable", 2, jsl.Chunk{NoRollback: bad}, map[string]int{"read 2": 1},
			subjects.Failed, "", subjects.Metrics{Rollback: 1}},

		{"a retry takes the items singly", 6, jsl.Chunk{ItemCount: "3", Retryable: bad}, map[string]int{"write [1 2 3]": 1},
			subjects.Completed, "[1] [2] [3] [4 5 6]", subjects.Metrics{Read: 6, Write: 6, Commit: 5, Rollback: 1}},
		{"a retry ends behind the item that failed", 6, jsl.Chunk{ItemCount: "4", Retryable: bad}, map[string]int{"process 2": 1},
			subjects.Completed, "[1] [2] [3 4 5 6]", subjects.Metrics{Read: 6, Write: 6, Commit: 4, Rollback: 1}},
		{"a read is retried with a rollback", 4, jsl.Chunk{ItemCount: "4", Retryable: bad}, map[string]int{"read 3": 1},
			subjects.Completed, "[1] [2] [3] [4]", subjects.Metrics{Read: 4, Write: 4, Commit: 4, Rollback: 1}},
		{"item-count 1", 4, jsl.Chunk{ItemCount: "1", Retryable: bad, RetryLimit: "2"}, map[string]int{"write [3]": 2},
			subjects.Completed, "[1] [2] [3] [4]", subjects.Metrics{Read: 4, Write: 4, Commit: 5, Rollback: 2}},
		{"retry-limit used up without a skip", 10, jsl.Chunk{Retryable: bad, RetryLimit: "2"}, map[string]int{"process 5": -1},
			subjects.Failed, "[1] [2] [3] [4]", subjects.Metrics{Read: 4, Write: 4, Commit: 4, Rollback: 3}},
		{"retry-limit 0 retries nothing", 3, jsl.Chunk{Retryable: bad, RetryLimit: "0"}, map[string]int{"process 2": 1},
			subjects.Failed, "", subjects.Metrics{Rollback: 1}},
		{"a rollback in reader, processor and writer", 6, jsl.Chunk{ItemCount: "2", Retryable: bad},
			map[string]int{"read 1": 1, "process 4": 1, "write [5 6]": 1},
			subjects.Completed, "[1] [2 3] [4] [5] [6]", subjects.Metrics{Read: 6, Write: 6, Commit: 6, Rollback: 3}},

		{"an error of both lists is retried, then skipped", 10, jsl.Chunk{Retryable: bad, Skippable: bad, RetryLimit: "1", SkipLimit: "10"},
			map[string]int{"process 5": -1}, subjects.Completed, "[1] [2] [3] [4] [6 7 8 9 10]",
			subjects.Metrics{Read: 10, Write: 9, Commit: 6, Rollback: 1, ProcessSkip: 1}},
		{"retry-limit used up in an earlier chunk", 6, jsl.Chunk{ItemCount: "3", Retryable: bad, Skippable: bad, RetryLimit: "1"},
			map[string]int{"process 2": 1, "process 6": -1}, subjects.Completed, "[1] [2] [3 4 5]",
			subjects.Metrics{Read: 6, Write: 5, Commit: 4, Rollback: 1, ProcessSkip: 1}},
		{"skip-limit used up, then retries", 6, jsl.Chunk{ItemCount: "3", Retryable: bad, Skippable: bad, RetryLimit: "2", SkipLimit: "0"},
			map[string]int{"process 2": -1}, subjects.Failed, "[1]", subjects.Metrics{Read: 1, Write: 1, Commit: 1, Rollback: 3}},

		// The reader of the test moves on when it fails.
		{"no rollback repeats the read", 3, jsl.Chunk{Retryable: bad, NoRollback: bad}, map[string]int{"read 2": 1},
			subjects.Completed, "[1 3]", subjects.Metrics{Read: 2, Write: 2, Commit: 1}},
		{"no rollback repeats the processing", 3, jsl.Chunk{Retryable: bad, NoRollback: bad}, map[string]int{"process 2": 2},
			subjects.Completed, "[1 2 3]", subjects.Metrics{Read: 3, Write: 3, Commit: 1}},
		{"no rollback repeats the write", 3, jsl.Chunk{Retryable: bad, NoRollback: bad, RetryLimit: "2"}, map[string]int{"write [1 2 3]": 2},
			subjects.Completed, "[1 2 3]", subjects.Metrics{Read: 3, Write: 3, Commit: 1}},
		{"no rollback, the repeated call is skipped", 3, jsl.Chunk{Retryable: bad, NoRollback: bad, Skippable: bad}, map[string]int{"process 2": -1},
			subjects.Completed, "[1 3]", subjects.Metrics{Read: 3, Write: 2, Commit: 1, ProcessSkip: 1}},

		{"a failed commit is retried", 4, jsl.Chunk{ItemCount: "2", Retryable: bad}, map[string]int{"commit": 1},
			subjects.Completed, "[1 2] [1] [2] [3 4]", subjects.Metrics{Read: 4, Write: 4, Commit: 4, Rollback: 1}},
		{"a failed commit is retried without rollback", 2, jsl.Chunk{Retryable: bad, NoRollback: bad}, map[string]int{"commit": 1},
			subjects.Completed, "[1 2]", subjects.Metrics{Read: 2, Write: 2, Commit: 1}},
		{"a failed commit is skipped", 4, jsl.Chunk{ItemCount: "2", Skippable: bad}, map[string]int{"writer checkpoint": 1},
			subjects.Completed, "[1 2] [3 4]", subjects.Metrics{Read: 4, Write: 2, Commit: 2, WriteSkip: 1}},
		{"a failed commit fails the step", 4, jsl.Chunk{ItemCount: "2"}, map[string]int{"commit": 1},
			subjects.Failed, "[1 2]", subjects.Metrics{Rollback: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &rig{n: c.n, chunk: c.chunk, fault: failing(errBad, c.faults)}
			r.chunk.Processor = someProcessor
			status, m, err := r.run(t, t.Context())
			if status != c.status || (err != nil) != (status == subjects.Failed) {
				t.Errorf("%v %v, want %v", status, err, c.status)
			}
			if got := strings.Join(r.writes, " "); got != c.writes {
				t.Errorf("wrote %s, want %s", got, c.writes)
			}
			if m != c.want {
				t.Errorf("metrics %+v, want %+v", m, c.want)
			}
		})
	}
}

// A skip in the middle of a chunk commits nothing: a rollback later in the chunk
// begins at the start of the chunk, and so does a restart (8.2.1.4.4).
func TestCheckpointIsThatOfTheLastCommit(t *testing.T) {
	r := &rig{n: 10, chunk: jsl.Chunk{Processor: someProcessor, Skippable: include("Odd"), SkipLimit: "1", Retryable: include("Bad")}}
	failed := false
	r.chunk.Retryable.Exclude = []string{"Odd"}
	r.fault = func(call string) error {
		switch {
		case call == "read 4":
			return errOdd
		case call == "process 7" && !failed:
			failed = true
			return errBad
		}
		return nil
	}
	status, m, err := r.run(t, t.Context())
	if want := slices.Concat(numbers(1, 3), numbers(5, 10)); status != subjects.Completed || !slices.Equal(r.written, want) {
		t.Errorf("%v %v, wrote %v, want %v", status, err, r.written, want)
	}
	if m.ReadSkip != 1 || m.Read != 9 || m.Rollback != 1 {
		t.Errorf("metrics %+v: the skip of item 4 counts once, although it is read twice", m)
	}
	if string(r.commits[0].Reader) != "1" {
		t.Errorf("the first commit is at %s, want 1: nothing is committed before the rollback", r.commits[0].Reader)
	}
}

// A retry replaces the checkpoint algorithm until it is past the failed chunk.
func TestRetryUnderAlgorithm(t *testing.T) {
	r := &rig{n: 30, chunk: jsl.Chunk{CheckpointPolicy: "custom", Retryable: include("Bad")}, silent: true,
		ready: func(items int) bool { return items == 10 }, traced: []string{"begin", "write [", "end"},
		fault: failing(errBad, map[string]int{"write [1 2 3 4 5 6 7 8 9 10]": 1})}
	if status, _, err := r.run(t, t.Context()); status != subjects.Completed {
		t.Errorf("%v %v", status, err)
	}
	r.checkTrace(t, `begin
		write [1 2 3 4 5 6 7 8 9 10]
		write [1]
		write [2]
		write [3]
		write [4]
		write [5]
		write [6]
		write [7]
		write [8]
		write [9]
		write [10]
		begin
		write [11 12 13 14 15 16 17 18 19 20]
		end
		begin
		write [21 22 23 24 25 26 27 28 29 30]
		end
		begin
		end`)
}

// The order of a rollback, and of the listeners of an error (11.9).
func TestOrderOfErrors(t *testing.T) {
	traced := []string{"open", "close", "On", "AfterChunk", "BeforeChunk"}
	for _, c := range []struct {
		name  string
		chunk jsl.Chunk
		fault string
		want  string
	}{
		{"a skipped commit takes back what was written", jsl.Chunk{Skippable: include("Bad")}, "writer checkpoint", `open reader
			open writer
			BeforeChunk
			AfterChunk
			OnSkipWriteItem [1] writer: bad
			close writer
			open writer
			close writer
			close reader`},
		{"an error after a commit rolls nothing back", jsl.Chunk{CheckpointPolicy: "custom", Retryable: include("Bad")}, "end", `open reader
			open writer
			BeforeChunk
			AfterChunk
			close writer
			close reader`},
		{"a write is retried with a rollback", jsl.Chunk{Retryable: include("Bad")}, "write [1]", `open reader
			open writer
			BeforeChunk
			OnWriteError [1] bad
			OnRetryWriteException [1] bad
			close writer
			close reader
			OnError bad
			open writer
			open reader
			BeforeChunk
			AfterChunk
			BeforeChunk
			AfterChunk
			close writer
			close reader`},
		{"a read is retried with a rollback", jsl.Chunk{Retryable: include("Bad")}, "read 1", `open reader
			open writer
			BeforeChunk
			OnReadError bad
			OnRetryReadException bad
			close writer
			close reader
			OnError bad
			open writer
			open reader
			BeforeChunk
			AfterChunk
			BeforeChunk
			AfterChunk
			close writer
			close reader`},
		{"a retry without rollback", jsl.Chunk{Retryable: include("Bad"), NoRollback: include("Bad")}, "process 1", `open reader
			open writer
			BeforeChunk
			OnProcessError 1 bad
			OnRetryProcessException 1 bad
			AfterChunk
			close writer
			close reader`},
		{"a skipped read", jsl.Chunk{Skippable: include("Bad")}, "read 1", `open reader
			open writer
			BeforeChunk
			OnReadError bad
			OnSkipReadItem bad
			AfterChunk
			close writer
			close reader`},
		{"a skipped item", jsl.Chunk{Skippable: include("Bad")}, "process 1", `open reader
			open writer
			BeforeChunk
			OnProcessError 1 bad
			OnSkipProcessItem 1 bad
			AfterChunk
			close writer
			close reader`},
		{"a skipped write", jsl.Chunk{Skippable: include("Bad")}, "write [1]", `open reader
			open writer
			BeforeChunk
			OnWriteError [1] bad
			OnSkipWriteItem [1] bad
			AfterChunk
			close writer
			close reader`},
		{"an error in no list", jsl.Chunk{}, "write [1]", `open reader
			open writer
			BeforeChunk
			OnWriteError [1] bad
			close writer
			close reader
			OnError write: bad`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &rig{n: 1, chunk: c.chunk, traced: traced, fault: failing(errBad, map[string]int{c.fault: 1})}
			r.chunk.Processor = someProcessor
			_, _, _ = r.run(t, t.Context())
			r.checkTrace(t, c.want)
		})
	}
}

// A failure to close or to open during a rollback fails the step.
func TestFailedRollback(t *testing.T) {
	for _, call := range []string{"close writer", "close reader", "OnError bad", "open reader 1", "open writer 1"} {
		r := &rig{n: 2, chunk: jsl.Chunk{ItemCount: "1", Retryable: include("error")}}
		r.fault = failing(errBad, map[string]int{"write [2]": 1, call: 1})
		status, _, err := r.run(t, t.Context())
		if status != subjects.Failed || err == nil || !strings.Contains(err.Error(), `roll back after "bad"`) {
			t.Errorf("%s: %v %v", call, status, err)
		}
	}
}

// A final error of a commit is neither skipped nor retried.
func TestFinalCommitError(t *testing.T) {
	all := include("java.lang.Throwable")
	r := &rig{n: 2, chunk: jsl.Chunk{Skippable: all, Retryable: all}}
	r.fault = failing(chunk.Final(errBad), map[string]int{"commit": -1})
	if status, _, err := r.run(t, t.Context()); status != subjects.Failed || err.Error() != "commit: bad" {
		t.Errorf("%v %v", status, err)
	}
}

// The nearest class decides; exclude wins (8.2.1.4.1).
func TestNearestClass(t *testing.T) {
	list := func(include, exclude string) *jsl.ExceptionClasses {
		return &jsl.ExceptionClasses{Include: strings.Fields(include), Exclude: strings.Fields(exclude)}
	}
	for _, c := range []struct {
		name string
		err  error
		list *jsl.ExceptionClasses
		skip bool
	}{
		{"the class itself", errBad, list("Bad", ""), true},
		{"a subclass", errOdd, list("Bad", ""), true},
		{"a superclass", errBad, list("Odd", ""), false},
		{"every error", io.ErrNoProgress, list("error", ""), true},
		{"every error, by its name in Java", io.ErrNoProgress, list("java.lang.Exception", ""), true},
		{"by its highest name in Java", errOdd, list("java.lang.Throwable", ""), true},
		{"an excluded subclass", errOdd, list("Bad", "Odd"), false},
		{"an excluded superclass", errOdd, list("Odd", "Bad"), true},
		{"included and excluded", errBad, list("Bad", "Bad"), false},
		{"the nearest of several", errOdd, list("error Odd", "Bad java.lang.Throwable"), true},
		{"only excluded", errBad, list("", "Odd"), false},
		{"an unknown class", errBad, list("com.acme.Typo", ""), false},
		{"a wrapped error", fmt.Errorf("line 7: %w", errBad), list("Bad", ""), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &rig{n: 1, chunk: jsl.Chunk{Skippable: c.list}, fault: failing(c.err, map[string]int{"read 1": 1})}
			if status, _, err := r.run(t, t.Context()); (status == subjects.Completed) != c.skip {
				t.Errorf("%v %v, want skipped: %v", status, err, c.skip)
			}
		})
	}
}

func TestClasses(t *testing.T) {
	known, err := chunk.NewClasses(classes)
	if err != nil {
		t.Fatal(err)
	}
	k := &jsl.Chunk{Skippable: include("Bad", "com.acme.Typo"), NoRollback: &jsl.ExceptionClasses{Include: []string{"error"}, Exclude: []string{"Oops", "com.acme.Typo"}}}
	if got := known.Unknown(k); !slices.Equal(got, []string{"Oops", "com.acme.Typo"}) {
		t.Errorf("unknown classes %v", got)
	}
	is := agent.ErrorIs
	if _, err := chunk.NewClasses([]agent.ErrorClass{is("A", "B", errBad), is("B", "A", errBad)}); err == nil {
		t.Error("a class may be its own ancestor")
	}
	if _, err := chunk.NewClasses([]agent.ErrorClass{is("A", "java.io.IOException", errBad)}); err == nil {
		t.Error("the parent of a class may be unknown")
	}
	if _, err := chunk.NewClasses([]agent.ErrorClass{is("error", "", errBad)}); err == nil {
		t.Error("a built-in class may be registered again")
	}
}

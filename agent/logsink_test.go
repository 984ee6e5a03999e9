package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// outputOf runs a body that writes, and returns the lines that are stored when
// its end is.
func outputOf(t *testing.T, write func(*agent.LogSink)) []subjects.LogLine {
	t.Helper()
	room := agenttest.New(t)
	room.Start(agent.Config{Runtime: &testRuntime{run: func(_ context.Context, w *agent.Work, _ *agent.Reporter) agent.Outcome {
		write(w.Log)
		return completed
	}}})
	end := room.Run(`{}`)
	lines, dropped := room.Lines(end.ID)
	if dropped != 0 {
		t.Errorf("%d lines were dropped", dropped)
	}
	return lines
}

func messagesOf(lines []subjects.LogLine) []string {
	var all []string
	for _, l := range lines {
		all = append(all, l.Message)
	}
	return all
}

func TestLines(t *testing.T) {
	long := strings.Repeat("0123456789", 2000)
	for _, test := range []struct {
		name  string
		write []string // one call each
		want  []string
	}{
		{"lines in one piece", []string{"a\nb\n"}, []string{"a", "b"}},
		{"lines in several pieces", []string{"a", "b\nc", "d\r\n", "e"}, []string{"ab", "cd", "e"}},
		{"empty lines count", []string{"\n\nx\n"}, []string{"", "", "x"}},
		{"NUL is a character", []string{"a\x00b\n"}, []string{"a\x00b"}},
		{"bytes that are no text", []string{"a\xff\xfeb\n"}, []string{"a\uFFFDb"}},
		{"a character in two pieces", []string{"a\xc3", "\xa4b\n"}, []string{"aäb"}},
		{"quotes and brackets", []string{"<a href=\"x\">\\\n"}, []string{`<a href="x">\`}},
		{"an endless line is cut", []string{long[:9000], long[9000:], "\nx\n"},
			[]string{long[:8186] + "…", "…" + long[8186:16372] + "…", "…" + long[16372:], "x"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lines := outputOf(t, func(s *agent.LogSink) {
					w := s.Writer(agent.Stderr, "warn", "one")
					for _, text := range test.write {
						if n, err := io.WriteString(w, text); n != len(text) || err != nil {
							t.Errorf("Write = %d, %v", n, err)
						}
					}
					_ = w.Close() // always nil
				})
				if got := messagesOf(lines); strings.Join(got, "|") != strings.Join(test.want, "|") {
					t.Errorf("lines are %.100q, want %.100q", got, test.want)
				}
				for _, l := range lines {
					if l.Level != "warn" || l.Stream != agent.Stderr || l.Step != "one" || l.Time == 0 {
						t.Errorf("line %+v", l)
					}
				}
			})
		})
	}
}

func TestLogger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := outputOf(t, func(s *agent.LogSink) {
			l := s.Logger("one").With("file", "a b")
			l.Info("read", "rows", 3, slog.Group("by", "who", "me"))
			l.WithGroup("g").Error("oh\nno", "x", "")
			l.Debug("d")
		})
		want := []string{`read file="a b" rows=3 by.who=me`, "oh", `no file="a b" g.x=""`, `d file="a b"`}
		if got := messagesOf(lines); strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("lines are %q, want %q", got, want)
		}
		if lines[0].Level != "info" || lines[1].Level != "error" || lines[3].Level != "debug" {
			t.Errorf("levels are wrong: %+v", lines)
		}
	})
}

// Lines are stored while the body runs, not only at its end.
func TestLinesWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		room.Start(agent.Config{Runtime: &testRuntime{run: func(_ context.Context, w *agent.Work, _ *agent.Reporter) agent.Outcome {
			for range 3 {
				w.Log.Line(agent.Stdout, "info", "", "line")
				time.Sleep(200 * time.Millisecond)
				if lines, _ := room.Lines(w.Execution.ID); len(lines) == 0 {
					t.Error("a line that is 200 ms old is not stored")
				}
			}
			return completed
		}}})
		room.Run(`{}`)
	})
}

func TestMessagesAreNotTooLong(t *testing.T) {
	room := agenttest.New(t)
	room.Start(agent.Config{Runtime: &testRuntime{run: func(_ context.Context, w *agent.Work, _ *agent.Reporter) agent.Outcome {
		nasty := strings.Repeat("\x00<\"\xff", 3000)
		for i := range 3000 {
			w.Log.Line(agent.Stdout, "info", "a-step", fmt.Sprint(i, " ", strings.Repeat("x", i%300)))
			if i%500 == 0 {
				w.Log.Line(agent.Stdout, "info", "a-step", nasty)
				time.Sleep(20 * time.Millisecond) // prevents dropped lines
			}
		}
		return completed
	}}})
	end := room.Run(`{}`)
	s, err := room.JS.Stream(t.Context(), subjects.LogsStream)
	if err != nil {
		t.Fatal(err)
	}
	next := 0
	for seq := uint64(1); seq <= s.CachedInfo().State.LastSeq; seq++ {
		m, err := s.GetMsg(t.Context(), seq, jetstream.WithGetMsgSubject(subjects.LogFilter("app", "job", end.ID)))
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Data) > subjects.MaxLogMessage || !utf8.Valid(m.Data) {
			t.Errorf("a message of %d bytes", len(m.Data))
		}
		var msg subjects.LogMessage
		if err := json.Unmarshal(m.Data, &msg); err != nil {
			t.Fatal(err)
		}
		for _, l := range msg.Lines {
			var n int
			if _, err := fmt.Sscanf(l.Message, "%d ", &n); err == nil {
				if n != next {
					t.Fatalf("line %d comes where %d should be", n, next)
				}
				next++
			}
		}
	}
	if next != 3000 {
		t.Errorf("%d lines, want 3000", next)
	}
}

// floodLog describes the stored lines of a flood: their number, the last line,
// the number of missing lines, and the first line after the last gap. Lines of
// the agent itself do not count.
type floodLog struct{ seen, last, missing, afterGap int }

// runFlood writes lines while the stream LOGS does not exist, and returns the
// lines that are stored when the execution has ended.
func runFlood(t *testing.T, room *agenttest.Room, written int, away time.Duration, lossy bool) (n floodLog, waited time.Duration, end subjects.Result) {
	t.Helper()
	if err := room.JS.DeleteStream(t.Context(), subjects.LogsStream); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(away, func() {
		for _, s := range bus.Streams(1, bus.Retention{}) {
			if s.Name == subjects.LogsStream {
				if _, err := room.JS.CreateStream(context.Background(), s); err != nil {
					t.Error(err)
				}
			}
		}
	})
	room.Start(agent.Config{Runtime: &testRuntime{run: func(_ context.Context, w *agent.Work, _ *agent.Reporter) agent.Outcome {
		if lossy {
			w.Log.Lossy()
		}
		out := w.Log.Writer(agent.Stdout, "info", "one")
		begin := time.Now()
		for i := range written {
			fmt.Fprintf(out, "%d %s\n", i, strings.Repeat("x", 100))
		}
		waited = time.Since(begin) // fake time passes only while all goroutines block
		if left := away - waited; left > 0 {
			time.Sleep(left + 3*time.Second)
		}
		return completed
	}}})
	end = room.Run(`{}`)
	lines, dropped := room.Lines(end.ID)
	n.last = -1
	for _, l := range lines {
		var i int
		if _, err := fmt.Sscanf(l.Message, "%d ", &i); err != nil || i <= n.last {
			t.Fatalf("after line %d comes %q", n.last, l.Message)
		}
		if gap := i - n.last - 1; gap > 0 {
			n.missing, n.afterGap = n.missing+gap, i
		}
		n.last, n.seen = i, n.seen+1
	}
	if n.missing != dropped || int64(dropped) != end.LogDropped || n.seen+dropped != written {
		t.Errorf("%d lines are missing, %d are said to be in the log, %d in the result; %d are there of %d", n.missing, dropped, end.LogDropped, n.seen, written)
	}
	return n, waited, end
}

// A job blocks while its lines cannot be stored, and no line is lost.
func TestAFloodWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, waited, _ := runFlood(t, agenttest.New(t), 60_000, 40*time.Second, false)
		if n.missing != 0 || waited < 30*time.Second {
			t.Errorf("%d lines are missing after a wait of %v", n.missing, waited)
		}
	})
}

// A job does not block for ever. When lines are dropped, the newest ones are
// kept.
func TestAFloodWithoutABroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const written = 60_000
		n, waited, _ := runFlood(t, agenttest.New(t), written, 90*time.Second, false)
		if waited < 55*time.Second || waited > 65*time.Second {
			t.Errorf("the job waited for %v, want a minute", waited)
		}
		if n.last != written-1 || n.missing == 0 || n.afterGap > written-200 {
			t.Errorf("the log ends with the lines %d to %d of %d, %d are missing", n.afterGap, n.last, written, n.missing)
		}
	})
}

// A lossy job never blocks.
func TestALossyFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const written = 60_000
		n, waited, _ := runFlood(t, agenttest.New(t), written, time.Second, true)
		if waited > 0 {
			t.Errorf("the job waited for %v", waited)
		}
		if n.last != written-1 || n.missing == 0 || n.afterGap > written-200 {
			t.Errorf("the log ends with the lines %d to %d of %d, %d are missing", n.afterGap, n.last, written, n.missing)
		}
	})
}

// The result includes the number of lines that earlier attempts lost.
func TestDroppedOverAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		room.Start(agent.Config{Runtime: &testRuntime{run: completeAtOnce}})
		q := room.Request(`{}`)
		q.Execution.LogDropped = 7
		if end := room.AwaitEnd(room.Submit(q)); end.LogDropped != 7 {
			t.Errorf("the result says that %d lines were lost, want the 7 of before", end.LogDropped)
		}
	})
}

// A job that blocks because its lines cannot be stored can be stopped.
func TestAStopOfAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		if err := room.JS.DeleteStream(t.Context(), subjects.LogsStream); err != nil {
			t.Fatal(err)
		}
		run := room.Start(agent.Config{Runtime: &testRuntime{run: func(ctx context.Context, w *agent.Work, _ *agent.Reporter) agent.Outcome {
			for ctx.Err() == nil {
				w.Log.Line(agent.Stdout, "info", "", strings.Repeat("x", 8000))
			}
			return agent.Outcome{BatchStatus: subjects.Stopped, ExitStatus: "STOPPED"}
		}}})
		id := room.Submit(room.Request(`{}`))
		time.Sleep(10 * time.Second)
		asked := time.Now()
		room.Command(run.Name, subjects.StopCommand, subjects.Command{ID: id, Attempt: 1})
		room.AwaitEnd(id)
		if d := time.Since(asked); d > 10*time.Second {
			t.Errorf("the stop took %v", d)
		}
	})
}

// The last lines of a body are stored before its end.
func TestLinesComeBeforeTheEnd(t *testing.T) {
	room := agenttest.New(t)
	room.Start(agent.Config{Slots: 8, Runtime: &testRuntime{run: func(_ context.Context, w *agent.Work, _ *agent.Reporter) agent.Outcome {
		w.Log.Line(agent.Stdout, "info", "", "last words")
		return completed
	}}})
	for range 50 {
		id := room.Submit(room.Request(`{}`))
		room.AwaitEnd(id)
		if lines, _ := room.Lines(id); len(lines) != 1 {
			t.Fatalf("execution %d has the lines %v", id, lines)
		}
	}
}

func BenchmarkLines(b *testing.B) {
	room := agenttest.New(b)
	line := append(bytes.Repeat([]byte("x"), 100), '\n')
	room.Start(agent.Config{Log: slog.New(slog.DiscardHandler), Runtime: &testRuntime{run: func(_ context.Context, w *agent.Work, _ *agent.Reporter) agent.Outcome {
		out := w.Log.Writer(agent.Stdout, "info", "one")
		b.ResetTimer()
		begin := time.Now()
		for range b.N {
			_, _ = out.Write(line)
		}
		b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "lines/s")
		return completed
	}}})
	end := room.Run(`{}`)
	_, dropped := room.Lines(end.ID)
	b.ReportMetric(float64(dropped)/float64(b.N), "dropped/line")
}

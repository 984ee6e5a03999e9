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

// output runs a body that writes, and returns the lines that are there when its end is.
func output(t *testing.T, write func(*agent.LogSink)) []subjects.LogLine {
	t.Helper()
	room := agenttest.New(t)
	room.Start(agent.Config{Runtime: &bodies{run: func(_ context.Context, w *agent.Work, _ *agent.Reporter) agent.Outcome {
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

func messages(lines []subjects.LogLine) []string {
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
				lines := output(t, func(s *agent.LogSink) {
					w := s.Writer(agent.Stderr, "warn", "one")
					for _, text := range test.write {
						if n, err := io.WriteString(w, text); n != len(text) || err != nil {
							t.Errorf("Write = %d, %v", n, err)
						}
					}
					_ = w.Close() // always nil
				})
				if got := messages(lines); strings.Join(got, "|") != strings.Join(test.want, "|") {
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
		lines := output(t, func(s *agent.LogSink) {
			l := s.Logger("one").With("file", "a b")
			l.Info("read", "rows", 3, slog.Group("by", "who", "me"))
			l.WithGroup("g").Error("oh\nno", "x", "")
			l.Debug("d")
		})
		want := []string{`read file="a b" rows=3 by.who=me`, "oh", `no file="a b" g.x=""`, `d file="a b"`}
		if got := messages(lines); strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("lines are %q, want %q", got, want)
		}
		if lines[0].Level != "info" || lines[1].Level != "error" || lines[3].Level != "debug" {
			t.Errorf("levels are wrong: %+v", lines)
		}
	})
}

// Lines come early, not only with the end.
func TestLinesWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		room.Start(agent.Config{Runtime: &bodies{run: func(_ context.Context, w *agent.Work, _ *agent.Reporter) agent.Outcome {
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
	room.Start(agent.Config{Runtime: &bodies{run: func(_ context.Context, w *agent.Work, _ *agent.Reporter) agent.Outcome {
		nasty := strings.Repeat("\x00<\"\xff", 3000)
		for i := range 3000 {
			w.Log.Line(agent.Stdout, "info", "a-step", fmt.Sprint(i, " ", strings.Repeat("x", i%300)))
			if i%500 == 0 {
				w.Log.Line(agent.Stdout, "info", "a-step", nasty)
				time.Sleep(20 * time.Millisecond) // so that nothing is dropped
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

// A job may write more than can be stored. It does not wait; what is lost is counted where it is missing.
func TestAFloodOfLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		if err := room.JS.DeleteStream(t.Context(), subjects.LogsStream); err != nil {
			t.Fatal(err)
		}
		const written = 60_000
		id := int64(0)
		room.Start(agent.Config{Runtime: &bodies{run: func(_ context.Context, w *agent.Work, _ *agent.Reporter) agent.Outcome {
			out := w.Log.Writer(agent.Stdout, "info", "one")
			begin := time.Now()
			for i := range written {
				fmt.Fprintf(out, "%d %s\n", i, strings.Repeat("x", 100))
			}
			if d := time.Since(begin); d > 0 { // fake time passes only while everybody waits
				t.Errorf("the job waited for %v", d)
			}
			for _, s := range bus.Streams(1, bus.Retention{}) {
				if s.Name == subjects.LogsStream {
					if _, err := room.JS.CreateStream(context.Background(), s); err != nil {
						t.Error(err)
					}
				}
			}
			time.Sleep(3 * time.Second)
			fmt.Fprintln(out, written, "the last")
			return completed
		}}})
		id = room.Run(`{}`).ID
		lines, dropped := room.Lines(id)
		if dropped == 0 {
			t.Error("nothing was dropped: the buffer has no bounds")
		}
		last, missing, seen := -1, 0, 0
		for _, l := range lines {
			if l.Stream == agent.Own {
				continue
			}
			var n int
			if _, err := fmt.Sscanf(l.Message, "%d ", &n); err != nil || n <= last {
				t.Fatalf("after line %d comes %q", last, l.Message)
			}
			missing += n - last - 1
			last, seen = n, seen+1
		}
		if last != written || missing != dropped || seen+dropped != written+1 {
			t.Errorf("%d lines and %d dropped, %d are missing of %d", seen, dropped, missing, written)
		}
	})
}

// What a body wrote last is there when its end is.
func TestLinesComeBeforeTheEnd(t *testing.T) {
	room := agenttest.New(t)
	room.Start(agent.Config{Slots: 8, Runtime: &bodies{run: func(_ context.Context, w *agent.Work, _ *agent.Reporter) agent.Outcome {
		w.Log.Line(agent.Stdout, "info", "", "last words")
		return completed
	}}})
	for range 50 {
		id := room.Submit(room.Request(`{}`))
		room.End(id)
		if lines, _ := room.Lines(id); len(lines) != 1 {
			t.Fatalf("execution %d has the lines %v", id, lines)
		}
	}
}

func BenchmarkLines(b *testing.B) {
	room := agenttest.New(b)
	line := append(bytes.Repeat([]byte("x"), 100), '\n')
	room.Start(agent.Config{Log: slog.New(slog.DiscardHandler), Runtime: &bodies{run: func(_ context.Context, w *agent.Work, _ *agent.Reporter) agent.Outcome {
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

package native_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

var errBroken = errors.New("broken item")

// countReader reads the numbers from property from to property to. Its other
// properties: pad, the bytes of its checkpoint; pause, between two items.
type countReader struct {
	c        *agent.StepContext
	next, to int
	pause    time.Duration
}

type countCheckpoint struct {
	Next int
	Pad  string `json:",omitempty"`
}

func newCountReader(c *agent.StepContext) (agent.ItemReader[int], error) {
	r := &countReader{c: c, to: 10}
	if c.Properties["to"] != "" {
		r.to, _ = strconv.Atoi(c.Properties["to"])
	}
	r.pause, _ = time.ParseDuration(c.Properties["pause"])
	return r, nil
}

func (r *countReader) Open(_ context.Context, last agent.Checkpoint) error {
	r.next, _ = strconv.Atoi(cmp.Or(r.c.Properties["from"], "1"))
	var at countCheckpoint
	found, err := last.Load(&at)
	if found {
		r.next = at.Next
	}
	return err
}

func (r *countReader) ReadItem(context.Context) (int, error) {
	time.Sleep(r.pause)
	if r.next > r.to {
		return 0, io.EOF
	}
	r.next++
	return r.next - 1, nil
}

func (r *countReader) CheckpointInfo(context.Context) (any, error) {
	n, _ := strconv.Atoi(r.c.Properties["pad"])
	return countCheckpoint{r.next, strings.Repeat("x", n)}, nil
}

func (r *countReader) Close(context.Context) error { return nil }

// fileWriter appends a line for each item to the file of property file. When it
// is opened, it truncates the file to the checkpoint.
type fileWriter struct {
	name string
	f    *os.File
	size int64
}

func newFileWriter(c *agent.StepContext) (agent.ItemWriter[int], error) {
	if c.Properties["file"] == "" {
		return nil, errors.New("want the property file")
	}
	return &fileWriter{name: c.Properties["file"]}, nil
}

func (w *fileWriter) Open(_ context.Context, last agent.Checkpoint) (err error) {
	w.size = 0
	if _, err = last.Load(&w.size); err != nil {
		return err
	}
	if w.f, err = os.OpenFile(w.name, os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	if err = w.f.Truncate(w.size); err == nil {
		_, err = w.f.Seek(w.size, io.SeekStart)
	}
	return err
}

func (w *fileWriter) WriteItems(_ context.Context, items []int) error {
	for _, i := range items {
		n, err := fmt.Fprintln(w.f, i)
		w.size += int64(n)
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *fileWriter) CheckpointInfo(context.Context) (any, error) { return w.size, w.f.Sync() }
func (w *fileWriter) Close(context.Context) error                 { return w.f.Close() }

// pickyProcessor fails on the item of property item, and panics if property
// panic is set.
type pickyProcessor struct{ c *agent.StepContext }

func newPickyProcessor(c *agent.StepContext) (agent.ItemProcessor[int, int], error) {
	return pickyProcessor{c}, nil
}

func (p pickyProcessor) ProcessItem(_ context.Context, item int) (int, error) {
	if err := p.c.Save(item); err != nil {
		return 0, err
	}
	if fmt.Sprint(item) == p.c.Properties["item"] {
		if p.c.Properties["panic"] != "" {
			panic("cannot stand it")
		}
		return 0, fmt.Errorf("item %d: %w", item, errBroken)
	}
	return item, nil
}

// watcher is a listener of steps and of chunks.
type watcher struct {
	calls *calls
	c     *agent.StepContext
	n     int
}

func (w *watcher) BeforeStep(context.Context) error { w.n++; w.calls.add("before step"); return nil }
func (w *watcher) AfterStep(context.Context) error {
	w.calls.add("after step, %s, %d calls before", w.c.BatchStatus(), w.n)
	return nil
}
func (w *watcher) BeforeChunk(context.Context) error { w.n++; return nil }
func (w *watcher) AfterChunk(context.Context) error  { w.n++; return nil }
func (w *watcher) OnError(_ context.Context, cause error) error {
	w.calls.add("on error %v", cause)
	return nil
}

func chunkArtifacts(c *calls) []agent.Option {
	return []agent.Option{
		agent.Reader("count", newCountReader),
		agent.Processor("picky", newPickyProcessor),
		agent.Writer("file", newFileWriter),
		agent.Listener("watch", func(s *agent.StepContext) (*watcher, error) { return &watcher{calls: c, c: s}, nil }),
		agent.ErrorClasses(agent.ErrorIs("Broken", "", errBroken)),
	}
}

// startChunkAgent starts an agent with the artifacts of chunks and partitions.
func startChunkAgent(t *testing.T, room *agenttest.Room, more ...agent.Option) (*agenttest.Running, *calls) {
	t.Helper()
	c := &calls{}
	options := slices.Concat(batchlets(t), chunkArtifacts(c), more)
	return room.Start(agent.Config{Slots: 4, Grace: time.Second, DrainGrace: time.Second, Runtime: native.New(native.Config{})}, options...), c
}

// chunkStep returns a step with a chunk that writes to a file.
func chunkStep(file, attributes, reader, processor string) string {
	return fmt.Sprintf(`{'id':'a','listeners':[{'ref':'watch'}],'chunk':{%s 'reader':{'ref':'count','properties':{%s}},
		'processor':{'ref':'picky','properties':{%s}},'writer':{'ref':'file','properties':{'file':'%s'}}}}`, attributes, reader, processor, file)
}

// linesTo returns the numbers of a range, one a line.
func linesTo(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		fmt.Fprintln(&b, i)
	}
	return b.String()
}

// checkFile compares a file with what should be in it.
func checkFile(t *testing.T, file, want string) {
	t.Helper()
	got, err := os.ReadFile(file)
	if err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v, want %q", filepath.Base(file), got, err, want)
	}
}

// restart runs a definition with what an execution has left.
func restart(room *agenttest.Room, id int64, definition string) subjects.Result {
	return runWith(room, agenttest.StatesAfter(nil, room.Results(id)), definition)
}

// runWith runs a definition with what earlier executions have left.
func runWith(room *agenttest.Room, before []subjects.StepState, definition string) subjects.Result {
	q := room.Request(definition)
	q.Steps = before
	return room.AwaitEnd(room.Submit(q))
}

func TestChunkSteps(t *testing.T) {
	for _, c := range []struct {
		name, attributes, reader, processor string
		status                              subjects.BatchStatus
		lines                               string
		metrics                             subjects.Metrics
		exception                           string
		calls                               string
	}{
		{"all items", "'item_count':4,", "", "", "completed", linesTo(1, 10), subjects.Metrics{Read: 10, Write: 10, Commit: 3}, "",
			"before step, after step, completed, 7 calls before"},
		{"a skipped item", "'skippable_exception_classes':{'include':['Broken']},", "", "'item':'2'", "completed", "1\n" + linesTo(3, 10),
			subjects.Metrics{Read: 10, Write: 9, Commit: 2, ProcessSkip: 1}, "", "before step, after step, completed, 5 calls before"},
		{"an error", "'item_count':4,", "", "'item':'7'", "failed", linesTo(1, 4), subjects.Metrics{Read: 4, Write: 4, Commit: 1, Rollback: 1},
			"step a: process: item 7: broken item",
			"before step, on error process: item 7: broken item, after step, failed, 4 calls before"},
		{"a panic", "'item_count':4,", "", "'item':'2','panic':'yes'", "failed", "", subjects.Metrics{Rollback: 1},
			"step a: process: panic: cannot stand it",
			"before step, on error process: panic: cannot stand it, after step, failed, 2 calls before"},
		{"a large checkpoint", "'item_count':20,", "'pad':'1000000'", "", "completed", linesTo(1, 10), subjects.Metrics{Read: 10, Write: 10, Commit: 1}, "",
			"before step, after step, completed, 3 calls before"},
		{"a checkpoint that is too large", "'item_count':4,'retryable_exception_classes':{'include':['error']},", "'pad':'1100000'", "", "failed", linesTo(1, 4),
			subjects.Metrics{Rollback: 1}, "reader checkpoint of 1100019 bytes: want at most 1048576", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room := agenttest.New(t)
				_, calls := startChunkAgent(t, room)
				file := filepath.Join(t.TempDir(), "out")
				end := room.Run(jobDefinition(chunkStep(file, c.attributes, c.reader, c.processor)))
				if end.BatchStatus != c.status || !strings.Contains(end.Exception, c.exception) || c.exception == "" && end.Exception != "" {
					t.Errorf("it is %s: %q, want %s: %q", end.BatchStatus, end.Exception, c.status, c.exception)
				}
				if got := end.Steps[len(end.Steps)-1].Metrics; got != c.metrics {
					t.Errorf("metrics %+v, want %+v", got, c.metrics)
				}
				got, err := os.ReadFile(file)
				if err != nil || c.status == subjects.Completed && string(got) != c.lines || !strings.HasPrefix(string(got), c.lines) {
					t.Errorf("the file holds %q, %v, want %q", got, err, c.lines)
				}
				if got := strings.Join(calls.all, ", "); c.calls != "" && got != c.calls {
					t.Errorf("the listener heard %s, want %s", got, c.calls)
				}
			})
		})
	}
}

// The output of a step says what is skipped.
func TestSkipsInOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		startChunkAgent(t, room)
		id := room.Submit(room.Request(jobDefinition(chunkStep(filepath.Join(t.TempDir(), "out"),
			"'skippable_exception_classes':{'include':['Broken']},", "", "'item':'2'"))))
		room.AwaitEnd(id)
		if got := fmt.Sprint(room.Lines(id)); !strings.Contains(got, "skipped: process: item 2: broken item") {
			t.Errorf("the output is %s", got)
		}
	})
}

// A restart goes on from the checkpoints and the data that the last commit has
// stored, on any agent (8.2.1, 10.8.4).
func TestChunkRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		startChunkAgent(t, room)
		file := filepath.Join(t.TempDir(), "out")
		first := room.Run(jobDefinition(chunkStep(file, "'item_count':4,", "", "'item':'7'")))
		states := agenttest.StatesAfter(nil, room.Results(first.ID))
		if s := states[0]; string(s.ReaderCheckpoint) != `{"Next":5}` || string(s.WriterCheckpoint) != "8" {
			t.Fatalf("the checkpoints are %s and %s", s.ReaderCheckpoint, s.WriterCheckpoint)
		}
		if got := string(states[0].PersistentData); got != "7" {
			t.Errorf("the data is %s, want the last one, 7", got)
		}
		second := restart(room, first.ID, jobDefinition(chunkStep(file, "'item_count':4,", "", "")))
		if want := (subjects.Metrics{Read: 6, Write: 6, Commit: 2}); second.BatchStatus != subjects.Completed || second.Steps[0].Metrics != want {
			t.Errorf("the restart is %s with %+v, want %+v: %s", second.BatchStatus, second.Steps[0].Metrics, want, second.Exception)
		}
		checkFile(t, file, linesTo(1, 10))
	})
}

// Data that is saved in a chunk is stored by the next commit only.
func TestDataOfAChunk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		startChunkAgent(t, room)
		file := filepath.Join(t.TempDir(), "out")
		end := room.Run(jobDefinition(chunkStep(file, "'item_count':4,", "", "")))
		var stored []string
		for _, r := range room.Results(end.ID) {
			for _, s := range r.Steps {
				if s.BatchStatus == subjects.Started && len(s.PersistentData) > 0 {
					stored = append(stored, string(s.PersistentData)+" "+string(s.ReaderCheckpoint))
				}
			}
		}
		if want := []string{`4 {"Next":5}`, `8 {"Next":9}`, `10 {"Next":11}`}; !slices.Equal(stored, want) {
			t.Errorf("commits stored %q, want %q", stored, want)
		}
	})
}

// A stop finishes the present item and commits what was read (11.13).
func TestStopOfAChunk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		run, _ := startChunkAgent(t, room)
		file := filepath.Join(t.TempDir(), "out")
		id := room.Submit(room.Request(jobDefinition(chunkStep(file, "'item_count':1000,", "'pause':'1s'", ""))))
		time.Sleep(6500 * time.Millisecond) // item 7 is being read
		room.Command(run.Name, subjects.StopCommand, subjects.Command{ID: id, Attempt: 1})
		end := room.AwaitEnd(id)
		if got := stepStates(room.Results(id)); end.BatchStatus != subjects.Stopped || got != "a=stopped(STOPPED)" || end.Exception != "" {
			t.Errorf("it is %s with %s: %s", end.BatchStatus, got, end.Exception)
		}
		checkFile(t, file, linesTo(1, 7))
		if again := restart(room, id, jobDefinition(chunkStep(file, "", "", ""))); again.BatchStatus != subjects.Completed || again.Steps[0].Metrics.Read != 3 {
			t.Errorf("the restart is %s with %+v: %s", again.BatchStatus, again.Steps, again.Exception)
		}
		checkFile(t, file, linesTo(1, 10))
	})
}

// A commit that the broker refuses ends the step. Nothing is written after it.
func TestFencedChunk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		startChunkAgent(t, room)
		file := filepath.Join(t.TempDir(), "out")
		id := room.Submit(room.Request(jobDefinition(chunkStep(file, "'item_count':2,", "'pause':'1s'", ""))))
		time.Sleep(2500 * time.Millisecond) // one chunk is committed
		room.PublishAsBus(id, 1, subjects.Failed)
		time.Sleep(10 * time.Second)
		checkFile(t, file, linesTo(1, 4))
		if state := agenttest.StatesAfter(nil, room.Results(id))[0]; string(state.ReaderCheckpoint) != `{"Next":3}` {
			t.Errorf("the checkpoint is %s, want that of the first chunk", state.ReaderCheckpoint)
		}
	})
}

// What a chunk refers to must exist when the job starts. A class of errors need
// not (8.2.1.4).
func TestReferencesOfChunks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		room := agenttest.New(t)
		startChunkAgent(t, room)
		end := room.Run(jobDefinition(`{'id':'a','chunk':{'reader':{'ref':'count'},'writer':{'ref':'nobody'}}}`))
		if want := `/steps/0/chunk/writer/ref: this agent has no item writer "nobody", only file`; !strings.Contains(end.Exception, want) {
			t.Errorf("exception %q, want %q", end.Exception, want)
		}
		file := filepath.Join(t.TempDir(), "out")
		end = room.Run(jobDefinition(chunkStep(file, "'skippable_exception_classes':{'include':['com.acme.Typo']},", "", "")))
		lines, _ := room.Lines(end.ID)
		if !slices.ContainsFunc(lines, func(l subjects.LogLine) bool {
			return l.Level == "warn" && strings.Contains(l.Message, `no class of errors "com.acme.Typo"`)
		}) {
			t.Errorf("no warning in the output: %+v", lines)
		}
	})
}

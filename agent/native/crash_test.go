package native_test

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/agent/builtin"
	"github.com/job-streamer/job-streamer-control-bus/agent/native"
)

var long = flag.Bool("long", false, "kill agents at every commit of a job of 1,000 items")

// Environment variables of an agent in a process of its own.
const (
	crashAgent = "JOBSTREAMER_TEST_AGENT" // the URL of the broker
	crashName  = "JOBSTREAMER_TEST_NAME"
	crashPoint = "JOBSTREAMER_TEST_POINT" // where it is killed: read, write or checkpoint
	crashCount = "JOBSTREAMER_TEST_COUNT" // at which call, over all partitions
)

// crashes counts the calls at the crash point of this process.
var crashes atomic.Int32

// dieAt kills this process, as kill -9 does, if this is the call to die at.
func dieAt(point string) {
	if os.Getenv(crashPoint) != point {
		return
	}
	if fmt.Sprint(crashes.Add(1)) == os.Getenv(crashCount) {
		p, _ := os.FindProcess(os.Getpid())
		_ = p.Kill()
		select {}
	}
}

// dyingReader dies between two items: the ones before are in no file yet.
type dyingReader[T any] struct {
	agent.ItemReader[T]
	n int
}

func (r *dyingReader[T]) ReadItem(ctx context.Context) (T, error) {
	if r.n++; r.n%50 == 25 {
		dieAt("read")
	}
	return r.ItemReader.ReadItem(ctx)
}

// dyingWriter dies in the middle of a write, or when the items are in the file
// and the commit is not stored.
type dyingWriter[T any] struct{ agent.ItemWriter[T] }

func (w dyingWriter[T]) WriteItems(ctx context.Context, items []T) error {
	half := len(items) / 2
	if err := w.ItemWriter.WriteItems(ctx, items[:half]); err != nil {
		return err
	}
	dieAt("write")
	return w.ItemWriter.WriteItems(ctx, items[half:])
}

func (w dyingWriter[T]) CheckpointInfo(ctx context.Context) (any, error) {
	at, err := w.ItemWriter.CheckpointInfo(ctx)
	dieAt("checkpoint")
	return at, err
}

// dying returns options for a reader and a writer that die, under new names.
func dying[T any](readerRef string, reader agent.Factory[agent.ItemReader[T]], writerRef string, writer agent.Factory[agent.ItemWriter[T]]) agent.Option {
	return agent.Chunk[T, T]{
		Reader: func(s *agent.StepContext) (agent.ItemReader[T], error) {
			r, err := reader(s)
			return &dyingReader[T]{ItemReader: r}, err
		},
		Writer: func(s *agent.StepContext) (agent.ItemWriter[T], error) {
			w, err := writer(s)
			return dyingWriter[T]{w}, err
		},
	}.Register(readerRef + " to " + writerRef)
}

// runCrashAgent is the main function of an agent that may kill itself.
func runCrashAgent(url string) {
	files := builtin.Config{}
	a, err := agent.New(agent.Config{
		URL: url, Name: os.Getenv(crashName), Apps: []string{agenttest.App}, Slots: 1,
		Runtime: native.New(native.Config{}), Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	},
		dying("count", newCountReader, "file", newFileWriter),
		dying("csv", files.Readers()[builtin.CSVReader], "fixed", files.Writers()[builtin.FixedWidthWriter]),
		agent.ErrorClasses(builtin.ErrorClasses()...),
	)
	if err == nil {
		err = a.Run(context.Background())
	}
	slog.Error("agent ended", "err", err)
	os.Exit(1)
}

// runThroughCrashes runs a job on one agent after another, each killed at the
// given call of one of the crash points, until an agent completes it. It returns
// how many agents were killed.
func runThroughCrashes(room *agenttest.Room, definition string, count int) (killed int) {
	points := []string{"checkpoint", "write", "read"}
	return room.RunThroughCrashes(definition, func(killed int) *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), crashAgent+"="+room.Server.ClientURL(), fmt.Sprintf("%s=crash-%d", crashName, killed),
			crashPoint+"="+points[killed%len(points)], fmt.Sprintf("%s=%d", crashCount, count))
		return cmd
	})
}

// An agent that is killed at any commit, restarted on another: the file is that
// of a run without crashes (8.2.1.4.4).
func TestCrashesAtCommits(t *testing.T) {
	items := 250
	if *long {
		items = 1000
	}
	room := agenttest.NewListening(t)
	file := filepath.Join(t.TempDir(), "out")
	killed := runThroughCrashes(room, jobDefinition(fmt.Sprintf(
		`{'id':'a','chunk':{'item_count':50,'reader':{'ref':'count to file','properties':{'to':'%d'}},'writer':{'ref':'count to file','properties':{'file':'%s'}}}}`, items, file)), 2)
	checkFile(t, file, linesTo(1, items))
	if want := items/50 - 1; killed < want {
		t.Errorf("only %d agents were killed, want %d", killed, want)
	}
}

// The same with two flows of a split, each with 4 partitions.
func TestCrashesOfPartitions(t *testing.T) {
	count := 30
	if *long {
		count = 10 // 8 partitions may be at the point at once, so 9 means progress
	}
	room := agenttest.NewListening(t)
	dir := t.TempDir()
	var flows []string
	for f := range 2 {
		var plan []string
		for p := range 4 {
			from := (4*f+p)*125 + 1
			plan = append(plan, fmt.Sprintf(`{'partition':%d,'properties':{'from':'%d','to':'%d'}}`, p, from, from+124))
		}
		flows = append(flows, fmt.Sprintf(`{'id':'f%d','steps':[{'id':'s%d','chunk':{'item_count':10,
			'reader':{'ref':'count to file','properties':{'from':'#{partitionPlan[QfromQ]}','to':'#{partitionPlan[QtoQ]}'}},
			'writer':{'ref':'count to file','properties':{'file':'%s/#{partitionPlan[QfromQ]}'}}},
			'partition':{'plan':{'partitions':4,'properties':[%s]}}}]}`, f, f, dir, strings.Join(plan, ",")))
	}
	killed := runThroughCrashes(room, jobDefinition(`{'id':'split','flows':[`+strings.Join(flows, ",")+`]}`), count)
	t.Logf("%d agents were killed", killed)
	if killed == 0 {
		t.Error("no agent was killed")
	}
	for from := 1; from < 1000; from += 125 {
		checkFile(t, filepath.Join(dir, fmt.Sprint(from)), linesTo(from, from+124))
	}
}

// The same with the built-in artifacts for files, in two partitions with a file
// each. Bad lines are skipped once.
func TestCrashesOfFiles(t *testing.T) {
	items, count := 150, 3
	if *long {
		items, count = 1000, 2
	}
	room := agenttest.NewListening(t)
	dir := t.TempDir()
	want := map[string]string{}
	for _, name := range []string{"north", "south"} {
		var in, out strings.Builder
		in.WriteString("id,town,note\n")
		for i := range items {
			if i%40 == 30 {
				in.WriteString("bad line\n")
			}
			fmt.Fprintf(&in, "%d,%s,\"a\n\"\"b\"\"\"\n", i, name)
			fmt.Fprintf(&out, "%06d %8s\n", i, name)
		}
		want[name] = out.String()
		if err := os.WriteFile(filepath.Join(dir, name+".csv"), []byte(in.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	killed := runThroughCrashes(room, jobDefinition(fmt.Sprintf(`{'id':'a','chunk':{'item_count':50,
		'skippable_exception_classes':{'include':['org.jobstreamer.batch.ParseError']},
		'reader':{'ref':'csv to fixed','properties':{'file':'%[1]s/#{partitionPlan[QregionQ]}.csv'}},
		'writer':{'ref':'csv to fixed','properties':{'file':'%[1]s/#{partitionPlan[QregionQ]}.txt','fields':'id:6:right:0,-:1,town:8:right'}}},
		'partition':{'plan':{'partitions':2,'properties':[
			{'partition':0,'properties':{'region':'north'}},{'partition':1,'properties':{'region':'south'}}]}}}`, dir)), count)
	t.Logf("%d agents were killed", killed)
	if killed == 0 {
		t.Error("no agent was killed")
	}
	for name, text := range want {
		checkFile(t, filepath.Join(dir, name+".txt"), text)
	}
}

//go:build linux

package crashtest

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

var everyCommit = flag.Bool("long", false, "TestCrashesAtCommits: 1,000 items, and an agent is killed at each commit")

// chunkFiles is how many files the job of TestCrashesAtCommits writes: one by a
// step, and one by each of 4 partitions.
const chunkFiles = 5

// TestCrashesAtCommits kills agents at the commits of chunk steps, in one flow of
// a split without and in the other with partitions. Each restart runs on another
// agent. In the end the files are those of a run without crashes.
func TestCrashesAtCommits(t *testing.T) {
	t.Parallel()
	items := 30
	if *everyCommit {
		items = 200
	}
	dir := t.TempDir()
	want := make([]string, chunkFiles)
	for i := range want {
		want[i] = writeItems(t, filepath.Join(dir, fmt.Sprintf("in-%d.csv", i)), i, items)
	}
	w := newWorld(t)
	w.patient = true
	w.bus.startAndWait(t)
	w.defineJobs()
	if err := w.sendRequest(http.MethodPut, jobPath("chunks"), "", json.RawMessage(chunkJob(dir)), nil); err != nil {
		t.Fatal(err)
	}
	agents := []*daemon{w.agent, newDaemon(t, "agent", agentArgs("a2", w.agentProxy.natsURL(), t.TempDir())...)}

	id, kills := w.postJob("chunks", nil), 0
	for ; ; kills++ {
		if kills == chunkFiles*items {
			t.Fatalf("the job does not end after %d kills", kills)
		}
		w.agent = agents[kills%2]
		// At least one commit of each agent is stored. A start repeats checkpoints, and
		// has no counts.
		die := plan{at: point{subject: "jobstreamer.result.>", has: []string{`"writer_checkpoint"`, `"commit_count"`}, nth: 2}}
		if kills%2 == 0 {
			die.at.nth, die.after = 1, true
		}
		fired := w.agentProxy.armPlan(die)
		w.agent.startAndWait(t)
		if !w.awaitKill(id, fired) {
			break
		}
		if w.waitForEnd(id); t.Failed() {
			w.logSnapshotNow()
			t.FailNow()
		}
		if id = w.restartExecution("chunks", id, nil); id == 0 {
			t.Fatal("no restart")
		}
	}
	t.Logf("%d agents were killed at %d commits", kills, chunkFiles*items/10)
	if kills < 2 {
		t.Errorf("only %d agents were killed", kills)
	}
	now, err := w.readSnapshot()
	if err != nil {
		t.Fatal(err)
	}
	if r := now.records[id]; r.BatchStatus != subjects.Completed {
		t.Errorf("execution %d ended as %s (%s), want completed", id, r.BatchStatus, r.Exception)
	}
	for i := range want {
		got, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("out-%d.jsonl", i)))
		if err != nil || string(got) != want[i] {
			t.Errorf("file %d (%v): got\n%s\nwant\n%s", i, err, got, want[i])
		}
	}
}

// awaitKill waits until the agent is dead, or an execution has ended before. It
// reports whether the agent is dead.
func (w *world) awaitKill(id int64, fired <-chan struct{}) (killed bool) {
	w.Helper()
	w.waitFor(fmt.Sprintf("a crash, or the end of %d", id), func() bool {
		select {
		case <-fired:
			killed = true
			return true
		default:
		}
		now, err := w.readSnapshot()
		return err == nil && now.records[id].BatchStatus.Ended()
	})
	return killed
}

// writeItems writes a file with items, and returns the lines that the job writes
// for it.
func writeItems(t *testing.T, path string, file, items int) (want string) {
	t.Helper()
	in, out := &strings.Builder{}, &strings.Builder{}
	in.WriteString("id,note\n")
	for i := range items {
		note := strings.Repeat("x", 1+i%7)
		fmt.Fprintf(in, "%d-%d,%s\n", file, i, note)
		fmt.Fprintf(out, "{\"id\":\"%d-%d\",\"note\":%q}\n", file, i, note)
	}
	if err := os.WriteFile(path, []byte(in.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// chunkJob returns a job that turns the files in-0.csv to in-4.csv of a folder
// into out-0.jsonl to out-4.jsonl.
func chunkJob(dir string) string {
	chunk := func(file string) string {
		return fmt.Sprintf(`"chunk": {"item_count": 10,
			"reader": {"ref": "org.jobstreamer.batch.CsvReader", "properties": {"file": "%s/in-%s.csv"}},
			"writer": {"ref": "org.jobstreamer.batch.JsonLinesWriter", "properties": {"file": "%[1]s/out-%[2]s.jsonl"}}}`, dir, file)
	}
	var plan []string
	for i := range chunkFiles - 1 {
		plan = append(plan, fmt.Sprintf(`{"partition": %d, "properties": {"part": "%d"}}`, i, i))
	}
	return fmt.Sprintf(`{"id": "chunks", "steps": [{"id": "both", "flows": [
		{"id": "whole", "steps": [{"id": "one", %s}]},
		{"id": "parts", "steps": [{"id": "four", %s, "partition": {"plan": {"partitions": 4, "properties": [%s]}}}]}]}]}`,
		chunk("4"), chunk("#{partitionPlan['part']}"), strings.Join(plan, ", "))
}

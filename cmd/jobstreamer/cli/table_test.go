package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func ptrTo[T any](v T) *T { return &v }

func sampleExecution() rest.Execution {
	e := rest.Execution{JobParameters: map[string]string{"to": "倉庫", "date": "2026-11-24"}, Exception: ptrTo("step read: line 17\nat a.b.C")}
	e.ExecutionSummary = rest.ExecutionSummary{
		ExecutionID: 4711, InstanceID: 4700, App: "shop", Job: "nightly", BatchStatus: subjects.Failed, ExitStatus: ptrTo("在庫なし"),
		CreateTime: timeBefore(26 * time.Hour), StartTime: timeBefore(25 * time.Hour), EndTime: timeBefore(25*time.Hour - 90*time.Second),
		Agent: &rest.AgentRef{Name: "a1"}, Attempt: 2, ScheduledFor: timeBefore(26 * time.Hour), RestartOf: ptrTo(int64(4700)),
	}
	e.StepExecutions = []rest.StepExecution{
		{StepName: "open", BatchStatus: subjects.Completed, ExitStatus: ptrTo("COMPLETED"), StartTime: e.StartTime, EndTime: e.StartTime + 20},
		{StepName: "read", BatchStatus: subjects.Failed, StartTime: e.StartTime + 20, EndTime: e.EndTime, Exception: ptrTo("line 17\nat a.b.C")},
	}
	return e
}

func sampleJobs() rest.List[rest.Job] {
	failed := sampleExecution().ExecutionSummary
	running := rest.ExecutionSummary{ExecutionID: 9, App: "shop", Job: "hourly", BatchStatus: subjects.Started, StartTime: timeBefore(65 * time.Second)}
	return rest.List[rest.Job]{Hits: 120, Offset: 1, Limit: 3, Results: []rest.Job{
		{Name: "hourly", LatestExecution: &running, Stats: rest.JobStats{Total: 3, Success: 3, Average: 1500},
			Schedule: &rest.Schedule{CronNotation: "0 0 * * * ?", Active: true}, NextExecution: &rest.NextExecution{StartTime: timeBefore(-time.Hour)}},
		{Name: "nightly", LatestExecution: &failed, Stats: rest.JobStats{Total: 3, Success: 2, Failure: 1},
			Schedule: &rest.Schedule{CronNotation: "0 0 2 ? * MON-FRI", TimeZone: ptrTo("Europe/Berlin"), Calendar: ptrTo("feiertage")}},
		{Name: "unused"},
	}}
}

const sampleDefinition = `{"id": "nightly", "steps": [
	{"id": "load", "next": "check", "chunk": {"reader": {"ref": "a.Reader"}, "writer": {"ref": "a.Writer"}}, "partition": {"plan": {"partitions": 2}}},
	{"id": "check", "decision": {"ref": "a.Decider"}, "transitions": [{"next": {"on": "GO*", "to": "both"}}, {"end": {"on": "*"}}]},
	{"id": "both", "flows": [
		{"id": "left", "steps": [{"id": "l1", "batchlet": {"ref": "a.Left"}}]},
		{"id": "right", "steps": [{"id": "r1"}]}]}]}`

// TestDrawing records every page in one file for a pipe and one for a terminal.
func TestDrawing(t *testing.T) {
	asked := &invocation{CLI: &CLI{Config: Config{Err: &bytes.Buffer{}}}, ctx: t.Context(), app: "shop"}
	asked.client, _ = client.New(client.Config{URL: "http://127.0.0.1:1"}) // what it would add is left out
	e := sampleExecution()
	one := sampleJobs().Results[1]
	one.Definition, one.DynamicParameters = rest.Definition{JSON: json.RawMessage(sampleDefinition)}, []string{"date", "to"}
	one.Warnings = []string{"/steps/0/batchlet/ref: the application shop has no component a.Reader"}
	agent := rest.Agent{
		AgentRef: rest.AgentRef{Name: "a1", InstanceID: "aba2b4aa-75d3-5ebf-a6a9-16bfb0fb4557"}, Host: "vm", OSName: "Linux", OSVersion: "debian 12.11", CPUArch: "amd64", CPUCore: 2,
		AgentVersion: "2.0.0", Status: "ready", Jobs: rest.AgentJobs{Running: 1, Slots: 4}, Apps: []string{"default", "shop"}, Pools: []string{"default"},
		StartTime: timeBefore(49 * time.Hour), LastSeen: timeBefore(2 * time.Second), Executions: &[]rest.ExecutionSummary{e.ExecutionSummary},
	}
	agent.Stats.CPU.System.Load, agent.Stats.Memory.Physical.Free, agent.Stats.Memory.Physical.Total = 0.257, 1_234_567_890, 25_276_510_208
	lost := agent
	lost.Name, lost.Status = "a2", "lost"
	deployment := rest.Deployment{Revision: 3, Current: true, Components: 1, Classes: 120, CreateTime: timeBefore(time.Hour), Artifacts: []rest.Artifact{
		{ArtifactRef: rest.ArtifactRef{Name: "orders-1.2.jar", SHA256: "a"}, Size: 1_234_567}, {ArtifactRef: rest.ArtifactRef{Name: "ライブラリ.jar", SHA256: "b"}, Size: 999},
	}}
	next9 := "9"
	drawings := []struct {
		name string
		draw func(p *page)
	}{
		{"apps", func(p *page) {
			drawApps(p, rest.List[rest.AppInfo]{Hits: 2, Results: []rest.AppInfo{
				{Name: "default", LastUpdatedTime: timeBefore(3 * time.Minute)}, {Name: "倉庫", Description: "warehouse\x1b[31m", LastUpdatedTime: timeBefore(400 * 24 * time.Hour)},
			}})
		}},
		{"no apps", func(p *page) { drawApps(p, rest.List[rest.AppInfo]{}) }},
		{"app", func(p *page) {
			asked.drawApp(p, &rest.AppInfo{Name: "shop", Description: "Orders", Classpath: []string{"file:///a.jar", "file:///b/"}, CreateTime: timeBefore(time.Hour)})
		}},
		{"jobs", func(p *page) { drawJobs(p, sampleJobs(), "none") }},
		{"job", func(p *page) { asked.drawJob(p, &one) }},
		{"executions", func(p *page) {
			asked.drawExecutions(p, &client.ExecutionFilter{}, rest.Executions{List: rest.List[rest.ListedExecution]{
				Hits: 3, Offset: 1, Limit: 2, Next: &next9, Results: []rest.ListedExecution{{ExecutionSummary: *sampleJobs().Results[0].LatestExecution}, {ExecutionSummary: e.ExecutionSummary}},
			}}, false)
		}},
		{"executions that no filter finds", func(p *page) { asked.drawExecutions(p, &client.ExecutionFilter{}, rest.Executions{}, true) }},
		{"execution", func(p *page) { drawExecution(p, &e) }},
		{"agents", func(p *page) { drawAgents(p, rest.List[rest.Agent]{Hits: 2, Results: []rest.Agent{agent, lost}}) }},
		{"agent", func(p *page) { drawAgent(p, &agent) }},
		{"fires", func(p *page) {
			drawFires(p, rest.Preview{Fires: []rest.PreviewFire{
				{Time: timeBefore(-14 * time.Hour), Local: "2026-11-25T03:00:00+01:00"}, {Time: timeBefore(-38 * time.Hour), Local: "2026-11-26T02:00:00Z", Note: "the clocks change"},
			}})
		}},
		{"no fires", func(p *page) { drawFires(p, rest.Preview{}) }},
		{"decisions", func(p *page) {
			drawDecisions(p, rest.Fires{Results: []rest.Fire{
				{NominalTime: timeBefore(time.Minute), DecideTime: timeBefore(time.Minute), ExecutionID: ptrTo(int64(4712))},
				{NominalTime: timeBefore(time.Hour), DecideTime: timeBefore(time.Minute), ExecutionID: ptrTo(int64(4711)), CaughtUp: true},
				{NominalTime: timeBefore(26 * time.Hour), DecideTime: timeBefore(time.Minute), Skipped: ptrTo("misfire"), SkippedCount: 1},
				{NominalTime: timeBefore(27 * time.Hour), DecideTime: timeBefore(time.Minute), Skipped: ptrTo("edited"), SkippedFrom: ptrTo(timeBefore(48 * time.Hour)), SkippedCount: 147},
			}})
		}},
		{"no decisions", func(p *page) { drawDecisions(p, rest.Fires{}) }},
		{"deployment", func(p *page) { asked.drawDeployment(p, "shop", &deployment, []string{"b"}, 1234*time.Millisecond) }},
		{"components", func(p *page) {
			drawComponents(p, []rest.Component{{Class: "a.b.C", Ref: "c", Kinds: []string{"batchlet"}, Origin: "orders-1.2.jar"}, {Class: "x", Ref: "x", Kinds: []string{"item-reader", "listener"}, Origin: "built-in"}})
		}},
		{"log line", func(p *page) {
			for _, l := range []rest.LogLine{
				{Time: timeBefore(time.Second), Level: "info", Stream: "stdout", Message: "hello\nworld"}, {Time: timeBefore(48 * time.Hour), Level: "info", Stream: "stderr", Step: "load", Message: "no"},
			} {
				fmt.Fprintln(p, logText(p, &l))
			}
		}},
	}
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for file, c := range map[string]struct {
		live  bool
		width int
	}{"pipe": {false, 80}, "terminal": {true, 80}, "wide": {false, 0}} {
		var all bytes.Buffer
		live := c.live
		for _, d := range drawings {
			all.WriteString("# " + d.name + "\n")
			var one bytes.Buffer
			d.draw(&page{Writer: &one, live: live, color: live, width: c.width, now: noon, zone: zone})
			for line := range strings.Lines(one.String()) {
				if c.width > 0 && !strings.HasPrefix(d.name, "log") && !strings.Contains(line, "Warning") && displayWidth(strings.TrimSuffix(line, "\n")) > c.width {
					t.Errorf("%s, %s: a line of %d columns: %s", file, d.name, displayWidth(line), line)
				}
			}
			all.Write(one.Bytes())
			all.WriteString("\n")
		}
		if !live && strings.Contains(all.String(), "\x1b") {
			t.Error("a pipe gets escape codes")
		}
		checkGolden(t, file, all.String())
	}
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 1234 * time.Microsecond: "1ms", 1260 * time.Millisecond: "1.3s", 59960 * time.Millisecond: "1m", 61 * time.Second: "1m1s", time.Hour: "1h", 3725 * time.Second: "1h2m5s",
	} {
		if got := durationText(d); got != want {
			t.Errorf("short(%v) = %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0s ago", 90 * time.Second: "1m ago", 47 * time.Hour: "47h ago", 49 * time.Hour: "2d ago", -time.Hour: "in 1h"} {
		if got := agoText(d); got != want {
			t.Errorf("ago(%v) = %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 123_456_789: "123 MB"} {
		if got := sizeText(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
	for s, want := range map[string]int{"": 0, "abc": 3, "倉庫": 4, "e\u0301": 1, "ﾊﾝｶｸ": 4, "📦": 2} {
		if got := displayWidth(s); got != want {
			t.Errorf("columns(%q) = %d, want %d", s, got, want)
		}
	}
	if got := progressBar(1, 2) + progressBar(0, 0) + progressBar(5, 5); strings.Count(got, "█") != 30 || strings.Count(got, "░") != 30 {
		t.Errorf("bars %s", got)
	}
}

// Missing output is reported with the execution.
func TestMissingLines(t *testing.T) {
	for dropped, want := range map[int64]string{0: "", 1: "1 line of output is missing", 12: "12 lines of output are missing"} {
		if got := missingOutput(&rest.Execution{LogDropped: dropped}); got != want {
			t.Errorf("missing(%d) = %q, want %q", dropped, got, want)
		}
	}
}

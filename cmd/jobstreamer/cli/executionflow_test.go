package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const shownJob = `{"id":"nightly","steps":[
	{"id":"fetch","next":"imports","batchlet":{"ref":"x"}},
	{"id":"imports","next":"enough","flows":[
		{"id":"customers","steps":[{"id":"read-customers","next":"load-customers","batchlet":{"ref":"x"}},
			{"id":"load-customers","chunk":{"reader":{"ref":"r"},"writer":{"ref":"w"}}}]},
		{"id":"orders","steps":[{"id":"load-orders","chunk":{"reader":{"ref":"r"},"writer":{"ref":"w"}},"partition":{"plan":{"partitions":"8"}}}]},
		{"id":"stock","steps":[{"id":"count-stock","batchlet":{"ref":"x"}}]}]},
	{"id":"enough","decision":{"ref":"d"},"transitions":[{"next":{"on":"BIG*","to":"report"}},{"next":{"on":"SMALL","to":"close"}},{"end":{"on":"*"}}]},
	{"id":"report","steps":[{"id":"make-report","next":"send-report","batchlet":{"ref":"x"}},{"id":"send-report","batchlet":{"ref":"x"}}],"next":"close"},
	{"id":"close","batchlet":{"ref":"x"}}]}`

// shownRun is a step execution that began some minutes before noon.
func shownRun(name string, status subjects.BatchStatus, exit string, began, ended int) rest.StepExecution {
	s := rest.StepExecution{StepName: name, BatchStatus: status, StartTime: timeBefore(time.Duration(began) * time.Minute)}
	if status.Ended() {
		s.ExitStatus, s.EndTime = &exit, timeBefore(time.Duration(ended)*time.Minute)
	}
	return s
}

func shownPartitions(statuses ...subjects.BatchStatus) (all []rest.Partition) {
	for i, s := range statuses {
		p := rest.Partition{Number: i, BatchStatus: s}
		if s == subjects.Failed {
			why := "connect to orders-7: connection refused"
			p.Exception = &why
		}
		all = append(all, p)
	}
	return all
}

func TestDrawFlow(t *testing.T) {
	job, err := jsl.Restore([]byte(shownJob))
	if err != nil {
		t.Fatal(err)
	}
	if job.Find("load-orders").(*jsl.Step).Chunk == nil || len(job.Find("imports").(*jsl.Split).Flows) != 3 {
		t.Fatalf("the job is %+v", job)
	}
	eight := 8
	running := rest.Execution{ExecutionSummary: rest.ExecutionSummary{ExecutionID: 12, App: "default", Job: "nightly", BatchStatus: subjects.Started, StartTime: timeBefore(10 * time.Minute)}}
	customers, orders := shownRun("load-customers", subjects.Started, "", 4, 0), shownRun("load-orders", subjects.Started, "", 5, 0)
	customers.Metrics = &rest.Metrics{Read: 12000, Write: 11900, Filter: 100, Commit: 12, Rollback: 1, ReadSkip: 3}
	orders.PartitionCount, orders.Metrics = &eight, &rest.Metrics{Read: 500, Write: 500, Commit: 50}
	orders.Partitions = shownPartitions(subjects.Completed, subjects.Completed, subjects.Started, subjects.Failed)
	fetch := shownRun("fetch", subjects.Completed, "17", 10, 5)
	fetch.Values = map[string]string{"rows": "17", "note": "first line\nsecond line", "file": "/srv/in/" + strings.Repeat("x", 100)}
	running.StepExecutions = []rest.StepExecution{
		fetch, shownRun("read-customers", subjects.Completed, "COMPLETED", 5, 4), orders,
		customers, shownRun("count-stock", subjects.Completed, "COMPLETED", 5, 5), shownRun("removed", subjects.Completed, "COMPLETED", 5, 5),
	}

	restarted := rest.Execution{ExecutionSummary: running.ExecutionSummary}
	of := int64(12)
	restarted.ExecutionID, restarted.RestartOf, restarted.BatchStatus = 13, &of, subjects.Failed
	restarted.EndTime = timeBefore(0)
	exit := "17"
	failed := "FAILED"
	for _, s := range []struct {
		name   string
		status subjects.BatchStatus
		exit   *string
	}{{"fetch", subjects.Completed, &exit}, {"read-customers", subjects.Completed, nil}, {"load-customers", subjects.Completed, nil}, {"load-orders", subjects.Failed, &failed}, {"count-stock", subjects.Completed, nil}} {
		restarted.EarlierSteps = append(restarted.EarlierSteps, rest.EarlierStep{
			StepName: s.name, BatchStatus: s.status, ExitStatus: s.exit, Starts: 1, ExecutionID: &of,
			StartTime: timeBefore(90 * time.Minute), EndTime: timeBefore(80 * time.Minute),
		})
	}
	done := shownRun("load-orders", subjects.Completed, "COMPLETED", 9, 6)
	done.PartitionCount = &eight
	done.Partitions = shownPartitions(subjects.Completed, subjects.Completed, subjects.Completed, subjects.Completed, subjects.Completed, subjects.Completed, subjects.Completed, subjects.Completed)
	report := shownRun("make-report", subjects.Failed, "NO_TEMPLATE", 5, 4)
	why := "open /srv/templates/monthly-report-with-a-long-name.tmpl: no such file or directory\nand more"
	report.Exception = &why
	restarted.StepExecutions = []rest.StepExecution{done, report}

	var out strings.Builder
	for _, c := range []struct {
		title string
		width int
		color bool
		e     *rest.Execution
	}{
		{"running, 80 columns", 80, false, &running}, {"restarted and failed, 80 columns", 80, false, &restarted},
		{"running, in color", 80, true, &running}, {"restarted and failed, 50 columns", 50, false, &restarted},
	} {
		fmt.Fprintf(&out, "== %s\n", c.title)
		var text strings.Builder
		p := &page{Writer: &text, live: true, color: c.color, width: c.width, now: noon, zone: time.UTC}
		drawShownExecution(p, &shownExecution{c.e, job})
		for line := range strings.Lines(text.String()) {
			if n := displayWidth(strings.TrimSuffix(line, "\n")); n > c.width && !strings.HasPrefix(line, "Reason") {
				t.Errorf("%s: a line of %d columns: %s", c.title, n, line)
			}
		}
		out.WriteString(text.String() + "\n")
	}
	checkGolden(t, "flow", out.String())
}

func TestValuesText(t *testing.T) {
	many := map[string]string{}
	for i := range 10 {
		many[fmt.Sprintf("v%d", i)] = fmt.Sprint(i)
	}
	for _, c := range []struct {
		values map[string]string
		want   string
	}{
		{nil, ""},
		{map[string]string{"b": "2", "a": "1"}, "a = 1, b = 2"},
		{map[string]string{"a": "one\ntwo"}, "a = one …"},
		{map[string]string{"a": "\x1b[31mred"}, "a = red"},
		{map[string]string{"a": strings.Repeat("x", 41)}, "a = " + strings.Repeat("x", 39) + "…"},
		{many, "v0 = 0, v1 = 1, v2 = 2, v3 = 3, v4 = 4, v5 = 5, v6 = 6, v7 = 7, … 2 more"},
	} {
		if got := valuesText(c.values); got != c.want {
			t.Errorf("valuesText(%q) = %q, want %q", c.values, got, c.want)
		}
	}
}

package httpapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// A running execution shows what its steps do; a restart also what became of
// them before. What steps keep is shown by its size only.
func TestStepsAreShown(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("j", `"restartable":true`)).want(201)
	show := func(id int64) (v rest.Execution) {
		t.Helper()
		e.call("GET", fmt.Sprint("/default/execution/", id), "").want(200).into(&v)
		return v
	}
	id := e.start("j", "")
	a := e.agent("j", id).says(subjects.Started, time.Now())
	secret := strings.Repeat("s", 500)
	load := subjects.StepExecution{ID: 1, Step: "load", BatchStatus: subjects.Started, Metrics: subjects.Metrics{Read: 30, Write: 20, Commit: 2}}
	load.ReaderCheckpoint, load.PersistentData = []byte(`"`+secret+`"`), []byte(`{}`)
	load.Values = map[string]string{"rows": "30", "note": "one\ntwo"}
	split := subjects.StepExecution{ID: 2, Step: "split", BatchStatus: subjects.Started, PartitionCount: 3, Partitions: []subjects.Partition{
		{Number: 0, BatchStatus: subjects.Completed, ExitStatus: "DONE", Metrics: subjects.Metrics{Read: 7}},
		{Number: 2, BatchStatus: subjects.Started, StepData: subjects.StepData{WriterCheckpoint: []byte("12345")}},
	}}
	a.says(subjects.Started, time.Now(), load, split)
	var v rest.Execution
	eventually(t, "the steps", func() bool { v = show(id); return len(v.StepExecutions) == 2 })
	if got := v.StepExecutions[0]; got.Metrics == nil || got.Metrics.Read != 30 || got.DataSizes == nil || *got.DataSizes != (rest.DataSizes{PersistentData: 2, ReaderCheckpoint: 502}) || got.PartitionCount != nil {
		t.Errorf("load is %+v, %+v, %+v", got, got.Metrics, got.DataSizes)
	}
	if got := v.StepExecutions[0].Values; len(got) != 2 || got["rows"] != "30" || got["note"] != "one\ntwo" || v.StepExecutions[1].Values != nil {
		t.Errorf("values are %q and %q", got, v.StepExecutions[1].Values)
	}
	got := v.StepExecutions[1]
	if got.Metrics == nil || got.Metrics.Read != 7 || got.DataSizes != nil || got.PartitionCount == nil || *got.PartitionCount != 3 || len(got.Partitions) != 2 {
		t.Fatalf("split is %+v", got)
	}
	if p := got.Partitions; p[0].Metrics.Read != 7 || *p[0].ExitStatus != "DONE" || p[1].Number != 2 || p[1].DataSizes.WriterCheckpoint != 5 || p[1].ExitStatus != nil {
		t.Errorf("partitions are %+v", p)
	}
	edn := string(e.call("GET", fmt.Sprint("/default/job/j/execution/", id), "", "Accept", "application/edn").body)
	for _, want := range []string{
		`:step-execution/metrics {:metrics/read-count 30 :metrics/write-count 20 :metrics/filter-count 0 :metrics/commit-count 2`,
		`:step-execution/data-sizes {:data-sizes/persistent-data 2 :data-sizes/reader-checkpoint 502`,
		`:step-execution/values "{:note \"one\\ntwo\" :rows \"30\"}"`, `:step-execution/partition-count 3`, `{:partition/number 2 :partition/batch-status {:db/ident :batch-status/started}`,
	} {
		if !strings.Contains(edn, want) {
			t.Errorf("EDN without %s: %s", want, edn)
		}
	}
	if strings.Contains(edn, secret) {
		t.Error("EDN has a checkpoint")
	}
	load.BatchStatus, split.BatchStatus = subjects.Completed, subjects.Failed
	a.says(subjects.Failed, time.Now(), load, split)
	eventually(t, "the end", func() bool { return show(id).BatchStatus == subjects.Failed })

	var next rest.Execution
	e.call("PUT", fmt.Sprintf("/default/job/j/execution/%d/restart", id), "").want(201).into(&next)
	all := show(next.ExecutionID).EarlierSteps
	if len(all) != 2 || all[0].StepName != "load" || all[0].BatchStatus != subjects.Completed || *all[0].ExecutionID != id ||
		all[1].Starts != 1 || *all[1].PartitionCount != 3 || *all[1].CompletedPartitions != 1 {
		t.Errorf("earlier steps are %+v", all)
	}
}

package httpapi

import (
	"strconv"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

func TestBackfill(t *testing.T) {
	e := newEnv(t, withLogin)
	admin := bearing(e.user("admin", bus.RoleAdmin).Token)
	operator := bearing(e.user("ann", bus.RoleOperator).Token)
	watcher := bearing(e.user("bob", bus.RoleWatcher).Token)
	const at = "/default/job/load/backfill"
	e.call("PUT", "/default/job/load", `{"id":"load","steps":[{"id":"s"}]}`, admin...).want(201)
	e.call("POST", at, `{"from":"2026-10-01","to":"2026-10-02"}`, operator...).code(404, "no_such_schedule")
	e.call("PUT", "/default/job/load/schedule/late", `{"cron_notation":"0 0 2 * * ?","time_zone":"Asia/Tokyo"}`, admin...).want(201)
	e.call("PUT", "/default/job/load/schedule/late/pause", "", admin...).want(200)

	const days = `"schedule":"late","from":"2026-10-01","to":"2026-10-03"`
	e.call("POST", at, `{`+days+`}`, watcher...).code(403, "forbidden")
	e.call("DELETE", at, "", watcher...).code(403, "forbidden")
	var dry, done rest.Backfill
	e.call("POST", at, `{`+days+`,"dry_run":true}`, operator...).want(200).into(&dry)
	if dry.BackfillID != nil || !dry.DryRun || len(dry.Fires) != 3 || dry.Fires[0].Local != "2026-10-01T02:00:00+09:00" || dry.Fires[0].BusinessDate != "2026-10-01" || dry.Fires[0].ExecutionID != nil || dry.More {
		t.Errorf("dry run: %+v", dry)
	}
	e.call("POST", at, `{`+days+`,"limit":2}`, operator...).want(200).into(&done)
	if done.BackfillID == nil || len(done.Fires) != 2 || !done.More || done.Next != dry.Fires[2].NominalTime || done.Fires[0].ExecutionID == nil {
		t.Fatalf("backfill: %+v", done)
	}
	first := *done.Fires[0].ExecutionID
	eventually(t, "the oldest one is submitted", func() bool {
		var all rest.Backfills
		e.call("GET", at, "", watcher...).want(200).into(&all)
		b := all.Results[0]
		return len(all.Results) == 1 && b.BackfillID == *done.BackfillID && b.Schedule == "late" && *b.By == "ann" && b.Fires == 2 && b.Running == 1 && b.Waiting == 1
	})
	var x rest.Execution
	eventually(t, "it has a record", func() bool {
		r := e.call("GET", "/default/job/load/execution/"+strconv.FormatInt(first, 10), "", watcher...)
		if r.status == 200 {
			r.into(&x)
		}
		return r.status == 200
	})
	if x.BackfillID == nil || *x.BackfillID != *done.BackfillID || x.ScheduledFor != done.Fires[0].NominalTime || *x.ScheduledDate != "2026-10-01" || *x.Schedule != "late" {
		t.Errorf("execution %+v", x)
	}
	var why rest.Why
	e.call("GET", "/default/job/load/why?at=2026-10-02T12:00:00Z", "", watcher...).want(200).into(&why)
	if r := why.Reasons[0]; r.Outcome != "fired" || !strings.Contains(r.Text, "by ann. It waits for its turn") || r.Fire.BackfillID == nil || strings.Contains(r.Text, "record does not exist") {
		t.Errorf("why: %+v", r)
	}
	var again rest.Backfill
	e.call("POST", at, `{`+days+`,"limit":2,"dry_run":true}`, operator...).want(200).into(&again)
	if len(again.Fires) != 1 || again.LeftOutCount != 2 || again.LeftOut[0].Reason != "fired" || *again.LeftOut[0].ExecutionID != first || again.LeftOut[1].Reason != "waiting" {
		t.Errorf("another backfill: %+v", again)
	}

	e.call("DELETE", at+"?id=", "", operator...).code(400, "invalid_parameter")
	e.call("DELETE", at+"?id=99999999", "", operator...).code(404, "no_such_backfill")
	var gone rest.CancelledBackfill
	e.call("DELETE", at+"?id="+strconv.FormatInt(*done.BackfillID, 10), "", operator...).want(200).into(&gone)
	var fires rest.Fires
	e.call("GET", "/default/job/load/fires", "", watcher...).want(200).into(&fires)
	if gone.Cancelled != 1 || len(fires.Results) != 2 || *fires.Results[0].Skipped != "cancelled" || *fires.Results[1].BackfillID != *done.BackfillID || fires.Results[1].Skipped != nil {
		t.Errorf("cancelled %d: %+v", gone.Cancelled, fires)
	}

	for _, row := range []struct{ body, pointer string }{
		{`{}`, "/from"},
		{`{"from":"2026-10-01"}`, "/to"},
		{`{"from":"2026-10-01","to":"2026-10-02","limit":100001}`, "/limit"},
		{`{"from":"2026-10-01","to":"2026-10-02","concurrency":-1}`, "/concurrency"},
		{`{"from":"2026-10-01","to":"2026-10-02","schedule":"a b"}`, "/schedule"},
		{`{"schedule":"late","from":"2026-10-03","to":"2026-10-02T00:00:00Z"}`, "/from"},
		{`{"schedule":"late","from":"2026-10-03","to":"2199-10-02"}`, "/to"},
		{`{"from":"2026-10-01","to":"2026-10-02","pool":"x"}`, "/pool"},
	} {
		if r := e.call("POST", at, row.body, operator...).want(422); !strings.Contains(string(r.body), `"pointer":"`+row.pointer+`"`) {
			t.Errorf("%s: %s, want a fault at %s", row.body, r.body, row.pointer)
		}
	}
	e.call("POST", "/default/job/none/backfill", `{`+days+`}`, operator...).code(404, "no_such_job")
	rows := e.call("GET", "/audit?kind=backfill&limit=50", "", admin...).want(200)
	if n := strings.Count(string(rows.body), `"post-job-backfill"`); n == 0 || !strings.Contains(string(rows.body), `"delete-job-backfill"`) {
		t.Errorf("rows %s", rows.body)
	}
}

package httpapi

import (
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

func TestWhy(t *testing.T) {
	e := newEnv(t)
	e.call("PUT", "/default/job/load", `{"id":"load","steps":[{"id":"s"}]}`).want(201)
	why := func(query, outcome, text string) (r rest.Reason) {
		t.Helper()
		var v rest.Why
		e.call("GET", "/default/job/load/why"+query, "").want(200).into(&v)
		if v.Job != "load" || len(v.Reasons) != 1 || v.Reasons[0].Outcome != outcome || !strings.Contains(v.Reasons[0].Text, text) {
			t.Fatalf("why%s: %+v, want %s with %q", query, v, outcome, text)
		}
		return v.Reasons[0]
	}
	why("", "none", "no schedule and no triggers")
	e.call("PUT", "/default/job/load/schedule", `{"cron_notation":"* * * * * ?"}`).want(201)
	eventually(t, "it fires", func() bool {
		return strings.Contains(string(e.call("GET", "/default/job/load/why", "").body), `"outcome":"fired"`)
	})
	e.call("PUT", "/default/job/load/schedule/pause", "").want(200)
	var fires rest.Fires
	e.call("GET", "/default/job/load/fires?limit=1", "").want(200).into(&fires)
	newest := fires.Results[0]
	r := why("?at="+newest.NominalTime.String(), "fired", "It waits, at position ")
	if r.Schedule != "default" || r.ExecutionID == nil || *r.ExecutionID != *newest.ExecutionID || r.BatchStatus != "undispatched" || r.Fire == nil || !strings.Contains(r.Text, "no agent serves pool default") {
		t.Errorf("%+v of %+v", r, newest)
	}
	e.call("GET", "/default/job/load/why?at=noon", "").code(400, "invalid_parameter")
	e.call("GET", "/default/job/none/why", "").code(404, "no_such_job")
}

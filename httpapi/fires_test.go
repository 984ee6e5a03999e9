package httpapi

import (
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestFires(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	at := "/default/job/a/schedule/fires"
	var none rest.Fires
	if e.call("GET", at, "").want(200).into(&none); none.Results == nil || len(none.Results) != 0 {
		t.Errorf("fires of a job without a schedule: %+v, want an empty list", none)
	}
	e.call("GET", "/default/job/b/schedule/fires", "").code(404, "no_such_job")
	e.call("GET", at+"?limit=0", "").code(400, "invalid_parameter")
	nine := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	for hour, f := range []bus.Fire{
		{Generation: 1, Execution: 7}, {Generation: 1, Execution: 8, CaughtUp: true}, {Generation: 1, Execution: 9, Skipped: "definition", Closed: true},
		{Generation: 1, Skipped: "edited", SkippedFrom: subjects.TimeOf(nine.Add(2*time.Hour + time.Second)), SkippedCount: 3599},
	} {
		nominal := nine.Add(time.Duration(hour) * time.Hour)
		f.Nominal, f.Time = subjects.TimeOf(nominal), subjects.TimeOf(nominal.Add(time.Minute))
		if _, err := e.bus.Fires.Create(t.Context(), bus.FireKey("default", "a", nominal.Unix()), f); err != nil {
			t.Fatal(err)
		}
	}
	e.call("GET", at, "").want(200).shape("fires")
	var two rest.Fires
	if e.call("GET", at+"?limit=2", "").want(200).into(&two); len(two.Results) != 2 || *two.Results[0].Skipped != "edited" {
		t.Errorf("the newest two: %+v", two)
	}
}

package httpapi

import (
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// A schedule names its calendar, also after the calendar was renamed.
func TestSchedulesWithCalendars(t *testing.T) {
	e := newEnv(t)
	e.call("PUT", "/calendar/bank", `{"weekly_holiday":[true,false,false,false,false,false,true]}`).want(201)
	e.call("PUT", "/default/job/a", jobNamed("a", `"exclusive":false`)).want(201)
	at := "/default/job/a/schedule"
	shown := func(want string) {
		t.Helper()
		if r := e.call("GET", "/default/job/a", "", console...).want(200); !strings.Contains(string(r.body), want) {
			t.Errorf("%s, want %s in it", r.body, want)
		}
	}
	// As the v1 console sends it, and sends it back when it is edited.
	e.call("POST", at, `{:schedule/cron-notation "0 0 3 ? * SUN" :schedule/calendar {:calendar/name "bank"} :schedule/substitution? true}`, console...).want(201)
	shown(`:schedule/calendar {:calendar/name "bank"} :schedule/substitution "true" :schedule/substitution? true`)
	e.call("POST", at, `{:schedule/cron-notation "0 0 3 * * ?" :schedule/calendar {:calendar/name "bank"} :schedule/substitution "true" :schedule/substitution? false :schedule/active? true}`, console...).want(201)
	shown(`:schedule/substitution "none" :schedule/substitution? false`)
	e.call("POST", at, `{:schedule/cron-notation "0 0 3 * * ?" :schedule/calendar {:calendar/name "bank"} :schedule/substitution "next" :schedule/substitution? true}`, console...).want(201)
	shown(`:schedule/substitution "next" :schedule/substitution? true`)
	e.call("POST", at, `{:schedule/cron-notation "0 0 3 * * ?" :schedule/calendar {:calendar/name "none"}}`, console...).want(400)
	// It would never fire.
	e.call("PUT", at, `{"cron_notation":"0 0 3 ? * SUN","calendar":"bank"}`).code(422, "invalid_body")
	e.call("PUT", at, `{"cron_notation":"0 0 3 * * ?","substitution":"next"}`).code(422, "invalid_body")
	e.call("PUT", at, `{"cron_notation":"0 0 3 * * ?","calendar":"bank","substitution":false}`).want(200)

	e.call("PUT", "/calendar/bank", `{"name":"銀行","weekly_holiday":[true,false,false,false,false,false,true]}`).want(200)
	e.call("PUT", at, `{"business_days":[1,-1],"at":"06:00","calendar":"銀行"}`).want(200)
	shown(`:schedule/business-days [1 -1] `)
	e.call("PUT", at, `{"cron_notation":"0 0 3 ? * SAT","calendar":"銀行","substitution":"previous","time_zone":"UTC"}`).want(200)
	if r := e.call("DELETE", "/calendar/"+"%E9%8A%80%E8%A1%8C", "").code(409, "calendar_in_use"); !strings.Contains(string(r.body), "default/a") {
		t.Errorf("%s, want the job", r.body)
	}

	// A file and a download create the schedule again.
	file := string(e.call("GET", "/default/job/a/file", "", "Accept", "application/yaml").want(200).body)
	download := string(e.call("GET", "/default/jobs/download?with=schedule,notation", "", console...).want(200).body)
	for name, again := range map[string]func(){
		"the file":     func() { e.call("PUT", "/default/job/a", file, "Content-Type", "application/yaml").want(201) },
		"the download": func() { e.call("POST", "/default/jobs", download[1:len(download)-1], console...).want(201) },
	} {
		e.call("DELETE", "/default/job/a", "").want(204)
		again()
		var j rest.Job
		e.call("GET", "/default/job/a", "").want(200).into(&j)
		if j.Schedule == nil || j.Schedule.Calendar == nil || *j.Schedule.Calendar != "銀行" || j.Schedule.Substitution != "previous" {
			t.Errorf("%s: %+v", name, j.Schedule)
		}
	}
	var v rest.Preview
	e.call("POST", "/schedule/preview", `{"cron_notation":"0 0 3 ? * SAT","calendar":"銀行","substitution":"previous","time_zone":"UTC","from":"2026-11-26T00:00:00Z","count":1}`).want(200).into(&v)
	want := rest.PreviewFire{Time: v.Fires[0].Time, Local: "2026-11-27T03:00:00Z", From: "2026-11-28T03:00:00Z", Reason: `2026-11-28 is a Saturday, a weekly holiday (calendar "銀行")`}
	if len(v.Fires) != 1 || v.Fires[0] != want {
		t.Errorf("%+v, want %+v", v.Fires, want)
	}
	e.call("POST", "/schedule/preview", `{"cron_notation":"0 0 3 ? * SAT","calendar":"bank"}`).code(422, "invalid_body")
}

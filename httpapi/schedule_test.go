package httpapi

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestFires(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	at := "/default/job/a/fires"
	var none rest.Fires
	if e.call("GET", at, "").want(200).into(&none); none.Results == nil || len(none.Results) != 0 {
		t.Errorf("fires of a job without a schedule: %+v, want an empty list", none)
	}
	e.call("GET", "/default/job/b/fires", "").code(404, "no_such_job")
	e.call("GET", at+"?limit=0", "").code(400, "invalid_parameter")
	nine := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	for hour, f := range []bus.Fire{
		{Generation: 1, Execution: 7}, {Generation: 1, Execution: 8, CaughtUp: true}, {Generation: 1, Execution: 9, Skipped: "definition", Closed: true},
		{Generation: 1, Skipped: "edited", SkippedFrom: subjects.TimeOf(nine.Add(2*time.Hour + time.Second)), SkippedCount: 3599},
	} {
		nominal := nine.Add(time.Duration(hour) * time.Hour)
		f.Nominal, f.Time = subjects.TimeOf(nominal), subjects.TimeOf(nominal.Add(time.Minute))
		if _, err := e.bus.Fires.Create(t.Context(), bus.NewScheduleKey("default", "a", "").FireKey(nominal.Unix()), f); err != nil {
			t.Fatal(err)
		}
	}
	e.call("GET", at, "").want(200).shape("fires")
	t.Run("from and to limit the nominal times", func(t *testing.T) {
		for query, want := range map[string][]int{
			"from=2026-05-04T10:00:00Z&to=2026-05-04T11:00:00Z": {10},
			"from=2026-05-04T10:00:00Z":                         {12, 11, 10},
			"to=2026-05-04T12:30:00%2b01:00":                    {12, 11, 10, 9},
			// The newest stands for 11:00:01 to 12:00 too.
			"to=2026-05-04T11:30:00Z":                                   {12, 11, 10, 9},
			"from=2026-05-04T10:00:00Z&to=2026-05-04T12:00:00+02:00":    {},
			"from=2026-05-04T09:00:00Z&to=2026-05-04T09:00:01Z":         {9},
			"from=2026-05-04T13:00:00Z&to=2026-05-05T09:00:00.5Z":       {},
			"from=2026-05-04T09:00:00Z&limit=1&to=2026-05-04T10:30:00Z": {10},
		} {
			var found rest.Fires
			e.call("GET", at+"?"+query, "").want(200).into(&found)
			got := []int{}
			for _, f := range found.Results {
				got = append(got, f.NominalTime.Std().UTC().Hour())
			}
			if !slices.Equal(got, want) {
				t.Errorf("hours of %s: %v, want %v", query, got, want)
			}
		}
	})
	for name, query := range map[string]string{
		"from": "from=yesterday", "to": "to=2026-05-04", "From is empty": "from=", "to is empty": "to=",
		"from is after to": "from=2026-05-04T10:00:01Z&to=2026-05-04T10:00:00Z", "to before 1970": "to=1969-01-01T00:00:00Z",
	} {
		var p rest.Problem
		e.call("GET", at+"?"+query, "").code(400, "invalid_parameter").into(&p)
		parameter, _, _ := strings.Cut(strings.ToLower(name), " ")
		if len(p.Errors) != 1 || p.Errors[0].Parameter != parameter {
			t.Errorf("%s: %+v, want a fault of the parameter %s", query, p.Errors, parameter)
		}
	}
	e.call("GET", "/default/job/a/schedule/fires", "").want(404)
	var two rest.Fires
	if e.call("GET", at+"?limit=2", "").want(200).into(&two); len(two.Results) != 2 || *two.Results[0].Skipped != "edited" {
		t.Errorf("the newest two: %+v", two)
	}
}

// The deletion of a job takes its schedule along, and the decisions can still
// be read.
func TestFiresOfADeletedJob(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	e.call("POST", "/default/job/a/schedule", `{"cron_notation":"0 0 0 1 1 ?"}`).want(201)
	nine := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	fire := bus.Fire{Generation: 1, Nominal: subjects.TimeOf(nine), Time: subjects.TimeOf(nine), Skipped: "deleted"}
	if _, err := e.bus.Fires.Create(t.Context(), bus.NewScheduleKey("default", "a", "").FireKey(nine.Unix()), fire); err != nil {
		t.Fatal(err)
	}
	e.call("DELETE", "/default/job/a", "").want(204)
	if _, err := e.bus.Schedules.Get(t.Context(), "default.a"); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("the schedule: %v, want %v", err, bus.ErrNotFound)
	}
	var left rest.Fires
	if e.call("GET", "/default/job/a/fires", "").want(200).into(&left); len(left.Results) != 1 || *left.Results[0].Skipped != "deleted" {
		t.Errorf("fires of a deleted job: %+v", left)
	}
	e.call("GET", "/default/job/a/fires?from=2026-05-05T00:00:00Z", "").code(404, "no_such_job")
}

func TestNamedSchedules(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	var list rest.Schedules
	if e.call("GET", "/default/job/a/schedules", "").want(200).into(&list); list.Results == nil || len(list.Results) != 0 {
		t.Errorf("schedules of a new job: %+v", list)
	}
	const cron = `"cron_notation":"0 0 3 2 1 ? 2099"`
	r := e.call("POST", "/default/job/a/schedules", `{"name":"yearly",`+cron+`}`).want(201)
	if got := r.header.Get("Location"); got != "/default/job/a/schedule/yearly" {
		t.Errorf("Location %s", got)
	}
	e.call("POST", "/default/job/a/schedules", `{"name":"yearly",`+cron+`}`).code(409, "schedule_exists")
	e.call("POST", "/default/job/a/schedules", `{"name":"a.b",`+cron+`}`).code(422, "invalid_body")
	e.call("POST", "/default/job/b/schedules", `{"name":"yearly",`+cron+`}`).code(404, "no_such_job")
	e.call("PUT", "/default/job/a/schedule/early", `{"cron_notation":"0 0 2 2 1 ? 2099"}`).want(201)
	e.call("PUT", "/default/job/a/schedule/early", `{"cron_notation":"0 0 1 2 1 ? 2099"}`).want(200)
	e.call("PUT", "/default/job/a/schedule/a.b", `{`+cron+`}`).code(422, "invalid_parameter")
	e.call("POST", "/default/job/a/schedules", `{"cron_notation":"0 0 4 2 1 ? 2099"}`).want(201)
	e.call("GET", "/default/job/a/schedules", "").want(200).shape("schedules")
	e.call("GET", "/default/job/a/schedule/early", "").want(200).shape("schedule-named")
	e.call("GET", "/default/job/a/schedule/late", "").code(404, "no_such_schedule")
	var j rest.Job
	e.call("GET", "/default/job/a", "").want(200).into(&j)
	if len(j.Schedules) != 3 || j.Schedule.CronNotation != "0 0 4 2 1 ? 2099" || j.NextExecution.StartTime.Std().UTC().Hour() != 1 {
		t.Errorf("schedules %+v, next %v", j.Schedules, j.NextExecution)
	}
	var is rest.Schedule
	if e.call("PUT", "/default/job/a/schedule/early/pause", "").want(200).into(&is); is.Active || is.Name != "early" {
		t.Errorf("paused: %+v", is)
	}
	e.call("GET", "/default/job/a", "").want(200).into(&j)
	if !j.Schedule.Active || j.NextExecution.StartTime.Std().UTC().Hour() != 3 {
		t.Errorf("next %v after the pause of one schedule", j.NextExecution)
	}
	if e.call("PUT", "/default/job/a/schedule/early/resume", "").want(200).into(&is); !is.Active {
		t.Errorf("resumed: %+v", is)
	}
	e.call("DELETE", "/default/job/a/schedule/early", "").want(204)
	e.call("DELETE", "/default/job/a/schedule/early", "").code(404, "no_such_schedule")
	e.call("DELETE", "/default/job/a/schedule/default", "").want(204)
	e.call("DELETE", "/default/job/a/schedule", "").code(404, "no_such_schedule")
	nine := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	for _, name := range []string{"", "yearly"} {
		f := bus.Fire{Generation: 1, Execution: 7, Nominal: subjects.TimeOf(nine), Time: subjects.TimeOf(nine)}
		if _, err := e.bus.Fires.Create(t.Context(), bus.NewScheduleKey("default", "a", name).FireKey(nine.Unix()), f); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string][]string{"": {"default", "yearly"}, "?schedule=yearly": {"yearly"}, "?schedule=default": {"default"}, "?schedule=none": nil} {
		var fires rest.Fires
		e.call("GET", "/default/job/a/fires"+query, "").want(200).into(&fires)
		var got []string
		for _, f := range fires.Results {
			got = append(got, f.Schedule)
		}
		if !slices.Equal(got, want) {
			t.Errorf("fires%s of the schedules %v, want %v", query, got, want)
		}
	}
	e.call("GET", "/default/job/a/fires?schedule=", "").code(400, "invalid_parameter")
	e.call("DELETE", "/default/job/a", "").want(204)
	if all, err := e.bus.Schedules.Keys(t.Context(), ">"); err != nil || len(all) != 0 {
		t.Errorf("schedules %v after the deletion of their job, %v", all, err)
	}
}

func TestKindsOfSchedules(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	at := "/default/job/a/schedule/x"
	e.call("PUT", at, `{"cron_notation":"@every 90s","start":"2099-01-01","end":"2099-02-01","jitter":"5m","dst":"once","priority":"low","pool":"linux","parameters":{"n":1,"scope":"month"},"misfire":"fire_all",`+
		`"overlap":"queue_one","catch_up_limit":5,"catch_up_window":"12h"}`).
		want(201)
	e.call("GET", at, "").want(200).shape("schedule-kinds")
	file := string(e.call("GET", "/default/job/a/file", "", getYAML...).want(200).body)
	e.call("DELETE", at, "").want(204)
	e.call("PUT", "/default/job/a", file, asYAML...).want(200)
	if again := string(e.call("GET", "/default/job/a/file", "", getYAML...).want(200).body); again != file || !strings.Contains(file, "scope: month") {
		t.Errorf("the file came back as\n%s, want\n%s", again, file)
	}
	e.call("PUT", at, `{"at":"2099-12-31T23:00","time_zone":"Europe/Berlin"}`).want(200)
	var is rest.NamedSchedule
	if e.call("GET", at, "").want(200).into(&is); is.At != "2099-12-31T23:00" || is.CronNotation != "" || is.NextFire.Std().UTC().Hour() != 22 || is.Parameters != nil {
		t.Errorf("a single time: %+v", is)
	}
	for body, pointer := range map[string]string{
		`{"at":"2001-12-31T23:00"}`:                                              "/at",
		`{"at":"2099-12-31T23:00","cron_notation":"@daily"}`:                     "/at",
		`{"cron_notation":"@every 5"}`:                                           "/cron_notation",
		`{"cron_notation":"@daily","end":"2001-01-01"}`:                          "/end",
		`{"cron_notation":"@daily","overlap":"stack"}`:                           "/overlap",
		`{"cron_notation":"@daily","catch_up_limit":-1,"misfire":"fire_all"}`:    "/catch_up_limit",
		`{"cron_notation":"@daily","catch_up_window":"1"}`:                       "/catch_up_window",
		`{"cron_notation":"@daily","pool":"a.b"}`:                                "/pool",
		`{"cron_notation":"@daily","dst":"twice"}`:                               "/dst",
		`{"cron_notation":"@daily","parameters":{"a.b":"1","a_b":"2"}}`:          "/parameters/a_b",
		`{"cron_notation":"@daily","parameters":{"a":{}}}`:                       "/parameters/a",
		`{"cron_notation":"@daily","jitter":"1h","priority":"x","start":"then"}`: "/start",
	} {
		var p rest.Problem
		e.call("PUT", at, body).code(422, "invalid_body").into(&p)
		if !slices.ContainsFunc(p.Errors, func(f rest.Fault) bool { return f.Pointer == pointer }) {
			t.Errorf("%s: %+v, want a fault at %s", body, p.Errors, pointer)
		}
	}
	var v rest.Preview
	e.call("POST", "/schedule/preview", `{"at":"2099-12-31T23:00","time_zone":"Europe/Berlin"}`).want(200).into(&v)
	if len(v.Fires) != 1 || v.Fires[0].Local != "2099-12-31T23:00:00+01:00" {
		t.Errorf("preview %+v", v)
	}
}

// Only those who may change a job choose the pool of its schedules.
func TestPoolOfASchedule(t *testing.T) {
	e := newEnv(t, withLogin)
	admin, ann := bearing(e.user("admin", bus.RoleAdmin).Token), bearing(e.user("ann", bus.RoleOperator).Token)
	e.call("POST", "/default/jobs", jobNamed("a"), admin...).want(201)
	at := "/default/job/a/schedule"
	refused := func(method, path, body string, who []string) {
		t.Helper()
		var p rest.Problem
		e.call(method, path, body, who...).code(403, "forbidden").into(&p)
		if len(p.Errors) != 1 || p.Errors[0].Pointer != "/pool" || !strings.Contains(p.Detail, "lacks the permission update-job") {
			t.Errorf("%s %s with %s: %q, %+v", method, path, body, p.Detail, p.Errors)
		}
	}
	stored := func(cron, pool string) {
		t.Helper()
		var is rest.NamedSchedule
		e.call("GET", at+"/default", "", ann...).want(200).into(&is)
		if is.CronNotation != cron || is.Pool != pool {
			t.Errorf("stored is %q in the pool %q, want %q in %q", is.CronNotation, is.Pool, cron, pool)
		}
	}
	for _, method := range []string{"PUT", "POST"} {
		refused(method, at, `{"cron_notation":"@daily","pool":"linux"}`, ann)
	}
	refused("PUT", at+"/default", `{"cron_notation":"@daily","pool":"linux"}`, ann)
	refused("POST", at+"s", `{"name":"x","cron_notation":"@daily","pool":"linux"}`, ann)
	e.call("GET", at+"/default", "", ann...).code(404, "no_such_schedule")

	e.call("PUT", at, `{"cron_notation":"@daily","pool":"linux"}`, admin...).want(201)
	e.call("POST", at+"s", `{"name":"x","cron_notation":"@daily","pool":"arm"}`, admin...).want(201)
	e.call("PUT", at, `{"cron_notation":"@hourly","pool":"linux"}`, ann...).want(200)
	stored("@hourly", "linux")
	refused("PUT", at, `{"cron_notation":"@weekly","pool":"arm"}`, ann)
	var key struct{ Key string }
	e.call("POST", "/user/admin/key", `{"name":"k","role":"operator"}`, admin...).want(201).into(&key)
	refused("PUT", at, `{"cron_notation":"@weekly","pool":"arm"}`, bearing(key.Key))
	stored("@hourly", "linux")
	e.call("PUT", at+"/pause", "", ann...).want(200)
	e.call("PUT", at+"/resume", "", ann...).want(200)
	stored("@hourly", "linux")

	// Without a pool, its executions are those of any schedule.
	e.call("PUT", at, `{"cron_notation":"@hourly"}`, ann...).want(200)
	stored("@hourly", "")
	refused("PUT", at, `{"cron_notation":"@hourly","pool":"linux"}`, ann)
	e.call("PUT", "/default/job/a", `{"id":"a","steps":[{"id":"s"}],"schedule":{"cron_notation":"@daily","pool":"arm"}}`, admin...).want(200)
	stored("@daily", "arm")
}

func TestPauses(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	e.call("PUT", "/default/job/a/schedule/x", `{"cron_notation":"* * * * * ?"}`).want(201)
	at := "/default/job/a/schedule/x"
	var is rest.ResumedSchedule
	e.call("PUT", at+"/pause", `{"reason":"maintenance"}`).want(200).into(&is)
	if is.Active || is.Paused == nil || is.Paused.Reason != "maintenance" || is.Paused.By != nil || is.Paused.At == 0 {
		t.Errorf("paused: %+v by %+v", is, is.Paused)
	}
	var list rest.Schedules
	e.call("GET", "/default/job/a/schedules", "").want(200).into(&list)
	if len(list.Results) != 1 || list.Results[0].Paused == nil || list.Results[0].NextFire != 0 {
		t.Errorf("list: %+v", list.Results)
	}
	var p rest.Problem
	e.call("PUT", at+"/pause", `{"reason":"`+strings.Repeat("x", 501)+`"}`).code(422, "invalid_body").into(&p)
	if len(p.Errors) != 1 || p.Errors[0].Pointer != "/reason" {
		t.Errorf("a long reason: %+v", p.Errors)
	}
	e.call("PUT", at+"/resume", `{"catch_up":"often"}`).code(422, "invalid_body")
	is = rest.ResumedSchedule{}
	e.call("PUT", at+"/resume", `{"catch_up":true}`).want(200).into(&is)
	if !is.Active || is.Paused != nil || is.Resumed == nil || !is.Resumed.CatchUp || is.Resumed.To < is.Resumed.From {
		t.Errorf("resumed: %+v, %+v", is, is.Resumed)
	}
	is = rest.ResumedSchedule{}
	if e.call("PUT", at+"/resume", "").want(200).into(&is); is.Resumed != nil {
		t.Errorf("resumed again: %+v", is.Resumed)
	}
}

package httpapi

import (
	"slices"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

func TestGroupPauses(t *testing.T) {
	e := newEnv(t, withLogin)
	admin, ann := bearing(e.user("admin", bus.RoleAdmin).Token), bearing(e.user("ann", bus.RoleWatcher).Token)
	e.call("PUT", "/user/ann/roles", `{"role":"watcher","roles":{"shop":"operator"}}`, admin...).want(200)
	for _, app := range []string{"shop", "hr"} {
		e.call("PUT", "/app/"+app, `{}`, admin...).want(201)
		e.call("PUT", "/"+app+"/job/load", `{"id":"load","steps":[{"id":"s"}]}`, admin...).want(201)
		e.call("PUT", "/"+app+"/job/load/schedule", `{"cron_notation":"0 0 0 1 1 ? 2098"}`, admin...).want(201)
	}
	e.call("PUT", "/shop/job/load/schedule/often", `{"cron_notation":"* * * * * ?"}`, admin...).want(201)

	e.call("PUT", "/schedules/pause", `{"reason":"x"}`, ann...).code(403, "forbidden")
	e.call("PUT", "/schedules/resume", "", ann...).code(403, "forbidden")
	e.call("PUT", "/hr/schedules/pause", "", ann...).code(403, "forbidden")
	e.call("PUT", "/none/schedules/pause", "", admin...).code(404, "no_such_app")
	e.call("PUT", "/none/schedules/resume", "", admin...).code(404, "no_such_app")
	e.call("GET", "/none/schedules/pauses", "", admin...).code(404, "no_such_app")
	var p rest.Problem
	e.call("PUT", "/shop/schedules/pause", `{"reason":"`+strings.Repeat("x", 501)+`"}`, ann...).code(422, "invalid_body").into(&p)
	if len(p.Errors) != 1 || p.Errors[0].Pointer != "/reason" {
		t.Errorf("a long reason: %+v", p.Errors)
	}

	var paused rest.GroupPause
	e.call("PUT", "/shop/schedules/pause", `{"reason":"inventory"}`, ann...).want(200).into(&paused)
	if *paused.App != "shop" || *paused.By != "ann" || paused.Reason != "inventory" || paused.At == 0 {
		t.Errorf("paused: %+v", paused)
	}
	var all rest.GroupPause
	e.call("PUT", "/schedules/pause", `{"reason":"maintenance"}`, admin...).want(200).into(&all)
	var again rest.GroupPause
	e.call("PUT", "/schedules/pause", `{"reason":"other"}`, admin...).want(200).into(&again)
	if all.App != nil || again.Reason != "maintenance" || again.At != all.At || *again.By != "admin" {
		t.Errorf("paused again: %+v, was %+v", again, all)
	}

	// Everything that speaks of fires to come says so.
	on := func(path string, who []string) string {
		var v struct {
			Results, Reasons []struct{ Outcome, Text string }
			GroupPauses      []rest.GroupPause `json:"group_pauses"`
			Pauses           rest.GroupPauses
		}
		r := e.call("GET", path, "", who...).want(200)
		if strings.HasSuffix(path, "/pauses") {
			r.into(&v.Pauses)
			v.GroupPauses = v.Pauses.Results
		} else {
			r.into(&v)
		}
		var words []string
		for _, p := range v.GroupPauses {
			word := "all"
			if p.App != nil {
				word = *p.App
			}
			words = append(words, word+" by "+*p.By)
		}
		return strings.Join(words, ", ")
	}
	const both = "all by admin, shop by ann"
	for path, want := range map[string]string{
		"/schedules/pauses": both, "/shop/schedules/pauses": both, "/hr/schedules/pauses": "all by admin",
		"/forecast": both, "/forecast?app=hr": "all by admin", "/shop/job/load/schedule/often": both,
	} {
		if got := on(path, admin); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	var made rest.Key
	e.call("POST", "/user/admin/key", `{"name":"k","apps":["hr"],"role":"watcher"}`, admin...).want(201).into(&made)
	if got := on("/schedules/pauses", bearing(made.Key)); got != "all by admin" {
		t.Errorf("a reader of hr sees %q", got)
	}
	var j rest.Job
	e.call("GET", "/hr/job/load", "", admin...).want(200).into(&j)
	if j.NextExecution != nil || j.Schedule == nil || !j.Schedule.Active || len(j.Schedule.GroupPauses) != 1 {
		t.Errorf("job of a paused application: next %v, schedule %+v", j.NextExecution, j.Schedule)
	}
	var v rest.Preview
	e.call("POST", "/schedule/preview", `{"cron_notation":"@daily"}`, admin...).want(200).into(&v)
	if len(v.GroupPauses) != 1 || len(v.Fires) == 0 {
		t.Errorf("preview: %+v", v.GroupPauses)
	}
	var why rest.Why
	e.call("GET", "/hr/job/load/why?at=2098-02-01T00:00:00Z", "", admin...).want(200).into(&why)
	if r := why.Reasons[0]; r.Outcome != "paused" || !strings.Contains(r.Text, "is to come, but all schedules are paused since ") || !strings.Contains(r.Text, ", by admin (maintenance).") {
		t.Errorf("why: %+v", r)
	}
	eventually(t, "a time in the pause is explained", func() bool {
		var why rest.Why
		e.call("GET", "/shop/job/load/why", "", admin...).want(200).into(&why)
		return slices.ContainsFunc(why.Reasons, func(r rest.Reason) bool {
			return r.Schedule == "often" && r.Outcome == "paused" && *r.NominalTime > all.At &&
				strings.Contains(r.Text, "did not fire: the schedules of application shop are paused since ")
		})
	})

	var done rest.GroupResumed
	e.call("PUT", "/schedules/resume", `{"catch_up":true}`, admin...).want(200).into(&done)
	if r := done.Resumed; done.App != nil || r == nil || *r.By != "admin" || r.Reason != "maintenance" || !r.CatchUp || r.From != all.At || r.To < r.From ||
		r.Count < 1 || r.Schedules != 1 || r.Capped || len(done.GroupPauses) != 1 || *done.GroupPauses[0].App != "shop" {
		t.Errorf("resumed: %+v of %+v", r, done)
	}
	done = rest.GroupResumed{}
	if e.call("PUT", "/schedules/resume", "", admin...).want(200).into(&done); done.Resumed != nil {
		t.Errorf("resumed again: %+v", done.Resumed)
	}
	done = rest.GroupResumed{}
	e.call("PUT", "/shop/schedules/resume", "", ann...).want(200).into(&done)
	if *done.App != "shop" || done.Resumed == nil || done.Resumed.CatchUp || len(done.GroupPauses) != 0 {
		t.Errorf("resumed: %+v", done)
	}
	if got := on("/schedules/pauses", admin); got != "" {
		t.Errorf("pauses after the end: %q", got)
	}
	eventually(t, "a time of the pause is explained", func() bool {
		r := e.call("GET", "/shop/job/load/why?at="+done.Resumed.To.String(), "", admin...)
		return strings.Contains(string(r.body), "was skipped: the schedules of application shop were paused from ")
	})
}

func TestGroupPausesAreAudited(t *testing.T) {
	e := newEnv(t)
	e.call("PUT", "/schedules/pause", "").want(200)
	e.call("PUT", "/default/schedules/pause", "").want(200)
	e.call("PUT", "/default/schedules/resume", "").want(200)
	e.call("PUT", "/schedules/resume", "").want(200)
	var rows rest.AuditPage
	e.call("GET", "/audit?kind=schedule", "").want(200).into(&rows)
	var got []string
	for _, r := range rows.Results {
		changed := ""
		for _, c := range r.Changes {
			changed += " " + c.Key
		}
		got = append(got, r.Action+" "+r.App+" "+r.Name+changed)
	}
	want := []string{
		"resume-all-schedules  * pauses/all", "resume-app-schedules default * pauses/app.default",
		"pause-app-schedules default * pauses/app.default", "pause-all-schedules  * pauses/all",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("audit:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

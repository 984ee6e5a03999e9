package httpapi

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/login"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// idsOf are the executions of an answer.
func (r *reply) idsOf() (ids []int64, list rest.Executions) {
	r.t.Helper()
	r.want(200).into(&list)
	for _, e := range list.Results {
		ids = append(ids, e.ExecutionID)
	}
	return ids, list
}

func TestFindExecutions(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/apps", `{"name":"shop"}`).want(201)
	e.call("POST", "/default/jobs", jobNamed("night-1")).want(201)
	e.call("POST", "/default/jobs", jobNamed("night-2")).want(201)
	e.call("POST", "/shop/jobs", jobNamed("night-1")).want(201)
	at := time.Date(2026, 1, 2, 18, 0, 0, 0, time.UTC)
	end := func(id int64, job string, status subjects.BatchStatus, start time.Time) {
		e.agent(job, id).says(subjects.Started, start).says(status, start.Add(time.Minute))
		e.call("GET", fmt.Sprint("/default/execution/", id, "?wait=10s"), "").want(200)
	}
	one := e.start("night-1", `{"parameters":{"date":"2026-01-01","n":"1"}}`)
	end(one, "night-1", subjects.Failed, at)
	two := e.start("night-2", `{"parameters":{"date":"2026-01-02","n":"1"}}`)
	end(two, "night-2", subjects.Completed, at.Add(time.Hour))
	three := e.start("night-2", `{"parameters":{"date":"2026-01-01","n":"2"}}`)
	var v rest.Execution
	e.call("POST", "/shop/job/night-1/executions", "").want(201).into(&v)
	four := v.ExecutionID

	for query, want := range map[string][]int64{
		"/executions":                                        {four, three, two, one},
		"/shop/executions":                                   {four},
		"/default/executions":                                {three, two, one},
		"/default/executions?job=*-2":                        {three, two},
		"/executions?job=night-?":                            {four, three, two, one},
		"/executions?job=night":                              nil,
		"/default/executions?status=failed,completed":        {two, one},
		"/default/executions?status=failed&status=completed": {two, one},
		"/executions?status=undispatched":                    {four, three},
		"/executions?status=queued":                          nil,
		"/executions?exit_status=FAIL*":                      {one},
		"/executions?exit_status=failed":                     nil,
		"/executions?agent=a1":                               {two, one},
		"/executions?agent=a2":                               nil,
		"/executions?since=2026-01-02T18:00:00Z&until=2026-01-02T19:00:00Z":        {one},
		"/executions?since=2026-01-02T20:00:00%2B01:00&until=2026-01-03T00:00:00Z": {two},
		"/executions?since=2026-01-02T20:00:00+01:00&until=2026-01-03T00:00:00Z":   {two},
		"/default/job/night-2/executions?status=completed":                         {two},
		"/executions?parameter=date=2026-01-01":                                    {three, one},
		"/executions?parameter=date=2026-01-01&parameter=n=1":                      {one},
		"/executions?parameter=date=2026-01-01&status=failed":                      {one},
		"/executions?parameter=none=":                                              nil,
	} {
		got, list := e.call("GET", query, "").idsOf()
		if !slices.Equal(got, want) || list.Hits != len(want) || list.Offset != 1 {
			t.Errorf("GET %s = %v of %d from %d, want %v", query, got, list.Hits, list.Offset, want)
		}
	}
	for query, want := range map[string]string{
		"status=fail":                 "status: want one of registered, undispatched, unrestarted, queued, starting, started, stopping, unknown, stopped, failed, completed, abandoned, got fail",
		"status=":                     "status: want one of",
		"status=failed,":              "status: want one of",
		"status=FAILED":               "status: want one of",
		"since=today":                 "since: want a time after 1970 such as 2026-11-24T18:00:00Z (RFC 3339), got today",
		"since=2026-13-01T00:00:00Z":  "since: want a time",
		"until=18:00":                 "until: want a time",
		"since=":                      "since: want a value",
		"agent=":                      "agent: want a value",
		"exit_status=":                "exit_status: want a value",
		"job=":                        "job: want a value",
		"parameter=date":              "parameter: want name=value, got date",
		"parameter==x":                "parameter: want name=value",
		"parameter=a=1&parameter=a=2": "parameter: want only one value of a",
		"after=x":                     "after: want the id of an execution",
		"after=-1":                    "after: want the id of an execution",
		"after=1&before=2":            "before: want either after or before, not both",
		"after=1&offset=2":            "offset: want only one of offset, after and before",
		"parameter=a=1&offset=2":      "offset: want after in place of offset, because of the filter parameter",
		"parameter=a=1&before=2":      "before: want after in place of before, because of the filter parameter",
		"since=2026-01-02T18:00:00Z&until=2026-01-02T18:00:00Z": "until: want a time after since",
	} {
		r := e.call("GET", "/executions?"+query, "").code(400, "invalid_parameter")
		var p struct{ Detail string }
		if r.into(&p); !strings.HasPrefix(p.Detail, want) {
			t.Errorf("?%s: %s\nwant %s", query, p.Detail, want)
		}
	}
	e.call("GET", "/none/executions", "").code(404, "no_such_app")
	e.call("GET", "/default/executions?limit=2", "").want(200).shape("executions-app")
	with, list := e.call("GET", "/executions?with=parameters&parameter=n=2", "").idsOf()
	if len(with) != 1 || (*list.Results[0].JobParameters)["date"] != "2026-01-01" {
		t.Errorf("with parameters: %+v", list.Results)
	}
}

// Who runs diagrams to try them does not see them among the executions of jobs.
func TestTriedDiagramsAreNotListed(t *testing.T) {
	e := newEnv(t)
	rec := bus.Execution{}
	rec.ID, rec.App, rec.Job, rec.BatchStatus, rec.CreateTime = 7, "default", testJob, subjects.Completed, subjects.Now()
	e.index.PutExecution(&rec, 1<<40)
	for _, path := range []string{"/executions", "/default/executions", "/executions?status=completed"} {
		if got, _ := e.call("GET", path, "").idsOf(); len(got) != 0 {
			t.Errorf("GET %s = %v", path, got)
		}
	}
}

// A login that may look at one application sees the executions of that one.
func TestExecutionsOfOthers(t *testing.T) {
	e := newEnv(t, func(c *Config) { c.RequireLogin = true })
	if err := e.logins.Add(t.Context(), "shopper", "correct horse", map[string]string{"shop": bus.RoleWatcher}); err != nil {
		t.Fatal(err)
	}
	key, _, err := e.logins.NewKey(t.Context(), "shopper", login.KeyLimits{})
	if err != nil {
		t.Fatal(err)
	}
	e.index.PutApp("shop", &bus.App{Name: "shop"}, 1<<40)
	for i, app := range []string{"default", "shop", "bank"} {
		rec := bus.Execution{}
		rec.ID, rec.App, rec.Job, rec.BatchStatus, rec.CreateTime = int64(i+1), app, "a", subjects.Completed, subjects.Now()
		e.index.PutExecution(&rec, uint64(1<<40+i))
	}
	for _, path := range []string{"/executions", "/executions?status=completed", "/shop/executions"} {
		if got, _ := e.call("GET", path, "", "Authorization", "Bearer "+key).idsOf(); !slices.Equal(got, []int64{2}) {
			t.Errorf("GET %s = %v, want those of the shop", path, got)
		}
	}
	e.call("GET", "/default/executions", "", "Authorization", "Bearer "+key).code(403, "forbidden")
}

// Page by page each execution comes once, though others come meanwhile.
func TestPagesOfExecutions(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	e.call("POST", "/default/jobs", jobNamed("b")).want(201)
	var want []int64
	for i := range 25 {
		want = append([]int64{e.start([]string{"a", "b"}[i%2], `{"parameters":{"n":"`+strconv.Itoa(i%5)+`"}}`)}, want...)
	}
	for _, path := range []string{"/executions?limit=4", "/default/executions?status=undispatched&limit=4", "/executions?limit=4&parameter=n=1", "/executions?limit=4&offset=1"} {
		var all []int64
		for after := ""; ; {
			ids, list := e.call("GET", path+after, "").idsOf()
			if all = append(all, ids...); list.Next == nil {
				break
			}
			after = "&after=" + *list.Next
			e.start("a", `{"parameters":{"n":"1"}}`)
		}
		expect := want
		if strings.Contains(path, "parameter") {
			expect = nil
			for i, id := range want {
				if (24-i)%5 == 1 {
					expect = append(expect, id)
				}
			}
		}
		if n := len(all) - len(expect); n < 0 || !slices.Equal(all[n:], expect) {
			t.Errorf("GET %s page by page = %v, want %v", path, all, expect)
		}
	}
	t.Run("backward to what is new", func(t *testing.T) {
		before, _ := e.call("GET", "/executions?limit=3", "").idsOf()
		id := e.start("b", "")
		got, list := e.call("GET", fmt.Sprint("/executions?before=", before[0]), "").idsOf()
		if !slices.Equal(got, []int64{id}) || list.Previous != nil || *list.Next != fmt.Sprint(id) || list.Offset != 1 {
			t.Errorf("in front of %d: %v %+v, want %d", before[0], got, list, id)
		}
	})
}

// A search for parameters reads so many records and says so.
func TestParameterSearchIsBounded(t *testing.T) {
	e := newEnv(t)
	const n = maxScanned + 100
	at := subjects.Now()
	done := make(chan error, n)
	for i := range n {
		rec := bus.Execution{}
		rec.ID, rec.InstanceID, rec.App, rec.Job, rec.BatchStatus, rec.CreateTime = int64(i+1), int64(i+1), "default", "a", subjects.Completed, at
		rec.Parameters = map[string]string{"n": strconv.Itoa(i + 1)}
		e.bus.Executions.Write(rec.Key(), rec, 0, func(rev uint64, err error) {
			e.index.PutExecution(&rec, rev)
			done <- err
		})
	}
	for range n {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	got, list := e.call("GET", "/executions?parameter=n=50", "").idsOf()
	if len(got) != 0 || *list.Scanned != maxScanned || !*list.More || list.Next == nil || list.Hits != 0 {
		t.Fatalf("%v, %+v; want nothing of %d, and more", got, list, maxScanned)
	}
	got, list = e.call("GET", "/executions?parameter=n=50&after="+url.QueryEscape(*list.Next), "").idsOf()
	if !slices.Equal(got, []int64{50}) || *list.Scanned != 100 || *list.More || list.Next != nil {
		t.Errorf("%v, %+v; want 50 of the other 100", got, list)
	}
}

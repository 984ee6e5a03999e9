package httpapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestLimits(t *testing.T) {
	e := newEnv(t)
	var l rest.Limit
	e.call("PUT", "/limit/db", `{"capacity":3}`).want(201).into(&l)
	if l.Name != "db" || l.Capacity != 3 || l.Held != 0 || l.Holders == nil {
		t.Errorf("created %+v", l)
	}
	e.call("PUT", "/limit/db", `{"capacity":1}`).want(200).into(&l)
	if l.Capacity != 1 {
		t.Errorf("changed to %+v", l)
	}
	for _, body := range []string{`{}`, `{"capacity":0}`, `{"capacity":1000001}`} {
		if r := e.call("PUT", "/limit/db", body).want(422); !strings.Contains(string(r.body), `"/capacity"`) {
			t.Errorf("PUT %s = %s", body, r.body)
		}
	}
	e.call("PUT", "/limit/db", `{"capacity":1,"color":"red"}`).code(422, "invalid_body")
	e.call("PUT", "/limit/a.b", `{"capacity":1}`).code(400, "invalid_parameter")
	e.call("GET", "/limit/a.b", "").code(400, "invalid_parameter")
	e.call("GET", "/limit/none", "").code(404, "no_such_limit")
	e.call("DELETE", "/limit/none", "").code(404, "no_such_limit")

	e.call("POST", "/default/jobs", jobNamed("a", `"limits":{"db":1}`)).want(201)
	e.call("POST", "/default/jobs", jobNamed("b", `"limits":{"db":0}`)).code(422, "invalid_job")
	one, two := e.start("a", ""), e.start("a", "")
	var v rest.Execution
	e.call("GET", fmt.Sprint("/default/execution/", two), "").want(200).into(&v)
	if v.For == nil || *v.For != "limit db: 1 of 1 held, place 1" || v.Position != nil {
		t.Errorf("it waits for %+v", v.Waiting)
	}
	var list rest.List[rest.Limit]
	e.call("GET", "/limits", "").want(200).into(&list)
	want := rest.LimitHolder{ExecutionID: one, App: "default", Job: "a", Units: 1}
	if len(list.Results) != 1 || list.Results[0].Held != 1 || list.Results[0].Waiting != 1 || len(list.Results[0].Holders) != 1 || list.Results[0].Holders[0] != want {
		t.Errorf("listed %+v", list)
	}
	if r := e.call("DELETE", "/limit/db", "").code(409, "limit_in_use"); !strings.Contains(string(r.body), "default/a") {
		t.Errorf("the refusal %s does not name the job", r.body)
	}
	e.agent("a", one).says(subjects.Started, time.Now()).says(subjects.Completed, time.Now())
	eventually(t, "the limit", func() bool {
		e.call("GET", fmt.Sprint("/default/execution/", two), "").want(200).into(&v)
		return v.For != nil && strings.HasPrefix(*v.For, "no agent")
	})
	edn := string(e.call("GET", "/limit/db", "", "Accept", "application/edn").want(200).body)
	if !strings.Contains(edn, ":limit/capacity 1") {
		t.Errorf("in EDN: %s", edn)
	}
	e.agent("a", two).says(subjects.Started, time.Now()).says(subjects.Completed, time.Now())
	e.call("DELETE", "/default/job/a", "").want(204)
	eventually(t, "the deletion", func() bool { return e.call("DELETE", "/limit/db", "").status == 204 })
}

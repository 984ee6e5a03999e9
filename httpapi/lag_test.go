package httpapi

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus/catalog"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/scheduler"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// What one bus has written is found by another whose read model has not seen it
// yet: here one that sees nothing.
func TestAnotherBus(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	tag := e.call("PUT", "/default/job/a", jobNamed("a", `"exclusive":true`)).want(200).header.Get("ETag")
	id := e.start("a", "")
	blind := index.New(e.bus)
	other := *e
	life := execution.New(e.bus, blind, execution.Config{})
	jobs := catalog.New(catalog.Config{Bus: e.bus, Index: blind, History: life, Schedules: e.server.cfg.Schedules.(calendarNames).Schedules.(*scheduler.Scheduler)})
	other.server = mustNew(Config{Health: e.bus.Healthy, Broker: e.bus.JS, Catalog: jobs, Index: blind, Executions: life, Agents: e.server.cfg.Agents, Schedules: e.server.cfg.Schedules, Deployments: e.server.cfg.Deployments})
	other.http = httptest.NewServer(other.server)
	defer other.http.Close()
	defer other.server.close()

	other.call("GET", "/app/default", "").want(200)
	other.call("GET", "/default/job/none", "").code(404, "no_such_job")
	if got := other.call("GET", "/default/job/a", "").want(200).header.Get("ETag"); got != tag {
		t.Errorf("ETag %s, want %s", got, tag)
	}
	other.call("PUT", "/default/job/a", jobNamed("a"), "If-Match", tag).want(200)
	at := fmt.Sprintf("/default/job/a/execution/%d", id)
	other.call("GET", at, "").want(200)
	other.call("GET", fmt.Sprint("/default/execution/", id), "").want(200)
	other.call("GET", at+"/log", "").want(200)
	e.agent("a", id).says(subjects.Started, time.Now()).says(subjects.Completed, time.Now())
	e.call("GET", at+"?wait=10s", "").want(200)
	var v rest.Execution
	if other.call("GET", at+"?wait=100ms", "").want(200).into(&v); v.BatchStatus != subjects.Completed {
		t.Errorf("%s, want completed", v.BatchStatus)
	}
	other.call("POST", "/default/job/a/executions", "").want(201)
}

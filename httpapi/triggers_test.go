package httpapi

import (
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

func TestTriggers(t *testing.T) {
	e := newEnv(t)
	e.call("PUT", "/app/etl", `{}`).want(201)
	e.call("PUT", "/etl/job/load", `{"id":"load","steps":[{"id":"s"}]}`).want(201)
	report := `{"id":"report","steps":[{"id":"s"}],"triggers":`
	for _, x := range []struct {
		name, method, path, body string
		status                   int
		want                     string // in the answer
	}{
		{"a file with a list", "PUT", "/default/job/report", report + `[{"app":"etl","job":"load"},{"job":"later","on":"WARN*","parameters":{"a":"1"}}]}`, 201,
			`"triggers":{"needed":"any","jobs":[{"app":"etl","job":"load","on":"completed"},{"job":"later","on":"WARN*","parameters":{"a":"1"}}]}`},
		{"the file has the list", "GET", "/default/job/report/file", "", 200,
			`"triggers":[{"app":"etl","job":"load","on":"completed"},{"job":"later","on":"WARN*","parameters":{"a":"1"}}]`},
		{"the settings", "GET", "/default/job/report/settings", "", 200, `"triggers":{"needed":"any","jobs":[{"app":"etl","job":"load"`},
		{"a job that does not exist", "PUT", "/default/job/report/settings/triggers", `{"needed":"all","jobs":[{"job":"later","on":"ended"}]}`, 200,
			`"warnings":["there is no job later in the application default: its trigger starts nothing"]`},
		{"the file has the object", "GET", "/default/job/report/file", "", 200, `"triggers":{"needed":"all","jobs":[{"job":"later","on":"ended"}]}`},
		{"a file without triggers", "PUT", "/default/job/report", `{"id":"report","steps":[{"id":"t"}]}`, 200, `"needed":"all"`},
		{"a cycle", "PUT", "/default/job/later", `{"id":"later","steps":[{"id":"s"}],"triggers":[{"job":"x"},{"job":"report"}]}`, 422,
			`/triggers/1/job: want a job that default.later does not start: default.later starts default.report starts default.later, got report (line 1, column `},
		{"a cycle in a preview", "POST", "/default/jobs/preview", `{"id":"later","steps":[{"id":"s"}],"triggers":{"jobs":[{"job":"report"}]}}`, 422, `/triggers/jobs/0/job: want a job that default.later`},
		{"a cycle in the settings", "PUT", "/default/job/report/settings/triggers", `{"jobs":[{"job":"report"}]}`, 422, `"pointer":"/jobs/0/job"`},
		{"no job", "PUT", "/default/job/report/settings/triggers", `{"jobs":[]}`, 422, "/jobs: want from 1 to 64 jobs"},
		{"an empty name", "PUT", "/default/job/report/settings/triggers", `{"jobs":[{"job":""}]}`, 422, "/jobs/0/job: want the name of a job"},
		{"another word", "PUT", "/default/job/report/settings/triggers", `{"needed":"some","jobs":[{"job":"a"}]}`, 422, "/needed: want"},
		{"parameters that collide", "PUT", "/default/job/report", report + `[{"job":"a","parameters":{"x.y":"1","x_y":"2"}}]}`, 422, "/triggers/0/parameters: want names that map to different variables"},
		{"a word in place of a list", "PUT", "/default/job/report", report + `"load"}`, 422, `{"pointer":"/triggers","detail":"want an object"`},
		{"null removes them", "PUT", "/default/job/report", report + `null}`, 200, `"name":"report"`},
		{"none are left", "GET", "/default/job/report/file", "", 200, `"triggers":null`},
		{"set again", "PUT", "/default/job/report/settings/triggers", `{"jobs":[{"job":"a"}]}`, 200, `"on":"completed"`},
		{"removed", "DELETE", "/default/job/report/settings/triggers", "", 204, ""},
		{"none are left", "GET", "/default/job/report/settings", "", 200, `"status_notifications":[]}`},
		{"of no job", "PUT", "/default/job/none/settings/triggers", `{"jobs":[{"job":"a"}]}`, 404, "no_such_job"},
	} {
		r := e.call(x.method, x.path, x.body)
		got := strings.NewReplacer("\n", "", "\": ", "\":", "  ", "").Replace(string(r.body))
		if r.status != x.status || !strings.Contains(got, x.want) {
			t.Errorf("%s: %s %s = %d %s\nwant %d with %s", x.name, x.method, x.path, r.status, got, x.status, x.want)
		}
	}
}

// A trigger shows when executions of another job end, so it needs the right to
// read that job.
func TestTriggersOfForeignJobs(t *testing.T) {
	e := newEnv(t, withLogin)
	admin := bearing(e.user("admin", bus.RoleAdmin).Token)
	for _, app := range []string{"billing", "hr"} {
		e.call("PUT", "/app/"+app, `{}`, admin...).want(201)
	}
	var made rest.Key
	e.call("POST", "/user/admin/key", `{"name":"k","apps":["billing"],"role":"admin"}`, admin...).want(201).into(&made)
	key := bearing(made.Key)
	const job = `{"id":"report","steps":[{"id":"s"}]`
	e.call("PUT", "/billing/job/report", job+`}`, key...).want(201)
	for _, body := range []string{`[{"job":"load"}]`, `[{"app":"hr","job":"pay"}]`} {
		status := 200
		if strings.Contains(body, "hr") {
			status = 403
		}
		e.call("PUT", "/billing/job/report", job+`,"triggers":`+body+`}`, key...).want(status)
		e.call("POST", "/billing/jobs/preview", job+`,"triggers":`+body+`}`, key...).want(status)
		e.call("PUT", "/billing/job/report/settings/triggers", `{"jobs":`+body+`}`, key...).want(status)
	}
}

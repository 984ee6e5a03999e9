package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus/agents"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// What clients of the original control bus send, and what they stand on in its
// answers.

// console are the headers of each of its calls.
var console = []string{"Content-Type", "application/edn", "Accept", "*/*", "Origin", "http://localhost:3000"}

// exchange is a request with what its answer must be.
type exchange struct {
	name, method, path, body string
	headers                  []string // default: console
	status                   int
	type_                    string // of the answer; default: EDN, if there is a body
	want                     string // a regular expression for the whole body; empty: no body
}

// run compares the answer. What is only read, and what is refused, is asked for
// in JSON too.
func (x *exchange) run(t *testing.T, e *env) {
	t.Helper()
	headers := x.headers
	if headers == nil && x.type_ == "" && (x.method == "GET" || x.status >= 400) {
		x.inJSON(t, e)
	}
	if headers == nil {
		headers = console
	}
	r := e.call(x.method, x.path, x.body, headers...)
	media, _, _ := strings.Cut(r.header.Get("Content-Type"), ";")
	want := x.type_
	if want == "" && x.want != "" {
		want = "application/edn"
	}
	if r.status != x.status || len(r.body) > 0 && media != want || !regexp.MustCompile(`^(?s:`+x.want+`)$`).Match(r.body) {
		t.Errorf("%s: %s %s\n = %d %s %s\nwant %d %s %s", x.name, x.method, x.path, r.status, media, r.body, x.status, want, x.want)
	}
}

// inJSON asks the same of a client that wants JSON. What is wrong with a body
// that can be read is 422 there.
func (x *exchange) inJSON(t *testing.T, e *env) {
	t.Helper()
	r := e.call(x.method, x.path, x.body, "Content-Type", "application/edn", "Accept", "application/json")
	status, media := x.status, "application/json"
	if status >= 400 {
		media = "application/problem+json"
	}
	unprocessable := x.status == 400 && r.status == 422
	if r.status != status && !unprocessable || len(r.body) > 0 && (r.header.Get("Content-Type") != media || !json.Valid(r.body)) {
		t.Errorf("%s: %s %s in JSON\n = %d %s %s\nwant %d %s", x.name, x.method, x.path, r.status, r.header.Get("Content-Type"), r.body, status, media)
	}
}

const (
	inst = `#inst "20[0-9-]+T[0-9:]+\.[0-9]{3}-00:00"`
	uuid = `#uuid "[a-z0-9-]{36}"`
	any_ = `.*`
)

// Rows are in the order in which one of these clients would send them; each
// stands on those before it.
func TestV1Clients(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/apps", "", "Content-Type", "application/json") // the default application is there
	asJSON := []string{"Content-Type", "application/json", "Accept", "application/json"}
	java := []string{"Accept", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", "Authorization", "Token x"}
	rows := []exchange{
		{name: "a bus without jobs", method: "GET", path: "/default/stats", status: 200, want: `\{:agents 0 :jobs 0\}`},
		{name: "the version is a string", method: "GET", path: "/version", status: 200, want: `"2\.0\.0"`},
		{name: "the version in JSON is the same", method: "GET", path: "/version", headers: asJSON, status: 200, type_: "application/json", want: `"2\.0\.0"`},
		{name: "all is well", method: "GET", path: "/healthcheck", status: 200, want: ``},
		{name: "no jobs", method: "GET", path: "/default/jobs?q&sort-by&p=1", status: 200, want: `\{:results \[\] :hits 0 :offset 1 :limit 20\}`},
		{name: "a name that is free", method: "GET", path: "/default/job/MyShell", status: 404, want: `\{:message "[^"]+" :messages \["[^"]+"\] :code "no_such_job"\}`},
		{name: "a job in the words of the API", method: "POST", path: "/default/jobs", body: `{:id "JOB-1" :steps [{:id "STEP-1" :batchlet {:ref "example.Batchlet"}}]}`, status: 201, want: `\{:db/id \d+ :job/name "JOB-1" .*\}`},
		{name: "a parameter in a command", method: "POST", path: "/default/jobs", status: 400,
			want: `\{:message "/steps/0/batchlet/properties/command: want \\"\$JOBSTREAMER_PARAM_WHO\\" instead of .*` + any_ + `:code "invalid_job"\}`,
			body: `{:job/name "MyShell" :job/components [{:step/name "S" :step/batchlet {:batchlet/ref "org.jobstreamer.batch.ShellBatchlet" :batchlet/properties {"command" "echo #{jobParameters['who']}"}}}]}`},
		{name: "a job in the words of the seed", method: "POST", path: "/default/jobs", status: 201, want: any_,
			body: `{:job/name "MyShell" :job/exclusive? false :job/unsafe-substitution? true :job/unknown 1 :db/id 4 :job/components [{:step/name "S" :step/batchlet {:batchlet/ref "org.jobstreamer.batch.ShellBatchlet" :batchlet/properties {"command" "echo #{jobParameters['who']}"}}}]}`},
		{name: "it is overwritten", method: "POST", path: "/default/jobs", body: `{:id "JOB-1" :steps [{:id "STEP-1" :batchlet {:ref "example.Batchlet"}}]}`, status: 201, want: any_},
		{name: "PUT answers 201", method: "PUT", path: "/default/job/JOB-1", body: `{:id "JOB-1" :steps [{:id "STEP-1" :batchlet {:ref "example.Batchlet"}}]}`, status: 201, want: any_},
		{name: "in JSON it answers 200", method: "PUT", path: "/default/job/JOB-1", headers: asJSON, body: `{"job/name":"JOB-1","job/components":[{"step/name":"STEP-1","step/batchlet":{"batchlet/ref":"example.Batchlet"}}]}`, status: 200, type_: "application/json", want: any_},
		{name: "a job without a name", method: "POST", path: "/default/jobs", body: `{:job/components []}`, status: 400, want: `\{:message "/id: want .*; /steps: want .*" :messages \["/id: want .*" "/steps: want .*"\] :code "invalid_job"\}`},
		{name: "a body that is no EDN", method: "POST", path: "/default/jobs", body: `{:id`, status: 400, want: `\{:message ".*line 1, column 5.*" :messages \[.*\] :code "malformed_body"\}`},
		{name: "counts", method: "GET", path: "/default/stats", status: 200, want: `\{:agents 0 :jobs 2\}`},

		{name: "a search", method: "GET", path: "/default/jobs?q=Shell&limit=20&offset=1&sort-by=name%3Aasc", status: 200, want: `\{:results \[\{:db/id \d+ :job/name "MyShell" .*\}\] :hits 1 :offset 1 :limit 20\}`},
		{name: "the second page", method: "GET", path: "/default/jobs?limit=1&offset=2", status: 200, want: `\{:results \[\{:db/id \d+ :job/name "MyShell" .*\}\] :hits 2 :offset 2 :limit 1 :previous "MyShell"\}`},
		{name: "offset 0 is the first", method: "GET", path: "/default/jobs?limit=1&offset=0", status: 200, want: `\{:results \[\{:db/id \d+ :job/name "JOB-1" .*\}\] :hits 2 :offset 1 :limit 1 :next "JOB-1"\}`},
		{name: "words are alternatives", method: "GET", path: "/default/jobs?q=Shell+JOB", status: 200, want: `\{:results \[.*\] :hits 2 .*\}`},
		{name: "case matters", method: "GET", path: "/default/jobs?q=shell", status: 200, want: `\{:results \[\] :hits 0 .*\}`},
		{name: "what cannot be read is no condition", method: "GET", path: "/default/jobs?q=since:xxx+status:failed&sort-by=nope:asc&with=what", headers: console, status: 200, want: `\{:results \[.*\] :hits 2 .*\}`},
		{name: "nor for Java, which asks for no EDN", method: "GET", path: "/default/jobs?q=since:xxx", headers: java, status: 200, want: `\{:results \[.*\] :hits 2 .*\}`},
		{name: "one that asks for EDN by its name is told", method: "GET", path: "/default/jobs?q=status:failed", headers: []string{"Accept", "application/edn"}, status: 400, want: any_ + `q: want since:, until:, batch-status: or exit-status:` + any_ + `:code "invalid_parameter"\}`},
		{name: "no latest execution", method: "GET", path: "/default/jobs?q=batch-status:completed", status: 200, want: `\{:results \[\] :hits 0 .*\}`},
		{name: "the list for Java, which asks for no EDN", method: "GET", path: "/default/jobs?q=", headers: java, status: 200, want: `\{:results \[.*\] :hits 2 .*\}`},

		{name: "a job", method: "GET", path: "/default/job/MyShell", status: 200,
			want: `\{:db/id \d+ :job/name "MyShell" :job/restartable\? true :job/exclusive\? false :job/stats \{:total 0 :success 0 :failure 0 :average 0\} .*:job/dynamic-parameters #\{"who"\}.*\}`},
		{name: "settings", method: "GET", path: "/default/job/MyShell/settings", status: 200, want: `\{:job/exclusive\? false :job/status-notifications \[\]\}`},
		{name: "exclusive", method: "PUT", path: "/default/job/MyShell/settings/exclusive", body: `{:job/exclusive? true}`, status: 201, want: `\{:job/exclusive\? true .*\}`},
		{name: "exclusive is set", method: "GET", path: "/default/job/MyShell/settings", status: 200, want: `\{:job/exclusive\? true .*\}`},
		{name: "not exclusive, by a DELETE with a body", method: "DELETE", path: "/default/job/MyShell/settings/exclusive", body: `{:job/exclusive? false}`, status: 204, want: ``},
		{name: "settings of a job that is not there", method: "PUT", path: "/default/job/none/settings/exclusive", body: `{:job/exclusive? true}`, status: 404, want: any_},

		{name: "a schedule", method: "POST", path: "/default/job/MyShell/schedule", body: `{:job/name "MyShell" :schedule/cron-notation "0 0 0 1 1 ? 2099"}`, status: 201, want: any_},
		{name: "it is edited as it was read", method: "POST", path: "/default/job/MyShell/schedule", status: 201, want: any_,
			body: `{:job/name "MyShell", :db/id 3 :schedule/active? false :schedule/cron-notation "0 0 0 2 1 ? 2099" :schedule/calendar {:calendar/name ""} :schedule/substitution? true}`},
		{name: "the job shows it", method: "GET", path: "/default/job/MyShell", status: 200, want: any_ +
			`:job/schedule \{:schedule/cron-notation "0 0 0 2 1 \? 2099" :schedule/substitution "true" :schedule/substitution\? true :schedule/misfire :fire-once :schedule/misfire-after "60s" :schedule/active\? true .*:job/next-execution \{:job-execution/start-time #inst "2099-01-02T00:00:00\.000-00:00"\}` + any_},
		{name: "the timeline shows it", method: "GET", path: "/default/jobs?q=Shell", status: 200, want: any_ +
			`:job/executions \[\{:application/name "default" :job/name "MyShell" :job-execution/batch-status \{:db/ident :batch-status/registered\} :job-execution/start-time #inst "2099-01-02T00:00:00\.000-00:00" :job-execution/end-time #inst "2099-01-02T00:05:00\.000-00:00"` + any_},
		{name: "a key of a namespace that nobody knows", method: "POST", path: "/default/job/MyShell/schedule", body: `{:schedule/cron-notation "0 0 0 * * ?" :other/key 1}`, status: 400, want: any_ + "other~1key" + any_},
		{name: "a key without one", method: "POST", path: "/default/job/MyShell/schedule", body: `{:schedule/cron-notation "0 0 0 * * ?" :other 1}`, status: 400, want: any_},
		{name: "a bad expression", method: "POST", path: "/default/job/MyShell/schedule", body: `{:schedule/cron-notation "99 0 0 * * ?"}`, status: 400, want: `\{:message "/cron_notation: want .*" :messages \[.*\] :code "invalid_body"\}`},
		{name: "a calendar that is not there", method: "POST", path: "/default/job/MyShell/schedule", body: `{:schedule/cron-notation "0 0 0 * * ?" :schedule/calendar {:calendar/name "c"}}`, status: 400, want: any_},
		{name: "pause", method: "PUT", path: "/default/job/MyShell/schedule/pause", status: 201, want: any_},
		{name: "a paused one has no next execution", method: "GET", path: "/default/job/MyShell", status: 200, want: `[^#]*#\{"who"\}.*|.*:schedule/active\? false.*`},
		{name: "resume", method: "PUT", path: "/default/job/MyShell/schedule/resume", status: 201, want: any_},
		{name: "GET is not for schedules", method: "GET", path: "/default/job/MyShell/schedule", status: 405, want: `\{:message .*\}`},
		{name: "delete", method: "DELETE", path: "/default/job/MyShell/schedule", status: 204, want: ``},
		{name: "there is none any more", method: "DELETE", path: "/default/job/MyShell/schedule", status: 404, want: `\{:message .* :code "no_such_schedule"\}`},

		{name: "a start with parameters", method: "POST", path: "/default/job/MyShell/executions", body: `{:who "x" :mode :fast :n 5}`, status: 201, want: `\{:db/id 1 :job-execution/execution-id 1 .*\}`},
		{name: "what was given is EDN in a string", method: "GET", path: "/default/job/MyShell/execution/1", status: 200, want: any_ + `:job-execution/job-parameters "\{:mode \\"fast\\" :n \\"5\\" :who \\"x\\"\}"` + any_},
		{name: "so it is in the list", method: "GET", path: "/default/job/MyShell/executions?offset=1&limit=20", status: 200, want: `\{:results \[\{:db/id 1 .* :job-execution/job-parameters "\{:mode \\"fast\\" :n \\"5\\" :who \\"x\\"\}"\}\] :hits 1 .*\}`},
		{name: "a start by the notificator", method: "POST", path: "/default/job/JOB-1/executions", body: `{}`, status: 201, want: `\{:db/id 2 .*\}`},
		{name: "a start by Java with an empty text", method: "POST", path: "/default/job/JOB-1/executions", headers: []string{"Accept", "application/json", "Content-Type", "text/plain"}, status: 201, type_: "application/json", want: `\{"execution_id":3.*\}`},
		{name: "a start of nothing", method: "POST", path: "/default/job/none/executions", body: `{}`, status: 404, want: any_},
		{name: "executions", method: "GET", path: "/default/job/JOB-1/executions?offset=1&limit=20", status: 200, want: `\{:results \[\{:db/id 3 .*\} \{:db/id 2 .* :job-execution/batch-status \{:db/ident :batch-status/undispatched\} :job-execution/create-time ` + inst + `.*:job-execution/job-parameters "\{\}"\}\] :hits 2 :offset 1 :limit 20\}`},
		{name: "one that waits is abandoned", method: "PUT", path: "/default/job/JOB-1/execution/3/abandon", status: 201, want: any_},
		{name: "one that waits is stopped", method: "PUT", path: "/default/job/JOB-1/execution/2/stop", status: 201, want: any_},
		{name: "an ended one is not stopped", method: "PUT", path: "/default/job/JOB-1/execution/2/stop", status: 409, want: `\{:message .* :code "job_execution_not_running"\}`},
		{name: "a restart", method: "PUT", path: "/default/job/JOB-1/execution/2/restart", body: `{}`, status: 201, want: `\{:db/id 4 .*:job-execution/batch-status \{:db/ident :batch-status/unrestarted\}.*\}`},
		{name: "a restart has the parameters of before", method: "PUT", path: "/default/job/MyShell/execution/1/stop", status: 201, want: any_},
		{name: "whatever the console's dialog sends", method: "PUT", path: "/default/job/MyShell/execution/1/restart", body: `{}`, status: 201, want: any_ + `:job-execution/job-parameters "\{:mode \\"fast\\" :n \\"5\\" :who \\"x\\"\}"` + any_},
		{name: "it is given up", method: "PUT", path: "/default/job/MyShell/execution/5/abandon", status: 201, want: any_},
		{name: "parameters that are one variable", method: "POST", path: "/default/job/JOB-1/executions", body: `{:a-b "1" :a.b "2"}`, status: 400, want: any_ + `a-b` + any_},
		{name: "an execution of another job", method: "GET", path: "/default/job/JOB-1/execution/1", status: 404, want: `\{:message .* :code "no_such_job_execution"\}`},
		{name: "no number", method: "GET", path: "/default/job/JOB-1/execution/abc", status: 404, want: any_},
		{name: "a limit that is none", method: "GET", path: "/default/job/JOB-1/executions?limit=abc", status: 400, want: `\{:message "limit: want .*" :messages .*\}`},
		{name: "the latest by its status", method: "GET", path: "/default/jobs?q=batch-status:unrestarted", status: 200, want: `\{:results \[\{:db/id \d+ :job/name "JOB-1" .*\}\] :hits 1 .*\}`},

		{name: "no agents", method: "GET", path: "/agents", status: 200, want: `\[\]`},
		{name: "an unknown agent", method: "GET", path: "/agent/d7dd0172-9b7b-4b1c-9e6d-0b8f2c7c8f4b", status: 404, want: any_},
		{name: "a picture of an unknown agent", method: "GET", path: "/agent/d7dd0172-9b7b-4b1c-9e6d-0b8f2c7c8f4b/monitor/cpu/daily", status: 404, want: `\{:message .* :code "no_such_agent"\}`},
		{name: "applications are a vector", method: "GET", path: "/apps", status: 200, want: `\[\{:application/name "default" :application/description .*\}\]`},

		{name: "no such route", method: "GET", path: "/a/b/c/d/e", status: 404, want: `\{:message "Not Found" :messages \["Not Found"\] :code "no_such_route"\}`},
		{name: "another method", method: "PUT", path: "/default/jobs", status: 405, want: `\{:message "Method Not Allowed" .*\}`},
		{name: "a type that nobody reads", method: "POST", path: "/default/jobs", headers: []string{"Content-Type", "text/plain", "Accept", "application/edn"}, body: "x", status: 415, want: any_},
		{name: "an answer that nobody writes", method: "GET", path: "/default/jobs", headers: []string{"Accept", "image/png"}, status: 406, type_: "application/problem+json", want: any_},
		{name: "a body of 5 MB", method: "POST", path: "/default/jobs", body: strings.Repeat(" ", 5_000_000), status: 413, want: `\{:message .* :code "body_too_large"\}`},
		{name: "a preflight", method: "OPTIONS", path: "/whatever/there/is", headers: []string{"Origin", "http://localhost:3000", "Access-Control-Request-Method", "PUT"}, status: 200, want: ``},
		{name: "a download", method: "GET", path: "/default/jobs/download?with=notation,schedule,settings", headers: []string{"Accept", "text/html,*/*;q=0.8", "Cookie", "ring-session=x"}, status: 200, type_: "application/force-download",
			want: `\[\{:db/id \d+ :job/name "JOB-1" .*:job/definition \{:id "JOB-1".*\} \{:db/id \d+ :job/name "MyShell" .*\}\]`},
		{name: "an import of one of them", method: "POST", path: "/default/jobs", status: 201, want: any_ + `:job/schedule \{:schedule/cron-notation "0 0 3 \* \* \?".*:schedule/active\? false` + any_,
			body: `{:db/id 3 :job/name "Imported" :job/stats {:total 1} :job/schedule {:schedule/cron-notation "0 0 3 * * ?" :schedule/active? false :schedule/misfire :fire-once :schedule/last-updated-time #inst "2026-11-24T12:33:20.125-00:00"} :job/definition {:id "Imported" :steps [{:id "S"}]}}`},
		{name: "an import with a bad schedule", method: "POST", path: "/default/jobs", status: 400, want: `\{:message "/job~1schedule/cron_notation: want .*`,
			body: `{:job/name "Imported" :job/components [{:id "S"}] :job/schedule {:schedule/cron-notation "x"}}`},
		{name: "an import with a schedule whose years are over", method: "POST", path: "/default/jobs", status: 400, want: any_ + "all its years are past" + any_,
			body: `{:job/name "Half" :job/components [{:id "S"}] :job/schedule {:schedule/cron-notation "0 0 0 1 1 ? 1999"}}`},
		{name: "leaves no job behind", method: "GET", path: "/default/job/Half", status: 404, want: any_},
		{name: "the editor saves a job under another name", method: "PUT", path: "/default/job/Imported", body: `{:job/name "Renamed" :job/components [{:id "S"}]}`, status: 201, want: `\{:db/id \d+ :job/name "Renamed" .*:job/schedule \{:schedule/cron-notation .*`},
		{name: "it has its name no more", method: "GET", path: "/default/job/Imported", status: 404, want: any_},
		{name: "a name that is taken", method: "PUT", path: "/default/job/Renamed", body: `{:job/name "MyShell" :job/components [{:id "S"}]}`, status: 409, want: `\{:message "a job MyShell already exists .*" :messages .* :code "job_exists"\}`},
		{name: "a job that is not there gets no name", method: "PUT", path: "/default/job/Imported", body: `{:job/name "Other" :job/components [{:id "S"}]}`, status: 404, want: any_},
		{name: "a schedule that an import brings", method: "POST", path: "/default/jobs", status: 201, want: any_ + ":job/schedule" + any_,
			body: `{:job/name "Renamed" :job/components [{:id "S"}] :job/schedule {:schedule/cron-notation "0 0 3 * * ?"}}`},
		{name: "a PUT leaves it", method: "PUT", path: "/default/job/Renamed", body: `{:job/name "Renamed" :job/components [{:id "S"}]}`, status: 201, want: any_ + ":job/schedule" + any_},
		{name: "one in the words of the API too", method: "POST", path: "/default/jobs", body: `{:id "Renamed" :steps [{:id "S"}]}`, status: 201, want: any_ + ":job/schedule" + any_},
		{name: "an import without one takes it away", method: "POST", path: "/default/jobs", body: `{:job/name "Renamed" :job/components [{:id "S"}]}`, status: 201, want: `(?:[^s]|s[^c]|sc[^h])*`},
		{name: "a paused one and none are told apart", method: "DELETE", path: "/default/job/Renamed/schedule", status: 404, want: any_},
		{name: "EDN that is no map starts nothing", method: "POST", path: "/default/job/Renamed/executions", body: `#foo {:a "1"}`, status: 400, want: any_},
		{name: "a set neither", method: "POST", path: "/default/job/Renamed/executions", body: `#{1}`, status: 400, want: any_},
		{name: "a status that is none is no condition", method: "GET", path: "/default/jobs?q=batch-status:zzz", headers: console, status: 200, want: `\{:results \[\{.*`},
		{name: "components without a cookie", method: "GET", path: "/default/batch-components", headers: []string{"Accept", "*/*", "Origin", "http://localhost:3000"}, status: 200, want: `\{:batch-component/batchlet .*`},
		{name: "no jars", method: "POST", path: "/default/deployments", status: 400, want: any_ + "/artifacts: want" + any_},
		{name: "a job's history goes", method: "DELETE", path: "/default/job/MyShell/executions", status: 204, want: ``},
		{name: "deletion of one that runs", method: "DELETE", path: "/default/job/JOB-1", status: 409, want: any_},
	}
	for _, x := range rows {
		x.run(t, e)
	}
	for _, path := range []string{"/default/stats", "/default/job/none", "/a/b/c/d/e", "/default/jobs?limit=abc"} {
		h := e.call("GET", path, "", console...).header
		if h.Get("Access-Control-Allow-Origin") != "http://localhost:3000" || h.Get("Access-Control-Allow-Credentials") != "true" {
			t.Errorf("GET %s without CORS headers: %v", path, h)
		}
	}
}

// The pictures of an agent's page. A browser asks for them as for any image.
func TestPicturesInEDN(t *testing.T) {
	e := newEnv(t)
	e.beats("a1")
	page := "/agent/" + agents.InstanceID("a1")
	image := []string{"Accept", "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", "Cookie", "ring-session=x"}
	for _, x := range []exchange{
		{name: "the agent", method: "GET", path: page, status: 200, want: `\{:agent/name "a1" .*\}`},
		{name: "its load", method: "GET", path: page + "/monitor/cpu/daily", headers: image, status: 200, type_: "image/png", want: `.PNG.*`},
		{name: "its memory", method: "GET", path: page + "/monitor/memory/daily", headers: image, status: 200, type_: "image/png", want: `.PNG.*`},
		{name: "by an XHR", method: "GET", path: page + "/monitor/memory/yearly", headers: console, status: 200, type_: "image/png", want: `.PNG.*`},
		{name: "another figure", method: "GET", path: page + "/monitor/disk/daily", status: 404, want: `\{:message .* :code "no_such_picture"\}`},
	} {
		x.run(t, e)
		h := e.call(x.method, x.path, "", console...).header
		if h.Get("Access-Control-Allow-Origin") != "http://localhost:3000" || h.Get("Access-Control-Allow-Credentials") != "true" {
			t.Errorf("%s: no CORS headers: %v", x.name, h)
		}
	}
}

// A panic is answered in the client's format too.
func TestPanicInEDN(t *testing.T) {
	s, _ := fakeServer()
	s.cfg.Executions = life(nil) // a method of nil panics
	r, _ := http.NewRequestWithContext(context.Background(), "GET", "/agents", nil)
	r.Header.Set("Content-Type", "application/edn")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != 500 || !strings.HasPrefix(w.Body.String(), `{:message "internal error; see the log of the control bus" :messages [`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// An execution with its steps and their output, as the console reads it.
func TestExecutionInEDN(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", job1).want(201)
	id := e.start("JOB-1", "")
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	step := subjects.StepExecution{ID: 1, Step: "STEP-1", BatchStatus: subjects.Started, StartTime: subjects.TimeOf(at)}
	a := e.agent("JOB-1", id).says(subjects.Started, at, step)
	a.logs(0, at, `one "line"`, "two")
	step.BatchStatus, step.ExitStatus, step.EndTime = subjects.Completed, "COMPLETED", subjects.TimeOf(at.Add(time.Second))
	a.says(subjects.Completed, at.Add(time.Second), step)
	x := exchange{name: "an execution", method: "GET", path: "/default/job/JOB-1/execution/1?wait=10s", status: 200, want: any_ +
		`:job-execution/agent \{:agent/name "a1" :agent/instance-id ` + uuid + `\}.* :job-execution/step-executions \[\{:db/id \d+ :step-execution/step-execution-id 1 :step-execution/step-name "STEP-1" ` +
		`:step-execution/batch-status \{:db/ident :batch-status/completed\} :step-execution/exit-status "COMPLETED" :step-execution/start-time ` + inst + ` :step-execution/end-time ` + inst +
		` :step-execution/logs \[\{:execution-log/date #inst "2026-01-02T03:04:05.678-00:00" .*:execution-log/level \{:db/ident :log-level/info\} .*:execution-log/message "one \\"line\\""\} \{.*"two"\}\]\}\]\}`}
	x.run(t, e)
	log := exchange{name: "output as values", method: "GET", path: "/default/execution/1/log", headers: []string{"Accept", "application/edn"}, status: 200,
		want: `\{:results \[\{:execution-log/date ` + inst + ` .*"two"\}\] :hits 2 :offset 1 :limit 1000\}`}
	log.run(t, e)
	log.headers, log.type_, log.want = []string{"Accept", "*/*"}, "text/plain", `.*\| two\n`
	log.run(t, e)
	if r := e.call("GET", "/default/job/JOB-1/execution/1?with=logs", ""); !strings.Contains(string(r.body), `"message":"two"`) {
		t.Errorf("with=logs in JSON: %s", r.body)
	}
}

// Of a long log an execution has the last lines.
func TestLastLines(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", job1).want(201)
	id, other := e.start("JOB-1", ""), e.start("JOB-1", "")
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a := e.agent("JOB-1", id).says(subjects.Started, at, subjects.StepExecution{ID: 1, Step: "STEP-1", BatchStatus: subjects.Started, StartTime: subjects.TimeOf(at)})
	for i := range 30 {
		lines := make([]string, 50)
		for k := range lines {
			lines[k] = fmt.Sprint("line ", 50*i+k+1)
		}
		a.logs(0, at, lines...)
	}
	e.agent("JOB-1", other).logs(0, at, "of another")
	var v rest.Execution
	eventually(t, "the step is recorded", func() bool {
		v = rest.Execution{}
		e.call("GET", fmt.Sprintf("/default/execution/%d?with=logs", id), "").want(200).into(&v)
		return len(v.StepExecutions) == 1
	})
	if logs := *v.StepExecutions[0].Logs; len(logs) != 1000 || logs[0].Message != "line 501" || logs[len(logs)-1].Message != "line 1500" {
		t.Errorf("%d lines, from %q to %q", len(logs), logs[0].Message, logs[len(logs)-1].Message)
	}
	var page rest.List[rest.LogLine]
	e.call("GET", fmt.Sprintf("/default/execution/%d/log", id), "", "Accept", "application/json").want(200).into(&page)
	if page.Hits != 1500 || page.Offset != 501 || len(page.Results) != 1000 {
		t.Errorf("%d of %d lines from %d", len(page.Results), page.Hits, page.Offset)
	}
}

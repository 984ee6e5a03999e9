package httpapi

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus/notify"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

const settingsInJobs = `:job/time-monitor \{:time-monitor/duration 10 :time-monitor/action \{:db/ident :action/alert\} :time-monitor/notification-type "mail"\} ` +
	`:job/status-notifications \[\{:db/id 1 :status-notification/batch-status \{:db/ident :batch-status/failed\} :status-notification/type "mail"\} \{:db/id 2 :status-notification/exit-status "X" :status-notification/type "sms"\}\]`

const myShell = `{:job/name "MyShell" :job/components [{:step/name "S" :step/batchlet {:batchlet/ref "org.jobstreamer.batch.ShellBatchlet"}}]}`

// What the console's page of settings sends, export and import. Rows stand on
// those before them.
func TestOlderSettings(t *testing.T) {
	e := newEnv(t)
	for _, x := range []exchange{
		{name: "a job", method: "POST", path: "/default/jobs", body: myShell, status: 201, want: any_},
		{name: "a time monitor that stops", method: "PUT", path: "/default/job/MyShell/settings/time-monitor", body: `{:time-monitor/duration 5 :time-monitor/action :action/stop :time-monitor/notification-type ""}`, status: 201, want: any_},
		{name: "one that alerts", method: "PUT", path: "/default/job/MyShell/settings/time-monitor", body: `{:time-monitor/duration 10 :time-monitor/action :action/alert :time-monitor/notification-type "mail"}`, status: 201, want: any_},
		{name: "a time monitor without minutes", method: "PUT", path: "/default/job/MyShell/settings/time-monitor", body: `{:time-monitor/duration 0 :time-monitor/action :action/none :time-monitor/notification-type ""}`, status: 400,
			want: `\{:message "/duration: want a number of minutes.*; /action: want one of alert, stop, abandon.*" :messages \["/duration: want a number of minutes.*" "/action: want one of alert, stop, abandon.*"\] .*\}`},
		{name: "an alert to nobody", method: "PUT", path: "/default/job/MyShell/settings/time-monitor", body: `{:time-monitor/duration 1 :time-monitor/action :action/alert}`, status: 400, want: any_ + `/notification_type: want` + any_},
		{name: "a time monitor of a job that is not there", method: "PUT", path: "/default/job/none/settings/time-monitor", body: `{:time-monitor/duration 1 :time-monitor/action :action/stop}`, status: 404, want: any_},
		{name: "a notification of a batch status", method: "PUT", path: "/default/job/MyShell/settings/status-notification", body: `{:status-notification/type "mail" :status-notification/batch-status :batch-status/failed}`, status: 201, want: `\{:db/id 1\}`},
		{name: "one of an exit status", method: "PUT", path: "/default/job/MyShell/settings/status-notification", body: `{:status-notification/type "sms" :status-notification/exit-status "X"}`, status: 201, want: `\{:db/id 2\}`},
		{name: "one of a status that is none", method: "PUT", path: "/default/job/MyShell/settings/status-notification", body: `{:status-notification/type "mail" :status-notification/batch-status :batch-status/}`, status: 400, want: any_ + `/batch_status: want` + any_},
		{name: "one of a status that is never reported", method: "PUT", path: "/default/job/MyShell/settings/status-notification", body: `{:status-notification/type "mail" :status-notification/batch-status :batch-status/queued}`, status: 400, want: any_ + `/batch_status: want one of starting, started` + any_},
		{name: "one of both", method: "PUT", path: "/default/job/MyShell/settings/status-notification", body: `{:status-notification/type "mail" :status-notification/batch-status :batch-status/failed :status-notification/exit-status "X"}`, status: 400, want: any_ + `/exit_status: want` + any_},
		{name: "one of nothing by nobody", method: "PUT", path: "/default/job/MyShell/settings/status-notification", body: `{}`, status: 400, want: any_ + `/type: want.*/batch_status: want` + any_},
		{name: "one that the notificator has for itself", method: "PUT", path: "/default/job/MyShell/settings/status-notification", body: `{:status-notification/type "healthcheck" :status-notification/exit-status "X"}`, status: 400, want: any_ + `/type: want` + any_},
		{name: "all settings, with bare keywords", method: "GET", path: "/default/job/MyShell/settings", status: 200,
			want: `\{:job/exclusive\? false :job/time-monitor \{:time-monitor/duration 10 :time-monitor/action :action/alert :time-monitor/notification-type "mail"\} ` +
				`:job/status-notifications \[\{:db/id 1 :status-notification/batch-status :batch-status/failed :status-notification/type "mail"\} \{:db/id 2 :status-notification/exit-status "X" :status-notification/type "sms"\}\]\}`},
		{name: "in lists they are references", method: "GET", path: "/default/jobs?q=Shell&with=settings", status: 200, want: any_ + settingsInJobs + any_},
		{name: "and only if asked for", method: "GET", path: "/default/jobs?q=Shell&with=execution", status: 200, want: any_ + `:job/executions \[\]\}\] :hits 1 .*`},
		{name: "the job has them", method: "GET", path: "/default/job/MyShell", status: 200, want: any_ + settingsInJobs + any_},
		{name: "a new definition keeps them", method: "PUT", path: "/default/job/MyShell", body: myShell, status: 201, want: any_ + settingsInJobs + any_},
		{name: "as it was exported it is imported", method: "POST", path: "/default/jobs", status: 201, want: any_ + `:job/time-monitor \{:time-monitor/duration 20 :time-monitor/action \{:db/ident :action/abandon\} .*:job/status-notifications \[\{:db/id \d+ :status-notification/batch-status \{:db/ident :batch-status/failed\} :status-notification/type "mail"\}\]` + any_,
			body: `{:job/name "Settled" :job/time-monitor {:time-monitor/duration 20 :time-monitor/action {:db/ident :action/abandon} :time-monitor/notification-type ""} :job/status-notifications [{:status-notification/batch-status {:db/ident :batch-status/failed} :status-notification/type "mail"}] :job/definition {:id "Settled" :steps [{:id "S"}]}}`},
		{name: "a PUT without settings leaves them", method: "PUT", path: "/default/job/Settled", body: `{:job/name "Settled" :job/components [{:id "S"}]}`, status: 201, want: any_ + `:job/time-monitor \{:time-monitor/duration 20 .*:job/status-notifications` + any_},
		{name: "an import without settings takes them away", method: "POST", path: "/default/jobs", body: `{:job/name "Settled" :job/components [{:id "S"}]}`, status: 201, want: `(?:[^t]|t[^i]|ti[^m]|tim[^e]|time[^-])*`},
		{name: "an empty body is no monitor", method: "PUT", path: "/default/job/Settled/settings/time-monitor", status: 400, want: any_ + "/duration: want" + any_},
		{name: "nor a notification", method: "PUT", path: "/default/job/Settled/settings/status-notification", status: 400, want: any_ + "/type: want" + any_},
		{name: "one with bare keywords replaces them", method: "POST", path: "/default/jobs", status: 201, want: any_ + `:job/time-monitor \{:time-monitor/duration 1 :time-monitor/action \{:db/ident :action/stop\}[^s]*:time-monitor/notification-type ""\}\}`,
			body: `{:job/name "Settled" :job/components [{:id "S"}] :job/time-monitor {:time-monitor/duration 1 :time-monitor/action :action/stop} :job/status-notifications []}`},
		{name: "one with bad settings", method: "POST", path: "/default/jobs", status: 400, want: any_ + `/job~1time-monitor/duration: want.*/job~1status-notifications/0/type: want` + any_,
			body: `{:job/name "Settled" :job/components [{:id "S"}] :job/time-monitor {:time-monitor/duration 0 :time-monitor/action :action/stop} :job/status-notifications [{:status-notification/exit-status "X"}]}`},
		{name: "it goes again", method: "DELETE", path: "/default/job/Settled", status: 204, want: ``},
		{name: "a notification is removed by a PUT", method: "PUT", path: "/default/job/MyShell/settings/status-notification", body: `{:db/id 1}`, status: 201, want: `\{\}`},
		{name: "but not twice", method: "PUT", path: "/default/job/MyShell/settings/status-notification", body: `{:db/id 1}`, status: 404, want: any_ + `:code "no_such_status_notification"\}`},
		{name: "nor with what it would become", method: "PUT", path: "/default/job/MyShell/settings/status-notification", body: `{:db/id 2 :status-notification/type "mail"}`, status: 400, want: any_ + `/id: want` + any_},
		{name: "the other by a DELETE", method: "DELETE", path: "/default/job/MyShell/settings/status-notification/2", status: 204, want: ``},
		{name: "and that of no number", method: "DELETE", path: "/default/job/MyShell/settings/status-notification/x", status: 404, want: any_},
		{name: "no time monitor, by a DELETE with a body", method: "DELETE", path: "/default/job/MyShell/settings/time-monitor", body: `{}`, status: 204, want: ``},
		{name: "nothing is left of them", method: "GET", path: "/default/job/MyShell/settings", status: 200, want: `\{:job/exclusive\? false :job/status-notifications \[\]\}`},
	} {
		x.run(t, e)
	}
}

// The same in JSON, and what a download has is imported again as it was.
func TestSettings(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	at := "/default/job/a/settings"
	var s rest.Settings
	if e.call("PUT", at+"/time-monitor", `{"duration":10,"action":"alert","notification_type":"mail"}`).want(200).into(&s); s.TimeMonitor == nil {
		t.Fatal("no time monitor after PUT")
	}
	e.call("PUT", at+"/time-monitor", `{"duration":0,"action":"x"}`).code(422, "invalid_body")
	e.call("PUT", at+"/time-monitor", `{"duration":"1"}`).code(422, "invalid_body")
	e.call("PUT", "/default/job/none/settings/time-monitor", `{"duration":1,"action":"stop"}`).code(404, "no_such_job")
	e.call("PUT", "/none/job/a/settings/time-monitor", `{"duration":1,"action":"stop"}`).code(404, "no_such_app")
	var one, two rest.NotificationID
	e.call("PUT", at+"/status-notification", `{"batch_status":"failed","type":"mail"}`).want(200).into(&one)
	e.call("PUT", at+"/status-notification", `{"exit_status":"X","type":"mail"}`).want(200).into(&two)
	e.call("PUT", at+"/status-notification", `{"type":"mail"}`).code(422, "invalid_body")
	e.call("PUT", at+"/status-notification", `{"id":99}`).code(404, "no_such_status_notification")
	e.call("DELETE", at+"/status-notification/99", "").code(404, "no_such_status_notification")
	e.call("PUT", at+"/exclusive", "").want(200)
	was := string(e.call("GET", at, "").want(200).body)
	if want := `"time_monitor":{"duration":10,"action":"alert","notification_type":"mail"},"status_notifications":[{"id":`; !strings.HasPrefix(was, `{"exclusive":true,`+want) {
		t.Errorf("settings %s", was)
	}
	if one.ID == 0 || one.ID >= two.ID {
		t.Errorf("ids %d and %d", one.ID, two.ID)
	}
	t.Run("a job's own answer and its list have them", func(t *testing.T) {
		var j rest.Job
		if e.call("GET", "/default/job/a", "").into(&j); j.TimeMonitor == nil || len(j.StatusNotifications) != 2 {
			t.Errorf("the job has %+v and %+v", j.TimeMonitor, j.StatusNotifications)
		}
		for query, want := range map[string]int{"": 0, "?with=settings": 2} {
			var list rest.List[rest.Job]
			if e.call("GET", "/default/jobs"+query, "").into(&list); len(list.Results[0].StatusNotifications) != want {
				t.Errorf("the list%s has %+v", query, list.Results[0].StatusNotifications)
			}
		}
	})
	t.Run("what is downloaded is imported as it was", func(t *testing.T) {
		file := string(e.call("GET", "/default/jobs/download", "", "Accept", "application/edn").want(200).body)
		e.call("DELETE", "/default/job/a", "").want(204)
		e.call("POST", "/default/jobs", file[1:len(file)-1], "Content-Type", "application/edn", "Accept", "application/json").want(201)
		var now rest.Settings
		e.call("GET", at, "").want(200).into(&now)
		if len(now.StatusNotifications) != 2 || now.StatusNotifications[0].ID == one.ID {
			t.Fatalf("imported as %+v, want both with ids of their own", now.StatusNotifications)
		}
		now.StatusNotifications[0].ID, now.StatusNotifications[1].ID = one.ID, two.ID
		if got := string(mustJSON(t, now)); got != was {
			t.Errorf("imported as\n%s\nwant\n%s", got, was)
		}
	})
	e.call("DELETE", at+"/time-monitor", "").want(204)
	e.call("DELETE", at+"/exclusive", "").want(204)
	if r := e.call("GET", at, "", "Accept", "application/yaml").want(200); !strings.Contains(string(r.body), "time_monitor: null\n") {
		t.Errorf("in YAML %s", r.body)
	}
}

func TestAlert(t *testing.T) {
	e := newEnv(t)
	var got atomic.Pointer[string]
	status := http.StatusOK
	sink := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		said := r.URL.Path + " " + string(body)
		got.Store(&said)
		w.WriteHeader(status)
	}))
	t.Cleanup(sink.Close)
	with := func(url string) {
		n, err := notify.New(notify.Config{Bus: e.bus, Index: e.index, URL: url})
		if err != nil {
			t.Fatal(err)
		}
		e.server.cfg.Notifier = n
	}
	with(sink.URL)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	at := fmt.Sprintf("/default/job/a/execution/%d/alert", e.start("a", ""))
	e.call("PUT", at, "").code(404, "no_such_time_monitor")
	e.call("PUT", "/default/job/a/settings/time-monitor", `{"duration":10,"action":"alert","notification_type":"mail"}`).want(200)
	var v rest.Execution
	if e.call("PUT", at, "").want(200).into(&v); *got.Load() != `/mail {:job-name "a" :duration 10}` || v.Job != "a" {
		t.Errorf("posted %s, answered %+v", *got.Load(), v)
	}
	e.call("PUT", at, "", console...).want(201)
	e.call("PUT", "/default/job/a/execution/99/alert", "").code(404, "no_such_job_execution")
	status = http.StatusInternalServerError
	e.call("PUT", at, "").code(502, "notification_not_sent")
	with("")
	e.call("PUT", at, "").code(409, "no_notificator")
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

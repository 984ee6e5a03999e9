package httpapi

import (
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus/notify"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

const diagram = `<?xml version="1.0"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:jsr352="http://jsr352/" xmlns:camunda="http://camunda.org/schema/1.0/bpmn">
<jsr352:job id="Job_1" name="drawn"><jsr352:step id="Step_1" name="hello"><jsr352:batchlet ref="org.jobstreamer.batch.ShellBatchlet">
<bpmn:extensionElements><camunda:properties><camunda:property name="env.WHO" value="#{jobParameters[&#39;who&#39;]}"/></camunda:properties></bpmn:extensionElements>
</jsr352:batchlet></jsr352:step></jsr352:job></bpmn:definitions>`

// What the diagram editor saves is the job's definition, and is given back as
// it was sent.
func TestNotation(t *testing.T) {
	e := newEnv(t)
	text := `"` + strings.NewReplacer(`"`, `\"`, "\n", `\n`).Replace(diagram) + `"` // in EDN and in JSON
	both := `:job/bpmn-xml-notation ` + regexp.QuoteMeta(text) + ` :job/svg-notation "<svg/>"`
	for _, x := range []exchange{
		{name: "saved", method: "POST", path: "/default/jobs", body: `{:job/name "Named" :job/bpmn-xml-notation ` + text + ` :job/svg-notation "<svg/>"}`, status: 201, want: any_ + both + `\}`},
		{name: "read", method: "GET", path: "/default/job/Named", status: 200, want: any_ + `:job/dynamic-parameters #\{"who"\} :job/definition \{:id "Named"\s+:steps\s+\[\{:id "hello"\s.*\}\]\} ` + both + `\}`},
		{name: "a list does not have it", method: "GET", path: "/default/jobs", status: 200, want: `[^<]*`},
		{name: "but when it is asked for", method: "GET", path: "/default/jobs?with=notation,execution", status: 200, want: any_ + both + any_},
		{name: "nor has a download", method: "GET", path: "/default/jobs/download?with=schedule", status: 200, type_: "application/force-download", want: `[^<]*`},
		{name: "but when it is asked for, too", method: "GET", path: "/default/jobs/download?with=notation,schedule,settings", status: 200, type_: "application/force-download", want: any_ + both + any_},
		{name: "a setting does not lose it", method: "PUT", path: "/default/job/Named/settings/exclusive", body: `{:job/exclusive? true}`, status: 201, want: any_},
		{name: "it is there still", method: "GET", path: "/default/job/Named", status: 200, want: any_ + `:exclusive true` + any_ + both + any_},
		{name: "a definition besides is the definition", method: "POST", path: "/default/jobs", status: 201, want: any_ + `:steps\s+\[\{:id "other".*` + both + `\}`,
			body: `{:job/name "Imported" :job/bpmn-xml-notation ` + text + ` :job/svg-notation "<svg/>" :job/definition {:id "Imported" :steps [{:id "other"}]}}`},
		{name: "renamed by the editor", method: "PUT", path: "/default/job/Named", body: `{:job/name "drawn" :job/bpmn-xml-notation ` + text + `}`, status: 201, want: `\{:db/id \d+ :job/name "drawn" .*:job/bpmn-xml-notation "[^"]*.*`},
		{name: "it is exclusive still, which a diagram cannot say", method: "GET", path: "/default/job/drawn", status: 200, want: any_ + `:job/exclusive\? true` + any_},
		{name: "a picture that is not sent is none", method: "GET", path: "/default/job/drawn", status: 200, want: any_ + `</bpmn:definitions>"\}`},
		{name: "started", method: "POST", path: "/default/job/drawn/executions", body: `{:who "x"}`, status: 201, want: any_},
		{name: "no diagram", method: "POST", path: "/default/jobs", body: `{:job/name "Named" :job/bpmn-xml-notation "<a/>"}`, status: 400,
			want: `\{:message "/job~1bpmn-xml-notation: want a diagram with a job .*line 1, column 1 of the diagram.*" :messages \[.*\] :code "invalid_body"\}`},
		{name: "an empty one, without a definition", method: "POST", path: "/default/jobs", body: `{:job/name "Named" :job/bpmn-xml-notation ""}`, status: 400, want: any_ + `/steps: want` + any_},
		{name: "exclusive from the beginning", method: "POST", path: "/default/jobs", body: `{:job/name "Alone" :job/exclusive? true :job/bpmn-xml-notation ` + text + `}`, status: 201, want: any_ + `:job/exclusive\? true` + any_},
		{name: "a name that is none", method: "POST", path: "/default/jobs", body: `{:job/name "x y" :job/bpmn-xml-notation ` + text + `}`, status: 400, want: `\{:message "/job~1name: want an XML NCName .*"` + any_},
		{name: "nor is it one to rename to", method: "PUT", path: "/default/job/Alone", body: `{:job/name "new name" :job/bpmn-xml-notation ` + text + `}`, status: 400, want: any_},
		{name: "it is as it was", method: "GET", path: "/default/job/Alone", status: 200, want: any_},
		{name: "a name besides an exported definition", method: "POST", path: "/default/jobs", body: `{:job/name "Copy" :job/definition {:id "Alone" :steps [{:id "s"}]}}`, status: 201, want: any_ + `:job/name "Copy"` + any_},
		{name: "what is wrong beside a diagram", method: "POST", path: "/default/jobs", body: `{:job/name "Named" :job/bpmn-xml-notation ` + text + ` :job/schedule {:schedule/cron-notation "bad"}}`, status: 400, want: `\{:message "/job~1schedule/cron_notation: want` + any_},
		{name: "the name of tests", method: "POST", path: "/default/jobs", body: `{:id "_test-execution_" :steps [{:id "s"}]}`, status: 400, want: any_ + "the bus uses this one to try diagrams" + any_},
		{name: "no text", method: "POST", path: "/default/jobs", body: `{:job/name "Named" :job/bpmn-xml-notation 5}`, status: 400, want: any_},
		{name: "converted", method: "POST", path: "/jobs/convert-xml", body: `{:job-bpmn-xml ` + text + `}`, status: 201, want: `\{:job-xml "<\?xml .*<job .*id=\\"drawn\\".*<batchlet ref=.*"\}`},
		{name: "not converted", method: "POST", path: "/jobs/convert-xml", body: `{:job-bpmn-xml "<a/>"}`, status: 400, want: any_ + "/job_bpmn_xml: want" + any_},
	} {
		x.run(t, e)
	}
	e.call("POST", "/default/jobs", `{"job/name":"inJSON","job/bpmn-xml-notation":`+text+`}`).want(201)
	var v rest.Job
	e.call("GET", "/default/job/inJSON", "").want(200).into(&v)
	if v.BPMNXMLNotation != diagram || !strings.Contains(string(v.Definition.JSON), `"hello"`) {
		t.Errorf("in JSON: %q, %s", v.BPMNXMLNotation, v.Definition.JSON)
	}
}

// A diagram has no place for unsafe_substitution: it keeps that of the job.
func TestUnsafeDiagram(t *testing.T) {
	e := newEnv(t)
	unsafe := strings.Replace(diagram, `name="env.WHO"`, `name="command"`, 1)
	sent := `{:job/name "drawn" :job/bpmn-xml-notation "` + strings.NewReplacer(`"`, `\"`, "\n", `\n`).Replace(unsafe) + `"}`
	refused := `\{:message "/job~1bpmn-xml-notation: want \\"\$JOBSTREAMER_PARAM_WHO\\" instead of .* at /steps/0/batchlet/properties/command, got .*` + any_
	for _, x := range []exchange{
		{name: "a new job", method: "POST", path: "/default/jobs", body: sent, status: 400, want: refused},
		{name: "a job that exists", method: "POST", path: "/default/jobs", body: `{:id "drawn" :steps [{:id "s"}]}`, status: 201, want: any_},
		{name: "it does not allow it", method: "PUT", path: "/default/job/drawn", body: sent, status: 400, want: refused},
		{name: "nor in a preview", method: "POST", path: "/default/jobs/preview", body: sent, status: 400, want: refused},
		{name: "it allows it now", method: "PUT", path: "/default/job/drawn", body: `{:id "drawn" :unsafe-substitution true :steps [{:id "s"}]}`, status: 201, want: any_},
		{name: "the diagram is taken", method: "PUT", path: "/default/job/drawn", body: sent, status: 201, want: any_},
		{name: "the job allows it still", method: "GET", path: "/default/job/drawn", status: 200, want: any_ + `:unsafe-substitution true` + any_},
		{name: "the diagram is taken again", method: "POST", path: "/default/jobs", body: sent, status: 201, want: any_},
	} {
		x.run(t, e)
	}
}

const wholeFile = `id: nightly
steps:
  - id: s
    batchlet:
      ref: org.jobstreamer.batch.ShellBatchlet
schedule:
  cron_notation: "0 0 2 ? * MON-FRI"
  time_zone: Europe/Berlin
  active: true
schedules: {}
triggers:
  needed: all
  jobs:
    - job: load
      "on": completed
      parameters:
        day: "1"
time_monitor:
  duration: 30
  action: alert
  notification_type: mail
status_notifications:
  - batch_status: failed
    type: mail
`

var (
	asYAML  = []string{"Content-Type", "application/yaml"}
	getYAML = []string{"Accept", "application/yaml"}
)

// A file says all of a job, comes back as it was, and what it does not say
// stays.
func TestJobFiles(t *testing.T) {
	e := newEnv(t)
	preview := func(text string) (v rest.JobPreview) {
		t.Helper()
		e.call("POST", "/default/jobs/preview", text, asYAML...).want(200).into(&v)
		return v
	}
	put := func(text string) {
		t.Helper()
		if r := e.call("PUT", "/default/job/nightly", text, asYAML...); r.status/100 != 2 {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	file := func() string {
		t.Helper()
		return string(e.call("GET", "/default/job/nightly/file", "", getYAML...).want(200).body)
	}
	if v := preview(wholeFile); v.Result != "created" || v.Was != nil || v.Name != "nightly" {
		t.Errorf("%+v", v)
	}
	e.call("GET", "/default/job/nightly", "").code(404, "no_such_job") // it was only previewed
	put(wholeFile)
	if got := file(); got != wholeFile {
		t.Errorf("came back as\n%s", got)
	}
	var first, second rest.Job
	e.call("GET", "/default/job/nightly", "").want(200).into(&first)
	if v := preview(wholeFile); v.Result != "unchanged" || string(v.Was) != string(v.Is) {
		t.Errorf("%+v", v)
	}
	put(wholeFile)
	e.call("GET", "/default/job/nightly", "").want(200).into(&second)
	if first.Schedule.LastUpdatedTime != second.Schedule.LastUpdatedTime || first.StatusNotifications[0].ID != second.StatusNotifications[0].ID {
		t.Errorf("the schedule or a notification was made anew: %+v, %+v", first, second)
	}
	e.call("PUT", "/default/job/nightly/schedule/pause", "").want(200)
	if v := preview(strings.Replace(wholeFile, "  active: true\n", "", 1)); v.Result != "unchanged" {
		t.Errorf("a file without a word about a pause ends it: %+v", v)
	}
	if v := preview(wholeFile); v.Result != "changed" || !strings.Contains(string(v.Was), `"active":false`) || !strings.Contains(string(v.Is), `"active":true`) {
		t.Errorf("%+v", v)
	}
	bare, _, _ := strings.Cut(wholeFile, "schedule:")
	put(bare)
	if got := file(); got != strings.Replace(wholeFile, "active: true", "active: false", 1) {
		t.Errorf("a definition alone left\n%s", got)
	}
	if v := preview(bare + "schedule: null\n"); v.Result != "changed" {
		t.Errorf("%+v", v)
	}
	put(bare + "schedule: null\ntriggers: null\ntime_monitor: null\nstatus_notifications: null\n")
	if got := file(); got != bare+"schedule: null\nschedules: {}\ntriggers: null\ntime_monitor: null\nstatus_notifications: []\n" {
		t.Errorf("of nothing came\n%s", got)
	}
	ednFile := string(e.call("GET", "/default/job/nightly/file", "", "Accept", "application/edn").want(200).body)
	e.call("PUT", "/default/job/nightly", wholeFile, asYAML...).want(200)
	e.call("PUT", "/default/job/nightly", ednFile, "Content-Type", "application/edn", "Accept", "application/json")
	if got := file(); got != bare+"schedule: null\nschedules: {}\ntriggers: null\ntime_monitor: null\nstatus_notifications: []\n" {
		t.Errorf("EDN of nothing left\n%s", got)
	}
	put(strings.Replace(wholeFile, "active", "misfire: fire_once\n  misfire_after: 1m\n  active", 1))
	if got := file(); got != wholeFile {
		t.Errorf("a default is written:\n%s", got)
	}
}

// What is wrong is said with its place, all of it, and nothing is written.
func TestWrongJobFiles(t *testing.T) {
	e := newEnv(t)
	text := strings.NewReplacer("0 0 2", "0 99 2", "duration: 30", "duration: 0", "type: mail\n", "typ: mail\n", "action: alert", "action: sing").Replace(wholeFile)
	for _, r := range []*reply{
		e.call("PUT", "/default/job/nightly", text, asYAML...), e.call("POST", "/default/jobs/preview", text, asYAML...), e.call("POST", "/default/jobs", text, asYAML...),
	} {
		var p rest.Problem
		r.code(422, "invalid_job").into(&p)
		var got []string
		for _, f := range p.Errors {
			got = append(got, f.Pointer)
			if f.Line == 0 || f.Column == 0 {
				t.Errorf("no place of %+v", f)
			}
		}
		want := []string{"/schedule/cron_notation", "/time_monitor/duration", "/time_monitor/action", "/time_monitor/notification_typ", "/status_notifications/0/typ"}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q", r.asked, got)
		}
	}
	past := strings.Replace(wholeFile, "0 0 2 ? * MON-FRI", "0 0 0 1 1 ? 1999", 1)
	for _, r := range []*reply{e.call("PUT", "/default/job/nightly", past, asYAML...), e.call("POST", "/default/jobs/preview", past, asYAML...)} {
		var p rest.Problem
		if r.code(422, "invalid_job").into(&p); p.Errors[0].Pointer != "/schedule/cron_notation" || p.Errors[0].Line != 7 {
			t.Errorf("%+v", p.Errors)
		}
	}
	e.call("GET", "/default/job/nightly", "").code(404, "no_such_job")
	if _, err := ParseFile(jsl.YAML, []byte(text)); err == nil || strings.Count(err.Error(), "line") != 5 {
		t.Errorf("here: %v", err)
	}
	for _, text := range []string{"schedule: 1", "schedule: [a]", "status_notifications: {}", "time_monitor: x"} {
		e.call("POST", "/default/jobs/preview", "id: a\nsteps: [{id: s}]\n"+text+"\n", asYAML...).code(422, "invalid_job")
	}
	e.call("POST", "/none/jobs/preview", wholeFile, asYAML...).code(404, "no_such_app")
}

// What will not run, or tell nobody, is said where it is written.
func TestWarnings(t *testing.T) {
	unable := errors.New("agents cannot run flow f1 yet")
	e := newEnv(t, func(c *Config) {
		c.Runnable = func(j *jsl.Job) error {
			if j.ID == "flowing" {
				return unable
			}
			return nil
		}
	})
	e.call("POST", "/default/jobs", jobNamed("load")).want(201) // its trigger would warn
	const flowing = "id: flowing\nsteps: [{id: f1, steps: [{id: s}]}]\n"
	var v rest.Job
	if e.call("PUT", "/default/job/flowing", flowing, asYAML...).want(201).into(&v); len(v.Warnings) != 1 || !strings.Contains(v.Warnings[0], "flow f1") {
		t.Errorf("%q", v.Warnings)
	}
	var would rest.JobPreview
	if e.call("POST", "/default/jobs/preview", flowing, asYAML...).want(200).into(&would); !slices.Equal(would.Warnings, v.Warnings) {
		t.Errorf("%q, want %q", would.Warnings, v.Warnings)
	}
	v = rest.Job{}
	if e.call("PUT", "/default/job/nightly", wholeFile, asYAML...).want(201).into(&v); len(v.Warnings) != 0 {
		t.Errorf("it is not known whether there is a notificator: %q", v.Warnings)
	}
	n, err := notify.New(notify.Config{Bus: e.bus, Index: e.index})
	if err != nil {
		t.Fatal(err)
	}
	e.server.cfg.Notifier = n
	var set rest.Settings
	var id rest.NotificationID
	e.call("PUT", "/default/job/nightly", wholeFile, asYAML...).want(200).into(&v)
	e.call("PUT", "/default/job/nightly/settings/time-monitor", `{"duration":1,"action":"alert","notification_type":"sms"}`).want(200).into(&set)
	e.call("PUT", "/default/job/nightly/settings/status-notification", `{"batch_status":"failed","type":"sms"}`).want(200).into(&id)
	for what, got := range map[string][]string{"a file": v.Warnings, "a time monitor": set.Warnings, "a notification": id.Warnings} {
		if !strings.Contains(strings.Join(got, "\n"), "--notificator-url") {
			t.Errorf("%s: %q", what, got)
		}
	}
	if len(v.Warnings) != 2 || !strings.HasPrefix(v.Warnings[0], "/time_monitor: ") || !strings.HasPrefix(v.Warnings[1], "/status_notifications/0: ") {
		t.Errorf("%q", v.Warnings)
	}
	set = rest.Settings{}
	if e.call("PUT", "/default/job/nightly/settings/time-monitor", `{"duration":1,"action":"stop"}`).want(200).into(&set); len(set.Warnings) != 2 {
		t.Errorf("two notifications are still there: %q", set.Warnings)
	}
	if n, err = notify.New(notify.Config{Bus: e.bus, Index: e.index, URL: "http://127.0.0.1:1"}); err != nil {
		t.Fatal(err)
	}
	e.server.cfg.Notifier = n
	v = rest.Job{}
	if e.call("PUT", "/default/job/nightly", wholeFile, asYAML...).want(200).into(&v); len(v.Warnings) != 0 {
		t.Errorf("%q", v.Warnings)
	}
}

// Whatever can be sent of a schedule is in a file.
func TestAllOfAScheduleIsInAFile(t *testing.T) {
	var sent rest.NewSchedule
	v := reflect.ValueOf(&sent).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Slice:
			f.Set(reflect.ValueOf([]int{1}))
		case reflect.Pointer: // substitution? of v1 clients, which says no more than substitution
		case reflect.String:
			f.SetString("x")
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int:
			f.SetInt(5)
		case reflect.Map:
			f.Set(reflect.ValueOf(map[string]string{"x": "y"}))
		default:
			t.Fatalf("what is a %s?", f.Kind())
		}
	}
	sc := scheduleFor("a", "b", &sent)
	if got := sentOf(&sc); !reflect.DeepEqual(got, sent) {
		t.Errorf("%+v, want %+v", got, sent)
	}
}

// The schedules other than the default one are a member of their own, by name.
func TestJobFileWithSchedules(t *testing.T) {
	e := newEnv(t)
	bare, _, _ := strings.Cut(wholeFile, "schedule:")
	two := bare + "schedules:\n  slow:\n    cron_notation: 0 0 6 L * ?\n  fast:\n    cron_notation: 0 0/5 * * * ?\n    active: false\n"
	put := func(text string) {
		t.Helper()
		if r := e.call("PUT", "/default/job/nightly", text, asYAML...); r.status/100 != 2 {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	names := func() (all []string) {
		t.Helper()
		var list rest.Schedules
		e.call("GET", "/default/job/nightly/schedules", "").want(200).into(&list)
		for _, s := range list.Results {
			all = append(all, s.Name)
		}
		return all
	}
	put(two)
	if got := names(); !slices.Equal(got, []string{"fast", "slow"}) {
		t.Errorf("schedules %v", got)
	}
	first := string(e.call("GET", "/default/job/nightly/file", "", getYAML...).want(200).body)
	if !strings.Contains(first, "schedule: null\nschedules:\n  fast:\n") {
		t.Errorf("the file came back as\n%s", first)
	}
	put(first)
	if again := string(e.call("GET", "/default/job/nightly/file", "", getYAML...).want(200).body); again != first {
		t.Errorf("the file changed on its way\n%s", again)
	}
	var v rest.JobPreview
	e.call("POST", "/default/jobs/preview", two, asYAML...).want(200).into(&v)
	if v.Result != "unchanged" {
		t.Errorf("%+v", v)
	}
	edn := string(e.call("GET", "/default/job/nightly/file", "", "Accept", "application/edn").want(200).body)
	if r := e.call("PUT", "/default/job/nightly", edn, "Content-Type", "application/edn"); r.status/100 != 2 || len(names()) != 2 {
		t.Errorf("%d %s, of %s", r.status, r.body, edn)
	}
	put(wholeFile[:strings.Index(wholeFile, "schedules:")])
	if got := names(); !slices.Equal(got, []string{"default", "fast", "slow"}) {
		t.Errorf("schedules %v after a file without the member", got)
	}
	put(bare + "schedules:\n  slow:\n    cron_notation: 0 0 6 L * ?\n")
	if got := names(); !slices.Equal(got, []string{"default", "slow"}) {
		t.Errorf("schedules %v after a file without one of them", got)
	}
	put(bare + "schedules: null\n")
	if got := names(); !slices.Equal(got, []string{"default"}) {
		t.Errorf("schedules %v after null", got)
	}
	for text, at := range map[string]string{
		"schedules:\n  default:\n    cron_notation: 0 0 6 L * ?\n": "/schedules/default",
		"schedules:\n  a b:\n    cron_notation: 0 0 6 L * ?\n":     "/schedules/a b",
		"schedules:\n  a:\n    cron_notation: x\n":                 "/schedules/a/cron_notation",
		"schedules:\n  a:\n    cron_notation: 0 0 0 1 1 ? 1999\n":  "/schedules/a/cron_notation",
		"schedules:\n  a: null\n":                                  "/schedules/a",
		"schedules: []\n":                                          "/schedules",
	} {
		var p rest.Problem
		r := e.call("PUT", "/default/job/nightly", bare+text, asYAML...)
		if r.status/100 != 4 {
			t.Errorf("%s: %d %s", text, r.status, r.body)
			continue
		}
		if r.into(&p); len(p.Errors) != 1 || p.Errors[0].Pointer != at || p.Errors[0].Line == 0 {
			t.Errorf("%s: %+v, want a fault at %s", text, p.Errors, at)
		}
	}
}

package httpapi

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus/notify"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

const wholeFile = `id: nightly
steps:
  - id: s
    batchlet:
      ref: org.jobstreamer.batch.ShellBatchlet
schedule:
  cron_notation: "0 0 2 ? * MON-FRI"
  time_zone: Europe/Berlin
  active: true
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
	judge := func(text string) (v rest.Judgement) {
		t.Helper()
		e.call("POST", "/default/jobs/judge", text, asYAML...).want(200).into(&v)
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
	if v := judge(wholeFile); v.Result != "created" || v.Was != nil || v.Name != "nightly" {
		t.Errorf("%+v", v)
	}
	e.call("GET", "/default/job/nightly", "").code(404, "no_such_job") // it was only judged
	put(wholeFile)
	if got := file(); got != wholeFile {
		t.Errorf("came back as\n%s", got)
	}
	var first, second rest.Job
	e.call("GET", "/default/job/nightly", "").want(200).into(&first)
	if v := judge(wholeFile); v.Result != "unchanged" || string(v.Was) != string(v.Is) {
		t.Errorf("%+v", v)
	}
	put(wholeFile)
	e.call("GET", "/default/job/nightly", "").want(200).into(&second)
	if first.Schedule.LastUpdatedTime != second.Schedule.LastUpdatedTime || first.StatusNotifications[0].ID != second.StatusNotifications[0].ID {
		t.Errorf("the schedule or a notification was made anew: %+v, %+v", first, second)
	}
	e.call("PUT", "/default/job/nightly/schedule/pause", "").want(200)
	if v := judge(strings.Replace(wholeFile, "  active: true\n", "", 1)); v.Result != "unchanged" {
		t.Errorf("a file without a word about a pause ends it: %+v", v)
	}
	if v := judge(wholeFile); v.Result != "changed" || !strings.Contains(string(v.Was), `"active":false`) || !strings.Contains(string(v.Is), `"active":true`) {
		t.Errorf("%+v", v)
	}
	bare, _, _ := strings.Cut(wholeFile, "schedule:")
	put(bare)
	if got := file(); got != strings.Replace(wholeFile, "active: true", "active: false", 1) {
		t.Errorf("a definition alone left\n%s", got)
	}
	if v := judge(bare + "schedule: null\n"); v.Result != "changed" {
		t.Errorf("%+v", v)
	}
	put(bare + "schedule: null\ntime_monitor: null\nstatus_notifications: null\n")
	if got := file(); got != bare+"schedule: null\ntime_monitor: null\nstatus_notifications: []\n" {
		t.Errorf("of nothing came\n%s", got)
	}
	ednFile := string(e.call("GET", "/default/job/nightly/file", "", "Accept", "application/edn").want(200).body)
	e.call("PUT", "/default/job/nightly", wholeFile, asYAML...).want(200)
	e.call("PUT", "/default/job/nightly", ednFile, "Content-Type", "application/edn", "Accept", "application/json")
	if got := file(); got != bare+"schedule: null\ntime_monitor: null\nstatus_notifications: []\n" {
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
		e.call("PUT", "/default/job/nightly", text, asYAML...), e.call("POST", "/default/jobs/judge", text, asYAML...), e.call("POST", "/default/jobs", text, asYAML...),
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
	for _, r := range []*reply{e.call("PUT", "/default/job/nightly", past, asYAML...), e.call("POST", "/default/jobs/judge", past, asYAML...)} {
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
		e.call("POST", "/default/jobs/judge", "id: a\nsteps: [{id: s}]\n"+text+"\n", asYAML...).code(422, "invalid_job")
	}
	e.call("POST", "/none/jobs/judge", wholeFile, asYAML...).code(404, "no_such_app")
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
	const flowing = "id: flowing\nsteps: [{id: f1, steps: [{id: s}]}]\n"
	var v rest.Job
	if e.call("PUT", "/default/job/flowing", flowing, asYAML...).want(201).into(&v); len(v.Warnings) != 1 || !strings.Contains(v.Warnings[0], "flow f1") {
		t.Errorf("%q", v.Warnings)
	}
	var would rest.Judgement
	if e.call("POST", "/default/jobs/judge", flowing, asYAML...).want(200).into(&would); !slices.Equal(would.Warnings, v.Warnings) {
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
		case reflect.String:
			f.SetString("x")
		case reflect.Bool:
			f.SetBool(true)
		default:
			t.Fatalf("what is a %s?", f.Kind())
		}
	}
	sc := scheduleFor("a", "b", &sent)
	if got := sentOf(&sc); got != sent {
		t.Errorf("%+v, want %+v", got, sent)
	}
}

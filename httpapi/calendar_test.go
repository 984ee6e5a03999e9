package httpapi

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests name a time zone

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func inTokyo(c *Config) {
	zone, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		panic(err)
	}
	c.TimeZone = zone
}

const bank = `{"name":"bank","weekly_holiday":[true,false,false,false,false,false,true],"holidays":[{"date":"2026-12-24","name":"stocktaking"},"2026-01-02"],` +
	`"rules":[{"name":"Good Friday","easter":-2},{"yearly":"12-25","name":"Christmas Day"}],"day_start":"2:00"}`

func TestCalendar(t *testing.T) {
	e := newEnv(t)
	r := e.call("POST", "/calendars", bank).want(201)
	if at := r.header.Get("Location"); at != "/calendar/bank" {
		t.Errorf("Location %q", at)
	}
	var c rest.Calendar
	e.call("GET", "/calendar/bank", "").want(200).into(&c)
	if len(c.Holidays) != 2 || c.Holidays[0].Date != "2026-01-02" || c.Holidays[1].Name != "stocktaking" || len(c.Rules) != 2 || !c.WeeklyHoliday[0] {
		t.Errorf("%+v", c)
	}
	// The answer can be sent back, and then changes nothing.
	tag := e.call("GET", "/calendar/bank", "").header.Get("ETag")
	for _, media := range []string{"application/json", "application/yaml", "application/edn", "application/xml"} {
		is := e.call("GET", "/calendar/bank", "", "Accept", media).want(200)
		back := e.call("PUT", "/calendar/bank", string(is.body), "Content-Type", media, "Accept", media)
		if back.status/100 != 2 || back.header.Get("ETag") != tag {
			t.Errorf("%s sent back: %d %s\n%s\nentity tag %s, want %s", media, back.status, back.body, is.body, back.header.Get("ETag"), tag)
		}
	}
	e.call("PUT", "/calendar/bank", `{"include":["none"]}`).code(422, "invalid_body")
	e.call("PUT", "/calendar/bank", bank, "If-Match", `"99"`).code(412, "precondition_failed")
	e.call("POST", "/calendars", bank, "If-None-Match", "*").code(409, "conflict")
	e.call("POST", "/calendars", `{"name":"uk"}`).want(201)
	e.call("PUT", "/calendar/bank", `{"name":"uk"}`).code(409, "calendar_exists")
	e.call("PUT", "/calendar/none", `{"name":"new"}`).code(404, "no_such_calendar")
	e.call("DELETE", "/calendar/none", "").code(404, "no_such_calendar")
	e.call("DELETE", "/calendar/uk", "").want(204)
	e.call("GET", "/calendar/uk", "").code(404, "no_such_calendar")
	e.call("PUT", "/calendar/uk", `{"weekly_holiday":[true]}`).code(422, "invalid_body")
	e.call("PUT", "/calendar/uk", `{"holidays":["2026-12-24T00:00"]}`).code(422, "invalid_body")
	e.call("PUT", "/calendar/uk", `{"weekly_holiday":[true,true,true,true,true,true,true]}`).code(422, "invalid_body")
	e.call("PUT", "/calendar/uk", `{"rules":[{"rrule":"FREQ=HOURLY","start":"2026-01-01"}]}`).code(422, "invalid_body")
	e.call("PUT", "/calendar/uk", `<calendar x="1"><y/></calendar>`, "Content-Type", "application/xml").code(422, "invalid_body")
	e.call("PUT", "/calendar/uk", `<calendar`, "Content-Type", "application/xml").code(400, "malformed_body")
}

func TestCalendarsThatReferToEachOther(t *testing.T) {
	e := newEnv(t)
	e.call("PUT", "/calendar/a", `{"holidays":["2026-05-01"]}`).want(201)
	e.call("PUT", "/calendar/b", `{"include":["a"]}`).want(201)
	e.call("PUT", "/calendar/c", `{"include":["b"]}`).want(201)
	r := e.call("PUT", "/calendar/a", `{"include":["c"]}`).code(422, "invalid_body")
	if want := `\"a\" -\u003e \"c\" -\u003e \"b\" -\u003e \"a\"`; !strings.Contains(string(r.body), want) && !strings.Contains(string(r.body), `\"a\" -> \"c\" -> \"b\" -> \"a\"`) {
		t.Errorf("cycle: %s, want it named", r.body)
	}
	e.call("PUT", "/calendar/a", `{"include":["a"]}`).code(422, "invalid_body")
	if r := e.call("DELETE", "/calendar/a", "").code(409, "calendar_in_use"); !strings.Contains(string(r.body), `\"b\"`) {
		t.Errorf("%s, want the calendar that uses it", r.body)
	}
	// a would close all days of c, which has a business day in no year then.
	e.call("PUT", "/calendar/c", `{"include":["b"],"weekly_holiday":[true,true,true,true,true,true,false]}`).want(200)
	e.call("PUT", "/calendar/a", `{"weekly_holiday":[false,false,false,false,false,false,true]}`).code(409, "calendar_in_use")

	e.call("PUT", "/calendar/a", `{"name":"夜 ✨/x","holidays":["2026-05-01"]}`).want(200)
	e.call("GET", "/calendar/a", "").code(404, "no_such_calendar")
	var c rest.Calendar
	e.call("GET", "/calendar/b", "").want(200).into(&c)
	if len(c.Include) != 1 || c.Include[0] != "夜 ✨/x" {
		t.Errorf("b includes %q, want the new name", c.Include)
	}
	e.call("GET", "/calendar/"+url.PathEscape("夜 ✨/x"), "").want(200)
	e.call("PUT", "/calendar/a", `{"holidays":["2026-06-01"]}`).want(201) // another one: its key is taken
	var p rest.CalendarPreview
	e.call("GET", "/calendar/b/preview?year=2026", "").want(200).into(&p)
	if len(p.Holidays) != 1 || p.Holidays[0] != (rest.PreviewHoliday{Date: "2026-05-01", Calendar: "夜 ✨/x"}) || p.BusinessDays != 364 {
		t.Errorf("%+v", p)
	}
	var list rest.All[rest.Calendar]
	e.call("GET", "/calendars", "").want(200).into(&list.List)
	if list.Hits != 4 || list.Results[0].Name != "a" || list.Results[3].Name != "夜 ✨/x" {
		t.Errorf("%+v", list)
	}
	for _, path := range []string{"/calendars", "/calendars/download", "/calendar/b/preview?year=2026"} {
		for media, begin := range map[string]string{"application/xml": "<?xml", "application/yaml": "", "application/edn": "", "application/json": ""} {
			if r := e.call("GET", path, "", "Accept", media).want(200); !strings.HasPrefix(string(r.body), begin) || len(r.body) == 0 {
				t.Errorf("%s as %s: %s", path, media, r.body)
			}
		}
	}
}

func TestDeletionOfAUsedCalendar(t *testing.T) {
	e := newEnv(t)
	e.call("PUT", "/calendar/c", `{}`).want(201)
	used := bus.Schedule{App: "default", Job: "j", Cron: "0 0 3 * * ?", Calendar: "c"}
	if _, err := e.bus.Schedules.Create(t.Context(), used.Key().String(), used); err != nil {
		t.Fatal(err)
	}
	r := e.call("DELETE", "/calendar/c", "").code(409, "calendar_in_use")
	if !strings.Contains(string(r.body), "default/j") {
		t.Errorf("%s, want the job", r.body)
	}
	r = e.call("DELETE", "/calendar/c", "", console...).want(400)
	if !strings.Contains(string(r.body), ":messages [") || !strings.Contains(string(r.body), "already used by some job: default/j") {
		t.Errorf("%s, want messages for the console", r.body)
	}
}

// What the v1 console sends, and stands on in the answers. The bus and the
// browser are in Tokyo.
func TestCalendarsOfTheConsole(t *testing.T) {
	e := newEnv(t, inTokyo)
	midnight := `#inst "2026-12-24T15:00:00.000-00:00"` // of the 25th
	whole := `\{:db/id \d+ :calendar/name "休日" :calendar/weekly-holiday \[true false false false false false true\] :calendar/holidays \[` + midnight + `\] .*:calendar/day-start "02:00" .*\}`
	body := `{:calendar/name "休日" :calendar/weekly-holiday [true false false false false false true] :calendar/holidays [` + midnight + `] :calendar/day-start "02:00" :new? true}`
	path := "/calendar/" + url.PathEscape("休日")
	for _, x := range []exchange{
		{name: "no calendars", method: "GET", path: "/calendars?sort-by=name%3Aasc", headers: console, status: 200, want: `\[\]`},
		{name: "while somebody types no name yet", method: "GET", path: "/calendar/", status: 404, want: any_},
		{name: "a free name", method: "GET", path: path, status: 404, want: `\{:message .* :code "no_such_calendar"\}`},
		{name: "no name", method: "POST", path: "/calendars", body: `{:calendar/weekly-holiday [true false false false false false true]}`, status: 400, want: `\{:message "name must be present" :messages \["name must be present"\] .*\}`},
		{name: "a wrong start", method: "POST", path: "/calendars", body: `{:calendar/name "x" :calendar/day-start "25:00"}`, status: 400, want: `\{:message "Invalid hh:mm format" :messages \["Invalid hh:mm format"\] .*\}`},
		{name: "create", method: "POST", path: "/calendars", body: body, status: 201, want: any_},
		{name: "a name that is taken", method: "GET", path: path, status: 200, want: whole},
		{name: "overwrite", method: "POST", path: "/calendars", body: body, status: 201, want: any_},
		{name: "all", method: "GET", path: "/calendars?sort-by=name%3Aasc", headers: console, status: 200, want: `\[` + whole + `\]`},
		{name: "edit", method: "PUT", path: path, body: `{:db/id 17 :calendar/name "c" :calendar/weekly-holiday [true false false false false false true] :calendar/day-start "02:00"}`, status: 201, want: any_},
		{name: "the key of no holidays is absent", method: "GET", path: "/calendar/c", status: 200, want: `\{:db/id \d+ :calendar/name "c" :calendar/weekly-holiday \[[a-z ]+\] :calendar/rules .*\}`},
		{name: "dates in JSON", method: "POST", path: "/calendars", headers: []string{"Content-Type", "application/json"}, body: `{"calendar/name":"j","calendar/holidays":["2016-09-15"]}`, status: 201, type_: "application/json", want: `.*"holidays":\[\{"date":"2016-09-15"\}\].*`},
		{name: "delete", method: "DELETE", path: "/calendar/j", status: 204, want: ``},
	} {
		x.run(t, e)
	}
	r := e.call("GET", "/calendars/download", "", "Accept", "text/html,*/*;q=0.8").want(200)
	if r.header.Get("Content-Disposition") != `attachment; filename="cals.edn"` || r.header.Get("Content-Type") != "application/force-download; charset=utf-8" ||
		!strings.HasPrefix(string(r.body), `[{:calendar/name "c" `) {
		t.Errorf("download: %v %s", r.header, r.body)
	}
	// Each of them is what an import sends.
	one := strings.TrimSuffix(strings.TrimPrefix(string(r.body), "["), "]")
	if r := e.call("POST", "/calendars", one, console...); r.status != 201 {
		t.Errorf("import of %s: %d %s", one, r.status, r.body)
	}
}

// The console does not know names of holidays, rules and other calendars. Saving
// a calendar with it must not remove them.
func TestConsoleKeepsWhatItDoesNotKnow(t *testing.T) {
	e := newEnv(t, inTokyo)
	e.call("PUT", "/calendar/a", `{}`).want(201)
	e.call("PUT", "/calendar/c", `{"holidays":[{"date":"2026-12-24","name":"stocktaking"}],"rules":[{"yearly":"12-25"}],"include":["a"]}`).want(201)
	e.call("PUT", "/calendar/c", `{:calendar/name "c" :calendar/weekly-holiday [true false false false false false true] :calendar/holidays [#inst "2026-12-23T15:00:00.000-00:00" #inst "2026-12-29T15:00:00.000-00:00"]}`, console...).want(201)
	var c rest.Calendar
	e.call("GET", "/calendar/c", "").want(200).into(&c)
	c.CreateTime, c.LastUpdatedTime = subjects.Time(0), subjects.Time(0)
	got, _ := json.Marshal(c)
	want := `{"name":"c","weekly_holiday":[true,false,false,false,false,false,true],"holidays":[{"date":"2026-12-24","name":"stocktaking"},{"date":"2026-12-30"}],"rules":[{"yearly":"12-25"}],"include":["a"],"intersect":[],"exclude":[],"day_start":"00:00",`
	if !strings.HasPrefix(string(got), want) {
		t.Errorf("%s\nwant %s", got, want)
	}
}

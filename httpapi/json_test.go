package httpapi

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	v1 "github.com/job-streamer/job-streamer-control-bus/httpapi/v1"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

func TestReadJSON(t *testing.T) {
	for name, tc := range map[string]struct {
		body string
		into func() any
		want any      // what was read
		errs []string // or what is wrong
	}{
		"an empty object":               {body: `{}`, want: &rest.Submission{}},
		"no members are as good too":    {body: `{"parameters":{}}`, want: &rest.Submission{Parameters: map[string]string{}}},
		"null is as good as absent":     {body: `{"parameters":null}`, want: &rest.Submission{}},
		"scalars are their text":        {body: `{"parameters":{"a":"1","b":2.50,"c":true,"d":1e3}}`, want: &rest.Submission{Parameters: map[string]string{"a": "1", "b": "2.50", "c": "true", "d": "1e3"}}},
		"unicode and escapes":           {body: `{"parameters":{"\u00e4/~":"\ud83d\ude00"}}`, want: &rest.Submission{Parameters: map[string]string{"ä/~": "😀"}}},
		"white space around it":         {body: " \n{ }\t", want: &rest.Submission{}},
		"an unknown name":               {body: `{"parameter":{}}`, errs: []string{`/parameter: want one of parameters, got "parameter"`}},
		"wrong case":                    {body: `{"Parameters":{}}`, errs: []string{`/Parameters: want one of parameters, got "Parameters"`}},
		"all faults at once":            {body: `{"parameters":{"a":[1],"b":{},"c":null},"x":1}`, errs: []string{"/parameters/a: want a string, a number, true or false, got [1]", "/parameters/b: want a string, a number, true or false, got {}", "/parameters/c: want a string, a number, true or false, got null", `/x: want one of parameters, got "x"`}},
		"a pointer escapes names":       {body: `{"parameters":{"a/b~c.d":[]}}`, errs: []string{"/parameters/a~1b~0c.d: want a string, a number, true or false, got []"}},
		"a name twice":                  {body: `{"parameters":{"a":"1","a":"2"}}`, errs: []string{`/parameters/a: want each name only once, got "a" again`}},
		"no object":                     {body: `[1]`, errs: []string{"want an object, got [1]"}},
		"more than one object":          {body: `{} {}`, errs: []string{"want one object and nothing after it, got more"}},
		"nothing":                       {body: ``, errs: []string{"malformed: want valid JSON, got the end of the body (line 1, column 1)"}},
		"half an object":                {body: "{\n\"parameters\": {", errs: []string{"malformed: /parameters: want valid JSON, got the end of the body (line 2, column 16)"}},
		"no JSON":                       {body: "{\n  parameters: 1}", errs: []string{`malformed: want valid JSON, got invalid character 'p' at start of value (line 2, column 3)`}},
		"bad UTF-8":                     {body: "{\"parameters\":{\"a\":\"\xff\"}}", errs: []string{"malformed: /parameters/a: want valid JSON, got invalid UTF-8 (line 1, column 21)"}},
		"a long value is shown in part": {body: `{"parameters":["` + strings.Repeat("ä", 500) + `"]}`, errs: []string{"/parameters: want an object, got [\"" + strings.Repeat("ä", 39) + "..."}},
		"deep nesting":                  {body: `{"x":` + strings.Repeat("[", 20000), errs: []string{"malformed: "}},
		"every kind of field": {
			body: `{"name":1,"description":[],"classpath":"x"}`, into: func() any { return &rest.App{} },
			errs: []string{"/name: want a string, got 1", "/description: want a string, got []", "/classpath: want an array, got \"x\""},
		},
		"items of a list": {
			body: `{"name":"a","classpath":["x",1,{}]}`, into: func() any { return &rest.App{} },
			errs: []string{"/classpath/1: want a string, got 1", "/classpath/2: want a string, got {}"},
		},
		"true as text": {
			body: `{"exclusive":"true"}`, into: func() any { return &rest.NewSettings{} },
			errs: []string{`/exclusive: want true or false, got "true"`},
		},
		"an object that names nothing": {
			body: `{"cron_notation":"x","calendar":{}}`, into: func() any { return &rest.NewSchedule{} },
			errs: []string{"/calendar: want a string, or an object with calendar/name, got {}"},
		},
		"an object that names something else": {
			body: `{"cron_notation":"x","calendar":{"calendar/name":"c","x":1}}`, into: func() any { return &rest.NewSchedule{} },
			errs: []string{`/calendar/x: want calendar/name, got "x"`},
		},
		"a whole schedule": {
			body: `{"cron_notation":"0 0 3 * * ?","time_zone":"Asia/Tokyo","calendar":"c","substitution":true,"misfire":"skip","misfire_after":"5m"}`,
			into: func() any { return &rest.NewSchedule{} },
			want: &rest.NewSchedule{CronNotation: "0 0 3 * * ?", TimeZone: "Asia/Tokyo", Calendar: "c", Substitution: "true", Misfire: "skip", MisfireAfter: "5m"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got any = &rest.Submission{}
			if tc.into != nil {
				got = tc.into()
			}
			err := codec.Formats[0].Read([]byte(tc.body), got, v1.Ignores)
			lines := faultLines(err)
			if len(tc.errs) == 1 && len(lines) == 1 && strings.HasSuffix(tc.errs[0], ": ") && strings.HasPrefix(lines[0], tc.errs[0]) {
				return
			}
			if diff := cmp.Diff(tc.errs, lines); diff != "" {
				t.Fatalf("read(%.100s): want -, got +\n%s", tc.body, diff)
			}
			if diff := cmp.Diff(tc.want, got); err == nil && diff != "" {
				t.Errorf("read(%.100s): want -, got +\n%s", tc.body, diff)
			}
		})
	}
	t.Run("no more than a hundred faults", func(t *testing.T) {
		body := `{"parameters":{` + strings.Repeat(`"x":[],`, 5000) + `"y":[]}}`
		if n := len(faultLines(codec.ReadJSON([]byte(body), &rest.Submission{}))); n != codec.MaxFaults {
			t.Errorf("%d faults, want %d", n, codec.MaxFaults)
		}
	})
}

func faultLines(err error) (lines []string) {
	var f codec.Faults
	var m *codec.MalformedError
	switch {
	case errors.As(err, &f):
		for _, one := range f {
			lines = append(lines, one.String())
		}
	case errors.As(err, &m):
		lines = []string{"malformed: " + m.Error()}
	case err != nil:
		lines = []string{"other: " + err.Error()}
	}
	return lines
}

func TestReadJob(t *testing.T) {
	for name, tc := range map[string]struct {
		body   string
		status int
	}{
		"a job":                      {job1, 200},
		"nothing":                    {"", 400},
		"half a job":                 {job1[:40], 400},
		"two jobs":                   {job1 + job1, 422},
		"a name twice":               {`{"id":"a","id":"b","steps":[{"id":"s"}]}`, 422},
		"no object":                  {`"x"`, 422},
		"unknown names with a fault": {`{"id":1,"nope":true}`, 422},
	} {
		t.Run(name, func(t *testing.T) {
			var j sentJob
			status := 200
			if err := codec.Formats[0].Read([]byte(tc.body), &j, v1.Ignores); err != nil {
				status = problemOf(err).Status
			}
			if status != tc.status {
				t.Errorf("read(%s) = %d, want %d", tc.body, status, tc.status)
			}
		})
	}
}

// fuzzRead checks that whatever is sent in whatever format is read, or refused
// with a reason that is about the request, and that what was read is written
// and read again as the same.
func fuzzRead[T any](f *testing.F, seeds ...string) {
	for _, s := range append(seeds, "", "{}", "[]", "null", `{"a":`, `{"parameters":{"a":1}}`, "\xff", `{"":{"":[]}}`) {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for i := range codec.Formats {
			var v T
			_, job := any(&v).(*sentJob)
			if form := &codec.Formats[i]; job || form.Form != jsl.XML {
				reread(t, form, data, &v)
			}
		}
	})
}

func reread[T any](t *testing.T, form *codec.Format, data []byte, v *T) {
	if err := form.Read(data, v, v1.Ignores); err != nil {
		if p := problemOf(err); p.Status != 400 && p.Status != 422 || len(p.Errors) == 0 {
			t.Fatalf("%q: %v", data, err)
		}
		return
	}
	var again T
	var b strings.Builder
	if err := form.Write(&b, plain(v)); err != nil {
		t.Fatalf("%q was read, and cannot be written: %v", data, err)
	}
	if err := form.Read([]byte(b.String()), &again, v1.Ignores); err != nil {
		t.Fatalf("%q was read as %s, but not when written as %q: %v", data, form.Media, b.String(), err)
	}
	if diff := cmp.Diff(plain(v), plain(&again)); diff != "" {
		t.Fatalf("%q changed as %s: want -, got +\n%s", data, form.Media, diff)
	}
}

// plain is what of a body is written.
func plain(v any) any {
	if sent, ok := v.(*sentJob); ok {
		return sent.Job
	}
	return reflect.ValueOf(v).Elem().Interface()
}

func FuzzSubmission(f *testing.F) {
	fuzzRead[rest.Submission](f, `{"parameters":{}}`, `{"parameters":{"a":"b","c":2.5,"d":false}}`, `{:who "x" "b c" :d}`, `{:parameters {:a 1}}`, "parameters: {a: 1}")
}

func FuzzSchedule(f *testing.F) {
	fuzzRead[rest.NewSchedule](f, `{"cron_notation":"0 0 3 * * ?","time_zone":"Asia/Tokyo","substitution":true,"misfire":"skip"}`,
		`{:schedule/cron-notation "0 0 3 * * ?" :schedule/calendar {:calendar/name "c"} :schedule/substitution? true :db/id 1}`)
}

func FuzzApp(f *testing.F) {
	fuzzRead[rest.App](f, `{"name":"shop","description":"d","classpath":["file:/a","file:/b"]}`, `{:application/name "x" :application/classpaths ["file:/a"]}`)
}

func FuzzDefinition(f *testing.F) {
	fuzzRead[sentJob](f, job1, `{"id":"x","steps":[{"id":"f","flows":[]}]}`, `<job id="x"><step id="s"/></job>`, `{:job/name "x" :job/components [{:step/name "s"}]}`)
}

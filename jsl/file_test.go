package jsl

import (
	"errors"
	"strings"
	"testing"
)

const wholeYAML = `id: nightly
steps:
  - id: s
    batchlet:
      ref: Noop
schedule:
  cron_notation: "0 0 2 ? * MON-FRI"
  active: true
time_monitor: null
status_notifications:
  - batch_status: failed
    type: mail
`

// The members beside a job survive a round trip in all forms that can hold
// them.
func TestFile(t *testing.T) {
	file, err := ParseFile(YAML, []byte(wholeYAML))
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range []Format{JSON, YAML, EDN} {
		text, err := file.Job.FormatFile(form, file.Beside)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseFile(form, text)
		if err != nil {
			t.Fatalf("%s: %v\n%s", form, err, text)
		}
		back, err := again.Job.FormatFile(YAML, again.Beside)
		if err != nil || string(back) != wholeYAML {
			t.Errorf("%s: %v\n%s", form, err, back)
		}
	}
	if text, err := file.Job.FormatFile(XML, file.Beside); err != nil || strings.Contains(string(text), "cron") {
		t.Errorf("%v\n%s", err, text)
	}
	if file.Get("schedule") == nil || file.Get("other") != nil || string(file.Get("time_monitor")) != "null" {
		t.Errorf("%q", file.Beside)
	}
	if line, column := file.Locate("/schedule/active"); line != 8 || column != 11 {
		t.Errorf("active is at %d:%d", line, column)
	}
}

// The members beside a job have no names of v1 clients, and a mere definition
// must not have them.
func TestFilesThatAreWrong(t *testing.T) {
	for _, tc := range []struct {
		name string
		form Format
		text string
		want string
	}{
		{"a name that is there twice", JSON, `{"id":"a","schedule":{},"schedule":null,"steps":[{"id":"s"}]}`, "/schedule: want each name only once"},
		{"a name that is not known", YAML, "id: a\nsteps: [{id: s}]\nshedule: {}\n", "/shedule: want one of"},
		{"no object", JSON, "[]", "the definition: want an object"},
		{"no text", YAML, "a: [", "want valid YAML"},
	} {
		if _, err := ParseFile(tc.form, []byte(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %s", tc.name, err, tc.want)
		}
	}
	if _, err := Parse(YAML, []byte(wholeYAML)); err == nil || !errors.As(err, new(Errors)) {
		t.Errorf("a definition with a schedule: %v", err)
	}
	file, err := ParseFile(EDN, []byte(`{:job/name "a" :job/schedule {:x 1} :schedule nil :job/components [{:step/name "s"}]}`))
	if err != nil || len(file.Beside) != 1 || string(file.Get("schedule")) != "null" {
		t.Errorf("%+v, %v", file, err)
	}
}

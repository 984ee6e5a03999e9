package subjects_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestParseOutput(t *testing.T) {
	for _, test := range []struct {
		name, text string
		exit, data string // "-" if there are none
		values     map[string]string
		err        string // part of the error
	}{
		{"nothing", "", "-", "-", nil, ""},
		{"empty lines", "\n \n\n", "-", "-", nil, ""},
		{"one of each", "exit_status=NOTHING_NEW\npersistent_data=page 7\nvalue.count=17\n", "NOTHING_NEW", "page 7", map[string]string{"count": "17"}, ""},
		{"no end of the last line", "value.a=1", "-", "-", map[string]string{"a": "1"}, ""},
		{"lines end with CR LF", "value.a=1\r\nvalue.b<<E\r\nx\r\nE\r\n", "-", "-", map[string]string{"a": "1", "b": "x"}, ""},
		{"several lines", "value.a<<END\none\n\n two=2\nEND\nvalue.b=1\n", "-", "-", map[string]string{"a": "one\n\n two=2", "b": "1"}, ""},
		{"a value of no lines", "value.a<<END\nEND\n", "-", "-", map[string]string{"a": ""}, ""},
		{"an empty value", "value.a=\n", "-", "-", map[string]string{"a": ""}, ""},
		{"the first sign counts", "value.a=b<<c\n", "-", "-", map[string]string{"a": "b<<c"}, ""},
		{"the end may hold a sign", "value.a<<=\nx\n=\n", "-", "-", map[string]string{"a": "x"}, ""},
		{"spaces stay", "value.a= x \n", "-", "-", map[string]string{"a": " x "}, ""},
		{"the last one counts", "value.a=1\nvalue.a=2\n", "-", "-", map[string]string{"a": "2"}, ""},
		{"empty persistent data", "persistent_data=\n", "-", "", nil, ""},
		{"no sign", "value.a=1\ncount 17\n", "", "", nil, `line 2: want NAME=VALUE or NAME<<WORD, got "count 17"`},
		{"an unknown name", "count=17", "", "", nil, `line 1: want exit_status, persistent_data or value.NAME, got "count"`},
		{"capitals", "value.Count=17", "", "", nil, `line 1: want value.NAME, where NAME has up to 64 of a-z, 0-9 and _ and no digit at the beginning, got "value.Count"`},
		{"no name", "value.=17", "", "", nil, "line 1: want value.NAME"},
		{"a long name", "value." + strings.Repeat("a", 65) + "=1", "", "", nil, "line 1: want value.NAME"},
		{"no word", "\nvalue.a<<\nx\n", "", "", nil, `line 2: want a word after <<, which ends the value of "value.a"`},
		{"no end", "value.b=1\nvalue.a<<END\nx\n END\n", "", "", nil, `line 2: want a line "END" after the value of "value.a", got the end of the file`},
		{"no exit status", "exit_status=\n", "", "", nil, "line 1: exit_status: want one line that is not empty"},
		{"an exit status of two lines", "exit_status<<E\na\nb\nE\n", "", "", nil, "line 1: exit_status: want one line"},
		{"bytes that are no text", "value.a=\xff\n", "", "", nil, `line 1: "value.a": want UTF-8`},
		{"a NUL", "value.a=x\x00\n", "", "", nil, "line 1: \"value.a\": want a value without NUL"},
		{"too much", "value.a=" + strings.Repeat("x", subjects.MaxOutput), "", "", nil, "want at most 262144 bytes, got 262152"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o, err := subjects.ParseOutput(test.text)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("the error is %v, want %s", err, test.err)
				}
				return
			}
			exit, data := "-", "-"
			if o.ExitStatus != "" {
				exit = o.ExitStatus
			}
			if o.PersistentData != nil {
				data = *o.PersistentData
			}
			if err != nil || exit != test.exit || data != test.data || !maps.Equal(o.Values, test.values) {
				t.Errorf("got %q, %q, %q, %v; want %q, %q, %q", exit, data, o.Values, err, test.exit, test.data, test.values)
			}
		})
	}
}

// What is read can be written in the form of several lines and read again, and
// no two names have one variable.
func FuzzParseOutput(f *testing.F) {
	f.Add("exit_status=A\nvalue.a<<E\nx\nE\n")
	f.Add("persistent_data<<E\r\nx=<<\r\nE")
	f.Fuzz(func(t *testing.T, text string) {
		o, err := subjects.ParseOutput(text)
		if err != nil {
			return
		}
		variables := map[string]bool{}
		var again strings.Builder
		for name, value := range o.Values {
			if variable := subjects.ValueVariable(name); variables[variable] || !subjects.ValidValueName(name) {
				t.Errorf("%q has the variable %s", name, variable)
			} else {
				variables[variable] = true
			}
			if strings.Contains("\n"+value+"\n", "\n0\n") || strings.Contains(value, "\r") {
				return // another word would be needed
			}
			again.WriteString("value." + name + "<<0\n")
			if value != "" {
				again.WriteString(value + "\n")
			}
			again.WriteString("0\n")
		}
		if o2, err := subjects.ParseOutput(again.String()); err == nil && !maps.Equal(o.Values, o2.Values) || err != nil && again.Len() <= subjects.MaxOutput {
			t.Errorf("read %q again as %q, %v", o.Values, o2.Values, err)
		}
	})
}

package subjects_test

import (
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestCollidingParameters(t *testing.T) {
	for _, test := range []struct {
		name       string
		names      []string
		one, other string
	}{
		{"none", nil, "", ""},
		{"different ones", []string{"who", "when", "a-b", "ab"}, "", ""},
		{"capitals", []string{"who", "x", "WHO"}, "WHO", "who"},
		{"a dash and a dot", []string{"a.b", "a-b"}, "a-b", "a.b"},
		{"an underline and a dot", []string{"a.b", "a_b"}, "a.b", "a_b"},
		{"letters that are not of ASCII", []string{"ä", "ö"}, "ä", "ö"},
	} {
		t.Run(test.name, func(t *testing.T) {
			parameters := map[string]string{}
			for _, name := range test.names {
				parameters[name] = "1"
			}
			if one, other := subjects.CollidingParameters(parameters); one != test.one || other != test.other {
				t.Errorf("CollidingParameters = %q, %q, want %q, %q", one, other, test.one, test.other)
			}
		})
	}
}

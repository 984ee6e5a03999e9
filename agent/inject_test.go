package agent_test

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

type limit uint8

type shared struct {
	Dir string `batch:"dir"`
}

// injected has a field of each kind.
type injected struct {
	shared
	File    string        `batch:"file,required"`
	Mark    string        `batch:"mark,default=a,b"`
	Skip    int           `batch:"skip"`
	Small   int8          `batch:"small"`
	Limit   limit         `batch:"limit,default=7"`
	Strict  bool          `batch:"strict"`
	Pause   time.Duration `batch:"pause,default=10s"`
	Since   time.Time     `batch:"since"`
	Level   slog.Level    `batch:"level"`
	ignored int
}

// 9.3: properties are injected into fields by name.
func TestInject(t *testing.T) {
	for _, c := range []struct {
		name       string
		properties map[string]string
		want       injected
		err        string
	}{
		{"defaults", map[string]string{"file": "f"}, injected{File: "f", Mark: "a,b", Skip: 3, Limit: 7, Pause: 10 * time.Second}, ""},
		{
			"each kind",
			map[string]string{"file": "f", "dir": "d", "mark": " m ", "skip": "-4", "small": "-128", "limit": "255", "strict": "true", "pause": "1m30s", "since": "2026-11-24T06:00:00Z", "level": "WARN"},
			injected{shared{"d"}, "f", " m ", -4, -128, 255, true, 90 * time.Second, time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC), slog.LevelWarn, 0}, "",
		},
		{"a number of seconds", map[string]string{"file": "f", "pause": "5"}, injected{File: "f", Mark: "a,b", Skip: 3, Limit: 7, Pause: 5 * time.Second}, ""},
		{"empty counts as missing", map[string]string{"file": "f", "skip": "", "limit": "", "strict": ""}, injected{File: "f", Mark: "a,b", Skip: 3, Limit: 7, Pause: 10 * time.Second}, ""},
		{"a required one is missing", nil, injected{}, `property file: want a text that is not empty, got ""`},
		{"a required one is empty", map[string]string{"file": ""}, injected{}, `property file: want a text that is not empty, got ""`},
		{"no number", map[string]string{"file": "f", "skip": "ten"}, injected{}, `property skip: want a whole number from -9223372036854775808 to 9223372036854775807, got "ten"`},
		{"too large for its type", map[string]string{"file": "f", "small": "128"}, injected{}, `property small: want a whole number from -128 to 127, got "128"`},
		{"negative", map[string]string{"file": "f", "limit": "-1"}, injected{}, `property limit: want a whole number from 0 to 255, got "-1"`},
		{"another word for true", map[string]string{"file": "f", "strict": "yes"}, injected{}, `property strict: want true or false, got "yes"`},
		{"a negative duration", map[string]string{"file": "f", "pause": "-1s"}, injected{}, `property pause: want a duration such as 90s or 10m, or a number of seconds, got "-1s"`},
		{"a text of another type", map[string]string{"file": "f", "level": "LOUD"}, injected{}, `property level: want a text for slog.Level (slog: level string "LOUD": unknown name), got "LOUD"`},
		{
			"all faults together", map[string]string{"skp": "1", "limit": "x", "ignored": "1"}, injected{},
			`property file: want a text that is not empty, got ""; property limit: want a whole number from 0 to 255, got "x"; ` +
				`property ignored: unknown, want dir, file, level, limit, mark, pause, since, skip, small, strict; ` +
				`property skp: unknown, want dir, file, level, limit, mark, pause, since, skip, small, strict`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := injected{Skip: 3}
			err := agent.Inject(&got, c.properties)
			switch {
			case c.err == "" && err != nil, c.err != "" && (err == nil || err.Error() != c.err):
				t.Errorf("error %v, want %q", err, c.err)
			case c.err == "" && got != c.want:
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// A mistake of the program is an error too, even if the job has no properties.
func TestInjectIntoWhatCannotBe(t *testing.T) {
	for _, c := range []struct {
		name   string
		target any
		want   string
	}{
		{"no pointer", injected{}, "inject properties into agent_test.injected: want a pointer to a struct"},
		{"a nil pointer", (*injected)(nil), "inject properties into *agent_test.injected: want a pointer to a struct"},
		{"nil", nil, "inject properties into <nil>: want a pointer to a struct"},
		{"no struct", new(string), "inject properties into *string: want a pointer to a struct"},
		{
			"a field that is not exported", &struct {
				a int `batch:"a"`
			}{}, "field a: want an exported field of a struct that is not nil",
		},
		{"an embedded pointer that is nil", &struct{ *Shared }{}, "field Dir: want an exported field of a struct that is not nil"},
		{
			"a tag without a name", &struct {
				A int `batch:",required"`
			}{}, `field A: tag batch:",required": want the name of a property`,
		},
		{
			"an unknown option", &struct {
				A int `batch:"a,optional"`
			}{}, `field A: tag batch:"a,optional": want required or default=VALUE after the name`,
		},
		{
			"a type that no property fits", &struct {
				A []int `batch:"a"`
			}{}, "field A: want a string, a bool, a whole number, a time.Duration or an encoding.TextUnmarshaler, not []int",
		},
		{
			"a default that does not fit", &struct {
				A int `batch:"a,default=x"`
			}{}, `property a: want a whole number from -9223372036854775808 to 9223372036854775807, got "x"`,
		},
		{
			"a type that takes an empty text", &struct {
				A netip.Addr `batch:"a,required"`
			}{}, `property a: want a text for netip.Addr that is not empty, got ""`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := agent.Inject(c.target, nil)
			if err == nil || !strings.HasSuffix(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// Shared is embedded by its pointer.
type Shared struct {
	Dir string `batch:"dir"`
}

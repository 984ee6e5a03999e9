package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// The text of a log can be parsed into the same lines.
func TestLinesOfALog(t *testing.T) {
	lines := []rest.LogLine{
		{Time: timeBefore(time.Second), Stream: "stdout", Message: "one | two"},
		{Time: timeBefore(0), Stream: "stderr", Step: "load", Message: "at\n  a.b.C\n\nend"},
		{Time: timeBefore(0), Stream: "stdout", Step: "load"},
	}
	var text bytes.Buffer
	p := &page{Writer: &text, now: noon, zone: time.UTC}
	for i := range lines {
		text.WriteString(logText(p, &lines[i]) + "\n")
	}
	var got []rest.LogLine
	if err := eachLine(&text, func(l rest.LogLine) error { got = append(got, l); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(lines) {
		t.Fatalf("%+v, want %+v", got, lines)
	}
	for i := range got {
		if got[i] != lines[i] {
			t.Errorf("line %d is %+v, want %+v", i, got[i], lines[i])
		}
	}
	full := errors.New("no room")
	if err := eachLine(strings.NewReader("2026-11-24T12:00:00.000Z stdout - | x\n"), func(rest.LogLine) error { return full }); err != full {
		t.Errorf("%v, want that of the writer", err)
	}
}

func TestOutputOfALogAsValues(t *testing.T) {
	e, b := withBus(t)
	e.applyFiles(t, "night", "Noop")
	if got := e.runOnce(t.Context(), "run", "night"); got.failed != nil {
		t.Fatalf("%+v", got)
	}
	m := subjects.LogMessage{Attempt: 1}
	for i := range 1001 {
		m.Lines = append(m.Lines, subjects.LogLine{Time: subjects.Now(), Level: "info", Stream: "stdout", Message: fmt.Sprintf("line %d.", i)})
	}
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.JS.Publish(t.Context(), subjects.LogSubject("default", "night", 1, "a1"), data); err != nil {
		t.Fatal(err)
	}
	for format, want := range map[string]string{"yaml": "results:\n", "edn": "{:results ["} {
		got := e.runOnce(t.Context(), "logs", "night", "-o", format)
		if got.failed != nil || !strings.HasPrefix(got.out, want) || !strings.Contains(got.out, "line 1000.") || strings.Contains(got.out, "line 0.") {
			t.Errorf("%s: %v, %.300s", format, got.failed, got.out)
		}
		if got.err != "showing the last 1000 of 1001 lines; see all with --output text or json\n" {
			t.Errorf("%s: said %q", format, got.err)
		}
		for _, flag := range []string{"--follow", "--bare", "--step=x"} {
			if got := e.runOnce(t.Context(), "logs", "night", "-o", format, flag); got.failed == nil || !strings.HasSuffix(got.err, "; use text or json\n") {
				t.Errorf("%s %s: %+v", format, flag, got)
			}
		}
	}
	if got := e.runOnce(t.Context(), "logs", "night", "-o", "xml"); got.err != "--output xml: want text, json, yaml or edn\n" {
		t.Errorf("%+v", got)
	}
}

package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// What is written as text is read again as the same lines.
func TestLinesOfALog(t *testing.T) {
	lines := []rest.LogLine{
		{Time: before(time.Second), Stream: "stdout", Message: "one | two"},
		{Time: before(0), Stream: "stderr", Step: "load", Message: "at\n  a.b.C\n\nend"},
		{Time: before(0), Stream: "stdout", Step: "load"},
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

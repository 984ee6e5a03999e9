package sse

import (
	"context"
	"fmt"
	"math"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestPagesOfLog(t *testing.T) {
	f := newFixture(t)
	for i := range 10 {
		f.log(fmt.Sprint(3*i+1), fmt.Sprint(3*i+2), fmt.Sprint(3*i+3))
	}
	e := executionOf(7, subjects.Completed)
	key := func(text string, line int) *LineKey {
		k, err := ParseLineKey(text, line)
		if err != nil {
			t.Fatal(err)
		}
		return &k
	}
	for name, c := range map[string]struct {
		part           Part
		want           string
		previous, next bool
	}{
		"the whole log":        {Part{}, "1-30", false, false},
		"the end":              {Part{Limit: 4}, "27-30", true, false},
		"from a number":        {Part{First: 5, Limit: 3}, "5-7", true, true},
		"after a line":         {Part{After: key("2.2", 0), Limit: 3}, "6-8", true, true},
		"after a message":      {Part{After: key("9", math.MaxInt)}, "28-30", true, false},
		"before a line":        {Part{Before: key("2.2", 0), Limit: 3}, "2-4", true, true},
		"before the first one": {Part{Before: key("1", 0)}, "", false, false},
	} {
		page, err := f.source.Log(&e).ReadPage(t.Context(), c.part)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if n := len(page.Results); n > 0 {
			got = page.Results[0].Message + "-" + page.Results[n-1].Message
		}
		if got != c.want || (page.Previous != nil) != c.previous || (page.Next != nil) != c.next {
			t.Errorf("%s: lines %s, previous %v, next %v, want %+v", name, got, page.Previous, page.Next, c)
		}
	}
	lines, err := f.source.Log(&e).ReadLastLines(t.Context())
	if err != nil || len(lines) != 30 {
		t.Errorf("%d last lines, %v, want 30", len(lines), err)
	}
}

// NATS lets each agent of an application publish output of all its executions.
// Only the output of the agent that has claimed the attempt is shown.
func TestOutputOfOtherAgents(t *testing.T) {
	f := newFixture(t)
	f.logAs("a1", 1, "genuine")
	f.logAs("a2", 1, "of another agent")
	f.logAs("a2", 2, "of an attempt that nobody claimed")
	f.logAs("a2", 0, "of no attempt")
	f.logAs("a1", 1, "genuine, too")
	completed, waiting := executionOf(7, subjects.Completed), executionOf(7, subjects.Undispatched)
	waiting.Attempt, waiting.Agent = 0, "" // read before the claim was in the record
	for name, e := range map[string]*bus.Execution{"ended": &completed, "waiting": &waiting} {
		page, err := f.source.Log(e).ReadPage(t.Context(), Part{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, line := range page.Results {
			got = append(got, line.Message)
		}
		if want := []string{"genuine", "genuine, too"}; !slices.Equal(got, want) {
			t.Errorf("%s: lines %q, want %q", name, got, want)
		}
	}
	// Before a claim is in any record, output is not held back.
	running := executionOf(7, subjects.Started)
	l := f.source.Log(&running)
	l.source = New(Config{Executions: stillRunning{}})
	if !l.isOwn(t.Context(), "a2", 2) || l.isOwn(t.Context(), "a2", 1) {
		t.Error("of a running execution: want output of a later attempt, and none of another agent")
	}
}

// stillRunning has the record of an execution whose first attempt runs.
type stillRunning struct{ Executions }

func (stillRunning) Get(context.Context, string, string, int64) (*bus.Execution, error) {
	e := executionOf(7, subjects.Started)
	return &e, nil
}

func TestTextOfLog(t *testing.T) {
	f := newFixture(t)
	f.log("one", "two\nmore of it")
	e := executionOf(7, subjects.Completed)
	stream, err := f.source.Log(&e).OpenText(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	stream.Send(w)
	lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
	if len(lines) != 3 || !strings.HasSuffix(lines[0], "stdout - | one") || lines[2] != "    more of it" {
		t.Errorf("text %q", lines)
	}
	for name, want := range map[string]string{"Content-Type": plainText, "Cache-Control": "no-store"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	t.Run("a log without lines is empty", func(t *testing.T) {
		none := executionOf(8, subjects.Completed)
		page, err := f.source.Log(&none).ReadPage(t.Context(), Part{})
		if err != nil || len(page.Results) > 0 || *page.Hits != 0 {
			t.Errorf("%+v, %v", page, err)
		}
	})
}

func TestLinesOfMessage(t *testing.T) {
	lines := linesOf(&subjects.LogMessage{Attempt: 2, Dropped: 3, Lines: []subjects.LogLine{{Level: "FATAL", Message: "x"}}})
	if len(lines) != 2 || lines[0].Level != "warn" || !strings.HasPrefix(lines[0].Message, "3 lines are missing") || lines[1].Level != "info" {
		t.Errorf("%+v, want a line about 3 lost ones, and an unknown level as info", lines)
	}
	for i := range lines {
		if lines[i].Attempt != 2 {
			t.Errorf("%+v, want attempt 2", lines[i])
		}
	}
}

func TestParseLineKey(t *testing.T) {
	for text, want := range map[string]string{"12": "12.5", "12.3": "12.3", "x": "", "-1": "", "1.x": "", "1.2.3": ""} {
		k, err := ParseLineKey(text, 5)
		if want == "" && err == nil || want != "" && (err != nil || k.String() != want) {
			t.Errorf("ParseLineKey(%q) = %v, %v, want %q", text, k, err, want)
		}
	}
}

func TestKeepLast(t *testing.T) {
	var lines []logLine
	for i := range 10 {
		lines = keepLast(append(lines, logLine{LogLine: rest.LogLine{Attempt: i}}), 3)
	}
	var got []int
	for _, l := range lines[len(lines)-3:] {
		got = append(got, l.Attempt)
	}
	if !slices.Equal(got, []int{7, 8, 9}) || len(lines) > 6 {
		t.Errorf("kept %d lines that end in %v", len(lines), got)
	}
}

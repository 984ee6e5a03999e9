package httpapi

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// linesOf are the lines of an answer.
func (r *reply) lines() (all []string, page rest.LogPage) {
	r.t.Helper()
	r.want(200).into(&page)
	for _, l := range page.Results {
		all = append(all, l.Message)
	}
	return all, page
}

// numbered are the lines from first to last.
func numbered(first, last int) (all []string) {
	for i := first; i <= last; i++ {
		all = append(all, fmt.Sprint("line ", i))
	}
	return all
}

func TestPagesOfLog(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	id, at := e.start("a", ""), time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	other := e.agent("a", e.start("a", ""))
	// Else it is lost while this test reads.
	a := e.agent("a", id).says(subjects.Started, at).says(subjects.Completed, at)
	for i := range 40 { // messages of 7 lines, others between
		a.logs(0, at, numbered(7*i+1, 7*i+7)...)
		other.logs(0, at, "of another")
	}
	log := fmt.Sprintf("/default/execution/%d/log", id)
	get := func(query string) *reply { return e.call("GET", log+query, "", "Accept", "application/json") }
	for query, want := range map[string][2]int{
		"":                       {1, 280},
		"?limit=5":               {276, 280},
		"?offset=1&limit=5":      {1, 5},
		"?offset=0&limit=5":      {1, 5},
		"?offset=6":              {6, 280},
		"?offset=100&limit=10":   {100, 109},
		"?offset=279&limit=1000": {279, 280},
		"?offset=300":            {301, 300},
	} {
		got, page := get(query).lines()
		if !slices.Equal(got, numbered(want[0], want[1])) || *page.Hits != 280 || (len(got) > 0 && *page.Offset != want[0]) {
			t.Errorf("%s = %v, %d from %d, want %d to %d", query, got, *page.Hits, *page.Offset, want[0], want[1])
		}
		if (page.Next != nil) != (want[1] < 280) || (page.Previous != nil) != (want[0] > 1 && want[0] <= 280) {
			t.Errorf("%s: next %v, previous %v", query, page.Next, page.Previous)
		}
	}
	t.Run("forward, while lines come", func(t *testing.T) {
		got, page := get("?offset=1&limit=9").lines()
		all, n := got, 280
		for page.Next != nil {
			if n < 290 {
				n++
				a.logs(0, at, numbered(n, n)...)
			}
			got, page = get("?limit=9&after=" + *page.Next).lines()
			all = append(all, got...)
		}
		if !slices.Equal(all, numbered(1, 290)) {
			t.Errorf("page by page: %v", all)
		}
	})
	t.Run("backward", func(t *testing.T) {
		got, page := get("?limit=9").lines()
		all := got
		for page.Previous != nil {
			got, page = get("?limit=9&before=" + *page.Previous).lines()
			all = append(got, all...)
		}
		if !slices.Equal(all, numbered(1, 290)) {
			t.Errorf("page by page: %v", all)
		}
	})
	t.Run("after an event of the log that is followed", func(t *testing.T) {
		var event string
		for one := range e.listen(t.Context(), log+"?follow=1") {
			if strings.Contains(one.Data, "line 14\"") {
				event = one.ID
			}
		}
		if got, _ := get("?limit=2&after=" + event).lines(); !slices.Equal(got, numbered(15, 16)) {
			t.Errorf("after event %s: %v", event, got)
		}
		if got, _ := get("?limit=2&before=" + event).lines(); !slices.Equal(got, numbered(6, 7)) {
			t.Errorf("before event %s: %v", event, got)
		}
	})
	text := string(e.call("GET", log+"?offset=3&limit=2", "").want(200).body)
	if strings.Count(text, "\n") != 2 || !strings.Contains(text, "| line 3\n") || !strings.Contains(text, "| line 4\n") {
		t.Errorf("as text: %s", text)
	}
	for query, want := range map[string]string{
		"?after=x": "after: want the value of next or previous of a page of this log", "?after=1.x": "after: want", "?before=-1": "before: want", "?offset=x": "offset: want a whole number",
		"?after=1&before=2": "before: want either after or before, not both", "?offset=1&after=1": "offset: want only one of offset, after and before",
		"?limit=5&follow=1": "limit: want no such parameter with follow", "?after=5.1&follow=1": "after: want no such parameter with follow", "?limit=0": "limit: want", "?limit=1001": "limit: want",
	} {
		r := get(query).code(400, "invalid_parameter")
		if !strings.Contains(string(r.body), want) {
			t.Errorf("%s: %s, want %s", query, r.body, want)
		}
	}
	for _, query := range []string{"?after=99999999", "?before=1", "?before=0", "?after=9223372036854775807"} {
		if got, page := get(query).lines(); len(got) != 0 || page.Next != nil || page.Previous != nil {
			t.Errorf("%s = %v %+v, want nothing", query, got, page)
		}
	}
	if got, page := get("?after=0&limit=3").lines(); !slices.Equal(got, numbered(1, 3)) || page.Next == nil {
		t.Errorf("after 0: %v", got)
	}
}

package httpapi

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// Every list goes on from one of its entries, and comes back.
func TestCursorsOfLists(t *testing.T) {
	e := newEnv(t)
	var names []string
	for i := range 7 {
		name := fmt.Sprint("n-", i)
		names = append(names, name)
		e.call("POST", "/apps", `{"name":"`+name+`"}`).want(201)
		e.call("POST", "/default/jobs", jobNamed(name)).want(201)
		e.heartbeat(name, "default", 0, 1)
		if err := e.logins.Add(t.Context(), name, "correct horse", map[string]string{bus.DefaultApp: bus.RoleWatcher}); err != nil {
			t.Fatal(err)
		}
	}
	down := slices.Clone(names)
	slices.Reverse(down)
	withDefault := append([]string{"default"}, names...)
	e.eventuallyAgents(len(names))
	for path, want := range map[string][]string{
		"/default/jobs?limit=2": names, "/default/jobs?limit=2&sort_by=name:desc": down, "/default/jobs?limit=2&q=n-": names,
		"/apps?limit=2": withDefault, "/agents?limit=2": names, "/users?limit=2": names,
	} {
		if got := e.forward(path); !slices.Equal(got, want) {
			t.Errorf("GET %s forward = %v, want %v", path, got, want)
		}
		if got := e.backward(path, want[len(want)-1]); !slices.Equal(got, want[:len(want)-1]) {
			t.Errorf("GET %s backward = %v, want %v", path, got, want[:len(want)-1])
		}
	}
	t.Run("an entry that is gone is no end", func(t *testing.T) {
		e.call("DELETE", "/default/job/n-3", "").want(204)
		if got, _, _ := e.namesOf("/default/jobs?after=n-3"); !slices.Equal(got, names[4:]) {
			t.Errorf("after n-3: %v", got)
		}
	})
	e.call("GET", "/default/jobs?sort_by=last_execution_started&after=n-1", "").code(400, "invalid_parameter")
	e.call("GET", "/default/deployments?after=x", "").code(400, "invalid_parameter")
	e.call("GET", "/default/deployments?after=3&limit=2", "").want(200)
}

// Revisions are numbers: the tenth comes in front of the ninth.
func TestCursorsOfRevisions(t *testing.T) {
	all := []string{"11", "10", "9", "8"}
	for p, want := range map[Page][]string{
		{Limit: 2}:                {"11", "10"},
		{Limit: 2, After: "10"}:   {"9", "8"},
		{Limit: 2, Before: "9"}:   {"11", "10"},
		{Limit: 2, After: "12"}:   {"11", "10"},
		{Limit: 5, Before: "0"}:   all,
		{Limit: 2, Offset: 4}:     {"8"},
		{Limit: 2, Before: "100"}: {},
	} {
		if got := cutPage(p, all, func(s *string) string { return *s }, newerRevision); !slices.Equal(got.items, want) {
			t.Errorf("%+v = %v, want %v", p, got.items, want)
		}
	}
}

func (e *env) eventuallyAgents(n int) {
	e.t.Helper()
	eventually(e.t, "the agents are there", func() bool {
		names, _, _ := e.namesOf("/agents")
		return len(names) == n
	})
}

// namesOf are the names of a page, and the cursors of its neighbours.
func (e *env) namesOf(path string) (names []string, next, previous *string) {
	e.t.Helper()
	var page struct {
		Results        []struct{ ID, Name string }
		Next, Previous *string
	}
	e.call("GET", path, "").want(200).into(&page)
	for _, r := range page.Results {
		names = append(names, r.ID+r.Name)
	}
	return names, page.Next, page.Previous
}

func (e *env) forward(path string) (all []string) {
	e.t.Helper()
	names, next, _ := e.namesOf(path)
	for all = names; next != nil; all = append(all, names...) {
		names, next, _ = e.namesOf(path + "&after=" + url.QueryEscape(*next))
	}
	return all
}

func (e *env) backward(path, last string) (all []string) {
	e.t.Helper()
	names, _, previous := e.namesOf(path + "&before=" + url.QueryEscape(last))
	for all = names; previous != nil; all = append(names, all...) {
		names, _, previous = e.namesOf(path + "&before=" + url.QueryEscape(*previous))
	}
	return all
}

func TestPreconditions(t *testing.T) {
	for name, tc := range map[string]struct {
		match, none string
		revision    uint64
		status      int // 200: it holds
	}{
		"none":                                {"", "", 0, 200},
		"the tag":                             {`"12"`, "", 12, 200},
		"one of the tags":                     {`"1", "12" ,"x"`, "", 12, 200},
		"another tag":                         {`"1"`, "", 12, 412},
		"a tag of what is not there":          {`"12"`, "", 0, 412},
		"a weak tag":                          {`W/"12"`, "", 12, 412},
		"any, and it is there":                {"*", "", 12, 200},
		"any, and it is not there":            {"*", "", 0, 412},
		"zero names nothing":                  {`"0"`, "", 0, 412},
		"a tag without quotes":                {"12", "", 12, 400},
		"only to create, and it is there":     {"", "*", 12, 409},
		"only to create, and it is not there": {"", "*", 0, 200},
		"not this one, and it is":             {"", `"12"`, 12, 412},
		"not this one, and it is another":     {"", `"12"`, 13, 200},
		"both":                                {`"12"`, "*", 12, 409},
	} {
		t.Run(name, func(t *testing.T) {
			p := Preconditions{tc.match, tc.none}
			status := 200
			if err := p.checkRevision(tc.revision); err != nil {
				status = problemOf(err).Status
			}
			if status != tc.status {
				t.Errorf("If-Match %q, If-None-Match %q at %d = %d, want %d", tc.match, tc.none, tc.revision, status, tc.status)
			}
		})
	}
}

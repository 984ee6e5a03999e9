package httpapi

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// A path has one meaning, however it is spelt.
func TestPaths(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("o01")).want(201)
	for _, path := range []string{
		"/default/job/%6f01", "/default/job/%6F01", "/%64efault/job/o01", "/default/%6aob/o01", "/default/job/o%301/definition",
		"/%61pps", "/app/%64efault", "/default/job/%6f01/executions",
	} {
		e.call("GET", path, "").want(200)
	}
	e.call("POST", "/default/job/%6f01/executions", "").want(201)
	e.call("GET", "/default/job/o%2501", "").code(422, "invalid_parameter") // o%01
	// A slash in a name is no end of it.
	e.call("GET", "/default/job/o01%2F", "").code(422, "invalid_parameter")
	e.call("GET", "/%64efault/job/o%2F01", "").code(422, "invalid_parameter") // both at once
	e.call("GET", "/default%2Fjob/o01", "").code(404, "no_such_route")        // no separator
	e.call("GET", "/default/job/%6f01/", "").redirected("/default/job/o01")
}

// redirected ends the test if the answer leads anywhere else.
func (r *reply) redirected(to string) {
	r.t.Helper()
	if got := r.want(http.StatusPermanentRedirect).header.Get("Location"); got != to {
		r.t.Errorf("%s leads to %s, want %s", r.asked, got, to)
	}
}

func TestTrailingSlash(t *testing.T) {
	e := newEnv(t)
	e.call("GET", "/apps/", "").redirected("/apps")
	e.call("GET", "/default/jobs/?limit=1&q=a%20b", "").redirected("/default/jobs?limit=1&q=a%20b")
	e.call("POST", "/default/jobs//", jobNamed("a")).redirected("/default/jobs")
	e.call("PATCH", "/apps/", "").redirected("/apps") // where it is 405
	e.call("GET", "/calendar/", "").code(404, "no_such_route")
	e.call("GET", "/agent/", "").code(404, "no_such_route")
	e.call("GET", "/nowhere/at/all/", "").code(404, "no_such_route")
	for _, path := range []string{"//jobs/", "//evil.example/", "///"} { // the host of another
		if r := e.call("GET", path, ""); r.status == http.StatusPermanentRedirect {
			t.Errorf("GET %s leads to %s", path, r.header.Get("Location"))
		}
	}
	t.Run("a client that follows sends its body again", func(t *testing.T) {
		res, err := http.Post(e.http.URL+"/default/jobs/", "application/json", strings.NewReader(jobNamed("a")))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != 201 {
			t.Errorf("POST = %s, want 201", res.Status)
		}
	})
}

// Without a login nobody finds out what there is, by a slash neither.
func TestTrailingSlashNeedsLogin(t *testing.T) {
	e := newEnv(t, func(c *Config) { c.RequireLogin = true })
	for _, path := range []string{"/users/", "/default/jobs/", "/nothing/here/"} {
		e.call("GET", path, "").code(401, "login_required")
	}
	e.call("GET", "/", "").want(200)
}

func TestFrontPage(t *testing.T) {
	e := newEnv(t)
	for accept, want := range map[string]string{
		"":                     "text/plain; charset=UTF-8",
		"*/*":                  "text/plain; charset=UTF-8",
		"text/html,*/*;q=0.8":  "text/html; charset=UTF-8",
		"application/json":     "application/json",
		"application/json;q=1": "application/json",
	} {
		r := e.call("GET", "/", "", "Accept", accept).want(200)
		if got := r.header.Get("Content-Type"); got != want {
			t.Errorf("Accept %q: %s, want %s", accept, got, want)
		}
		for _, l := range frontLinks {
			if !strings.Contains(string(r.body), l[0]) {
				t.Errorf("Accept %q: no %s in %s", accept, l[0], r.body)
			}
			e.call("GET", l[0], "").want(200)
		}
	}
	golden(t, "frontpage", e.call("GET", "/", "").body)
	e.call("HEAD", "/", "").want(200)
	e.call("POST", "/", "").code(405, "method_not_allowed")
}

// What a route does not know it refuses, and says what it knows.
func TestUnknownParameters(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	e.start("a", "")
	for path, want := range map[string]string{
		"/default/jobs?lmit=5":                     "lmit: want one of the query parameters of this route: after, before, limit, offset, q, sort_by, with",
		"/default/jobs?sort-by=name":               "sort-by: want one of",
		"/default/job/a/settings?x":                "x: want no query parameter: this route has none",
		"/version?v=1":                             "v: want no query parameter",
		"/executions?state=failed":                 "state: want one of the query parameters of this route: after, agent, before, exit_status, job, limit, offset, parameter, since, status, until, with",
		"/default/executions?app=x":                "app: want one of",
		"/default/job/a/executions?job=b":          "job: want one of",
		"/default/execution/1?wat=30s":             "wat: want one of the query parameters of this route: wait, with",
		"/default/execution/1/log?folow=1":         "folow: want one of the query parameters of this route: after, before, follow, limit, offset",
		"/events?application=default":              "application: want one of the query parameters of this route: app, job",
		"/agents?limit=1&limit=2":                  "limit: want only one value, got 1, 2",
		"/apps?limit=1;offset=2":                   "query: want name=value",
		"/apps?limit=%zz":                          "query: want name=value",
		"/openapi.json?pretty":                     "pretty: want no query parameter",
		"/?a=b":                                    "a: want no query parameter",
		"/agent/none/monitor/cpu/daily?size=large": "size: want no query parameter",
	} {
		r := e.call("GET", path, "").code(400, "invalid_parameter")
		var p struct{ Detail string }
		if r.into(&p); !strings.HasPrefix(p.Detail, want) {
			t.Errorf("GET %s: %s\nwant %s", path, p.Detail, want)
		}
	}
	e.call("POST", "/default/job/a/executions?wayt=30s", "").code(400, "invalid_parameter")
	e.call("DELETE", "/default/job/a?kep=history", "").code(400, "invalid_parameter")
	e.call("GET", "/default/job/a/executions", "").want(200) // it was not deleted
	for _, v1 := range [][]string{
		console,
		{"Accept", "application/edn"},
		{"Authorization", "Token x"},
		{"Accept", "application/json", "Content-Type", "application/edn"},
		{"Accept", "application/json", "Authorization", "Token x"},
	} {
		e.call("GET", "/default/jobs?p=1&q&sort-by", "", v1...).want(200)
		e.call("GET", "/default/jobs?limit=1&limit=2&x=%zz", "", v1...).want(200)
	}
}

// No number of a request ends in a panic.
func TestExtremeNumbers(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", jobNamed("a")).want(201)
	id := e.start("a", "")
	lists := []string{
		"/apps", "/agents", "/users", "/executions", "/default/jobs", "/default/executions", "/default/job/a/executions", "/default/deployments",
		fmt.Sprintf("/default/execution/%d/log", id),
	}
	numbers := []string{
		"9223372036854775807", "9223372036854775808", "-9223372036854775808", "99999999999999999999", "-1", "0", "1", "1000", "1001", "1e3", "0x10", "", " 1", "NaN",
	}
	for _, path := range lists {
		for _, name := range []string{"offset", "limit", "after", "before"} {
			for _, n := range numbers {
				r := e.call("GET", path+"?"+name+"="+url.QueryEscape(n), "", "Accept", "application/json")
				if r.status != 200 && r.status != 400 {
					t.Errorf("%s = %d %s", r.asked, r.status, r.body)
				}
			}
		}
		e.call("GET", path+"?offset=9223372036854775807&limit=1000", "", "Accept", "application/json").want(200)
	}
	for _, n := range numbers[:5] {
		for _, path := range []string{
			"/default/execution/%s", "/default/execution/%s/log", "/default/job/a/execution/%s", "/default/deployment/%s", "/test-execution/%s", "/agent/%s",
		} {
			if r := e.call("GET", fmt.Sprintf(path, n), ""); r.status != 404 {
				t.Errorf("%s = %d %s, want 404", r.asked, r.status, r.body)
			}
		}
	}
	e.call("PUT", fmt.Sprintf("/default/job/a/execution/%d/stop", id), "").want(200)
	log := e.call("GET", fmt.Sprintf("/default/execution/%d/log?follow=1", id), "", "Last-Event-ID", numbers[0]).want(200)
	if !strings.Contains(string(log.body), "event: end\n") {
		t.Errorf("a log after its end: %s", log.body)
	}
	for _, n := range numbers[:3] {
		e.call("GET", "/events", "", "Last-Event-ID", "-"+n).code(400, "invalid_parameter")
		e.call("GET", "/default/execution/1?wait="+n, "").code(400, "invalid_parameter")
	}
}

// An input whose Resolve would be left out stops every test.
func TestHiddenResolve(t *testing.T) {
	type hidden struct {
		Page
		Within struct{ AppPath }
	}
	type deeper struct{ AppPath }
	type lost struct {
		Page
		Deeper deeper
	}
	checkResolvers(reflect.TypeFor[hidden]()) // a field is looked at for itself
	checkResolvers(reflect.TypeFor[lost]())
	type Deeper struct{ AppPath }
	type promoted struct {
		Page
		Deeper
	}
	defer func() {
		if recover() == nil {
			t.Error("the Resolve of AppPath is hidden by that of Page, and nobody says so")
		}
	}()
	checkResolvers(reflect.TypeFor[promoted]())
}

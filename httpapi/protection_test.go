package httpapi

import (
	"fmt"
	"strings"
	"testing"
)

// checkProtection checks the headers that every answer has. Each call of the
// tests of this package does so.
func (r *reply) checkProtection() {
	r.t.Helper()
	wanted := map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	}
	if strings.HasPrefix(r.asked, "GET /oauth/") && strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
		// This page has a form.
		wanted["Referrer-Policy"] = "same-origin"
		wanted["Content-Security-Policy"] = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
	}
	for name, want := range wanted {
		if got := r.header.Values(name); len(got) != 1 || got[0] != want {
			r.t.Errorf("%s: %s %q, want %q once", r.asked, name, got, want)
		}
	}
	if got := r.header.Values("Cache-Control"); len(got) != 1 {
		r.t.Errorf("%s: Cache-Control %q, want one", r.asked, got)
	}
}

// Answers of each kind, by their statuses: call checks the headers.
func TestProtectedAnswers(t *testing.T) {
	e := newEnv(t)
	e.call("PUT", "/default/job/JOB-1", job1).want(201)
	id := e.start("JOB-1", "{}")
	e.call("GET", "/default/jobs/none", "").want(404) // no route
	e.call("GET", "/default/job/none", "").want(404)
	e.call("PATCH", "/default/job/JOB-1", "").want(405)
	e.call("POST", "/default/jobs", "x", "Content-Type", "text/plain").want(415)
	e.call("POST", "/default/jobs", "{").want(400)
	e.call("PUT", "/default/job/JOB-1", `{"id":"JOB-1"}`).want(422)
	e.call("GET", "/default/jobs/", "").want(308)
	e.call("HEAD", "/default/jobs", "").want(200)
	e.call("OPTIONS", "/default/jobs", "", "Origin", "http://localhost:3000", "Access-Control-Request-Method", "PUT").want(200)
	e.call("GET", "/", "", "Accept", "text/html").want(200)
	e.call("GET", "/openapi.json", "").want(200)
	e.call("GET", "/healthcheck", "").want(200)
	e.call("GET", "/version", "", "Host", "evil.example").want(200)
	e.call("GET", "/default/jobs/download", "", "Accept", "application/edn").want(200)
	e.call("GET", fmt.Sprintf("/default/job/JOB-1/execution/%d/log", id), "").want(200)
	e.call("POST", "/default/jobs", strings.Repeat(" ", maxBody+1)).want(413)
	if got := e.call("GET", "/default/jobs", "").header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("a list has Cache-Control %q, want no-store", got)
	}
	asking := newEnvAlone(t, func(c *Config) { c.RequireLogin = true })
	asking.call("GET", "/default/jobs", "").want(401)
	asking.call("POST", "/auth", `{"id":"a","password":"b"}`).want(401)
}

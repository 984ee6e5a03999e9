package httpapi

import (
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// longEnv makes TestNoInputGives500 send each value with all bodies if it is 1.
const longEnv = "JOBSTREAMER_TEST_LONG"

// Whatever is sent to whatever route, the control bus does not fail.
func TestNoInputGives500(t *testing.T) {
	e := newEnv(t)
	e.call("POST", "/default/jobs", job1).want(201)
	values := []string{"default", "JOB-1", "1", "0", "", " ", "*", ">", ".", "..", "a.b", "a/b", "ä😀", "\x00", "%", "$KV", strings.Repeat("x", 300)}
	bodies := []string{
		"", "{}", "[]", "null", "1", `"x"`, "{", "\xff\xfe", `{"id":1}`, `{"name":null}`, `{"parameters":[1]}`, `{"parameters":{"":""}}`,
		`{"cron_notation":"* * * * * ?"}`, `{"cron_notation":"\u0000"}`, `{"id":"JOB-1","steps":null}`, `{"steps":[[[]]]}`, strings.Repeat("[", 50000),
		`{:name "x" :classpath ["file:///"]}`, `{:a #{1} :b #inst "x"}`, `<job id="x"><step id="s"/></job>`, "a: &a [*a, *a]",
	}
	headers := [][]string{
		nil, {"Accept", "x/y;q=2"}, {"Content-Type", "application/json; charset=\"", "Accept", ",,;"}, {"If-Match", "W/,"}, {"If-None-Match", "\""},
		{"Content-Type", "application/edn"}, {"Content-Type", "text/yaml"}, {"Content-Type", "text/xml"}, {"Accept", "application/edn"}, {"Accept", "text/yaml"}, {"Accept", "text/xml"},
		{"Idempotency-Key", "ä"}, {"Last-Event-ID", "18446744073709551615"}, {"Content-Encoding", "br"},
	}
	each := 2 // requests a route and value
	if os.Getenv(longEnv) == "1" {
		each = len(bodies)
	}
	n := 0
	for template, item := range e.doc.Paths.Map() {
		for method := range item.Operations() {
			for i, v := range values {
				wait := v
				if v == "1" { // a second for each execution that is started
					wait = "1ms"
				}
				path := template
				for _, name := range []string{"{app}", "{job}", "{id}"} {
					path = strings.ReplaceAll(path, name, url.PathEscape(values[(i+len(name))%len(values)]))
					if i%2 == 0 { // else nothing gets as far as the body
						path = strings.NewReplacer("{app}", "default", "{job}", "JOB-1", "{id}", url.PathEscape(v)).Replace(template)
					}
				}
				if strings.HasSuffix(template, "/events") {
					path += "?job=" + url.QueryEscape(v)
					if v == "" || jsl.ValidID(v) {
						continue // a good one listens for ever
					}
				} else {
					path += "?limit=" + url.QueryEscape(v) + "&wait=" + url.QueryEscape(wait) + "&q=" + url.QueryEscape(v)
				}
				for k := range each {
					r := e.call(method, path, bodies[(i*2+k+n)%len(bodies)], headers[(i+k+n)%len(headers)]...)
					if r.status >= 500 {
						t.Errorf("%s with %q = %d %s", r.asked, bodies[(i*2+k+n)%len(bodies)], r.status, r.body)
					}
					if r.status >= 400 && r.header.Get("Content-Type") == "application/problem+json" {
						var p struct{ Code string }
						if json.Unmarshal(r.body, &p) != nil || p.Code == "" {
							t.Errorf("%s = %d %s, want a code", r.asked, r.status, r.body)
						}
					} else if r.status >= 400 && !strings.Contains(string(r.body), "code") {
						t.Errorf("%s = %d %s, want a code", r.asked, r.status, r.body)
					}
					n++
				}
			}
		}
	}
	if n < 1000 {
		t.Errorf("only %d requests", n)
	}
}

package httpapi

import (
	"strings"
	"testing"
)

// A definition is taken in each form and given back in each.
func TestForms(t *testing.T) {
	e := newEnv(t)
	sent := map[string]string{
		"application/json": job1,
		"application/edn":  `{:id "JOB-1" :steps [{:id "STEP-1" :batchlet {:ref "example.Batchlet" :properties {"k" "v"}}}]}`,
		"application/yaml": "id: JOB-1\nsteps:\n- id: STEP-1\n  batchlet: {ref: example.Batchlet, properties: {k: v}}\n",
		"application/xml":  `<job id="JOB-1" xmlns="http://xmlns.jcp.org/xml/ns/javaee"><step id="STEP-1"><batchlet ref="example.Batchlet"><properties><property name="k" value="v"/></properties></batchlet></step></job>`,
	}
	first := map[string]string{}
	for media, body := range sent {
		e.call("DELETE", "/default/job/JOB-1", "")
		e.call("POST", "/default/jobs", body, "Content-Type", media, "Accept", "application/json").want(201)
		for as := range sent {
			r := e.call("GET", "/default/job/JOB-1/definition", "", "Accept", as).want(200)
			if got := r.header.Get("Content-Type"); got != as {
				t.Errorf("%s comes as %s", as, got)
			}
			if first[as] == "" {
				first[as] = string(r.body)
			} else if first[as] != string(r.body) {
				t.Errorf("sent as %s it is\n%s\nelse\n%s", media, r.body, first[as])
			}
			e.call("PUT", "/default/job/JOB-1", string(r.body), "Content-Type", as, "Accept", "application/json").want(200)
			if whole := e.call("GET", "/default/job/JOB-1", "", "Accept", as).want(200); !strings.Contains(string(whole.body), "STEP-1") {
				t.Errorf("the job as %s is without its definition: %s", as, whole.body)
			}
		}
	}
	t.Run("a fault has its line and column in each", func(t *testing.T) {
		for media, body := range map[string]string{
			"application/json": "{\"id\":\"JOB-1\",\n \"steps\":[{\"id\":\"s\",\"nope\":1}]}",
			"application/edn":  "{:id \"JOB-1\"\n :steps[{:id \"s\" :nope 1}]}",
			"application/yaml": "id: JOB-1\nsteps: [{id: s, nope: 1}]",
			"application/xml":  "<job id=\"JOB-1\">\n <step id=\"s\" nope=\"1\"/></job>",
		} {
			r := e.call("POST", "/default/jobs", body, "Content-Type", media, "Accept", "application/json").code(422, "invalid_job")
			if !strings.Contains(string(r.body), `"line":2`) {
				t.Errorf("%s: %s", media, r.body)
			}
		}
	})
	t.Run("YAML is on each route", func(t *testing.T) {
		e.call("POST", "/default/job/JOB-1/schedule", "cron_notation: 0 0 3 * * ?\n", "Content-Type", "text/yaml").want(201)
		r := e.call("GET", "/default/job/JOB-1", "", "Accept", "application/yaml").want(200)
		if !strings.Contains(string(r.body), "\nschedule:\n  cron_notation: \"0 0 3 * * ?\"\n") {
			t.Errorf("%s", r.body)
		}
		e.call("POST", "/default/job/JOB-1/executions", "parameters: {a: 1}", "Content-Type", "application/yaml").want(201)
	})
	t.Run("XML is for jobs", func(t *testing.T) {
		e.call("POST", "/apps", "<app/>", "Content-Type", "application/xml").code(415, "unsupported_media_type")
		e.call("GET", "/apps", "", "Accept", "application/xml").code(406, "not_acceptable")
	})
}

package httpapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/text/encoding/japanese"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// A job that is too large is stored in no form.
func TestLargeJobIsNotStored(t *testing.T) {
	e := newEnv(t)
	const step = `<step id="s%d"><batchlet ref="x"><properties><property name="p" value="v"/></properties></batchlet></step>`
	var b strings.Builder
	b.WriteString(`<job id="many">`)
	for i := range 20_000 {
		fmt.Fprintf(&b, step, i)
	}
	b.WriteString(`</job>`)
	r := e.call("PUT", "/default/job/many", b.String(), "Content-Type", "application/xml").code(422, "invalid_job")
	if !strings.Contains(string(r.body), "want at most 100000 values, got 120003") {
		t.Errorf("%s: %s", r.asked, r.body)
	}
	e.call("GET", "/default/job/many", "").code(404, "no_such_job")
	e.call("PUT", "/default/job/many", jobNamed("many")).want(201)
}

// What another version stored can be read, listed and deleted, and is not taken
// apart by a change of something else.
func TestWhatIsStoredIsRead(t *testing.T) {
	e := newEnv(t)
	steps := strings.Repeat(`{"id":"s","batchlet":{"ref":"x"}},`, 26_000)
	for name, definition := range map[string]string{
		"large": `{"id":"large","steps":[` + strings.TrimSuffix(steps, ",") + `]}`,
		"wrong": `{"id":"wrong","steps":[{"id":"s"},{"id":"s","next":"nowhere"}]}`,
		"newer": `{"id":"newer","steps":[{"id":"s","of_a_later_version":{"a":1}}]}`,
		"odd":   `{"id":"odd","steps":[{"id":"s"},{"id":5}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			j := bus.Job{App: "default", Name: name, PermanentKey: name, CreateTime: subjects.Now(), UpdateTime: subjects.Now(), Definition: json.RawMessage(definition)}
			if _, err := e.bus.Jobs.Create(t.Context(), j.Key(), j); err != nil {
				t.Fatal(err)
			}
			path := "/default/job/" + name
			if r := e.call("GET", path, "").want(200); !strings.Contains(string(r.body), definition[:min(len(definition), 30)]) {
				t.Errorf("%.200s", r.body)
			}
			eventually(t, "the read model has it", func() bool { _, ok := e.index.Job("default", name); return ok })
			for _, media := range []string{"application/json", "application/edn", "application/yaml", "application/xml"} {
				// The others take seconds to compare with the OpenAPI document.
				if name == "large" && media != "application/xml" {
					continue
				}
				e.call("GET", path, "", "Accept", media).want(200)
				e.call("GET", path+"/definition", "", "Accept", media).want(200)
			}
			if r := e.call("GET", "/default/jobs", "").want(200); !strings.Contains(string(r.body), `"`+name+`"`) {
				t.Errorf("not listed: %s", r.body)
			}
			if r := e.call("PUT", path+"/settings/exclusive", ""); name == "newer" && r.status == 200 {
				t.Error("a part of the definition was lost")
			}
			e.call("DELETE", path, "").want(204)
			e.call("GET", path, "").code(404, "no_such_job")
			e.call("PUT", path, jobNamed(name)).want(201)
		})
	}
}

// XML comes in the encoding that its Content-Type or its declaration says, and
// goes in the namespace that it came in or that is asked for.
func TestXMLBodies(t *testing.T) {
	e := newEnv(t)
	const jakarta = ` xmlns="https://jakarta.ee/xml/ns/jakartaee" version="2.0"`
	const javaee = ` xmlns="http://xmlns.jcp.org/xml/ns/javaee" version="1.0"`
	sjis, err := japanese.ShiftJIS.NewEncoder().String(`<job id="夜間"` + jakarta + `><step id="集計"/></job>`)
	if err != nil {
		t.Fatal(err)
	}
	e.call("POST", "/default/jobs", sjis, "Content-Type", "application/xml; charset=Shift_JIS").want(201)
	e.call("POST", "/default/jobs", `<?xml version="1.0" encoding="Shift_JIS"?>`+sjis, "Content-Type", "text/xml").want(201)
	e.call("POST", "/default/jobs", sjis, "Content-Type", "application/xml").want(400)
	if r := e.call("POST", "/default/jobs", sjis, "Content-Type", "application/xml; charset=klingon").code(415, "unsupported_media_type"); !strings.Contains(string(r.body), "shift_jis") {
		t.Errorf("%s", r.body)
	}
	e.call("POST", "/default/jobs", "{}", "Content-Type", "application/json; charset=Shift_JIS").code(415, "unsupported_media_type")
	if r := e.call("POST", "/default/jobs", `<?xml version="1.0" encoding="klingon"?><job id="a"/>`, "Content-Type", "application/xml").code(422, "invalid_job"); !strings.Contains(string(r.body), "EUC-JP") {
		t.Errorf("%s", r.body)
	}
	path := "/default/job/%E5%A4%9C%E9%96%93"
	for query, want := range map[string]string{"": jakarta, "?namespace=jakartaee": jakarta, "?namespace=javaee": javaee} {
		for _, of := range []string{"", "/definition"} {
			if r := e.call("GET", path+of+query, "", "Accept", "application/xml").want(200); !strings.Contains(string(r.body), "<job"+want+` id="夜間">`) {
				t.Errorf("GET %s%s: %s", of, query, r.body)
			}
		}
	}
	if r := e.call("GET", path+"/definition?namespace=other", "").want(400); !strings.Contains(string(r.body), "jakartaee") {
		t.Errorf("%s", r.body)
	}
	// What runs is not told: agents of earlier versions do not know the
	// namespace.
	id := e.start("%E5%A4%9C%E9%96%93", "")
	rec, err := e.bus.Executions.Get(t.Context(), bus.ExecutionKey("default", bus.NameKey("夜間"), id))
	if err != nil || strings.Contains(string(rec.Value.Definition), "namespace") {
		t.Errorf("definition of the execution: %s, %v", rec.Value.Definition, err)
	}
	e.call("PUT", "/default/job/short", `{"id":"short","steps":[{"id":"s","command":"echo hi"}]}`).want(201)
	if r := e.call("GET", "/default/job/short", "").want(200); !strings.Contains(string(r.body), `"properties":{"command":"echo hi"}`) {
		t.Errorf("%s", r.body)
	}
}

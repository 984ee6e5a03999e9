package httpapi

import (
	"fmt"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	v1 "github.com/job-streamer/job-streamer-control-bus/httpapi/v1"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// The body of a job is parsed once, whatever its words. The counter belongs to
// the process, so this test does not run beside others.
func TestBodyOfJobIsParsedOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		format *codec.Format
		body   string
		want   uint64
	}{
		"a definition":                      {codec.JSON, job1, 1},
		"a definition in EDN":               {codec.EDN, `{:id "A" :steps [{:id "S"}]}`, 1},
		"a v1 client's import":              {codec.EDN, `{:db/id 3 :job/name "A" :job/schedule {:schedule/cron-notation "0 0 3 * * ?"} :job/definition {:id "A" :steps [{:id "S"}]}}`, 1},
		"a v1 client's settings":            {codec.EDN, `{:job/name "A" :job/components [{:id "S"}] :job/exclusive? true :job/time-monitor {:time-monitor/duration 10 :time-monitor/action :action/stop}}`, 1},
		"v1 words in JSON":                  {codec.JSON, `{"job/name":"A","job/components":[{"step/name":"S"}]}`, 1},
		"a diagram, which is a second text": {codec.EDN, `{:job/name "A" :job/bpmn-xml-notation "` + strings.NewReplacer(`"`, `\"`).Replace(diagram) + `"}`, 2},
	} {
		var sent sentJob
		before := jsl.Parsed()
		err := tc.format.Read([]byte(tc.body), &sent, v1.Ignores)
		if n := jsl.Parsed() - before; n != tc.want {
			t.Errorf("%s: %d texts were parsed, want %d", name, n, tc.want)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A whole POST parses a job twice: what was sent, and for the read model what
// was stored. The answer and the watch of the bucket use what the read model
// has.
func TestPostOfJobParsesTwice(t *testing.T) {
	e := newEnvAlone(t)
	for i, tc := range []struct {
		body    string
		headers []string
	}{
		{`{"id":"J0","steps":[{"id":"S","batchlet":{"ref":"b"}}]}`, nil},
		{`{:job/name "J1" :job/components [{:step/name "S"}]}`, console},
	} {
		before := jsl.Parsed()
		e.call("POST", "/default/jobs", tc.body, tc.headers...).want(201)
		// When the watch has brought a job that is written after it, it has
		// brought this one.
		next := fmt.Sprintf("next%d", i)
		stored := bus.Job{App: "default", Name: next, PermanentKey: next, Definition: []byte(`{"id":"` + next + `"}`)}
		if _, err := e.bus.Jobs.Create(t.Context(), "default."+next, stored); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the next job", func() bool { _, ok := e.index.Job("default", next); return ok })
		if n := jsl.Parsed() - before; n != 2+1 {
			t.Errorf("%s: %d texts were parsed, want 2, and 1 of the next job", tc.body, n)
		}
	}
}

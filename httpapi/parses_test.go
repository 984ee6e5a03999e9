package httpapi

import (
	"strings"
	"testing"

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

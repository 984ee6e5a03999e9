package v1

import (
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// Words are what a v1 client sends beside a definition, when it imports a job
// that it exported, or in place of one.
type Words struct {
	Name                string                        `edn:"job/name"`
	Exclusive           *bool                         `edn:"job/exclusive?"`
	BPMN                string                        `edn:"job/bpmn-xml-notation"`
	SVG                 string                        `edn:"job/svg-notation"`
	Schedule            *rest.ImportedSchedule        `edn:"job/schedule"`
	TimeMonitor         *rest.NewTimeMonitor          `edn:"job/time-monitor"`
	StatusNotifications *[]rest.NewStatusNotification `edn:"job/status-notifications"`

	Drawn bool // the diagram is the definition: there is no other
	Whole bool // the job has no schedule and no settings but those that were sent
}

// keys are those of [Words].
var keys = []string{
	"job/name", "job/exclusive?", "job/bpmn-xml-notation", "job/svg-notation", "job/schedule", "job/time-monitor", "job/status-notifications",
}

// withLocal are the keys, and the same without their namespace.
var withLocal = addLocal(keys)

func addLocal(keys []string) (all []string) {
	for _, key := range keys {
		all = append(all, key, strings.TrimPrefix(key, "job/"))
	}
	return all
}

// ReadWords reads the words of v1 clients in a text that was parsed. Without
// any they are empty.
func ReadWords(t *jsl.Text) (w Words, err error) {
	if !t.Has(keys...) && !t.Has("job/definition") {
		return w, nil
	}
	members, err := t.Pick(withLocal...)
	if err != nil {
		return w, err
	}
	err = codec.ReadLeniently(members, &w)
	w.Whole = t.Has("job/name")
	w.Drawn = (w.BPMN != "" || err != nil) && t.Has("job/bpmn-xml-notation") && !t.Has("steps", "job/steps", "job/components", "job/definition")
	return w, err
}

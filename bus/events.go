package bus

import (
	"encoding/json"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Event publishes an event to anyone who subscribes. Nothing depends on it.
func (b *Bus) Event(kind, what string, subject []string, detail any) {
	e := subjects.Event{Kind: kind, Time: subjects.Now(), Subject: strings.Join(subject, "."), What: what}
	if detail != nil {
		d, err := json.Marshal(detail)
		if err != nil {
			b.Log.Error("event not encoded", "kind", kind, "err", err)
			return
		}
		e.Detail = d
	}
	data, err := json.Marshal(e)
	if err == nil {
		err = b.NC.Publish(subjects.EventSubject(kind, subject...), data)
	}
	if err != nil {
		b.Log.Debug("event not published", "kind", kind, "err", err)
	}
}

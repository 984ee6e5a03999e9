package agent

import (
	"encoding/json"
	"testing"

	"github.com/nats-io/nats.go"
)

// FuzzRequest looks for requests that crash an agent, or make it publish under
// another application.
func FuzzRequest(f *testing.F) {
	f.Add("jobstreamer.request.a.p.normal.1", []byte(`{"execution":{"execution_id":1,"app":"a","job":"j"},"attempt":1,"definition":{"id":"j"}}`))
	f.Add("jobstreamer.request.a.p.normal.1", []byte(`{"execution":{"execution_id":1,"app":"b","job":"j"},"attempt":1}`))
	f.Add("jobstreamer.request", []byte(`{"execution":null}`))
	f.Fuzz(func(t *testing.T, subject string, data []byte) {
		d, err := readRequest(&nats.Msg{Subject: subject, Data: data})
		if err != nil {
			return
		}
		if e := &d.request.Execution; e.ID < 1 || d.request.Attempt < 1 || len(d.execution) == 0 {
			t.Errorf("accepted %s", data)
		}
		if _, err := json.Marshal(&claimResult{Execution: d.execution}); err != nil {
			t.Errorf("a claim that cannot be written: %v", err)
		}
	})
}

// FuzzPubAck looks for answers of the broker that crash an agent.
func FuzzPubAck(f *testing.F) {
	f.Add([]byte(`{"stream":"S","seq":7}`))
	f.Add([]byte(`{"error":{"err_code":10071},"seq":0}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if seq, err := parseAck(data); err == nil && seq == 0 {
			t.Errorf("%s is taken for stored", data)
		}
	})
}

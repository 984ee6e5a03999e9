package agents

import (
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// FuzzHeartbeat looks for heartbeats that end a bus.
func FuzzHeartbeat(f *testing.F) {
	f.Add("a", []byte(`{"name":"a","life":"1","status":"ready","interval_ms":2000,"executions":[{"execution_id":1,"attempt":1}]}`))
	f.Add("a", []byte(`{"name":"a","interval_ms":-9223372036854775808,"executions":null}`))
	f.Add("b", []byte(`[]`))
	f.Fuzz(func(t *testing.T, agent string, data []byte) {
		b := &bus.Bus{Log: slog.New(slog.DiscardHandler)}
		r := New(b, index.New(b), Config{})
		r.receiveHeartbeat(&nats.Msg{Subject: subjects.HeartbeatSubject(agent), Data: data})
		select {
		case h := <-r.beats:
			if d := intervalOf(h.IntervalMS, time.Second); d < time.Second || d > time.Minute {
				t.Errorf("the interval is %v", d)
			}
		default:
		}
	})
}

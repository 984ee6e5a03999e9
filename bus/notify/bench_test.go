package notify

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// BenchmarkPassedOver measures results of jobs without notifications, from
// publishing to acknowledgement.
func BenchmarkPassedOver(b *testing.B) {
	srv := bustest.Server(b)
	bs := bustest.Open(b, srv, bus.Config{})
	x := index.New(bs)
	n, err := New(Config{Bus: bs, Index: x, Executions: execution.New(bs, x, execution.Config{}), URL: "http://127.0.0.1:1"})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan struct{}, 2)
	go func() { _ = x.Run(ctx); ended <- struct{}{} }()
	go func() { _ = n.Run(ctx); ended <- struct{}{} }()
	defer func() { cancel(); <-ended; <-ended }()
	pending := func() int {
		c, err := bs.JS.Consumer(ctx, subjects.ResultsStream, Consumer)
		if err != nil {
			return -1
		}
		info, err := c.Info(ctx)
		if err != nil {
			return -1
		}
		return int(info.NumPending) + info.NumAckPending
	}
	for pending() < 0 {
		time.Sleep(10 * time.Millisecond)
	}
	data := []byte(`{"execution_id":1,"app":"default","job":"J","batch_status":"completed","agent":"a1"}`)
	b.ResetTimer()
	room := make(chan struct{}, 256)
	for i := range b.N {
		room <- struct{}{}
		m := &nats.Msg{Subject: subjects.ResultSubject("default", "J", int64(i+1), "a1"), Data: data}
		bs.Pub.Publish(m, "", -1, func(_ uint64, err error) {
			if err != nil {
				b.Error(err)
			}
			<-room
		})
	}
	for pending() != 0 {
		time.Sleep(time.Millisecond)
	}
}

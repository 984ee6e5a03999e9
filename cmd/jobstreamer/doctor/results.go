package doctor

import (
	"maps"
	"slices"

	"github.com/nats-io/jsm.go/api"

	"github.com/job-streamer/job-streamer-control-bus/bus/notify"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// maxLag is the number of unrecorded results from which a lag is a finding.
const maxLag = 10_000

// resultConsumers returns the states of the durable consumers that record
// results.
func (x *examination) resultConsumers() map[string]api.ConsumerInfo {
	states := map[string]api.ConsumerInfo{}
	if x.streams[subjects.ResultsStream] == nil {
		return states
	}
	consumers, _, _, err := x.mgr.Consumers(subjects.ResultsStream)
	if err != nil {
		return states // checkResults reports the missing consumer
	}
	for _, consumer := range consumers {
		if !consumer.IsDurable() || consumer.Name() == notify.Consumer {
			continue // a client that follows a log, or the sender of notifications
		}
		if info, err := consumer.State(); err == nil {
			states[info.Name] = info
		}
	}
	return states
}

// checkResults compares two states of the consumers that record results.
func (x *examination) checkResults(before, after map[string]api.ConsumerInfo) Check {
	c := Check{Name: "results"}
	if len(after) == 0 && x.streams[subjects.ResultsStream] != nil {
		c.addFinding("start a control bus: it creates the consumer", "no consumer records results: stream %s has no durable consumer", subjects.ResultsStream)
	}
	var open uint64
	for _, name := range slices.Sorted(maps.Keys(after)) {
		b, a := before[name], after[name]
		lag := a.NumPending + uint64(max(0, a.NumAckPending))
		open += lag
		checkPaused(&c, &a)
		switch moved := a.AckFloor.Stream > b.AckFloor.Stream || a.Delivered.Consumer > b.Delivered.Consumer; {
		case a.Paused || lag == 0 || x.full:
		case b.NumPending+uint64(max(0, b.NumAckPending)) == 0: // arrived between the two states
		case !moved && a.NumPending == 0:
			c.addFinding("run doctor again in 15 seconds; if the results are still not recorded, check the log of the control bus",
				"%s delivered but not recorded: the control bus that received them has died or cannot write; NATS will deliver them again", countText(lag, "result"))
		case !moved:
			c.addFinding("start a control bus, or check the log of the running one", "consumer %s of %s is stuck: %s waiting to be recorded, and none was recorded in the last seconds",
				name, a.Stream, countText(lag, "result"))
		case lag > maxLag:
			c.addFinding("wait, or give the control buses more CPU and a faster disk", "%s waiting to be recorded: the control bus cannot keep up", countText(lag, "result"))
		}
	}
	c.Saw = countText(open, "result") + " waiting to be recorded"
	return c
}

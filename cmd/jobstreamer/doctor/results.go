package doctor

import (
	"maps"
	"slices"

	"github.com/nats-io/jsm.go/api"

	"github.com/job-streamer/job-streamer-control-bus/bus/notify"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// maxLag is how many results may wait to be recorded before it is worth a word.
const maxLag = 10_000

// resultConsumers are the states of the durable consumers that record what
// agents report.
func (x *examination) resultConsumers() map[string]api.ConsumerInfo {
	states := map[string]api.ConsumerInfo{}
	if x.streams[subjects.ResultsStream] == nil {
		return states
	}
	consumers, _, _, err := x.mgr.Consumers(subjects.ResultsStream)
	if err != nil {
		return states // the consumer is missing then, which is said
	}
	for _, consumer := range consumers {
		if !consumer.IsDurable() || consumer.Name() == notify.Consumer {
			continue // somebody follows, or waits for a notificator
		}
		if info, err := consumer.State(); err == nil {
			states[info.Name] = info
		}
	}
	return states
}

// checkResults judges two looks at what records the results.
func (x *examination) checkResults(before, after map[string]api.ConsumerInfo) Check {
	c := Check{Name: "results"}
	if len(after) == 0 && x.streams[subjects.ResultsStream] != nil {
		c.addFinding("start a control bus: it makes it", "nobody records results: %s has no durable consumer", subjects.ResultsStream)
	}
	var open uint64
	for _, name := range slices.Sorted(maps.Keys(after)) {
		b, a := before[name], after[name]
		lag := a.NumPending + uint64(max(0, a.NumAckPending))
		open += lag
		checkPaused(&c, &a)
		switch moved := a.AckFloor.Stream > b.AckFloor.Stream || a.Delivered.Consumer > b.Delivered.Consumer; {
		case a.Paused || lag == 0 || x.full:
		case b.NumPending+uint64(max(0, b.NumAckPending)) == 0: // came while we looked
		case !moved && a.NumPending == 0:
			c.addFinding("ask again in a quarter of a minute; if they are still there, look at the log of the control bus",
				"%s in the hands of a control bus that has died, or cannot write; they are delivered again", countText(lag, "result"))
		case !moved:
			c.addFinding("start a control bus, or look at the log of the one that runs", "consumer %s of %s is stuck: %s waiting to be recorded, and none was in the last seconds",
				name, a.Stream, countText(lag, "result"))
		case lag > maxLag:
			c.addFinding("wait, or give the control buses more CPU and a faster disk", "%s waiting to be recorded: the control bus does not keep up", countText(lag, "result"))
		}
	}
	c.Saw = countText(open, "result") + " waiting to be recorded"
	return c
}

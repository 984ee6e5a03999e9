package doctor

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jsm.go/api"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// checkQueues checks the work queues: whether their consumers have the expected
// settings, and whether agents fetch the waiting requests. It also returns the
// pools with waiting requests, as app=pool.
func (x *examination) checkQueues(ctx context.Context) (Check, map[string]bool) {
	c := Check{Name: "queues"}
	busy := map[string]bool{}
	var waiting uint64
	queues := 0
	for name, s := range x.streams {
		app, ok := strings.CutPrefix(name, subjects.RequestStreamPrefix)
		if !ok {
			continue
		}
		queues++
		consumers, lost, _, err := x.mgr.Consumers(s.Name())
		if err != nil {
			c.addFinding("inspect the stream with `nats consumer report "+name+"`", "cannot read the consumers of stream %s: %v", name, err)
			continue
		}
		for _, consumer := range lost {
			c.addFinding("start the NATS servers that host it; inspect the stream with `nats consumer report "+name+"`", "consumer %s of %s does not answer", consumer, name)
		}
		pools := map[string]*pool{}
		for _, consumer := range consumers {
			info, err := consumer.LatestState()
			if err != nil {
				continue // deleted in the meantime
			}
			checkConsumer(&c, app, &info, pools)
		}
		for name, p := range pools {
			p.waiting -= min(p.waiting, x.countEnded(ctx, app, name, p.waiting))
			if waiting += p.waiting; p.waiting > 0 {
				busy[app+"="+name] = true
			}
			x.checkPool(&c, app, name, p)
		}
	}
	c.Saw = countText(queues, "queue") + ", " + countText(waiting, "waiting execution")
	return c, busy
}

// maxSettled is the maximum number of waiting requests in a pool for which the
// records of their executions are read.
const maxSettled = 1000

// countEnded counts the requests of a pool whose execution has ended, such as
// an abandoned one. They wait for no agent; the control bus removes them.
func (x *examination) countEnded(ctx context.Context, app, pool string, waiting uint64) (n uint64) {
	if waiting == 0 || waiting > maxSettled || ctx.Err() != nil {
		return 0
	}
	queued, err := x.mgr.StreamContainedSubjects(subjects.RequestStream(app), subjects.RequestsOf(app, pool, "*"))
	records := x.streams[jetio.BucketStream(subjects.ExecutionsBucket)]
	if err != nil || records == nil {
		return 0
	}
	for subject := range queued {
		id := subject[strings.LastIndexByte(subject, '.')+1:]
		m, err := records.ReadLastMessageForSubject(jetio.KeySubject(subjects.ExecutionsBucket, app+".*."+id))
		if err != nil {
			continue
		}
		var e bus.Execution
		if json.Unmarshal(m.Data, &e) == nil && e.BatchStatus.Ended() {
			n++
		}
	}
	return n
}

// pool sums up the consumers of a pool.
type pool struct {
	there   []string // priorities
	waiting uint64
	pulls   int
}

func checkConsumer(c *Check, app string, info *api.ConsumerInfo, pools map[string]*pool) {
	name, priority, ok := strings.Cut(info.Name, "=")
	if !ok || !slices.Contains(subjects.Priorities(), priority) {
		c.addFinding("delete the consumer unless you need it; its requests are kept: nats consumer rm "+info.Stream+" "+info.Name,
			"consumer %s of %s does not belong to the control bus: it takes requests away from agents", info.Name, info.Stream)
		return
	}
	p := pools[name]
	if p == nil {
		p = &pool{}
		pools[name] = p
	}
	p.there = append(p.there, priority)
	p.waiting += info.NumPending
	p.pulls += info.NumWaiting
	checkPaused(c, info)
	want := bus.RequestConsumerConfig(app, name, priority)
	if info.Config.FilterSubject != want.FilterSubject || info.Config.AckPolicy != api.AckExplicit || info.Config.AckWait != want.AckWait {
		c.addFinding("restart a control bus after you have deleted the consumer; its requests are kept: nats consumer rm "+info.Stream+" "+info.Name,
			"consumer %s of %s was changed: it has filter %s and ack wait %s, want %s and %s", info.Name, info.Stream,
			info.Config.FilterSubject, info.Config.AckWait, want.FilterSubject, want.AckWait)
	}
}

func checkPaused(c *Check, info *api.ConsumerInfo) {
	if info.Paused {
		c.addFinding("resume the consumer: nats consumer resume "+info.Stream+" "+info.Name,
			"consumer %s of %s is paused for another %s and delivers nothing", info.Name, info.Stream, info.PauseRemaining.Round(time.Second))
	}
}

// checkPool reports waiting requests of a pool that no agent will fetch.
func (x *examination) checkPool(c *Check, app, name string, p *pool) {
	for _, priority := range subjects.Priorities() {
		if !slices.Contains(p.there, priority) {
			c.addFinding("restart a control bus: it creates the consumer", "consumer %s of %s is missing: executions of this pool and priority cannot start",
				subjects.RequestConsumer(name, priority), subjects.RequestStream(app))
		}
	}
	if p.waiting == 0 {
		return
	}
	var able, ready, free int
	for _, h := range x.heard {
		if slices.Contains(h.Apps, app) && slices.Contains(h.Pools, name) {
			able++
			if h.Status == subjects.AgentReady {
				ready++
				free += max(0, h.Slots-h.Running)
			}
		}
	}
	what := countText(p.waiting, "waiting execution") + " of application " + app
	switch {
	case able == 0:
		c.addFinding("start an agent: jobstreamer agent --apps "+app+" --pools "+name, "%s in pool %s: no agent serves this pool", what, name)
	case ready == 0:
		c.addFinding("unblock an agent: PUT /agent/<name>/unblock", "%s in pool %s: all agents of this pool are blocked or leaving", what, name)
	case free > 0 && p.pulls == 0:
		c.addFinding("check the agents' logs and their permission to publish to $JS.API.CONSUMER.MSG.NEXT.>", "%s in pool %s: its agents fetch no requests although they have %s", what, name, countText(free, "free slot"))
	}
}

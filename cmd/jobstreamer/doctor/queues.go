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

// checkQueues judges the work queues: whether their consumers are as they
// should be, and whether somebody takes what waits. It also returns the pools
// in which something waits, as app=pool.
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
			c.addFinding("see `nats consumer report "+name+"`", "the consumers of %s cannot be read: %v", name, err)
			continue
		}
		for _, consumer := range lost {
			c.addFinding("start the servers that have it; see `nats consumer report "+name+"`", "consumer %s of %s cannot be reached", consumer, name)
		}
		pools := map[string]*pool{}
		for _, consumer := range consumers {
			info, err := consumer.LatestState()
			if err != nil {
				continue // gone meanwhile
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
	c.Saw = countText(queues, "queue") + ", " + countText(waiting, "execution") + " waiting"
	return c, busy
}

// maxSettled is how many requests of a pool are looked at, to see whether their
// executions wait.
const maxSettled = 1000

// countEnded counts the requests of a pool whose execution has ended: an
// abandoned one waits for nobody. The control bus removes them.
func (x *examination) countEnded(ctx context.Context, app, pool string, waiting uint64) (n uint64) {
	if waiting == 0 || waiting > maxSettled || ctx.Err() != nil {
		return 0
	}
	queued, err := x.mgr.StreamContainedSubjects(subjects.RequestStream(app), subjects.RequestsOf(app, pool, "*"))
	records := x.streams[subjects.BucketStream(subjects.ExecutionsBucket)]
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

// pool is what the consumers of a pool have in all.
type pool struct {
	there   []string // priorities
	waiting uint64
	pulls   int
}

func checkConsumer(c *Check, app string, info *api.ConsumerInfo, pools map[string]*pool) {
	name, priority, ok := strings.Cut(info.Name, "=")
	if !ok || !slices.Contains(subjects.Priorities(), priority) {
		c.addFinding("remove the consumer if it is not yours; the requests stay: nats consumer rm "+info.Stream+" "+info.Name,
			"consumer %s of %s is not the control bus's: a work queue gives a request to one consumer only", info.Name, info.Stream)
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
		c.addFinding("remove the consumer, whose requests stay, and start a control bus again: nats consumer rm "+info.Stream+" "+info.Name,
			"consumer %s of %s was altered: it has filter %s and waits %s for an ack, not %s and %s", info.Name, info.Stream,
			info.Config.FilterSubject, info.Config.AckWait, want.FilterSubject, want.AckWait)
	}
}

func checkPaused(c *Check, info *api.ConsumerInfo) {
	if info.Paused {
		c.addFinding("nats consumer resume "+info.Stream+" "+info.Name,
			"consumer %s of %s is paused for another %s: nothing comes out of it", info.Name, info.Stream, info.PauseRemaining.Round(time.Second))
	}
}

// checkPool says whether what waits in a pool will be taken.
func (x *examination) checkPool(c *Check, app, name string, p *pool) {
	for _, priority := range subjects.Priorities() {
		if !slices.Contains(p.there, priority) {
			c.addFinding("start a control bus again: it makes it", "consumer %s of %s is missing: executions of that pool and priority wait for ever",
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
	what := countText(p.waiting, "execution") + " of application " + app + " waiting"
	switch {
	case able == 0:
		c.addFinding("start an agent for them: jobstreamer agent --apps "+app+" --pools "+name, "%s in pool %s: no agent takes work from it", what, name)
	case ready == 0:
		c.addFinding("let one take work again: PUT /agent/<name>/unblock", "%s in pool %s: its agents take no work, they are blocked or leaving", what, name)
	case free > 0 && p.pulls == 0:
		c.addFinding("look at the agents' logs and at their permissions on $JS.API.CONSUMER.MSG.NEXT", "%s in pool %s: its agents do not ask for them although they have %s", what, name, countText(free, "free slot"))
	}
}

// Package doctor looks at a control bus's NATS and says in plain words what is
// wrong, and what to do.
//
//	connection   NATS answers, JetStream is on
//	streams      there, reachable, as this version needs them, replicas in step
//	queues       consumers there, not paused, somebody takes the work of each pool
//	results      what agents report is recorded, and not long after
//	bus          a control bus does the chores
//	agents       every agent that has not said goodbye is heard
//	jobs         an agent serves the pool of each, and its notifications can be sent
//	clock        bus, broker and agents have the same time
//	disk         room is left, by JetStream's limits and on the disk of --data
//
// A full disk is the reason of much else: what follows from it is not said
// again. It only reads. What an operator may choose (replicas, how long output
// is kept) is not judged, only whether it is the same everywhere. A lag is
// judged by two looks some seconds apart: much work is no illness, work that
// nobody does is.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/jsm.go"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Config says what to look at.
type Config struct {
	Conn   *nats.Conn
	Listen time.Duration // the longest to wait for heartbeats; 0: three intervals of the slowest agent
	Data   string        // data directory whose disk is looked at; empty: none
}

// Finding is one thing that is wrong.
type Finding struct {
	Wrong string `json:"wrong"` // in plain words
	Do    string `json:"do"`    // what to do about it
}

// Check is what one part of the examination saw.
type Check struct {
	Name     string    `json:"check"`
	Saw      string    `json:"saw"` // what there is, if it is all right
	Findings []Finding `json:"findings"`
}

func (c *Check) addFinding(do, format string, args ...any) {
	c.Findings = append(c.Findings, Finding{Wrong: fmt.Sprintf(format, args...), Do: do})
}

// Report is what the examination saw.
type Report struct {
	Checks []Check `json:"checks"`
	Wrong  int     `json:"wrong"` // how many findings there are
}

// apiTimeout is for one answer of JetStream.
const apiTimeout = 5 * time.Second

// examination is what the checks share.
type examination struct {
	cfg     Config
	mgr     *jsm.Manager
	js      jetstream.JetStream
	streams map[string]*jsm.Stream
	lost    map[string]string // streams without an answer, and why
	full    bool              // JetStream has no room: leases and results cannot be written
	agents  map[string]agent  // by name, those that are in the bucket
	heard   map[string]agentHeartbeat
	leases  map[string]storedLease
	jobs    map[string]bus.Job // by key
	broker  time.Duration      // how far the broker's clock is ahead of ours
}

// Examine looks at everything, or until ctx ends. Its error says why it could
// not; what is wrong is in the report. The caller closes the connection after
// it, which ends what may still wait for an answer.
func Examine(ctx context.Context, cfg Config) (*Report, error) {
	type outcome struct {
		r   *Report
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		r, err := runChecks(ctx, cfg)
		done <- outcome{r, err}
	}()
	select {
	case o := <-done:
		return o.r, o.err
	case <-ctx.Done(): // not every request of the libraries takes a context
		return nil, ctx.Err()
	}
}

func runChecks(ctx context.Context, cfg Config) (*Report, error) {
	x := &examination{cfg: cfg}
	var err error
	if x.mgr, err = jsm.New(cfg.Conn, jsm.WithTimeout(apiTimeout)); err != nil {
		return nil, fmt.Errorf("examine JetStream: %w", err)
	}
	if x.js, err = jetstream.New(cfg.Conn); err != nil {
		return nil, fmt.Errorf("examine JetStream: %w", err)
	}
	r := &Report{}
	connection := x.checkConnection()
	if !r.addCheck(connection) {
		if c := x.checkDisk(nil); len(c.Findings) > 0 { // nothing else can be seen, and that may be why
			r.addCheck(c)
		}
		return r, nil
	}
	ears, err := x.subscribeHeartbeats()
	if err != nil {
		return nil, fmt.Errorf("listen to heartbeats: %w", err)
	}
	info, err := x.mgr.JetStreamAccountInfo()
	if err != nil {
		return nil, fmt.Errorf("examine JetStream: %w", err)
	}
	disk := x.checkDisk(info)
	for _, look := range []func(context.Context) (Check, error){x.checkStreams, x.checkBuses} {
		c, err := look(ctx)
		if err != nil {
			return nil, err
		}
		r.addCheck(c)
	}
	before := x.resultConsumers()
	if err := x.collectHeartbeats(ctx, ears); err != nil {
		return nil, err
	}
	if x.jobs, err = readBucket[bus.Job](ctx, x, subjects.JobsBucket); err != nil {
		return nil, err
	}
	r.addCheck(x.checkResults(before, x.resultConsumers()))
	r.addCheck(x.checkAgents())
	queues, waiting := x.checkQueues(ctx)
	r.addCheck(queues)
	r.addCheck(x.checkJobs(waiting))
	r.addCheck(x.checkClocks())
	r.addCheck(disk)
	return r, nil
}

// addCheck takes in a check and says whether it was all right.
func (r *Report) addCheck(c Check) bool {
	if c.Findings == nil {
		c.Findings = []Finding{} // an empty list in JSON
	}
	r.Checks = append(r.Checks, c)
	r.Wrong += len(c.Findings)
	return len(c.Findings) == 0
}

func (x *examination) checkConnection() Check {
	c := Check{Name: "connection"}
	nc := x.cfg.Conn
	rtt, err := nc.RTT()
	if err != nil {
		c.addFinding("start NATS, or look at the network between here and there", "NATS does not answer: %v", err)
		return c
	}
	c.Saw = fmt.Sprintf("nats-server %s at %s, answers in %s", nc.ConnectedServerVersion(), nc.ConnectedUrlRedacted(), rtt.Round(10*time.Microsecond))
	if _, err := x.mgr.JetStreamAccountInfo(); err != nil {
		do := "start the nats-server with JetStream (nats-server -js), and give the account JetStream"
		if errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) {
			do = "allow this user $JS.API.>; in a cluster, see that more than half of the servers run"
		}
		c.addFinding(do, "JetStream does not answer: %v", err)
	}
	return c
}

// storedLease is a lease with the broker's time of its renewal.
type storedLease struct {
	bus.Lease
	stored time.Time
}

// checkBuses looks for leases: whatever control bus runs renews one. How long
// ago that was is told by the server's clock alone.
func (x *examination) checkBuses(ctx context.Context) (Check, error) {
	c := Check{Name: "bus"}
	x.leases = map[string]storedLease{}
	err := eachInBucket(ctx, x, subjects.LeasesBucket, func(key string, l bus.Lease, stored time.Time) { x.leases[key] = storedLease{l, stored} })
	if err != nil {
		return c, err
	}
	holders := map[string]bool{}
	for _, l := range x.leases {
		holders[l.Holder] = true
	}
	var idle time.Duration
	if s := x.streams[subjects.BucketStream(subjects.LeasesBucket)]; s != nil {
		asked := time.Now()
		if info, err := s.Information(); err == nil {
			idle = info.TimeStamp.Sub(info.State.LastTime)
			x.broker = info.TimeStamp.Sub(asked.Add(time.Since(asked) / 2))
		}
	}
	const do, what = "start one: jobstreamer serve", "schedules do not fire, and what a dead agent ran is not noticed"
	switch {
	case x.full:
		c.Saw = "whether one does the chores cannot be seen: it cannot write that down"
		return c, nil
	case len(holders) == 0:
		c.addFinding(do, "no control bus does the chores: %s", what)
	case idle > bus.LeaseTTL:
		c.addFinding(do, "no control bus does the chores: %s is silent for %s; %s", keyNames(holders), idle.Round(time.Second), what)
	}
	c.Saw = "chores are done by " + keyNames(holders)
	return c, nil
}

// Package doctor examines the NATS of a control bus. It reports what is wrong
// and how to repair it.
//
//	connection   NATS answers, and JetStream is enabled
//	streams      exist, answer, have the expected settings and replicas in step
//	queues       consumers exist and are not paused; agents serve each busy pool
//	results      the results of agents are recorded without a long delay
//	bus          a control bus renews its lease
//	agents       every agent that has not signed off sends heartbeats
//	jobs         an agent serves the pool of each job; notifications can be sent
//	pauses       neither an application nor all schedules are paused
//	clock        control buses, broker and agents have the same time
//	disk         there is space, by JetStream's limits and on the disk of --data
//
// A full disk causes many other faults; the doctor does not report those.
// The doctor only reads. Settings that an operator may choose (replicas, how
// long output is kept) only have to be the same everywhere. A lag is measured
// twice, some seconds apart: only a lag without progress is a finding.
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
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Config has the settings of an examination.
type Config struct {
	Conn   *nats.Conn
	Listen time.Duration // maximum time to wait for heartbeats; 0: three intervals of the slowest agent
	Data   string        // data directory whose disk is examined; empty: none
}

// Finding is one problem.
type Finding struct {
	Wrong string `json:"wrong"` // the problem, as a full sentence
	Do    string `json:"do"`    // how to repair it
}

// Check is the result of one part of the examination.
type Check struct {
	Name     string    `json:"check"`
	Saw      string    `json:"saw"` // the state, shown if nothing is wrong
	Findings []Finding `json:"findings"`
}

func (c *Check) addFinding(do, format string, args ...any) {
	c.Findings = append(c.Findings, Finding{Wrong: fmt.Sprintf(format, args...), Do: do})
}

// Report is the result of the examination.
type Report struct {
	Checks []Check `json:"checks"`
	Wrong  int     `json:"wrong"` // number of findings
}

// apiTimeout is the maximum wait for an answer of JetStream.
const apiTimeout = 5 * time.Second

// examination holds the data that the checks share.
type examination struct {
	cfg     Config
	mgr     *jsm.Manager
	js      jetstream.JetStream
	streams map[string]*jsm.Stream
	lost    map[string]string // streams that do not answer, with the errors
	full    bool              // JetStream is full and refuses new leases and results
	agents  map[string]agent  // the registered agents by name
	heard   map[string]agentHeartbeat
	leases  map[string]storedLease
	jobs    map[string]bus.Job // by key
	broker  time.Duration      // lead of the broker's clock over the local one
}

// Examine runs all checks, and returns early when ctx ends. The report has the
// problems of the control bus; the error is the reason why the examination
// itself failed. The caller closes the connection afterwards, which ends
// requests that still wait for an answer.
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
	case <-ctx.Done(): // some requests of the libraries take no context
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
		// Nothing else can be examined, and a full disk may be the cause.
		if c := x.checkDisk(nil); len(c.Findings) > 0 {
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
	pauses, err := readBucket[bus.Pauses](ctx, x, subjects.PausesBucket)
	if err != nil {
		return nil, err
	}
	r.addCheck(x.checkResults(before, x.resultConsumers()))
	r.addCheck(x.checkAgents())
	queues, waiting := x.checkQueues(ctx)
	r.addCheck(queues)
	r.addCheck(x.checkJobs(waiting))
	r.addCheck(checkPauses(pauses))
	r.addCheck(x.checkClocks())
	r.addCheck(disk)
	return r, nil
}

// addCheck adds a check and reports whether it has no findings.
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
		c.addFinding("start NATS, or check the network between this machine and NATS", "NATS does not answer: %v", err)
		return c
	}
	c.Saw = fmt.Sprintf("nats-server %s at %s, round trip %s", nc.ConnectedServerVersion(), nc.ConnectedUrlRedacted(), rtt.Round(10*time.Microsecond))
	if _, err := x.mgr.JetStreamAccountInfo(); err != nil {
		do := "start nats-server with JetStream (nats-server -js), and enable JetStream for the account"
		if errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) {
			do = "allow this user to publish to $JS.API.>; in a cluster, check that more than half of the servers are running"
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

// checkBuses reads the leases: every running control bus renews one. The time
// since the last renewal is measured by the server's clock alone.
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
	if s := x.streams[jetio.BucketStream(subjects.LeasesBucket)]; s != nil {
		asked := time.Now()
		if info, err := s.Information(); err == nil {
			idle = info.TimeStamp.Sub(info.State.LastTime)
			x.broker = info.TimeStamp.Sub(asked.Add(time.Since(asked) / 2))
		}
	}
	const do, effect = "start a control bus: jobstreamer serve", "schedules do not fire, and lost agents are not detected"
	switch {
	case x.full:
		c.Saw = "unknown: a control bus cannot renew its lease while JetStream is full"
		return c, nil
	case len(holders) == 0:
		c.addFinding(do, "no control bus is active: %s", effect)
	case idle > bus.LeaseTTL:
		c.addFinding(do, "no control bus is active: %s has renewed no lease for %s; %s", keyNames(holders), idle.Round(time.Second), effect)
	}
	c.Saw = "active: " + keyNames(holders)
	return c, nil
}

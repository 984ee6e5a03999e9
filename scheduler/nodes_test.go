package scheduler

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestMain(m *testing.M) { os.Exit(bustest.MainWithoutLeaks(m)) }

// world is a NATS server with control buses.
type world struct {
	t         *testing.T
	srv       *server.Server
	retention bus.Retention
	embedded  bool // NATS runs in the process of each bus
}

func newWorld(t *testing.T) *world { return &world{t: t, srv: bustest.Server(t)} }

// node is a control bus, with the parts that the scheduler needs.
type node struct {
	*Scheduler
	t       *testing.T
	index   *watchedIndex
	records *recordMaker
	ctx     context.Context
	cancel  context.CancelFunc
	all     sync.WaitGroup
}

// newNode starts a bus that reads all fires, but starts no walk by itself. The
// set functions run before it starts.
func (w *world) newNode(name string, set ...func(*node)) *node {
	w.t.Helper()
	return w.startNode(name, (*Scheduler).watchFires, set)
}

// runNode starts a bus that fires jobs.
func (w *world) runNode(name string, set ...func(*node)) *node {
	w.t.Helper()
	return w.startNode(name, (*Scheduler).Run, set)
}

func (w *world) startNode(name string, run func(*Scheduler, context.Context) error, set []func(*node)) *node {
	w.t.Helper()
	b := bustest.Open(w.t, w.srv, bus.Config{Name: name, Retention: w.retention, Embedded: w.embedded})
	n := &node{t: w.t, index: &watchedIndex{Index: index.New(b)}, records: &recordMaker{bus: b}}
	n.Scheduler = New(Config{Bus: b, Index: n.index, Submit: n.records})
	n.ctx, n.cancel = context.WithCancel(context.Background())
	for _, f := range set {
		f(n)
	}
	n.all.Go(func() { _ = n.index.Run(n.ctx) }) // fails when the bus dies
	n.all.Go(func() {
		if err := run(n.Scheduler, n.ctx); err != nil {
			w.t.Errorf("%s: %v", name, err)
		}
	})
	w.t.Cleanup(n.stop)
	<-n.index.Ready()
	<-n.ledger.loaded
	return n
}

// stop ends the bus as a signal does.
func (n *node) stop() {
	n.cancel()
	n.all.Wait()
}

// die ends the bus as a crash does: its later writes do not reach NATS.
func (n *node) die() {
	n.bus.NC.Close()
	n.cancel()
}

// alwaysLeads makes a bus believe that it leads, whatever the lease says.
func alwaysLeads(n *node) {
	n.leases = always{true}
	n.leadership.addRenewal(true, time.Now())
}

type always struct{ leads bool }

func (a always) Keep(ctx context.Context, _, _ string, renewed func(bool)) {
	for ctx.Err() == nil {
		renewed(a.leads)
		select {
		case <-time.After(leaseEvery):
		case <-ctx.Done():
		}
	}
}

const definition = `{"id":"job","steps":[{"id":"step","batchlet":{"ref":"nothing"}}]}`

// keyOf returns the key of a schedule of application app: that of a job, or
// job/name.
func keyOf(schedule string) bus.ScheduleKey {
	job, name, _ := strings.Cut(schedule, "/")
	return bus.NewScheduleKey("app", job, name)
}

// createJob creates a job, so that a schedule can be set.
func (n *node) createJob(name string) {
	n.t.Helper()
	if _, err := n.bus.Jobs.Create(context.Background(), "app."+name, bus.Job{App: "app", Name: name, Definition: []byte(definition)}); err != nil {
		n.t.Fatal(err)
	}
}

// createSchedule creates a job with a schedule, or for job/name a schedule of a
// job that exists.
func (n *node) createSchedule(job, cron string, set ...func(*bus.Schedule)) {
	n.t.Helper()
	k := keyOf(job)
	if k.Name() == bus.DefaultSchedule {
		n.createJob(job)
	}
	sc := bus.Schedule{App: "app", Job: k.Job(), Name: k.Name(), Cron: cron, Active: true}
	for _, f := range set {
		f(&sc)
	}
	n.setSchedule(sc)
}

func (n *node) setSchedule(sc bus.Schedule) {
	n.t.Helper()
	if _, err := n.Set(context.Background(), sc); err != nil {
		n.t.Fatal(err)
	}
}

// resumeNow is Resume without catching up.
func (n *node) resumeNow(key bus.ScheduleKey) error {
	_, err := n.Resume(context.Background(), key, false)
	return err
}

// renewLease makes a bus without walks of its own believe that it just renewed
// its lease.
func (n *node) renewLease() {
	n.leadership.mu.Lock()
	defer n.leadership.mu.Unlock()
	n.leadership.lastRenewal = time.Now().Round(0)
}

// walkNow walks a schedule as if it had been woken.
func (n *node) walkNow(job string) {
	n.t.Helper()
	n.renewLease()
	n.walkAsIs(job)
}

// walkAsIs is walkNow without a renewal of the lease.
func (n *node) walkAsIs(job string) {
	n.t.Helper()
	if err := n.walkSchedule(context.Background(), keyOf(job)); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) readSchedule(job string) bus.Schedule {
	n.t.Helper()
	e, err := n.bus.Schedules.Get(context.Background(), keyOf(job).String())
	if err != nil {
		n.t.Fatal(err)
	}
	return e.Value
}

// decisions returns the decisions of a job by nominal time.
func (n *node) decisions(job string) map[int64]bus.Fire {
	n.t.Helper()
	k := keyOf(job)
	decided, err := n.listDecided(context.Background(), k.App(), k.Job(), k.Name())
	if err != nil {
		n.t.Fatal(err)
	}
	all := map[int64]bus.Fire{}
	for _, d := range decided {
		e, err := n.fires.Get(context.Background(), k.FireKey(d.second))
		if err != nil {
			n.t.Fatal(err)
		}
		all[d.second] = e.Value
	}
	return all
}

// executions returns the executions that a schedule fired, by nominal time.
func (n *node) executions(job string) map[int64][]int64 {
	n.t.Helper()
	k := keyOf(job)
	list, err := n.bus.Executions.List(context.Background(), bus.JobKey(k.App(), k.Job())+".*")
	if err != nil {
		n.t.Fatal(err)
	}
	all := map[int64][]int64{}
	for _, e := range list {
		if schedule, _, _ := bus.SplitFireKey(e.Value.FireKey); schedule != k {
			continue
		}
		second := e.Value.ScheduledFor.Std().Unix()
		all[second] = append(all[second], e.Value.ID)
	}
	return all
}

// checkFired compares the nominal times that have an execution, in seconds
// after from, with want.
func (n *node) checkFired(job string, from time.Time, want ...int64) {
	n.t.Helper()
	var got []int64
	for second, ids := range n.executions(job) {
		if len(ids) != 1 {
			n.t.Errorf("%s fired %d times for %v", job, len(ids), time.Unix(second, 0).UTC())
		}
		got = append(got, second-from.Unix())
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		n.t.Errorf("%s fired at %v, want %v", job, got, want)
	}
}

// checkExactly checks that each nominal time after from and up to to has one
// execution, and that no other time has any.
func (n *node) checkExactly(job, cron string, from, to time.Time) {
	n.t.Helper()
	p, err := newPlan(&bus.Schedule{Cron: cron}, time.UTC, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	all := n.executions(job)
	for t := range p.timesBetween(from, to) {
		if len(all[t.Unix()]) != 1 {
			n.t.Errorf("%s: executions for %v: %v, want one; decided: %+v", job, t, all[t.Unix()], n.decisions(job)[t.Unix()])
		}
		delete(all, t.Unix())
	}
	for second := range all {
		n.t.Errorf("%s fired for %v, which is not a nominal time", job, time.Unix(second, 0).UTC())
	}
}

// recordMaker is a Submitter that only creates the record of an execution.
type recordMaker struct {
	bus    *bus.Bus
	mu     sync.Mutex
	calls  int
	stops  []int64
	before func(execution.Submission) error // runs before the record is created, and may fail
	after  func(execution.Submission) error
}

var errDied = errors.New("the bus died")

func (r *recordMaker) Submit(ctx context.Context, sub execution.Submission) (*bus.Execution, bool, error) {
	r.mu.Lock()
	r.calls++
	r.mu.Unlock()
	if r.before != nil {
		if err := r.before(sub); err != nil {
			return nil, false, err
		}
	}
	e := bus.Execution{Execution: subjects.Execution{
		ID: sub.ID, InstanceID: sub.ID, App: sub.App, Job: sub.Job, BatchStatus: subjects.Undispatched, CreateTime: subjects.Now(),
		ScheduledFor: sub.ScheduledFor, ScheduledDate: sub.ScheduledDate, Parameters: sub.Parameters,
	}, FireKey: sub.FireKey, Causes: sub.Causes, Backfill: sub.Backfill}
	_, err := r.bus.Executions.Create(ctx, e.Key(), e)
	if err != nil && !errors.Is(err, bus.ErrExists) {
		return &e, false, err
	}
	if r.after != nil {
		if err := r.after(sub); err != nil {
			return &e, false, err
		}
	}
	return &e, true, nil
}

// Stop ends an execution as an agent does that gets the command.
func (r *recordMaker) Stop(ctx context.Context, app, job string, id int64) (*bus.Execution, error) {
	r.mu.Lock()
	r.stops = append(r.stops, id)
	r.mu.Unlock()
	e, err := r.bus.Executions.Change(ctx, bus.ExecutionKey(app, job, id), func(e *bus.Execution) (*bus.Execution, error) {
		e.StopRequest = bus.StopRequested
		return e, nil
	})
	return &e.Value, err
}

func (r *recordMaker) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls
}

// faultyStore calls a function before and after the creation of a fire's key.
type faultyStore struct {
	fireStore
	before, after func(key string) error
}

func (f faultyStore) Create(ctx context.Context, key string, v bus.Fire, _ ...jetstream.KVCreateOpt) (uint64, error) {
	if f.before != nil {
		if err := f.before(key); err != nil {
			return 0, err
		}
	}
	rev, err := f.fireStore.Create(ctx, key, v)
	if err == nil && f.after != nil {
		err = f.after(key)
	}
	return rev, err
}

func (f faultyStore) Write(key string, v bus.Fire, rev uint64, done func(rev uint64, err error)) {
	if rev != 0 {
		f.fireStore.Write(key, v, rev, done)
		return
	}
	go func() { done(f.Create(context.Background(), key, v)) }()
}

// watchedIndex is a read model in which a test can hide an execution, or pauses.
type watchedIndex struct {
	*index.Index
	find func(id int64) bool // nil hides nothing

	lags bool // its watch brings no pauses
	mu   sync.Mutex
	put  *bus.PauseSet // pauses that were put into a model that lags
}

func (w *watchedIndex) Pauses() *bus.PauseSet {
	if !w.lags {
		return w.Index.Pauses()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.put
}

func (w *watchedIndex) PutPauses(key string, v *bus.Pauses, rev uint64) {
	w.mu.Lock()
	w.put = w.put.With(key, v, rev)
	w.mu.Unlock()
	w.Index.PutPauses(key, v, rev)
}

func (w *watchedIndex) Find(id int64) (index.Summary, bool) {
	if w.find != nil && !w.find(id) {
		return index.Summary{}, false
	}
	return w.Index.Find(id)
}

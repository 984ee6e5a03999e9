package ops

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/agents"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	scrapeTimeout = 5 * time.Second // for what NATS is asked
	maxNames      = 100             // of applications and of pools; others count as otherName
	otherName     = "other"
	maxRecent     = 10000 // ended executions that are remembered, so that each counts once
)

// Index is the part of the read model that the metrics need.
type Index interface {
	Live() []index.Live
	Apps() []bus.App
}

// Agents is the part of the registry of agents that the metrics need.
type Agents interface {
	List() []agents.Info
}

// Metrics are the measurements of a control bus, and the handler of scrapes.
// Names of jobs, agents and executions are never labels.
type Metrics struct {
	http.Handler
	index    Index
	agents   Agents
	bus      *bus.Bus
	registry *prometheus.Registry

	ended    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	lateness prometheus.Histogram

	mu     sync.Mutex
	names  map[string]map[string]bool // by label
	recent [maxRecent]int64           // ended executions, in a ring
	known  map[int64]bool             // those in the ring
	next   int
}

var (
	executionsDesc = describe("executions", "Executions that have not ended.", "app", "status")
	agentsDesc     = describe("agents", "Agents that were heard within the last day.", "state")
	slotsDesc      = describe("agent_slots", "Slots of the agents that are alive.", "state")
	waitingDesc    = describe("queue_waiting_requests", "Requests that wait for an agent.", "app", "pool")
	ageDesc        = describe("queue_oldest_request_age_seconds", "Age of the oldest request that no agent has taken.", "app", "pool")
	lagDesc        = describe("consumer_pending_messages", "Messages that a durable consumer has not processed.", "stream", "consumer")
	storedDesc     = describe("jetstream_stored_bytes", "Bytes that JetStream stores on disk, in all replicas.")
	limitDesc      = describe("jetstream_limit_bytes", "Bytes that JetStream may store on disk; -1 without a limit.")
	upDesc         = describe("nats_up", "1 if JetStream answered this scrape, in full.")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("jobstreamer_"+name, help, labels, nil)
}

// NewMetrics returns the metrics of a bus.
func NewMetrics(b *bus.Bus, x Index, a Agents) *Metrics {
	m := &Metrics{
		index: x, agents: a, bus: b, registry: prometheus.NewRegistry(),
		names: map[string]map[string]bool{}, known: map[int64]bool{},
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "jobstreamer_executions_ended_total", Help: "Executions that ended since this bus started.",
		}, []string{"app", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "jobstreamer_execution_duration_seconds", Help: "Time from start to end of executions that had started and ended since this bus started.",
			Buckets: []float64{.1, 1, 10, 60, 300, 1800, 3600, 4 * 3600, 24 * 3600},
		}, []string{"app", "status"}),
		lateness: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "jobstreamer_fire_lateness_seconds", Help: "Time from the nominal time of a fire to its decision.",
			Buckets: []float64{.01, .1, .5, 1, 5, 30, 60, 600, 3600},
		}),
	}
	m.registry.MustRegister(m, m.ended, m.duration, m.lateness,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.Handler = promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 2})
	return m
}

// Run counts ended executions and fires until ctx ends.
func (m *Metrics) Run(ctx context.Context) error {
	for subject, count := range map[string]func(*nats.Msg){
		jetio.KeySubject(subjects.ExecutionsBucket, ">"): m.countEnd,
		subjects.EventSubject("fire", ">"):               m.countFire,
	} {
		sub, err := m.bus.NC.Subscribe(subject, count)
		if err != nil {
			return fmt.Errorf("count %s: %w", subject, err)
		}
		defer sub.Unsubscribe() //nolint:errcheck // the connection has ended
	}
	<-ctx.Done()
	return nil
}

// countEnd counts the record of an execution that has ended.
func (m *Metrics) countEnd(msg *nats.Msg) {
	var e bus.Execution
	if json.Unmarshal(msg.Data, &e) != nil || !e.BatchStatus.Ended() {
		return
	}
	if !m.isFirstEnd(e.ID) {
		return
	}
	app, status := m.bound("app", e.App), string(e.BatchStatus)
	m.ended.WithLabelValues(app, status).Inc()
	if e.StartTime != 0 && e.EndTime != 0 { // not one that was stopped while it waited
		m.duration.WithLabelValues(app, status).Observe(e.EndTime.Std().Sub(e.StartTime.Std()).Seconds())
	}
}

// isFirstEnd reports whether an execution is not among the last ones that ended,
// and adds it to them.
func (m *Metrics) isFirstEnd(id int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known[id] {
		return false
	}
	delete(m.known, m.recent[m.next])
	m.recent[m.next], m.known[id] = id, true
	m.next = (m.next + 1) % maxRecent
	return true
}

func (m *Metrics) countFire(msg *nats.Msg) {
	var event subjects.Event
	var f bus.Fire
	if json.Unmarshal(msg.Data, &event) == nil && json.Unmarshal(event.Detail, &f) == nil && f.Skipped == "" {
		m.lateness.Observe(f.Time.Std().Sub(f.Nominal.Std()).Seconds())
	}
}

// bound returns name, or otherName if the label has maxNames values already.
func (m *Metrics) bound(label, name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.names[label]
	if all == nil {
		all = map[string]bool{}
		m.names[label] = all
	}
	if !all[name] && len(all) >= maxNames {
		return otherName
	}
	all[name] = true
	return name
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{executionsDesc, agentsDesc, slotsDesc, waitingDesc, ageDesc, lagDesc, storedDesc, limitDesc, upDesc} {
		to <- d
	}
}

// series is a metric with the values of its labels, of which there are n.
type series struct {
	desc   *prometheus.Desc
	labels [2]string
	n      int
}

func seriesOf(d *prometheus.Desc, labels ...string) series {
	s := series{desc: d, n: len(labels)}
	copy(s.labels[:], labels)
	return s
}

// scrapedValues are the values of one scrape, summed up by their labels.
type scrapedValues map[series]float64

func (f scrapedValues) addValue(d *prometheus.Desc, v float64, labels ...string) {
	f[seriesOf(d, labels...)] += v
}

// Collect implements [prometheus.Collector].
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	f := scrapedValues{}
	for _, e := range m.index.Live() {
		f.addValue(executionsDesc, 1, m.bound("app", e.App), string(e.BatchStatus))
	}
	for _, a := range m.agents.List() {
		f.addValue(agentsDesc, 1, m.bound("state", a.State()))
		if a.Alive {
			f.addValue(slotsDesc, float64(a.Running), "running")
			f.addValue(slotsDesc, float64(max(0, a.Slots-a.Running)), "free")
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	up := 0.0
	if err := m.addBroker(ctx, f); err == nil {
		up = 1
	} else {
		m.bus.Log.Warn("scrape without all figures of NATS", "err", err)
	}
	f.addValue(upDesc, up)
	for s, v := range f {
		to <- prometheus.MustNewConstMetric(s.desc, prometheus.GaugeValue, v, s.labels[:s.n]...)
	}
}

// addBroker adds what NATS knows. After an error it goes on with the next
// stream, and leaves out the values of this one.
func (m *Metrics) addBroker(ctx context.Context, f scrapedValues) error {
	info, err := m.bus.JS.AccountInfo(ctx)
	if err != nil {
		return err
	}
	stored, limit := m.bus.StorageOf(info)
	f.addValue(storedDesc, float64(stored))
	f.addValue(limitDesc, float64(limit))
	err = m.addLag(ctx, f)
	apps := m.index.Apps()
	for _, app := range apps[:min(len(apps), maxNames)] {
		err = cmp.Or(err, m.addQueues(ctx, f, app.Name))
	}
	return err
}

// addLag adds the durable consumers of results. Others belong to clients.
func (m *Metrics) addLag(ctx context.Context, f scrapedValues) error {
	_, all, err := m.consumersOf(ctx, subjects.ResultsStream)
	for _, info := range all {
		if info.Config.Durable != "" {
			f.addValue(lagDesc, float64(info.NumPending)+float64(info.NumAckPending), info.Stream, info.Name)
		}
	}
	return err
}

// addQueues adds the queues of an application.
func (m *Metrics) addQueues(ctx context.Context, f scrapedValues, app string) error {
	stream, all, err := m.consumersOf(ctx, subjects.RequestStream(app))
	if err != nil {
		return err
	}
	name := m.bound("app", app)
	for _, info := range all {
		pool, _, ok := strings.Cut(info.Name, "=")
		if !ok {
			continue
		}
		pool = m.bound("pool", pool)
		f.addValue(waitingDesc, float64(info.NumPending), name, pool)
		if info.NumPending == 0 {
			continue
		}
		first, err := oldestWaiting(ctx, stream, info)
		if errors.Is(err, jetstream.ErrMsgNotFound) { // an agent has just taken it
			continue
		}
		if err != nil {
			return err
		}
		age := time.Since(first.Time).Seconds()
		if was := f[seriesOf(ageDesc, name, pool)]; age > was {
			f.addValue(ageDesc, age-was, name, pool)
		}
	}
	return nil
}

// oldestWaiting returns the oldest request that no agent has taken. Requests
// before it may be in the queue, too, until their agents have claimed them.
func oldestWaiting(ctx context.Context, stream jetstream.Stream, queue *jetstream.ConsumerInfo) (*jetstream.RawStreamMsg, error) {
	return stream.GetMsg(ctx, queue.Delivered.Stream+1, jetstream.WithGetMsgSubject(queue.Config.FilterSubject))
}

// consumersOf returns a stream and its consumers: none if there is no such
// stream, and none with an error.
func (m *Metrics) consumersOf(ctx context.Context, name string) (s jetstream.Stream, all []*jetstream.ConsumerInfo, err error) {
	s, err = m.bus.JS.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) { // an application without an agent has none
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the stream %s: %w", name, err)
	}
	list := s.ListConsumers(ctx)
	for info := range list.Info() {
		all = append(all, info)
	}
	if err := list.Err(); err != nil {
		return nil, nil, fmt.Errorf("list the consumers of %s: %w", name, err)
	}
	return s, all, nil
}

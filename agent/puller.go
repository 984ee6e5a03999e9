package agent

import (
	"cmp"
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// puller fetches requests from all consumers, if possible never more than there
// are free slots.
//
//	consumer idle --park--> a pull waits in the broker --request--> more pending? --no--> park
//	                                                                     |
//	                                                                    yes
//	                                                                     v
//	 idle <--404-- a pull that does not wait, for all free slots <-- hasMore, by priority
//
// Several consumers can have a parked pull for the same free slot. A request
// that arrives when no slot is free is returned to the broker, which hands it
// to another agent.
type puller struct {
	nc          *nats.Conn
	log         *slog.Logger
	handle      func(*nats.Msg, time.Time) // runs in a goroutine of its own, in a reserved slot
	lastContact func() time.Time           // when the broker was last known to be reachable: wall clock
	running     sync.WaitGroup

	mu        sync.Mutex
	inbox     string // of the answers, a new one for each connection
	sub       *nats.Subscription
	consumers []*consumer
	byPrefix  map[string]*consumer
	slots     int
	usedSlots int
	turns     int
	paused    bool
	logged    map[string]bool // consumer and status of errors that were logged already
}

func newPuller(nc *nats.Conn, cfg *Config) *puller {
	p := &puller{
		nc: nc, log: cfg.Log, slots: cfg.Slots,
		consumers: newConsumers(cfg.Apps, cfg.Pools), byPrefix: map[string]*consumer{}, logged: map[string]bool{},
	}
	for _, c := range p.consumers {
		p.byPrefix[c.subjectPrefix()] = c
	}
	return p
}

// keepPulling renews the pulls every second until ctx ends. Then it pauses;
// requests that were accepted before may still be running.
func (p *puller) keepPulling(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			p.setPaused(true)
			return
		case now := <-tick.C:
			p.renewPulls(now)
		}
	}
}

// startPulling subscribes to the answers and sends the first pulls.
func (p *puller) startPulling() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.subscribe(); err != nil {
		return err
	}
	p.pullForFreeSlots(time.Now())
	return nil
}

// subscribe subscribes to a new inbox. The broker may still have pulls of an
// earlier connection. It skips them if nobody listens to their inbox; else an
// agent with an account of its own loses the requests that they get, since the
// broker has forgotten the way back into the account. The caller holds p.mu.
func (p *puller) subscribe() (err error) {
	p.inbox = p.nc.NewInbox()
	if p.sub, err = p.nc.Subscribe(p.inbox+".*.*", p.handleMessage); err != nil {
		return err
	}
	return p.sub.SetPendingLimits(-1, -1) // the pulls limit what arrives
}

// unsubscribe ends the subscription. No request is accepted any more.
func (p *puller) unsubscribe() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sub != nil {
		_ = p.sub.Unsubscribe() // it may be closed
		p.sub = nil
	}
}

// setPaused stops or resumes pulling. Requests that arrive while it is paused
// are returned to the broker.
func (p *puller) setPaused(paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = paused
	p.pullForFreeSlots(time.Now())
}

// restartPulls forgets all open pulls after a reconnect and sends new ones.
func (p *puller) restartPulls() {
	p.unsubscribe()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.subscribe(); err != nil {
		p.log.Warn("cannot pull requests until the next reconnect", "err", err) // the connection is closed
		return
	}
	now := time.Now()
	for _, c := range p.consumers {
		c.pullNumber++
		c.hasMore = true // requests that came meanwhile are fetched by priority
		c.closePull(now, 0)
	}
	p.pullForFreeSlots(now)
}

// renewPulls gives up pulls that got no answer, and pulls again from consumers
// whose waiting time is over.
func (p *puller) renewPulls(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.consumers {
		if c.outstanding > 0 && now.After(c.due) {
			c.hasMore = false
			c.closePull(now, 0)
		}
	}
	p.pullForFreeSlots(now)
}

// handleMessage handles an answer: a request, or the status of a pull.
func (p *puller) handleMessage(m *nats.Msg) {
	if len(m.Data) == 0 && m.Header.Get("Status") != "" {
		p.handleStatus(m)
		return
	}
	if !p.reserveSlot(m) {
		_ = m.Respond(nak) // if this is lost, the broker delivers the request again after AckWait
		return
	}
	lastContact := p.lastContact()
	go func() {
		defer p.running.Done()
		defer p.freeSlot()
		p.handle(m, lastContact)
	}()
}

// reserveSlot updates the consumer of a request, and reports whether it could
// reserve a slot for the request.
func (p *puller) reserveSlot(m *nats.Msg) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	more := pendingCount(m.Reply) > 0
	i := strings.LastIndexByte(m.Subject, '.')
	if c := p.byPrefix[m.Subject[:max(i, 0)]]; c != nil {
		c.hasMore = more
		if c.outstanding--; c.outstanding <= 0 {
			c.closePull(now, 0)
		}
	}
	free := !p.paused && p.usedSlots < p.slots
	if free {
		p.usedSlots++
		p.running.Add(1)
	}
	p.pullForFreeSlots(now)
	return free
}

func (p *puller) freeSlot() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.usedSlots--
	p.pullForFreeSlots(time.Now())
}

// pullForFreeSlots sends pulls for as many requests as there are free slots:
// first to consumers that have requests, then a parked pull to each idle one.
// The caller holds p.mu.
func (p *puller) pullForFreeSlots(now time.Time) {
	free := p.slots - p.usedSlots
	for _, c := range p.consumers {
		if c.outstanding > 0 && !c.parked {
			free -= c.outstanding // these slots are promised to open pulls
		}
	}
	for free > 0 && !p.paused {
		c := p.nextConsumer(now)
		if c == nil {
			break
		}
		p.sendPull(c, free, false, now)
		free -= c.outstanding
	}
	if p.paused || p.usedSlots >= p.slots {
		return
	}
	for _, c := range p.consumers {
		if c.outstanding == 0 && !c.hasMore && !now.Before(c.due) {
			p.sendPull(c, max(1, (p.slots-p.usedSlots)/parkFraction), true, now)
		}
	}
}

// nextConsumer returns the consumer to pull from: the one of highest priority
// that has requests, or every agingEvery turns the one of lowest priority.
// Among equals it returns the one that has waited longest.
func (p *puller) nextConsumer(now time.Time) *consumer {
	sign := 1
	if p.turns%agingEvery == agingEvery-1 {
		sign = -1
	}
	var best *consumer
	for _, c := range p.consumers {
		if !c.hasMore || c.outstanding > 0 || now.Before(c.due) {
			continue
		}
		if best == nil || cmp.Or(sign*cmp.Compare(c.rank, best.rank), cmp.Compare(c.lastTurn, best.lastTurn)) < 0 {
			best = c
		}
	}
	if best != nil {
		p.turns++
		best.lastTurn = p.turns
	}
	return best
}

func (p *puller) sendPull(c *consumer, n int, park bool, now time.Time) {
	payload := c.openPull(n, park, now)
	if err := p.nc.PublishRequest(c.subject, p.inbox+"."+strconv.Itoa(c.index)+"."+strconv.Itoa(c.pullNumber), payload); err != nil {
		c.closePull(now, retryAfter) // not connected; restartPulls pulls earlier
	}
}

// handleStatus handles the end of a pull, or the heartbeat of a parked one.
func (p *puller) handleStatus(m *nats.Msg) {
	p.mu.Lock()
	defer p.mu.Unlock()
	parts := strings.Split(strings.TrimPrefix(m.Subject, p.inbox+"."), ".")
	if len(parts) != 2 {
		return // of an earlier connection
	}
	index, _ := strconv.Atoi(parts[0])
	pull, _ := strconv.Atoi(parts[1])
	if index >= len(p.consumers) || p.consumers[index].pullNumber != pull || p.consumers[index].outstanding == 0 {
		return // of a pull that was given up
	}
	c, now := p.consumers[index], time.Now()
	code, text := m.Header.Get("Status"), m.Header.Get("Description")
	wait := time.Duration(0)
	switch {
	case code == "100":
		c.due = now.Add(3 * parkHeartbeat)
		return
	case code == "404", code == "408", text == "Batch Completed":
		// there are no requests, or other pulls wait for them, or the pull has
		// expired: park
	default: // 503: no consumer yet; 409: its leader changed, or it has too many pulls
		wait = retryAfter
		p.logOnce(c, code, text)
	}
	c.hasMore = false
	c.closePull(now, wait)
	p.pullForFreeSlots(now)
}

// logOnce logs an error of a consumer the first time, at the level debug: until
// the bus has created the consumers, it is normal.
func (p *puller) logOnce(c *consumer, code, text string) {
	if !p.logged[c.subjectPrefix()+code] {
		p.logged[c.subjectPrefix()+code] = true
		p.log.Debug("consumer not available, retrying every second", "app", c.app, "pool", c.pool, "priority", c.priority, "status", code+" "+text)
	}
}

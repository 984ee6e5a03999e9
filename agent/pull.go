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

// puller fetches requests, never for more than there are free slots if it can
// help it.
//
//	lane idle --park--> a pull waits in the broker --request--> more pending? --no--> park again
//	                                                                |
//	                                                               yes
//	                                                                v
//	    idle <--404-- pull without waiting, for all free slots <-- hot, asked by priority
//
// Several lanes can be parked for the same free slots. What comes when no slot
// is left is given back at once, and the broker hands it to somebody else.
type puller struct {
	nc     *nats.Conn
	log    *slog.Logger
	handle func(*nats.Msg, time.Time) // runs in a goroutine of its own, holding a slot
	known  func() time.Time           // when the connection was last known to be alive, by the wall clock
	inbox  string
	sub    *nats.Subscription
	work   sync.WaitGroup

	mu     sync.Mutex
	lanes  []*lane
	byKey  map[string]*lane
	slots  int
	used   int
	asks   int
	paused bool
	quiet  map[string]bool // lanes whose trouble was logged
}

func newPuller(nc *nats.Conn, cfg *Config) *puller {
	p := &puller{
		nc: nc, log: cfg.Log, inbox: nc.NewInbox(), slots: cfg.Slots,
		lanes: newLanes(cfg.Apps, cfg.Pools), byKey: map[string]*lane{}, quiet: map[string]bool{},
	}
	for _, l := range p.lanes {
		p.byKey[l.key()] = l
	}
	return p
}

// run keeps asking until ctx ends. Then it takes no more; what was taken may
// still be running.
func (p *puller) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			p.pause(true)
			return
		case now := <-tick.C:
			p.round(now)
		}
	}
}

// start subscribes to the answers and asks.
func (p *puller) start() error {
	sub, err := p.nc.Subscribe(p.inbox+".*.*", p.arrive)
	if err != nil {
		return err
	}
	p.sub = sub
	if err := sub.SetPendingLimits(-1, -1); err != nil { // what comes is bounded by what was asked for
		return err
	}
	p.round(time.Now())
	return nil
}

// stop ends the subscription, when no work is taken any more.
func (p *puller) stop() { _ = p.sub.Unsubscribe() }

// pause stops asking, or goes on. What comes in spite of it is given back.
func (p *puller) pause(paused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = paused
	p.fill(time.Now())
}

// reset forgets all open pulls: the connection is a new one.
func (p *puller) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for _, l := range p.lanes {
		l.pull++
		l.hot = true // what came meanwhile is taken by priority
		l.close(now, 0)
	}
	p.fill(now)
}

// round gives up what got no answer and asks again what was to wait. It is
// called every second.
func (p *puller) round(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lanes {
		if l.asked > 0 && now.After(l.next) {
			l.hot = false
			l.close(now, 0)
		}
	}
	p.fill(now)
}

// arrive takes an answer: a request, or a status of a pull.
func (p *puller) arrive(m *nats.Msg) {
	if len(m.Data) == 0 && m.Header.Get("Status") != "" {
		p.status(m)
		return
	}
	if !p.take(m) {
		_ = m.Respond(nak) // if it is lost, the request comes again after AckWait
		return
	}
	since := p.known()
	go func() {
		defer p.work.Done()
		defer p.release()
		p.handle(m, since)
	}()
}

// take notes a request and says whether there is a slot for it.
func (p *puller) take(m *nats.Msg) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	more := pending(m.Reply) > 0
	i := strings.LastIndexByte(m.Subject, '.')
	if l := p.byKey[m.Subject[:max(i, 0)]]; l != nil {
		l.hot = more
		if l.asked--; l.asked <= 0 {
			l.close(now, 0)
		}
	}
	free := !p.paused && p.used < p.slots
	if free {
		p.used++
		p.work.Add(1)
	}
	p.fill(now)
	return free
}

func (p *puller) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used--
	p.fill(time.Now())
}

// fill asks for as many requests as there are free slots: first where some
// wait, then everywhere else. p.mu is held.
func (p *puller) fill(now time.Time) {
	free := p.slots - p.used
	for _, l := range p.lanes {
		if l.asked > 0 && !l.parked {
			free -= l.asked // promised
		}
	}
	for free > 0 && !p.paused {
		l := p.nextHot(now)
		if l == nil {
			break
		}
		p.ask(l, free, false, now)
		free -= l.asked
	}
	if p.paused || p.used >= p.slots {
		return
	}
	for _, l := range p.lanes {
		if l.asked == 0 && !l.hot && !now.Before(l.next) {
			p.ask(l, max(1, (p.slots-p.used)/parkFraction), true, now)
		}
	}
}

// nextHot is the lane to ask: the highest, or now and then the lowest, that has
// requests; of several the one that waits longest.
func (p *puller) nextHot(now time.Time) *lane {
	sign := 1
	if p.asks%agingEvery == agingEvery-1 {
		sign = -1
	}
	var best *lane
	for _, l := range p.lanes {
		if !l.hot || l.asked > 0 || now.Before(l.next) {
			continue
		}
		if best == nil || cmp.Or(sign*cmp.Compare(l.rank, best.rank), cmp.Compare(l.turn, best.turn)) < 0 {
			best = l
		}
	}
	if best != nil {
		p.asks++
		best.turn = p.asks
	}
	return best
}

func (p *puller) ask(l *lane, n int, park bool, now time.Time) {
	payload := l.open(n, park, now)
	if err := p.nc.PublishRequest(l.subject, p.inbox+"."+strconv.Itoa(l.index)+"."+strconv.Itoa(l.pull), payload); err != nil {
		l.close(now, retryAfter) // not connected; reset asks earlier
	}
}

// status notes how a pull ended, or that it still waits.
func (p *puller) status(m *nats.Msg) {
	tokens := strings.Split(strings.TrimPrefix(m.Subject, p.inbox+"."), ".")
	if len(tokens) != 2 {
		return
	}
	index, _ := strconv.Atoi(tokens[0])
	pull, _ := strconv.Atoi(tokens[1])
	p.mu.Lock()
	defer p.mu.Unlock()
	if index >= len(p.lanes) || p.lanes[index].pull != pull || p.lanes[index].asked == 0 {
		return // of a pull that was given up
	}
	l, now := p.lanes[index], time.Now()
	code, text := m.Header.Get("Status"), m.Header.Get("Description")
	wait := time.Duration(0)
	switch {
	case code == "100":
		l.next = now.Add(3 * parkBeat)
		return
	case code == "404", code == "408", text == "Batch Completed":
		// no requests, no more than others wait for, or the time is over: park
	default: // no consumer yet (503), its leader is gone or has changed, too many pulls (409)
		wait = retryAfter
		p.complain(l, code, text)
	}
	l.hot = false
	l.close(now, wait)
	p.fill(now)
}

// complain logs the trouble of a lane once: until the bus has made the
// consumers it is nothing to worry about.
func (p *puller) complain(l *lane, code, text string) {
	if !p.quiet[l.key()+code] {
		p.quiet[l.key()+code] = true
		p.log.Debug("no requests to be had, asking every second", "app", l.app, "pool", l.pool, "priority", l.priority, "status", code+" "+text)
	}
}

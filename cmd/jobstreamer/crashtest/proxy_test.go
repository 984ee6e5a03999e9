//go:build linux

package crashtest

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// frame is one message of the NATS protocol, or a line of it that is not a
// message.
type frame struct {
	in      bool // to the process
	subject string
	reply   string
	content []byte // headers and payload
	raw     []byte
}

// point is a moment: the nth message that matches.
type point struct {
	in      bool     // sent to the process, else by the process
	subject string   // with wildcards
	reply   string   // prefix of the reply subject
	has     []string // parts of the headers and the payload
	hasNot  string
	nth     int // from 1; 0 is 1
}

func (p *point) matchesFrame(f *frame) bool {
	if f.in != p.in || f.subject == "" || !strings.HasPrefix(f.reply, p.reply) || !server.SubjectMatchesFilter(f.subject, p.subject) {
		return false
	}
	for _, s := range p.has {
		if !bytes.Contains(f.content, []byte(s)) {
			return false
		}
	}
	return p.hasNot == "" || !bytes.Contains(f.content, []byte(p.hasNot))
}

// isRefusal reports whether a frame is an answer of JetStream that says that a
// message was not stored.
func (f *frame) isRefusal() bool {
	return bytes.Contains(f.content, []byte(`"error":{`)) || bytes.HasPrefix(f.content, []byte("NATS/1.0 503"))
}

// plan is what a proxy does to its process, once.
type plan struct {
	at    point
	after bool    // the message is passed on, but not the answer to it
	lose  []point // messages before it that are lost, each once
}

// proxy is a TCP proxy between one process and NATS.
type proxy struct {
	listener net.Listener
	target   string
	kill     func() // ends the process and returns when it has ended

	mu     sync.Mutex
	open   map[net.Conn]bool
	plan   *plan
	seen   int
	answer string        // subject of the answer to the message at, which was passed on
	held   []heldFrame   // frames that came since then
	dying  bool          // the process is being killed: no frame passes
	fired  chan struct{} // closed when the process is dead
}

// heldFrame is a frame that waits for a decision.
type heldFrame struct {
	to  net.Conn
	raw []byte
}

func newProxy(t *testing.T, target string, kill func()) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target, kill: kill, open: map[net.Conn]bool{}}
	var accepting sync.WaitGroup
	accepting.Go(p.acceptConns)
	t.Cleanup(func() {
		_ = l.Close()
		p.closeConns()
		accepting.Wait()
	})
	return p
}

func (p *proxy) natsURL() string { return "nats://" + p.listener.Addr().String() }

// armPlan sets the plan. It closes fired when the process is dead.
func (p *proxy) armPlan(what plan) (fired <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passHeld()
	p.plan, p.seen, p.fired = &what, 0, make(chan struct{})
	return p.fired
}

// closeConns closes all connections.
func (p *proxy) closeConns() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Close()
	}
	clear(p.open)
}

func (p *proxy) acceptConns() {
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		process, err := p.listener.Accept()
		if err != nil {
			return
		}
		broker, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = process.Close()
			continue
		}
		p.mu.Lock()
		p.open[process], p.open[broker] = true, true
		p.mu.Unlock()
		serving.Go(func() { p.copyFrames(broker, process, false) })
		serving.Go(func() { p.copyFrames(process, broker, true) })
	}
}

// copyFrames passes frames on until one side ends, and then closes the other.
func (p *proxy) copyFrames(to, from net.Conn, in bool) {
	defer func() {
		_ = to.Close()
		_ = from.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, to)
		delete(p.open, from)
	}()
	r := bufio.NewReaderSize(from, 64<<10)
	for {
		f, err := readFrame(r)
		if err != nil {
			return
		}
		f.in = in
		pass, die := p.decideFrame(&f, to)
		if pass {
			if _, err := to.Write(f.raw); err != nil && !die {
				return
			}
		}
		if die {
			p.killProcess()
			return
		}
	}
}

// decideFrame reports whether to pass a frame on, and whether to kill the
// process after that. If the broker refuses the message of the plan, it was not
// stored, and the plan waits for the next one.
func (p *proxy) decideFrame(f *frame, to net.Conn) (pass, die bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.dying:
		return false, false
	case p.answer != "" && (!f.in || f.subject != p.answer):
		// The process sends nothing after its last message.
		p.held = append(p.held, heldFrame{to, f.raw})
		return false, false
	case p.answer != "" && f.isRefusal():
		p.seen--
		p.passHeld()
		return true, false
	case p.answer != "":
		p.dying = true
		return false, true
	case p.plan == nil:
		return true, false
	}
	for i := range p.plan.lose {
		if p.plan.lose[i].matchesFrame(f) {
			p.plan.lose = append(p.plan.lose[:i:i], p.plan.lose[i+1:]...)
			return false, false
		}
	}
	if !p.plan.at.matchesFrame(f) {
		return true, false
	}
	if p.seen++; p.seen < p.plan.at.nth {
		return true, false
	}
	if p.plan.after && !f.in && f.reply != "" {
		p.answer = f.reply
		return true, false
	}
	p.dying = true
	return p.plan.after, true
}

// passHeld passes the held frames on. The caller holds mu.
func (p *proxy) passHeld() {
	for _, h := range p.held {
		_, _ = h.to.Write(h.raw) // a closed connection ends its own copyFrames
	}
	p.answer, p.held = "", nil
}

// killProcess kills the process.
func (p *proxy) killProcess() {
	p.kill()
	p.closeConns()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan, p.answer, p.held, p.dying = nil, "", nil, false
	close(p.fired)
}

// readFrame reads a line, and the payload whose size it contains:
//
//	PUB <subject> [reply] <bytes>          HPUB <subject> [reply] <header bytes> <all bytes>
//	MSG <subject> <sid> [reply] <bytes>    HMSG <subject> <sid> [reply] <header bytes> <all bytes>
func readFrame(r *bufio.Reader) (frame, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return frame{}, err
	}
	f := frame{raw: line}
	words := strings.Fields(string(line))
	if len(words) == 0 {
		return f, nil
	}
	reply, sizes := 0, 0 // index of the reply subject, and number of sizes
	switch strings.ToUpper(words[0]) {
	case "PUB":
		reply, sizes = 2, 1
	case "HPUB":
		reply, sizes = 2, 2
	case "MSG":
		reply, sizes = 3, 1
	case "HMSG":
		reply, sizes = 3, 2
	default:
		return f, nil
	}
	if len(words) < reply+sizes {
		return frame{}, io.ErrUnexpectedEOF
	}
	f.subject = words[1]
	if len(words) > reply+sizes {
		f.reply = words[reply]
	}
	size, err := strconv.Atoi(words[len(words)-1])
	if err != nil || size < 0 {
		return frame{}, io.ErrUnexpectedEOF
	}
	body := make([]byte, size+2)
	if _, err := io.ReadFull(r, body); err != nil {
		return frame{}, err
	}
	f.content = body[:size]
	f.raw = append(line, body...)
	return f, nil
}

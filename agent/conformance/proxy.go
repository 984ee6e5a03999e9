package conformance

import (
	"bufio"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// proxy stands between agents and the broker. It reads the protocol of NATS, so
// that a test can lose exactly one message.
type proxy struct {
	listener net.Listener
	target   string

	mu      sync.Mutex
	filter  func(f frame) bool // false: the frame is lost
	down    bool
	refused int // connections that came while down
	open    map[net.Conn]bool
}

// frame is one message of the protocol, or one line of it that is not a
// message.
type frame struct {
	toAgent bool
	verb    string // PUB, HPUB, MSG, HMSG, PING ...
	subject string
	reply   string
	payload []byte // without headers
	raw     []byte
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("proxy: %v", err)
	}
	p := &proxy{listener: l, target: target, open: map[net.Conn]bool{}}
	var accepting sync.WaitGroup
	accepting.Go(p.acceptAgents)
	t.Cleanup(func() {
		_ = l.Close()
		p.cutConnections()
		accepting.Wait()
	})
	return p
}

// lose sets which frames pass from now on; nil: all do. The filter is called by
// several goroutines, and must not wait.
func (p *proxy) setFilter(filter func(f frame) (pass bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.filter = filter
}

// cut breaks all connections and refuses new ones until restore.
func (p *proxy) cutConnections() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down, p.refused = true, 0
	for c := range p.open {
		_ = c.Close()
	}
	clear(p.open)
}

func (p *proxy) allowConnections() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}

// knocks is how often somebody tried to connect since the cut.
func (p *proxy) refusedCount() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

func (p *proxy) acceptAgents() {
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		agent, err := p.listener.Accept()
		if err != nil {
			return
		}
		broker, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = agent.Close()
			continue
		}
		if !p.addConnections(agent, broker) {
			continue
		}
		serving.Go(func() { p.copyFrames(broker, agent, false) })
		serving.Go(func() { p.copyFrames(agent, broker, true) })
	}
}

func (p *proxy) addConnections(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.down {
			_ = c.Close()
		} else {
			p.open[c] = true
		}
	}
	if p.down {
		p.refused++
	}
	return !p.down
}

// copy passes frames on until one side ends, and then ends the other.
func (p *proxy) copyFrames(to, from net.Conn, toAgent bool) {
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
		f.toAgent = toAgent
		p.mu.Lock()
		filter := p.filter
		p.mu.Unlock()
		if filter != nil && !filter(f) {
			continue
		}
		if _, err := to.Write(f.raw); err != nil {
			return
		}
	}
}

// readFrame reads a line, and the payload that it announces:
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
	f.verb = strings.ToUpper(words[0])
	sizes := map[string]int{"PUB": 1, "MSG": 1, "HPUB": 2, "HMSG": 2}[f.verb]
	if sizes == 0 || len(words) < 2+sizes {
		return f, nil
	}
	f.subject = words[1]
	fixed := 2
	if strings.HasSuffix(f.verb, "MSG") {
		fixed = 3
	}
	if len(words) > fixed+sizes {
		f.reply = words[fixed]
	}
	size, err := strconv.Atoi(words[len(words)-1])
	if err != nil || size < 0 {
		return frame{}, io.ErrUnexpectedEOF
	}
	header := 0
	if sizes == 2 {
		if header, err = strconv.Atoi(words[len(words)-2]); err != nil || header < 0 || header > size {
			return frame{}, io.ErrUnexpectedEOF
		}
	}
	body := make([]byte, size+2)
	if _, err := io.ReadFull(r, body); err != nil {
		return frame{}, err
	}
	f.payload = body[header:size]
	f.raw = append(line, body...)
	return f, nil
}

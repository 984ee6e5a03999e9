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

// proxy passes messages between agents and the broker. It parses the NATS
// protocol, so that a test can drop a single message.
type proxy struct {
	listener net.Listener
	target   string

	mu      sync.Mutex
	filter  func(f frame) bool // false drops the frame; nil passes all
	down    bool
	refused int // number of connections refused while down
	open    map[net.Conn]bool
}

// frame is one message of the NATS protocol, or a protocol line that is not a
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

// setFilter sets the filter that decides which frames pass; nil passes all.
// Several goroutines call the filter, which must not block.
func (p *proxy) setFilter(filter func(f frame) (pass bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.filter = filter
}

// cutConnections closes all connections, and makes the proxy refuse new ones
// until allowConnections.
func (p *proxy) cutConnections() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down, p.refused = true, 0
	for c := range p.open {
		_ = c.Close()
	}
	clear(p.open)
}

// allowConnections makes the proxy accept connections again.
func (p *proxy) allowConnections() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}

// refusedCount returns the number of connections refused since the cut.
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

// addConnections registers connections and reports true, or closes them and
// reports false while the proxy is cut off.
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

// copyFrames forwards frames in one direction until a connection fails, and then
// closes both.
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

// readFrame reads one protocol line and, if it announces a message, the message:
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

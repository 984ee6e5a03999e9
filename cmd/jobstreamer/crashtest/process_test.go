//go:build linux

package crashtest

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait. Only a fault, or a machine that is far too slow,
// reaches it.
const patience = 60 * time.Second

// spawn starts commands from one thread that never ends: Linux ends them when
// that thread does (prctl(2), PR_SET_PDEATHSIG), so none outlives the test,
// however that ends.
var spawn = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// process is one life of a daemon.
type process struct {
	cmd   *exec.Cmd
	ready chan struct{} // closed when it says so, or has ended
	ended chan struct{}
	url   string // of the REST API, if it has one; valid when ready
}

// daemon is a program that is killed and started again with the same arguments.
type daemon struct {
	name string
	args []string
	dir  string

	mu   sync.Mutex
	now  *process // nil before the first start
	said []string // the newest lines of its log
}

// newDaemon describes one; it is dead when the test has ended.
func newDaemon(t *testing.T, name string, args ...string) *daemon {
	t.Helper()
	d := &daemon{name: name, args: args, dir: t.TempDir()}
	t.Cleanup(func() {
		d.killAndWait()
		if t.Failed() {
			d.mu.Lock()
			defer d.mu.Unlock()
			t.Logf("last words of %s:\n%s", d.name, strings.Join(d.said, "\n"))
		}
	})
	return d
}

// startAndWait starts a life and waits until it is ready or, killed early, has
// ended.
func (d *daemon) startAndWait(t *testing.T) {
	t.Helper()
	p, err := d.launchProcess()
	if err != nil {
		t.Errorf("start %s: %v", d.name, err)
		return
	}
	select {
	case <-p.ready:
	case <-time.After(patience):
		t.Errorf("%s was not ready after %v", d.name, patience)
	}
}

func (d *daemon) launchProcess() (*process, error) {
	p := &process{cmd: exec.Command(binary, d.args...), ready: make(chan struct{}), ended: make(chan struct{})}
	p.cmd.Dir = d.dir
	p.cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + d.dir, "GOMAXPROCS=2"}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	started := make(chan error)
	spawn() <- func() { started <- p.cmd.Start() }
	if err := <-started; err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.now = p
	d.mu.Unlock()
	go d.readLog(p, stderr)
	return p, nil
}

// readLog reads the log of a life until that ends.
func (d *daemon) readLog(p *process, log io.Reader) {
	ready := sync.OnceFunc(func() { close(p.ready) })
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		d.mu.Lock()
		if d.said = append(d.said, lines.Text()); len(d.said) > 60 {
			d.said = d.said[1:]
		}
		d.mu.Unlock()
		var line struct{ Msg, HTTP string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && (line.Msg == "control bus is ready" || line.Msg == "agent ready") {
			p.url = line.HTTP
			ready()
		}
	}
	_ = p.cmd.Wait() // it was killed
	close(p.ended)
	ready()
}

// currentProcess is the present one, nil if there is none.
func (d *daemon) currentProcess() *process {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

// isDown says whether it is not running.
func (d *daemon) isDown() bool {
	p := d.currentProcess()
	if p == nil {
		return true
	}
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// restURL is where the REST API of a life is that is ready; empty if there is
// none.
func (d *daemon) restURL() string {
	p := d.currentProcess()
	if p == nil {
		return ""
	}
	select {
	case <-p.ended:
		return ""
	default:
	}
	select {
	case <-p.ready:
		return p.url
	default:
		return ""
	}
}

// killAndWait ends the present life as a power cut would, and returns when it
// has ended.
func (d *daemon) killAndWait() {
	p := d.currentProcess()
	if p == nil {
		return
	}
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// endedWithin waits until the present life has ended.
func (d *daemon) endedWithin(within time.Duration) bool {
	select {
	case <-d.currentProcess().ended:
		return true
	case <-time.After(within):
		return false
	}
}

func (d *daemon) sendSignal(s syscall.Signal) {
	if p := d.currentProcess(); p != nil {
		_ = p.cmd.Process.Signal(s)
	}
}

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

// patience is the limit of every wait. It expires only after a fault, or on a
// machine that is far too slow.
const patience = 60 * time.Second

// spawn starts commands from one thread that never ends. Linux ends the
// commands together with that thread (prctl(2), PR_SET_PDEATHSIG), so none
// survives the test, however the test ends.
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

// process is one run of a daemon.
type process struct {
	cmd   *exec.Cmd
	ready chan struct{} // closed when the process is ready or has ended
	ended chan struct{}
	url   string // of the REST API, if it has one; set when ready
}

// daemon is a program that is killed and restarted with the same arguments.
type daemon struct {
	name string
	args []string
	dir  string

	mu     sync.Mutex
	now    *process // nil before the first start
	recent []string // latest lines of its log
}

// newDaemon returns a daemon that is not yet running. It is killed at the end
// of the test.
func newDaemon(t *testing.T, name string, args ...string) *daemon {
	t.Helper()
	d := &daemon{name: name, args: args, dir: t.TempDir()}
	t.Cleanup(func() {
		d.killAndWait()
		if t.Failed() {
			d.mu.Lock()
			defer d.mu.Unlock()
			t.Logf("last words of %s:\n%s", d.name, strings.Join(d.recent, "\n"))
		}
	})
	return d
}

// startAndWait starts the process and waits until it is ready, or has ended
// because it was killed early.
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

// readLog reads the log of a process until the process ends.
func (d *daemon) readLog(p *process, log io.Reader) {
	ready := sync.OnceFunc(func() { close(p.ready) })
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		d.mu.Lock()
		if d.recent = append(d.recent, lines.Text()); len(d.recent) > 60 {
			d.recent = d.recent[1:]
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

// currentProcess returns the current process, or nil.
func (d *daemon) currentProcess() *process {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

// isDown reports whether the daemon is not running.
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

// restURL returns the REST API's address of a ready process, or "".
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

// killAndWait kills the process, like a power cut, and waits for its end.
func (d *daemon) killAndWait() {
	p := d.currentProcess()
	if p == nil {
		return
	}
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// endedWithin waits until the process has ended, and reports whether it has.
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

package supervisor

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/agent/native/supervisor/child"
)

// A process can kill its supervisor before the supervisor has reported the
// start. Then the agent does not know its id; the processes it leaves are
// killed all the same.
func TestKilledBeforeTheReport(t *testing.T) {
	file := filepath.Join(t.TempDir(), "started")
	cmd := exec.Command("/bin/sh", "-c", `sleep 79 & setsid sleep 79 & echo > `+file+`; kill -9 $PPID`)
	p, err := launchSupervisor(cmd, child.ModeEnd)
	if err != nil {
		t.Fatal(err)
	}
	_ = p.supervisor.Wait() // it is killed
	if _, err := os.Stat(file); err != nil {
		t.Fatal(err)
	}
	p.killUnsupervised()
	if left := findMarked(p.mark); len(left) > 0 {
		t.Errorf("processes %d are left", left)
	}
}

func TestReportOfAKilledSupervisor(t *testing.T) {
	p, err := Start(exec.Command("/bin/sh", "-c", `setsid sleep 79 & kill -9 $PPID; wait`), false)
	if err == nil {
		_, _, err = p.Wait()
	}
	if !errors.Is(err, ErrUnsupervised) {
		t.Errorf("error %v, want %v", err, ErrUnsupervised)
	}
	if p != nil && len(findMarked(p.mark)) > 0 {
		t.Errorf("processes %d are left", findMarked(p.mark))
	}
}

package native

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"github.com/job-streamer/job-streamer-control-bus/agent/native/supervisor"
)

// startBody starts a process under a supervisor, which ends everything that the
// process starts. Where no supervisor can run, the process leads a group.
func startBody(cmd *exec.Cmd, keep bool, log *slog.Logger) (body, error) {
	if why := supervisor.Works(); why != nil {
		warnOnce.Do(func() {
			log.Warn("processes run without a supervisor: a process that leaves its group is not ended with the step", "err", why)
		})
		return startGroup(cmd, keep)
	}
	p, err := supervisor.Start(cmd, keep)
	if err != nil {
		return nil, err
	}
	return &supervised{p}, nil
}

var warnOnce sync.Once

// supervised is a body under a supervisor.
type supervised struct{ p *supervisor.Process }

func (s *supervised) processID() int { return s.p.PID }
func (s *supervised) terminate()     { s.p.Ask() }
func (s *supervised) killAll()       { s.p.Kill() }

func (s *supervised) waitForEnd() processEnd {
	status, stuck, err := s.p.Wait()
	end := processEnd{code: status.Code, signal: status.Signal, err: err}
	for _, one := range stuck {
		end.stuck = append(end.stuck, one.String())
	}
	return end
}

// makeGroupLeader makes the process the leader of a group. The process dies
// with the agent.
func makeGroupLeader(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: credentialOf(cmd)}
}

// waitGroup waits for the process to end, then calls end, and reaps the process
// after that. Until it is reaped, no other process can get its id (waitid(2),
// WNOWAIT).
func waitGroup(cmd *exec.Cmd, end func()) error {
	const byPID, exited, noWait = 1, 0x4, 0x1000000
	var info [128]byte // siginfo_t
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, byPID, uintptr(cmd.Process.Pid), uintptr(unsafe.Pointer(&info)), exited|noWait, 0, 0)
		if errno != syscall.EINTR {
			break
		}
	}
	end()
	return cmd.Wait()
}

// startTime returns the start time of a process: the machine's boot id, and the
// clock ticks since boot. It is empty if there is no such process.
func startTime(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The second field is the program's name in brackets, which may contain any
	// character.
	after := stat[bytes.LastIndexByte(stat, ')')+1:]
	f := strings.Fields(string(after))
	if len(f) < 20 {
		return ""
	}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(boot)) + " " + f[19]
}

// isSameProcess reports whether the group pid is still the one whose leader had
// this start time. If the leader has ended, its id is not reused while the
// group has members; they are recognised by their environment.
func isSameProcess(pid int, started string) bool {
	if now := startTime(pid); now != "" {
		return now == started
	}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if !strings.HasPrefix(started, strings.TrimSpace(string(boot))+" ") {
		return false
	}
	all, _ := os.ReadDir("/proc")
	for _, e := range all {
		if inGroup(e.Name(), pid) {
			return true
		}
	}
	return false
}

// killMarked kills the processes that have the variable in their initial
// environment.
func killMarked(variable string, found func(pid int)) (stuck []int) {
	return supervisor.KillMarked(variable, found)
}

// inGroup reports whether a process belongs to the group and was started by a
// step.
func inGroup(process string, group int) bool {
	if process[0] < '0' || process[0] > '9' {
		return false
	}
	stat, err := os.ReadFile("/proc/" + process + "/stat")
	if err != nil {
		return false
	}
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(f) < 3 || f[2] != fmt.Sprint(group) {
		return false
	}
	env, err := os.ReadFile("/proc/" + process + "/environ")
	return err == nil && bytes.Contains(env, []byte(executionMark+"="))
}

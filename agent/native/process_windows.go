package native

import (
	"log/slog"
	"os/exec"
	"strconv"
	"syscall"
)

const scriptSuffix = ".cmd"

// shellCommand passes the line to cmd unchanged, because the quoting of cmd
// differs from that of other programs.
func shellCommand(line string) *exec.Cmd {
	cmd := exec.Command("cmd")
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: `cmd /S /C "` + line + `"`}
	return cmd
}

func scriptCommand(file string, _ scriptFile, args []string) *exec.Cmd {
	return exec.Command(file, args...)
}

func userScriptCommand(file string, args []string) *exec.Cmd { return exec.Command(file, args...) }

// makeGroupLeader makes the process the leader of a group.
func makeGroupLeader(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.CreationFlags |= syscall.CREATE_NEW_PROCESS_GROUP
}

// windowsBody is a process. taskkill finds the processes that it has started,
// as long as their parents live.
type windowsBody struct{ cmd *exec.Cmd }

func startBody(cmd *exec.Cmd, _ bool, _ *slog.Logger) (body, error) {
	makeGroupLeader(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &windowsBody{cmd}, nil
}

func (b *windowsBody) processID() int { return b.cmd.Process.Pid }

// terminate does nothing, since Windows has no SIGTERM. The grace period passes
// for processes that end by themselves.
func (b *windowsBody) terminate() {}

func (b *windowsBody) killAll() { killGroup(b.processID()) }

// waitForEnd waits for the process. Processes that it has left behind are not
// found any more.
func (b *windowsBody) waitForEnd() processEnd {
	err := b.cmd.Wait()
	if b.cmd.ProcessState == nil {
		return processEnd{err: err}
	}
	return processEnd{code: b.cmd.ProcessState.ExitCode()}
}

// killGroup kills the process and those that it has started.
func killGroup(pid int) {
	_ = exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(pid)).Run()
}

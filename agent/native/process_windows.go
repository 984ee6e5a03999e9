package native

import (
	"log/slog"
	"os/exec"
	"strconv"
	"syscall"
)

const scriptSuffix = ".cmd"

// shellCommand gives the line to cmd as it is: its quoting is not that of other
// programs.
func shellCommand(line string) *exec.Cmd {
	cmd := exec.Command("cmd")
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: `cmd /S /C "` + line + `"`}
	return cmd
}

func scriptCommand(file string, args []string) *exec.Cmd { return exec.Command(file, args...) }

// lead makes the process the leader of a group.
func lead(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.CreationFlags |= syscall.CREATE_NEW_PROCESS_GROUP
}

// windowsBody is a process; what it has started is found by taskkill as long as
// its parents live.
type windowsBody struct{ cmd *exec.Cmd }

func startBody(cmd *exec.Cmd, _ bool, _ *slog.Logger) (body, error) {
	lead(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &windowsBody{cmd}, nil
}

func (b *windowsBody) pid() int { return b.cmd.Process.Pid }

// ask cannot be done: there are no signals. The grace passes for those who end
// by themselves.
func (b *windowsBody) ask() {}

func (b *windowsBody) kill() { killGroup(b.pid()) }

// wait waits for the process. What it has started and left behind is not found
// any more.
func (b *windowsBody) wait() ending {
	err := b.cmd.Wait()
	if b.cmd.ProcessState == nil {
		return ending{err: err}
	}
	return ending{code: b.cmd.ProcessState.ExitCode()}
}

// killGroup ends the process and what it has started.
func killGroup(pid int) {
	_ = exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(pid)).Run()
}

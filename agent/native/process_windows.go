package native

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
)

const scriptSuffix = ".cmd"

// shellCommand gives the line to cmd as it is: its quoting is not that of other programs.
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

// waitGroup waits for the process. What it has started and left behind is not found any more.
func waitGroup(cmd *exec.Cmd, g *group) error {
	err := cmd.Wait()
	g.end()
	return err
}

// askGroup cannot be done: there are no signals. The grace passes for those who end by themselves.
func askGroup(pid int) {}

// killGroup ends the process and what it has started.
func killGroup(pid int) {
	_ = exec.Command("taskkill", "/T", "/F", "/PID", strconv.Itoa(pid)).Run()
}

func exitCode(s *os.ProcessState) (code int, signal string) {
	if s == nil {
		return -1, ""
	}
	return s.ExitCode(), ""
}

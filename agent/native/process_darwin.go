package native

import (
	"os/exec"
	"syscall"
)

// lead makes the process the leader of a group. Only Linux ends it with us.
func lead(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// waitGroup waits for the process, then ends the rest of its group. There is no way to do it while the process still
// has its id (waitid also returns for what is only stopped: golang.org/issue/19314), but whoever takes an id
// that was just freed would have to lead a group at once to be hit.
func waitGroup(cmd *exec.Cmd, g *group) error {
	err := cmd.Wait()
	killGroup(g.pid)
	g.end()
	return err
}

package native

import (
	"log/slog"
	"os/exec"
	"syscall"
)

// lead makes the process the leader of a group. Only Linux ends it with us.
func lead(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// startBody starts a process as the leader of a group. What leaves the group is
// not ended with it: there are no subreapers here.
func startBody(cmd *exec.Cmd, keep bool, _ *slog.Logger) (body, error) { return startGroup(cmd, keep) }

// waitGroup waits for the process, then calls end. There is no way to do it
// while the process still has its id (waitid also returns for what is only
// stopped: golang.org/issue/19314), but whoever takes an id that was just freed
// would have to lead a group at once to be hit.
func waitGroup(cmd *exec.Cmd, end func()) error {
	err := cmd.Wait()
	end()
	return err
}

package native

import (
	"log/slog"
	"os/exec"
	"syscall"
)

// makeGroupLeader makes the process the leader of a group. Unlike on Linux, the
// process does not die with the agent.
func makeGroupLeader(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: credentialOf(cmd)}
}

// startBody starts a process as the leader of a group. Processes that leave the
// group are not ended with it, since macOS has no subreapers.
func startBody(cmd *exec.Cmd, keep bool, _ *slog.Logger) (body, error) { return startGroup(cmd, keep) }

// waitGroup waits for the process, then calls end. On macOS end cannot be
// called while the process still holds its id (waitid also returns for a
// process that is only stopped: golang.org/issue/19314). The risk is small:
// another process would have to take the id and lead a group within that
// moment.
func waitGroup(cmd *exec.Cmd, end func()) error {
	err := cmd.Wait()
	end()
	return err
}

//go:build linux || darwin

package native

import (
	"os/exec"
	"syscall"
)

// setUser has a command run as u, with the user's group and no others. A nil
// user leaves it as it is.
func setUser(cmd *exec.Cmd, u *User) error {
	if u != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: u.UID, Gid: u.GID}}
	}
	return nil
}

// credentialOf returns the user whom a command runs as; nil if it is that of
// the agent.
func credentialOf(cmd *exec.Cmd) *syscall.Credential {
	if cmd.SysProcAttr == nil {
		return nil
	}
	return cmd.SysProcAttr.Credential
}

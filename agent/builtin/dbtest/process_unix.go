//go:build unix

package dbtest

import (
	"net"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// prepare makes a process run as the account, in the folder /.
func prepare(cmd *exec.Cmd, account *user.User) {
	cmd.Dir = "/"
	if account == nil {
		return
	}
	uid, _ := strconv.ParseUint(account.Uid, 10, 32)
	gid, _ := strconv.ParseUint(account.Gid, 10, 32)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

// isListening reports whether a server accepts connections.
func isListening(socket string) bool {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

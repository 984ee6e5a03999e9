//go:build unix

package datadir

import (
	"fmt"
	"os"
	"syscall"
)

// lockFlags opens a lock file for writing, as some systems want it for an
// exclusive lock. It does not follow a symbolic link, which would create or
// lock another file.
const lockFlags = os.O_CREATE | os.O_RDWR | syscall.O_NOFOLLOW

// checkOwner returns an error if dir belongs to another user, or if others may
// write to it. The group may, if it is that of the process: some systems give
// each user a group of its own.
func checkOwner(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	is, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	mode, shared := info.Mode().Perm(), os.FileMode(0o002)
	if int(is.Gid) != os.Getegid() {
		shared |= 0o020
	}
	switch {
	case int(is.Uid) != os.Geteuid():
		return fmt.Errorf("it belongs to the user %d, but this process runs as the user %d; want a directory that belongs to that user, such as a new one inside it", is.Uid, os.Geteuid())
	case mode&shared != 0:
		return fmt.Errorf("others may write to it (mode %04o); want a directory that only its owner may write to (chmod 0700)", mode)
	}
	return nil
}

//go:build unix

package builtin

import (
	"errors"
	"os"
	"syscall"
)

// lockFile locks a file until it is closed. So two partitions, or an agent that
// was given up and its successor, do not write to one file. On a file system
// without locks it does nothing.
func lockFile(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if raised := raw.Control(func(fd uintptr) { err = syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB) }); raised != nil {
		return raised
	}
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return errors.New("another writer has the file open: want a file of its own for each step and partition")
	case errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.ENOSYS):
		return nil
	}
	return err
}

// syncDir makes the names in a folder durable.
func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}

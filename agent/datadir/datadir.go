// Package datadir takes a data folder for one process, and replaces files in it.
//
// What is in a data folder decides what a program does next, and a job's output
// or a password hash is in it. So the folder must belong to the user of the
// process, and nobody else may write to it.
package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// ErrInUse says that another process holds the lock of a folder.
var ErrInUse = errors.New("in use by another process")

// Lock creates dir if it does not exist, checks who may write to it, and locks
// the file name in it for this process. The operating system releases the lock
// when the process ends, even if it is killed. If another process holds the
// lock, the error is [ErrInUse].
func Lock(dir, name string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := checkOwner(dir); err != nil {
		return nil, err
	}
	l := flock.New(filepath.Join(dir, name), flock.SetFlag(lockFlags))
	held, err := l.TryLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("lock: %w", err)
	case !held:
		return nil, ErrInUse
	}
	return func() { _ = l.Unlock() }, nil
}

// ReplaceFile writes a file with mode 0600 atomically and durably: a temporary
// file, its fsync, rename, and the fsync of the folder.
func ReplaceFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".tmp*") // with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	syncDir(filepath.Dir(name))
	return nil
}

// syncDir makes a rename durable. It ignores errors, because file systems
// without an fsync of folders do that by themselves.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

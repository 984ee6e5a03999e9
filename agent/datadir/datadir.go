// Package datadir takes a data folder for one process.
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

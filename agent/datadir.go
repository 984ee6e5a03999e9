package agent

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// lockDir creates dir and locks it for this process. The operating system
// releases the lock when the process ends, even if it is killed.
func lockDir(dir string) (unlock func(), err error) {
	if dir == "" {
		return func() {}, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("DataDir: %w", err)
	}
	l := flock.New(filepath.Join(dir, "lock"))
	held, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("DataDir: lock %s: %w", dir, err)
	}
	if !held {
		return nil, fmt.Errorf("DataDir: %s is used by another agent: give each agent its own (--data)", dir)
	}
	return func() { _ = l.Unlock() }, nil
}

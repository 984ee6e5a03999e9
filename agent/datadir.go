package agent

import (
	"errors"
	"fmt"

	"github.com/job-streamer/job-streamer-control-bus/agent/datadir"
)

// lockDir creates dir and locks it for this process.
func lockDir(dir string) (unlock func(), err error) {
	if dir == "" {
		return func() {}, nil
	}
	unlock, err = datadir.Lock(dir, "lock")
	switch {
	case errors.Is(err, datadir.ErrInUse):
		return nil, fmt.Errorf("DataDir: %s is in use by another agent: give each agent a directory of its own (--data)", dir)
	case err != nil:
		return nil, fmt.Errorf("DataDir: %s: %w", dir, err)
	}
	return unlock, nil
}

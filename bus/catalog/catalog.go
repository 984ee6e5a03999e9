package catalog

import (
	"context"
	"sync"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// History removes the ended executions of a job.
type History interface {
	DeleteHistory(ctx context.Context, app, job string) error
}

// ScheduleCloser removes the schedules of a job and decides what was
// due until then: only the scheduler may.
type ScheduleCloser interface {
	CloseSchedules(ctx context.Context, app, job string) error
	// DecideBefore decides what is due of the schedules that use one of the
	// calendars with these keys. A change of the calendars counts from the
	// moment that it returns.
	DecideBefore(ctx context.Context, calendars map[string]bool) (subjects.Time, error)
}

// Config configures a [Catalog].
type Config struct {
	Bus       *bus.Bus
	Index     *index.Index
	History   History
	Schedules ScheduleCloser
}

// Catalog is the applications, calendars and jobs of a bus.
type Catalog struct {
	b   *bus.Bus
	x   *index.Index
	cfg Config

	renaming sync.Mutex // the server limits the number of open batches
}

// New returns a Catalog.
func New(cfg Config) *Catalog { return &Catalog{b: cfg.Bus, x: cfg.Index, cfg: cfg} }

// Condition returns an error if a write must not replace what was last edited
// at this revision; 0 means that there is nothing. A nil Condition allows every
// write.
type Condition func(revision uint64) error

func (c Condition) check(revision uint64) error {
	if c == nil {
		return nil
	}
	return c(revision)
}

// Change says what a write did. Events use the same words.
type Change string

// The changes.
const (
	Created Change = "created"
	Changed Change = "changed"
	Renamed Change = "renamed"
)

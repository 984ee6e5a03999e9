// Package index is the read model: every definition and a summary of every execution in memory, filled
// from the buckets and followed as they change. Lists, searches and counts come from it; one
// execution's steps and parameters are read from JetStream.
package index

import (
	"context"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Job is a job as lists show it.
type Job struct {
	bus.Job
	Revision uint64   // of the definition
	JSL      *jsl.Job // the definition, read; not to be changed
	Stats    Stats
	Latest   *Summary      // the newest execution by create time; nil if none
	Schedule *bus.Schedule // nil if none
	SchedRev uint64
}

// Stats counts the executions of a job.
type Stats struct {
	Total, Success, Failure int
	Average                 time.Duration // of the completed ones, from start to end
}

// Summary is what lists show of an execution.
type Summary struct {
	App, Job                       string
	ID, InstanceID                 int64
	BatchStatus                    subjects.BatchStatus
	ExitStatus                     string
	Agent                          string
	Attempt                        int
	CreateTime, StartTime, EndTime subjects.Time
	UpdateTime                     subjects.Time
	ScheduledFor                   subjects.Time
	RestartOf                      int64
}

// JobQuery selects and sorts jobs.
type JobQuery struct {
	App    string
	Words  []string // the name contains any of them; all jobs if empty
	Match  func(*Job) bool
	Less   func(a, b *Job) int // default: by name
	Offset int                 // from 0
	Limit  int
}

// Index is the read model of one bus.
type Index struct{}

func New(b *bus.Bus) *Index { panic("x") }

// Run fills the index and follows changes until ctx ends.
func (x *Index) Run(ctx context.Context) error { panic("x") }

// Ready is closed when the index holds all that was there when Run began.
func (x *Index) Ready() <-chan struct{} { panic("x") }

// App, Apps: definitions of applications, by name.
func (x *Index) App(name string) (a bus.App, revision uint64, ok bool) { panic("x") }
func (x *Index) Apps() []bus.App                                       { panic("x") }

// Job returns a job; false if there is none. What a client of this bus wrote before is seen.
func (x *Index) Job(app, name string) (*Job, bool)               { panic("x") }
func (x *Index) Jobs(q JobQuery) (page []*Job, hits int)         { panic("x") }
func (x *Index) CountJobs(app string) int                        { panic("x") }
func (x *Index) Schedules() []bus.Entry[bus.Schedule]            { panic("x") }
func (x *Index) ScheduleChanged() <-chan struct{}                { panic("x") } // closed at the next change of any schedule

// Executions lists those of a job, newest first; offset from 0.
func (x *Index) Executions(app, job string, offset, limit int) (page []Summary, hits int) { panic("x") }

// Find returns the summary of an execution by its id alone.
func (x *Index) Find(id int64) (Summary, bool) { panic("x") }

// WaitEnd waits until the execution has ended. The error is ctx's, or bus.ErrNotFound.
func (x *Index) WaitEnd(ctx context.Context, id int64) (Summary, error) { panic("x") }

// NewestOf returns the newest executions of an agent.
func (x *Index) NewestOf(agent string, limit int) []Summary { panic("x") }

// PutApp, PutJob and PutSchedule take in what this bus has just written, so that its clients see their own
// writes; a nil value is a deletion.
func (x *Index) PutApp(name string, v *bus.App, revision uint64)              { panic("x") }
func (x *Index) PutJob(app, name string, v *bus.Job, revision uint64)         { panic("x") }
func (x *Index) PutSchedule(app, job string, v *bus.Schedule, revision uint64) { panic("x") }
func (x *Index) PutExecution(v *bus.Execution, revision uint64)               { panic("x") }

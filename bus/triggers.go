package bus

import (
	"maps"
	"slices"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Triggers start a job when executions of other jobs end.
type Triggers struct {
	// False: each trigger starts the job. True: the job starts once for a date
	// for which all triggers have been met.
	All   bool          `json:"all,omitempty"`
	Jobs  []Trigger     `json:"jobs"`
	Since subjects.Time `json:"since"` // executions that ended before start nothing
}

// Trigger names a job whose executions start another job.
type Trigger struct {
	App        string            `json:"app"`
	Job        string            `json:"job"` // permanent key
	On         string            `json:"on"`  // OnCompleted, OnFailed, OnEnded or a pattern of exit statuses
	Parameters map[string]string `json:"parameters,omitempty"`
}

// The values of [Trigger.On] that mean batch statuses. Any other value is a
// pattern of exit statuses, as in the transitions of a job.
const (
	OnCompleted = "completed"
	OnFailed    = "failed"
	OnEnded     = "ended" // completed, failed or stopped
)

// Matches reports whether an execution that ended like this meets the trigger.
// An abandoned execution meets none.
func (t *Trigger) Matches(batch subjects.BatchStatus, exit string) bool {
	switch batch {
	case subjects.Completed, subjects.Failed, subjects.Stopped:
	default:
		return false
	}
	switch t.On {
	case OnCompleted:
		return batch == subjects.Completed
	case OnFailed:
		return batch == subjects.Failed
	case OnEnded:
		return true
	}
	return jsl.Match(t.On, exit)
}

// Equal reports whether two triggers mean the same. Both may be nil.
func (t *Triggers) Equal(o *Triggers) bool {
	if t == nil || o == nil {
		return t == o
	}
	return t.All == o.All && slices.EqualFunc(t.Jobs, o.Jobs, func(a, b Trigger) bool {
		return a.App == b.App && a.Job == b.Job && a.On == b.On && maps.Equal(a.Parameters, b.Parameters)
	})
}

// Cause is an execution whose end started another one.
type Cause struct {
	App       string `json:"app"`
	Job       string `json:"job"` // permanent key
	Execution int64  `json:"execution_id"`
}

// Decisions about triggers are keys of bucket fires, too. In place of the name
// of a schedule they have a text that no schedule can have as its name:
//
//	<app>.<job>.=<app of the other job>/<other job>.<id of its instance>
//	<app>.<job>.=all.<business date as YYYYMMDD>
const (
	triggerMark = "="
	joinName    = triggerMark + "all"
)

// TriggerKey returns what takes the place of a schedule in the decisions about
// the trigger of a job by another job. Their numbers are ids of job instances.
func TriggerKey(app, job, byApp, byJob string) ScheduleKey {
	return ScheduleKey{app, job, triggerMark + byApp + "/" + byJob}
}

// JoinKey returns what takes the place of a schedule in the decisions about
// triggers that are all needed. Their numbers are dates.
func JoinKey(app, job string) ScheduleKey { return ScheduleKey{app, job, joinName} }

// IsTrigger reports whether the key is one of [TriggerKey] or [JoinKey].
func (k ScheduleKey) IsTrigger() bool { return strings.HasPrefix(k.name, triggerMark) }

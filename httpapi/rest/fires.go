package rest

import "github.com/job-streamer/job-streamer-control-bus/subjects"

// Fires are the decisions about the nominal times of a job's schedules, newest
// first.
type Fires struct {
	Results []Fire `json:"results"`
}

// Fire is the decision about a nominal time: an execution, or the reason why
// there is none.
type Fire struct {
	NominalTime  subjects.Time  `json:"nominal_time" doc:"The time that the schedule asked for."`
	ExecutionID  *int64         `json:"execution_id"`
	Skipped      *string        `json:"skipped" doc:"Why there is no execution: misfire, edited (a misfire that an edit, a pause or a deletion of the schedule found undecided), deleted (a time that the deletion of the job found undecided), no_such_job, definition."`
	CaughtUp     bool           `json:"caught_up" doc:"A misfire that was fired."`
	DecideTime   subjects.Time  `json:"decide_time"`
	SkippedFrom  *subjects.Time `json:"skipped_from,omitempty" doc:"The oldest of several times that were skipped together; nominal_time is the newest."`
	SkippedCount int            `json:"skipped_count" doc:"The number of times that were skipped together, at most a million."`
}

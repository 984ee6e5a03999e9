package rest

import "github.com/job-streamer/job-streamer-control-bus/subjects"

// NewBackfill is the body that fires past nominal times of a schedule.
type NewBackfill struct {
	Schedule    string `json:"schedule,omitempty" doc:"Name of the schedule. Default: default." example:"month-end"`
	From        string `json:"from" doc:"The first nominal time that may fire: RFC 3339, or a date or a time in the time zone of the schedule." example:"2026-11-01"`
	To          string `json:"to" doc:"The end of the nominal times, excluded, not to come, and at most a year after from. A date includes that day; that of today means up to now." example:"2026-11-03"`
	Limit       int    `json:"limit,omitzero" doc:"Maximum number of times that fire, the oldest first, up to 100,000. Default 1,000."`
	Concurrency int    `json:"concurrency,omitzero" doc:"How many executions of this backfill may run at the same time, up to 1,000. Default 1."`
	DryRun      bool   `json:"dry_run,omitempty" doc:"true writes nothing: the answer says what would fire."`
}

// Backfill says what a backfill fires.
type Backfill struct {
	BackfillID   *int64            `json:"backfill_id" doc:"Null if nothing fires, or with dry_run."`
	Schedule     string            `json:"schedule"`
	DryRun       bool              `json:"dry_run"`
	From         subjects.Time     `json:"from"`
	To           subjects.Time     `json:"to"`
	Fires        []BackfillFire    `json:"fires" doc:"The times that fire, the oldest first."`
	LeftOutCount int               `json:"left_out_count" doc:"Number of times that do not fire."`
	LeftOut      []BackfillLeftOut `json:"left_out" doc:"The first 1,000 times that do not fire."`
	More         bool              `json:"more" doc:"true if a limit cut the backfill: it has not looked at times from next on."`
	Next         subjects.Time     `json:"next,omitzero" doc:"The first time that was not looked at, if more is true."`
}

// BackfillFire is a nominal time that a backfill fires.
type BackfillFire struct {
	NominalTime  subjects.Time  `json:"nominal_time"`
	Local        string         `json:"local" doc:"The time in the time zone of the schedule, with its offset."`
	BusinessDate string         `json:"business_date" doc:"The date for which the execution runs, as YYYY-MM-DD."`
	From         *subjects.Time `json:"from,omitempty" doc:"The time of the schedule that was moved to nominal_time, because it is on a holiday."`
	ExecutionID  *int64         `json:"execution_id" doc:"Null with dry_run. The execution exists once its turn has come."`
	WasSkipped   *string        `json:"was_skipped,omitempty" doc:"Why the time had been skipped before. Absent if nothing had been decided about it."`
}

// BackfillLeftOut is a time that a backfill does not fire.
type BackfillLeftOut struct {
	NominalTime subjects.Time `json:"nominal_time"`
	Local       string        `json:"local"`
	Reason      string        `json:"reason" enum:"fired,waiting,holiday,not_due,decided" doc:"fired (it has an execution, or had one), waiting (another backfill is about to fire it), holiday (a calendar excludes it), not_due (jitter delays it until a time to come), decided (the times on holidays that it stands for have executions)."`
	Text        string        `json:"text" doc:"For people."`
	ExecutionID *int64        `json:"execution_id,omitempty"`
}

// Backfills lists the backfills of a job.
type Backfills struct {
	Results []BackfillStatus `json:"results"`
}

// BackfillStatus says how far a backfill is.
type BackfillStatus struct {
	BackfillID  int64         `json:"backfill_id"`
	Schedule    string        `json:"schedule"`
	By          *string       `json:"by" doc:"Id of the user who ordered it. Null if the control bus required no login."`
	CreateTime  subjects.Time `json:"create_time"`
	From        subjects.Time `json:"from" doc:"Its oldest nominal time."`
	To          subjects.Time `json:"to" doc:"Its newest nominal time."`
	Concurrency int           `json:"concurrency"`
	Fires       int           `json:"fires" doc:"Number of its fires: the sum of the members below."`
	Waiting     int           `json:"waiting" doc:"Number of fires whose turn has not come."`
	Running     int           `json:"running" doc:"Number of executions that have not ended, or await their retry. A restart counts in place of the execution that it restarts."`
	Completed   int           `json:"completed"`
	Failed      int           `json:"failed" doc:"Number of executions that failed, were stopped or abandoned."`
	Deleted     int           `json:"deleted" doc:"Number of executions that were deleted."`
	Cancelled   int           `json:"cancelled" doc:"Number of fires that were cancelled while they waited."`
	Skipped     int           `json:"skipped" doc:"Number of fires that were closed for other reasons, such as a definition that cannot run."`
}

// CancelledBackfill says what the cancellation of backfills did.
type CancelledBackfill struct {
	Cancelled int `json:"cancelled" doc:"Number of fires that waited, and are closed now."`
}

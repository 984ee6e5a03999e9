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
	Schedule     string         `json:"schedule,omitempty" doc:"Name of the schedule. Absent if triggers started the execution."`
	NominalTime  subjects.Time  `json:"nominal_time" doc:"Nominal time of the schedule, or the end of the execution that met the last trigger."`
	From         *subjects.Time `json:"from,omitempty" doc:"The time of the schedule that was moved to nominal_time, because it is on a holiday."`
	ExecutionID  *int64         `json:"execution_id" doc:"A fire that waits for the end of an earlier execution, because of overlap or a backfill, has no execution with this id yet."`
	BackfillID   *int64         `json:"backfill_id,omitempty" doc:"The backfill that fired the time, or was to fire it. Absent if a control bus decided the time by itself."`
	TriggeredBy  []Cause        `json:"triggered_by,omitempty" doc:"The executions that started the execution by triggers."`
	Skipped      *string        `json:"skipped" doc:"Why there is no execution: misfire, edited (a misfire that was still undecided when the schedule was edited, paused or deleted), deleted (a time that was still undecided when the job was deleted), decided (it was moved off a holiday, but had fired or was skipped before the calendar or the schedule changed), paused (a time that passed during a pause), overlap (because of the execution blocked_by), catch_up_limit, catch_up_window, cancelled (while it waited in a backfill), no_such_job, definition."`
	BlockedBy    *int64         `json:"blocked_by,omitempty" doc:"The execution because of which the time was skipped with overlap: it ran, or waited to run."`
	CaughtUp     bool           `json:"caught_up" doc:"true if the scheduler fired a misfire."`
	DecideTime   subjects.Time  `json:"decide_time"`
	SkippedFrom  *subjects.Time `json:"skipped_from,omitempty" doc:"Oldest of several times that were skipped together; nominal_time is the newest."`
	SkippedCount int            `json:"skipped_count" doc:"Number of times that were skipped together, at most 1,000,000."`
}

// Why says why a job did or did not start.
type Why struct {
	App     string        `json:"app"`
	Job     string        `json:"job"`
	At      subjects.Time `json:"at" doc:"The moment that was asked about."`
	Reasons []Reason      `json:"reasons" doc:"One for each schedule of the job, and one for its triggers."`
}

// Reason says what became of the last time at which a job could have started.
type Reason struct {
	Schedule    string         `json:"schedule,omitempty" doc:"Name of the schedule. Absent for triggers, and if nothing starts the job."`
	Outcome     string         `json:"outcome" enum:"fired,caught_up,triggered,skipped,holiday,paused,not_due,edited,forgotten,undecided,unmet,none" doc:"fired, caught_up (fired late), triggered, skipped, holiday (a calendar excludes the time, or moves it), paused, not_due (the time is to come), edited (the schedule was stored later), forgotten (decisions of that age are not kept), undecided (no bus has decided yet), unmet (triggers wait for other jobs), none (nothing starts the job)."`
	NominalTime *subjects.Time `json:"nominal_time,omitempty"`
	Text        string         `json:"text" doc:"What happened, in sentences."`
	ExecutionID *int64         `json:"execution_id,omitempty"`
	BatchStatus string         `json:"batch_status,omitempty" doc:"Of the execution now."`
	Fire        *Fire          `json:"fire,omitempty" doc:"The stored decision."`
}

// ExecutionWhy says why an execution was started, and why it waits, runs or has
// ended.
type ExecutionWhy struct {
	App         string          `json:"app"`
	Job         string          `json:"job"`
	ExecutionID int64           `json:"execution_id"`
	BatchStatus string          `json:"batch_status"`
	Facts       []ExecutionFact `json:"facts" doc:"From the start of the execution on."`
}

// ExecutionFact is something that happened to an execution.
type ExecutionFact struct {
	Kind string        `json:"kind" enum:"schedule,backfill,trigger,user,restart,retry,attempt,waiting,running,stop,timeout,end,restarted" doc:"What started it: schedule, backfill, trigger, user, restart (by somebody), retry (by the bus). Then: attempt (an agent was lost), waiting, running, stop (requested), timeout, end, retry (whether the bus restarts it), restarted."`
	Time subjects.Time `json:"time,omitzero"`
	By   *string       `json:"by,omitempty" doc:"Who did it, from the audit: only for users who may read the audit."`
	Text string        `json:"text" doc:"A sentence."`
}

// Forecast is what schedules are going to fire, by time.
type Forecast struct {
	From    subjects.Time   `json:"from"`
	To      subjects.Time   `json:"to"`
	Results []ForecastFire  `json:"results"`
	More    bool            `json:"more" doc:"true if there are more fires than limit; those that are shown are the first."`
	Busiest *ForecastMinute `json:"busiest,omitempty" doc:"The minute in which most of the results fire. Absent if there are none."`

	GroupPauses []GroupPause `json:"group_pauses,omitempty" doc:"Pauses of applications and of all schedules that are on. Their schedules are not in the results."`
}

// ForecastFire is a time at which a schedule is going to fire.
type ForecastFire struct {
	App           string        `json:"app"`
	Job           string        `json:"job"`
	Schedule      string        `json:"schedule"`
	Time          subjects.Time `json:"time" doc:"When it fires."`
	Local         string        `json:"local" doc:"The same time in the time zone of the schedule, with its offset."`
	NominalTime   subjects.Time `json:"nominal_time" doc:"Earlier than time if the schedule has a jitter."`
	UsualDuration *float64      `json:"usual_duration" doc:"Average duration of the job's completed executions, in milliseconds. null if there are none."`
}

// ForecastMinute is a minute, and how often schedules fire in it.
type ForecastMinute struct {
	Time  subjects.Time `json:"time"`
	Count int           `json:"count"`
}

package rest

import (
	"bytes"
	"encoding/json"
	"hash/fnv"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// All is a page of a short list. EDN shows it as a vector.
type All[T any] struct{ List[T] }

// EDN returns the results alone.
func (a All[T]) EDN() any { return a.Results }

// List is a page of a list, newest first or by name.
type List[T any] struct {
	Results []T `json:"results"`
	Hits    int `json:"hits" doc:"Number of all entries of the list."`
	Offset  int `json:"offset" doc:"Number of the first entry on this page, from 1."`
	Limit   int `json:"limit"`

	Next     *string `json:"next" doc:"Value of after for the next page; null on the last page."`
	Previous *string `json:"previous" doc:"Value of before for the previous page; null on the first page."`
}

// Executions is a page of executions, newest first: by create time, then by id.
type Executions struct {
	List[ListedExecution]

	Scanned *int  `json:"scanned,omitzero" doc:"Only with the filter parameter: number of records that the bus read for this page. hits counts those that match."`
	More    *bool `json:"more,omitzero" doc:"Only with the filter parameter: true if the bus stopped reading before the end of the list. next continues there, even if this page is empty."`
}

// Waiting says why an execution waits.
type Waiting struct {
	For      *string `json:"waiting_for" edn:"job-execution/waiting-for" doc:"Why the execution waits, as a sentence for people; null if it does not wait, and in the answer that starts it." example:"all 4 slots of 2 agents of pool default are busy"`
	Position *int    `json:"queue_position" edn:"job-execution/queue-position" doc:"Position in the queue of its pool, from 1; null if the execution does not wait. Agents sometimes fetch an older execution of a lower priority first."`
}

// AppInfo is an application.
type AppInfo struct {
	Name            string        `json:"name" edn:"application/name"`
	Description     string        `json:"description" edn:"application/description"`
	Classpath       []string      `json:"classpath" edn:"application/classpaths" doc:"Class path of the current deployment: URLs, or the names of uploaded jars."`
	CreateTime      subjects.Time `json:"create_time" edn:"application/create-time" nullable:"true" doc:"Null, like last_updated_time, of an application that the user may not read."`
	LastUpdatedTime subjects.Time `json:"last_updated_time" edn:"application/last-updated-time" nullable:"true"`
	ClassLoaderID   string        `json:"-" edn:"application/class-loader-id,uuid"`
}

// AppStats counts what belongs to an application.
type AppStats struct {
	Agents int `json:"agents" doc:"Number of live agents that serve the application."`
	Jobs   int `json:"jobs"`
}

// Job is a job with its statistics and its latest execution.
type Job struct {
	DBID              int64               `json:"-" edn:"db/id"` // made from the name
	Name              string              `json:"name" edn:"job/name"`
	Restartable       bool                `json:"restartable" edn:"job/restartable?"`
	Exclusive         bool                `json:"exclusive" edn:"job/exclusive?"`
	Stats             JobStats            `json:"stats" edn:"job/stats"`
	Schedule          *Schedule           `json:"schedule" edn:"job/schedule" doc:"Schedule with the name default."`
	Schedules         []NamedSchedule     `json:"schedules,omitempty" edn:"job/schedules" doc:"All schedules of the job, the default one first. Absent if there is none other than the default one."`
	NextExecution     *NextExecution      `json:"next_execution" edn:"job/next-execution"`
	LatestExecution   *ExecutionSummary   `json:"latest_execution" edn:"job/latest-execution"`
	CreateTime        subjects.Time       `json:"create_time" edn:"job/create-time"`
	LastUpdatedTime   subjects.Time       `json:"last_updated_time" edn:"job/last-updated-time"`
	Executions        *[]ExecutionSummary `json:"executions,omitzero" edn:"job/executions" doc:"Only with with=execution: the newest 100 executions, and the next five fires with the status registered."`
	DynamicParameters []string            `json:"dynamic_parameters,omitempty" edn:"job/dynamic-parameters,set" doc:"Job parameters to which the properties of the job refer. Absent in lists."`
	Warnings          []string            `json:"warnings,omitempty" doc:"Parts of the job that the bus accepts but that cannot run, such as a component that the application lacks."`
	Definition        Definition          `json:"definition,omitzero" edn:"job/definition" doc:"Definition of the job, as PUT accepts it. Absent in lists."`
	BPMNXMLNotation   string              `json:"bpmn_xml_notation,omitempty" edn:"job/bpmn-xml-notation" doc:"Diagram from which the definition was read, if there is one. In lists only with with=notation."`
	SVGNotation       string              `json:"svg_notation,omitempty" edn:"job/svg-notation" doc:"Picture of the diagram. In lists only with with=notation."`

	TimeMonitor         *TimeMonitor         `json:"time_monitor,omitempty" edn:"job/time-monitor,refs" doc:"Time monitor of the job, if it has one. In lists only with with=settings."`
	StatusNotifications []StatusNotification `json:"status_notifications,omitempty" edn:"job/status-notifications,refs" doc:"Status notifications of the job, if it has any. In lists only with with=settings."`
	Triggers            *Triggers            `json:"triggers,omitempty" edn:"job/triggers,refs" doc:"Triggers of the job, if it has any. In lists only with with=settings."`
}

// Definition is the definition of a job as it is stored.
type Definition struct {
	JSON  json.RawMessage
	Model *jsl.Job // of JSON, or nil if it was not parsed yet
}

// Parse returns the parsed definition. Of one that a newer version wrote, it
// returns the part that this version understands.
func (d Definition) Parse() *jsl.Job {
	if d.Model != nil {
		return d.Model
	}
	j, _ := jsl.Restore(d.JSON)
	return j
}

// IsZero reports whether the definition was left out.
func (d Definition) IsZero() bool { return len(d.JSON) == 0 }

// MarshalJSON returns the stored text.
func (d Definition) MarshalJSON() ([]byte, error) { return d.JSON, nil }

// UnmarshalJSON keeps the text.
func (d *Definition) UnmarshalJSON(text []byte) error {
	d.JSON = bytes.Clone(text)
	return nil
}

// JobPreview says what a PUT of a job's file would change.
type JobPreview struct {
	Name     string          `json:"name" edn:"job/name"`
	Result   string          `json:"result" enum:"created,changed,unchanged"`
	Warnings []string        `json:"warnings,omitempty" doc:"Parts of the job that the bus would accept but that cannot run."`
	Was      json.RawMessage `json:"was,omitempty" doc:"The job's file as it is now. Absent if there is no such job."`
	Is       json.RawMessage `json:"is" doc:"The job's file after the PUT."`
}

// JobXML is the job XML of a diagram.
type JobXML struct {
	JobXML string `json:"job_xml" edn:"job-xml" doc:"The job as JSR-352 job XML."`
}

// TestStarted names the execution of a diagram that is tried.
type TestStarted struct {
	StateID int64 `json:"state_id" edn:"state-id"`
}

// TestState is the state of a diagram that is tried.
type TestState struct {
	BatchStatus  subjects.BatchStatus `json:"batch_status" edn:"batch-status,keyword=batch-status"`
	LogMessage   string               `json:"log_message,omitempty" edn:"log-message" doc:"Why the execution does not continue."`
	LogException string               `json:"log_exception,omitempty" edn:"log-exception"`
}

// JobStats counts the executions of a job.
type JobStats struct {
	Total   int     `json:"total"`
	Success int     `json:"success" doc:"Number of completed executions."`
	Failure int     `json:"failure" doc:"Number of failed executions."`
	Average float64 `json:"average" doc:"Average time from start to end of the completed executions, in milliseconds; 0 if there are none."`
}

// NextExecution is the next fire of any schedule of the job.
type NextExecution struct {
	StartTime subjects.Time `json:"start_time" edn:"job-execution/start-time"`
}

// Schedule says when a job fires.
type Schedule struct {
	CronNotation    string        `json:"cron_notation" edn:"schedule/cron-notation" doc:"Empty for a schedule that counts business days."`
	BusinessDays    []int         `json:"business_days,omitempty" edn:"schedule/business-days"`
	Of              string        `json:"of,omitempty" edn:"schedule/of"`
	Months          []int         `json:"months,omitempty" edn:"schedule/months"`
	TimeZone        *string       `json:"time_zone" edn:"schedule/time-zone"`
	Calendar        *string       `json:"calendar" edn:"schedule/calendar,in=calendar/name"`
	Substitution    string        `json:"substitution" edn:"schedule/substitution" enum:"none,next,previous,true"`
	Substitutes     bool          `json:"-" edn:"schedule/substitution?"` // for v1 clients
	Misfire         string        `json:"misfire" edn:"schedule/misfire,keyword"`
	MisfireAfter    string        `json:"misfire_after" edn:"schedule/misfire-after" doc:"A duration. A nominal time that the scheduler handles later than this is a misfire."`
	Active          bool          `json:"active" edn:"schedule/active?" doc:"false while the schedule is paused."`
	LastUpdatedTime subjects.Time `json:"last_updated_time" edn:"schedule/last-updated-time"`
	Name            string        `json:"name" edn:"schedule/name"`

	Paused *Pause `json:"paused,omitempty" edn:"schedule/paused" doc:"Who paused the schedule, and why. Absent while it is active, and if nobody said."`

	GroupPauses []GroupPause `json:"group_pauses,omitempty" edn:"schedule/group-pauses" doc:"Pauses of the application and of all schedules that are on: the schedule does not fire, even if it is active. Absent if there are none."`

	At         string            `json:"at,omitempty" edn:"schedule/at" doc:"The only nominal time. cron_notation is empty then."`
	Start      string            `json:"start,omitempty" edn:"schedule/start"`
	End        string            `json:"end,omitempty" edn:"schedule/end"`
	DST        string            `json:"dst,omitempty" edn:"schedule/dst,keyword" doc:"Absent for once."`
	Jitter     string            `json:"jitter,omitempty" edn:"schedule/jitter"`
	Priority   string            `json:"priority,omitempty" edn:"schedule/priority,keyword" doc:"Absent for that of the job."`
	Pool       string            `json:"pool,omitempty" edn:"schedule/pool" doc:"Absent for that of the job."`
	Parameters map[string]string `json:"parameters,omitempty" edn:"schedule/parameters"`

	Overlap       string `json:"overlap,omitempty" edn:"schedule/overlap,keyword" doc:"Absent for allow."`
	CatchUpLimit  int    `json:"catch_up_limit,omitzero" edn:"schedule/catch-up-limit"`
	CatchUpWindow string `json:"catch_up_window,omitempty" edn:"schedule/catch-up-window"`
}

// Pause says who paused a schedule, and why.
type Pause struct {
	By     *string       `json:"by" doc:"Id of the user. Null if no login was required."`
	At     subjects.Time `json:"at"`
	Reason string        `json:"reason,omitempty"`
}

// ResumedSchedule is a schedule after its pause.
type ResumedSchedule struct {
	Schedule
	Resumed *Resumed `json:"resumed,omitempty" edn:"schedule/resumed" doc:"The pause that ended. Absent if the schedule was not paused."`
}

// Resumed says which nominal times passed during a pause.
type Resumed struct {
	From    subjects.Time `json:"from" doc:"When the pause began, or the last change of the schedule during it."`
	To      subjects.Time `json:"to"`
	Count   int           `json:"count" doc:"Number of nominal times that passed during the pause, at most 1,000,000."`
	CatchUp bool          `json:"catch_up" doc:"true if they count as misfires; false if they were skipped."`
}

// GroupPause is a pause of the schedules of an application, or of all schedules.
type GroupPause struct {
	App *string `json:"app" doc:"The application. Null: all schedules are paused."`
	Pause
}

// GroupPauses are the pauses that are on.
type GroupPauses struct {
	Results []GroupPause `json:"results" doc:"That of all schedules first, the others by application."`
}

// GroupResumed is what the end of a pause of schedules makes up for.
type GroupResumed struct {
	App         *string          `json:"app" doc:"The application. Null: all schedules."`
	Resumed     *GroupResumption `json:"resumed,omitempty" doc:"The pause that ended. Absent if the schedules were not paused."`
	GroupPauses []GroupPause     `json:"group_pauses" doc:"Pauses that are still on and hold back some of these schedules."`
}

// GroupResumption says which nominal times passed during a pause of schedules.
type GroupResumption struct {
	From      subjects.Time `json:"from"`
	To        subjects.Time `json:"to"`
	By        *string       `json:"by" doc:"Id of the user who paused them. Null if no login was required."`
	Reason    string        `json:"reason,omitempty"`
	Count     int           `json:"count" doc:"Number of nominal times that passed during the pause, at most 100,000."`
	Schedules int           `json:"schedules" doc:"Number of the schedules with such times."`
	Capped    bool          `json:"capped" doc:"true if there are more nominal times than count."`
	CatchUp   bool          `json:"catch_up" doc:"true if they count as misfires; false if they are skipped."`
}

// NamedSchedule is a schedule with its next fire time.
type NamedSchedule struct {
	Schedule
	NextFire subjects.Time `json:"next_fire" edn:"schedule/next-fire" nullable:"true" doc:"Null if the schedule does not fire: it is paused, or its application or all schedules are, or it has no more times."`
}

// Schedules are all schedules of a job, the default one first, the others by
// name.
type Schedules struct {
	Results []NamedSchedule `json:"results"`
}

// Limit is a named resource of which executions may hold only so much at a
// time.
type Limit struct {
	Name            string        `json:"name" edn:"limit/name"`
	Capacity        int           `json:"capacity" edn:"limit/capacity" doc:"How many units executions may hold at a time."`
	Held            int           `json:"held" edn:"limit/held" doc:"How many units executions hold now; more than capacity after it was lowered."`
	Waiting         int           `json:"waiting" edn:"limit/waiting" doc:"Number of executions that use the limit and wait for it or for another one."`
	Holders         []LimitHolder `json:"holders" edn:"limit/holders" doc:"The executions that hold units, in applications that the user may read."`
	CreateTime      subjects.Time `json:"create_time" edn:"limit/create-time"`
	LastUpdatedTime subjects.Time `json:"last_updated_time" edn:"limit/last-updated-time"`
}

// Secret is a secret of an application, without its value: no answer has that.
type Secret struct {
	Name            string        `json:"name" edn:"secret/name"`
	KeyID           string        `json:"key_id" edn:"secret/key-id" doc:"The key of the control bus that encrypts the value."`
	SetBy           string        `json:"set_by" edn:"secret/set-by" doc:"User who set the value; empty if the control bus required no login."`
	CreateTime      subjects.Time `json:"create_time" edn:"secret/create-time"`
	LastUpdatedTime subjects.Time `json:"last_updated_time" edn:"secret/last-updated-time" doc:"When the value was set."`
}

// LimitHolder is an execution that holds units of a limit.
type LimitHolder struct {
	ExecutionID int64  `json:"execution_id" edn:"job-execution/execution-id,id"`
	App         string `json:"app" edn:"application/name"`
	Job         string `json:"job" edn:"job/name"`
	Units       int    `json:"units" edn:"limit/units"`
}

// AgentRef names an agent.
type AgentRef struct {
	Name       string `json:"name" edn:"agent/name"`
	InstanceID string `json:"instance_id" edn:"agent/instance-id,uuid" format:"uuid"`
}

// ExecutionSummary is an execution as lists show it.
type ExecutionSummary struct {
	ExecutionID     int64                `json:"execution_id" edn:"db/id|job-execution/execution-id,id" doc:"0 for a future fire."`
	InstanceID      int64                `json:"instance_id" edn:"job-execution/instance-id,id" doc:"Id of the first execution in a chain of restarts, the same for all executions of the chain."`
	App             string               `json:"app" edn:"application/name"`
	Job             string               `json:"job" edn:"job/name"`
	BatchStatus     subjects.BatchStatus `json:"batch_status" edn:"job-execution/batch-status,ref=batch-status" enum:"undispatched,unrestarted,queued,starting,started,stopping,stopped,failed,completed,abandoned,unknown,registered"`
	ExitStatus      *string              `json:"exit_status" edn:"job-execution/exit-status" doc:"Not null once the execution has ended."`
	CreateTime      subjects.Time        `json:"create_time" edn:"job-execution/create-time" nullable:"true" doc:"Null for a future fire."`
	StartTime       subjects.Time        `json:"start_time" edn:"job-execution/start-time" nullable:"true"`
	EndTime         subjects.Time        `json:"end_time" edn:"job-execution/end-time" nullable:"true"`
	LastUpdatedTime subjects.Time        `json:"last_updated_time" edn:"job-execution/last-updated-time" nullable:"true" doc:"Null for a future fire."`
	Agent           *AgentRef            `json:"agent" edn:"job-execution/agent"`
	Attempt         int                  `json:"attempt" edn:"job-execution/attempt" doc:"0 until an agent has claimed the execution."`
	ScheduledFor    subjects.Time        `json:"scheduled_for" edn:"job-execution/scheduled-for" nullable:"true" doc:"Nominal time of the schedule."`
	Schedule        *string              `json:"schedule,omitzero" edn:"job-execution/schedule" doc:"Name of the schedule that fired it, or fired the execution that it restarts. Absent if no schedule did."`
	BackfillID      *int64               `json:"backfill_id,omitzero" edn:"job-execution/backfill-id" doc:"The backfill that fired it, or fired the execution that it restarts. Absent if none did."`
	RestartOf       *int64               `json:"restart_of" edn:"job-execution/restart-of"`
}

// ListedExecution is an execution in a list.
type ListedExecution struct {
	ExecutionSummary
	Waiting
	JobParameters *map[string]string `json:"job_parameters,omitzero" edn:"job-execution/job-parameters,text" doc:"Only with with=parameters: the parameters with which the execution was started."`
}

// Execution is one execution of a job.
type Execution struct {
	ExecutionSummary
	Waiting
	Exception      *string           `json:"exception" edn:"job-execution/exception" doc:"Why the execution failed, for people."`
	JobParameters  map[string]string `json:"job_parameters" edn:"job-execution/job-parameters,text" doc:"The parameters with which the execution was started, or those of the execution that it restarts."`
	ScheduledDate  *string           `json:"scheduled_date,omitzero" edn:"job-execution/scheduled-date" doc:"Date of scheduled_for in the time zone of the schedule, as YYYY-MM-DD."`
	Retry          *Retry            `json:"retry,omitzero" edn:"job-execution/retry" doc:"Only if the definition had retry."`
	TriggeredBy    []Cause           `json:"triggered_by,omitempty" edn:"job-execution/triggered-by" doc:"The executions that started this one, or the one that it restarts, by triggers. Absent if there are none."`
	RestartedBy    *int64            `json:"restarted_by,omitzero" edn:"job-execution/restarted-by" doc:"The execution that restarts this one. Absent if there is none."`
	LogDropped     int64             `json:"log_dropped,omitzero" edn:"job-execution/log-dropped" doc:"Number of lost lines of output. Absent if there are none."`
	EarlierSteps   []EarlierStep     `json:"earlier_steps,omitempty" edn:"job-execution/earlier-steps" doc:"Of a restart: the steps that began in the executions before it. Those that are completed do not run again, unless they allow it."`
	StepExecutions []StepExecution   `json:"step_executions" edn:"job-execution/step-executions" doc:"The steps in the order of their start. Several can be started at the same time, in a split."`
}

// Retry says which run of a job an execution is, and whether the bus restarts
// it.
type Retry struct {
	Run   int           `json:"run" edn:"retry/run" doc:"The execution is this run, from 1. From 2 on, it is an automatic restart of a failed execution."`
	Of    int           `json:"of" edn:"retry/of" doc:"How often the job runs in all."`
	Due   subjects.Time `json:"due,omitzero" edn:"retry/due" doc:"When the bus restarts the failed execution. Absent if it does not, or has."`
	Ended *string       `json:"ended,omitzero" edn:"retry/ended" doc:"Why the bus does not restart the failed execution."`
}

// Agent is an agent as the control bus sees it.
type Agent struct {
	AgentRef
	Host         string              `json:"host" edn:"agent/host"`
	OSName       string              `json:"os_name" edn:"agent/os-name"`
	OSVersion    string              `json:"os_version" edn:"agent/os-version"`
	CPUArch      string              `json:"cpu_arch" edn:"agent/cpu-arch"`
	CPUCore      int                 `json:"cpu_core" edn:"agent/cpu-core"`
	AgentVersion string              `json:"agent_version" edn:"agent/agent-version"`
	Status       string              `json:"status" edn:"agent/status,keyword" enum:"ready,blocked,leaving,gone,lost" doc:"lost: the agent has sent no heartbeat for too long."`
	BlockedSince subjects.Time       `json:"blocked_since,omitzero" edn:"agent/blocked-since" doc:"Since when it is blocked. Absent if it is not."`
	BlockedBy    *string             `json:"blocked_by,omitzero" edn:"agent/blocked-by" doc:"Id of the user who blocked it. Absent if the control bus required no login."`
	Stats        subjects.Stats      `json:"stats" edn:"agent/stats"`
	Jobs         AgentJobs           `json:"jobs" edn:"agent/jobs"`
	Apps         []string            `json:"apps" edn:"agent/apps"`
	Pools        []string            `json:"pools" edn:"agent/pools"`
	StartTime    subjects.Time       `json:"start_time" edn:"agent/start-time"`
	LastSeen     subjects.Time       `json:"last_seen" edn:"agent/last-seen"`
	Executions   *[]ExecutionSummary `json:"executions,omitzero" edn:"agent/executions" doc:"The newest 20 executions of the agent. Absent in lists."`
}

// AgentJobs says how busy an agent is.
type AgentJobs struct {
	Running int `json:"running"`
	Slots   int `json:"slots" doc:"Number of executions that the agent can run at the same time."`
}

// Event is a change of an execution, in /events.
type Event struct {
	ExecutionID     int64                `json:"execution_id"`
	App             string               `json:"app"`
	Job             string               `json:"job"`
	BatchStatus     subjects.BatchStatus `json:"batch_status"`
	ExitStatus      *string              `json:"exit_status"`
	Attempt         int                  `json:"attempt"`
	Agent           *AgentRef            `json:"agent"`
	CreateTime      subjects.Time        `json:"create_time"`
	StartTime       subjects.Time        `json:"start_time" nullable:"true"`
	EndTime         subjects.Time        `json:"end_time" nullable:"true"`
	LastUpdatedTime subjects.Time        `json:"last_updated_time"`
	CurrentSteps    []CurrentStep        `json:"current_steps,omitempty" doc:"The steps that run. Absent if there are none."`
}

// CurrentStep is a step that runs, in an [Event].
type CurrentStep struct {
	StepName            string               `json:"step_name"`
	BatchStatus         subjects.BatchStatus `json:"batch_status"`
	StartTime           subjects.Time        `json:"start_time" nullable:"true"`
	Metrics             *Metrics             `json:"metrics,omitzero"`
	PartitionCount      int                  `json:"partition_count,omitzero" doc:"Absent if it has no partitions."`
	CompletedPartitions int                  `json:"completed_partitions,omitzero"`
}

// LogLine is one line of output, in the events of a log that is followed.
type LogLine struct {
	Time    subjects.Time `json:"time" edn:"execution-log/date"`
	Attempt int           `json:"attempt" edn:"execution-log/attempt"`
	Level   string        `json:"level" edn:"execution-log/level,ref=log-level"`
	Stream  string        `json:"stream" edn:"execution-log/stream"`
	Step    string        `json:"step,omitempty" edn:"execution-log/step"`
	Message string        `json:"message" edn:"execution-log/message"`

	Exception string `json:"exception,omitempty" edn:"execution-log/exception" doc:"On the last line of a failed step: why it failed."`
}

// LogPage is a part of the output of an execution.
type LogPage struct {
	Results  []LogLine `json:"results"`
	Hits     *int      `json:"hits" doc:"Number of all lines; null with after or before, which do not count them."`
	Offset   *int      `json:"offset" doc:"Number of the first line, from 1; null with after or before."`
	Limit    int       `json:"limit"`
	Next     *string   `json:"next" doc:"Value of after for the next page; null on the last page."`
	Previous *string   `json:"previous" doc:"Value of before for the previous page; null on the first page."`
}

// DBID returns a number below 2^53 by which v1 clients identify a thing that
// has no number of its own. It is made from the names of the thing, and is
// larger than the id of any execution.
func DBID(kind string, names ...string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(kind + "/" + strings.Join(names, "/"))) // never fails
	return int64(h.Sum64()>>12) | 1<<52
}

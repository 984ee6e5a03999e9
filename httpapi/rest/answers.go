package rest

import (
	"encoding/json"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// List is a page of something, newest first or by name.
type List[T any] struct {
	Results []T `json:"results"`
	Hits    int `json:"hits" doc:"How many there are in all."`
	Offset  int `json:"offset" doc:"The first one's number, from 1."`
	Limit   int `json:"limit"`
}

// AppInfo is an application.
type AppInfo struct {
	Name            string        `json:"name"`
	Description     string        `json:"description"`
	Classpath       []string      `json:"classpath"`
	CreateTime      subjects.Time `json:"create_time"`
	LastUpdatedTime subjects.Time `json:"last_updated_time"`
}

// AppStats counts what belongs to an application.
type AppStats struct {
	Agents int `json:"agents" doc:"Agents that are alive and take its work."`
	Jobs   int `json:"jobs"`
}

// Job is a job with what became of it.
type Job struct {
	Name            string            `json:"name"`
	Restartable     bool              `json:"restartable"`
	Exclusive       bool              `json:"exclusive"`
	Stats           JobStats          `json:"stats"`
	Schedule        *Schedule         `json:"schedule"`
	NextExecution   *NextExecution    `json:"next_execution"`
	LatestExecution *ExecutionSummary `json:"latest_execution"`
	CreateTime      subjects.Time     `json:"create_time"`
	LastUpdatedTime subjects.Time     `json:"last_updated_time"`
	Definition      json.RawMessage   `json:"definition,omitempty" doc:"The job as it may be PUT again. Left out in lists."`
}

// JobStats counts the executions of a job.
type JobStats struct {
	Total   int     `json:"total"`
	Success int     `json:"success" doc:"completed"`
	Failure int     `json:"failure" doc:"failed"`
	Average float64 `json:"average" doc:"Milliseconds from start to end, over the completed ones; 0 if there are none."`
}

// NextExecution is a fire to come.
type NextExecution struct {
	StartTime subjects.Time `json:"start_time"`
}

// Schedule says when a job fires.
type Schedule struct {
	CronNotation    string        `json:"cron_notation"`
	TimeZone        *string       `json:"time_zone"`
	Calendar        *string       `json:"calendar"`
	Substitution    bool          `json:"substitution"`
	Misfire         string        `json:"misfire"`
	Active          bool          `json:"active" doc:"false while it is paused."`
	LastUpdatedTime subjects.Time `json:"last_updated_time"`
}

// AgentRef names an agent.
type AgentRef struct {
	Name       string `json:"name"`
	InstanceID string `json:"instance_id" format:"uuid"`
}

// ExecutionSummary is an execution as lists show it.
type ExecutionSummary struct {
	ExecutionID     int64                `json:"execution_id"`
	InstanceID      int64                `json:"instance_id" doc:"The first execution of its restarts; the same for all of them."`
	App             string               `json:"app"`
	Job             string               `json:"job"`
	BatchStatus     subjects.BatchStatus `json:"batch_status" enum:"undispatched,unrestarted,queued,starting,started,stopping,stopped,failed,completed,abandoned,unknown"`
	ExitStatus      *string              `json:"exit_status" doc:"Never null once the execution has ended."`
	CreateTime      subjects.Time        `json:"create_time"`
	StartTime       subjects.Time        `json:"start_time" nullable:"true"`
	EndTime         subjects.Time        `json:"end_time" nullable:"true"`
	LastUpdatedTime subjects.Time        `json:"last_updated_time"`
	Agent           *AgentRef            `json:"agent"`
	Attempt         int                  `json:"attempt" doc:"0 until an agent has claimed it."`
	ScheduledFor    subjects.Time        `json:"scheduled_for" nullable:"true" doc:"The time that the schedule asked for."`
	RestartOf       *int64               `json:"restart_of"`
}

// Execution is one execution of a job.
type Execution struct {
	ExecutionSummary
	Exception      *string           `json:"exception" doc:"Why it failed, for people."`
	JobParameters  map[string]string `json:"job_parameters" doc:"As given at this start."`
	StepExecutions []StepExecution   `json:"step_executions" doc:"In order of their start."`
}

// StepExecution is one execution of a step.
type StepExecution struct {
	StepExecutionID int64                `json:"step_execution_id"`
	StepName        string               `json:"step_name"`
	BatchStatus     subjects.BatchStatus `json:"batch_status"`
	ExitStatus      *string              `json:"exit_status"`
	StartTime       subjects.Time        `json:"start_time" nullable:"true"`
	EndTime         subjects.Time        `json:"end_time" nullable:"true"`
	Exception       *string              `json:"exception"`
}

// Agent is an agent as the control bus sees it.
type Agent struct {
	AgentRef
	Host         string              `json:"host"`
	OSName       string              `json:"os_name"`
	OSVersion    string              `json:"os_version"`
	CPUArch      string              `json:"cpu_arch"`
	CPUCore      int                 `json:"cpu_core"`
	AgentVersion string              `json:"agent_version"`
	Status       string              `json:"status" enum:"ready,blocked,leaving,gone,lost" doc:"lost: it said nothing for too long."`
	Stats        subjects.Stats      `json:"stats"`
	Jobs         AgentJobs           `json:"jobs"`
	Apps         []string            `json:"apps"`
	Pools        []string            `json:"pools"`
	StartTime    subjects.Time       `json:"start_time"`
	LastSeen     subjects.Time       `json:"last_seen"`
	Executions   *[]ExecutionSummary `json:"executions,omitzero" doc:"The newest 20. Left out in lists."`
}

// AgentJobs says how busy an agent is.
type AgentJobs struct {
	Running int `json:"running"`
	Slots   int `json:"slots" doc:"How many it runs at a time."`
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
}

// LogLine is one line of output, in the events of a log that is followed.
type LogLine struct {
	Time    subjects.Time `json:"time"`
	Attempt int           `json:"attempt"`
	Level   string        `json:"level"`
	Stream  string        `json:"stream"`
	Step    string        `json:"step,omitempty"`
	Message string        `json:"message"`
}

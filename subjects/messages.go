package subjects

import "encoding/json"

// LostAfter is the number of heartbeat intervals after which an execution is
// lost if no heartbeat has named it.
const LostAfter = 3

// MaxHold is the number of seconds for which an agent may hold a request before
// it claims it. It equals the AckWait of the consumers.
const MaxHold = 30

// MaxLogMessage is the number of bytes that a [LogMessage] should not exceed.
const MaxLogMessage = 64 << 10

// Execution is one execution of a job.
type Execution struct {
	ID          int64             `json:"execution_id"`
	InstanceID  int64             `json:"instance_id"` // the id of the first execution in a chain of restarts
	App         string            `json:"app"`
	Job         string            `json:"job"`
	BatchStatus BatchStatus       `json:"batch_status"`
	ExitStatus  string            `json:"exit_status,omitempty"`
	Exception   string            `json:"exception,omitempty"`
	Attempt     int               `json:"attempt"` // 0 until an agent claims it
	Agent       string            `json:"agent,omitempty"`
	Parameters  map[string]string `json:"job_parameters,omitempty"`
	Pool        string            `json:"pool"`
	Priority    string            `json:"priority"`
	Exclusive   bool              `json:"exclusive,omitempty"`
	// [LostFailed] (also if empty) or [LostRequeue].
	OnAgentLost  string `json:"on_agent_lost,omitempty"`
	MaxAttempts  int    `json:"max_attempts,omitempty"` // with [LostRequeue]; 0 is no limit
	ScheduledFor Time   `json:"scheduled_for,omitzero"` // the nominal time of the fire
	// Its date, YYYY-MM-DD, in the time zone of the schedule.
	ScheduledDate  string          `json:"scheduled_date,omitempty"`
	RestartOf      int64           `json:"restart_of,omitempty"`
	CreateTime     Time            `json:"create_time"`
	StartTime      Time            `json:"start_time,omitzero"`
	EndTime        Time            `json:"end_time,omitzero"`
	UpdateTime     Time            `json:"last_updated_time"`
	LogDropped     int64           `json:"log_dropped,omitempty"`     // lost lines of output, of all attempts
	StepExecutions []StepExecution `json:"step_executions,omitempty"` // in order of start
}

// Request asks for one attempt of one execution.
type Request struct {
	Execution        Execution `json:"execution"` // the agent copies it to the claim, unchanged
	Attempt          int       `json:"attempt"`   // from 1
	ExpectedSequence uint64    `json:"expected_sequence"`
	// The job, in the JSON form of the REST API.
	Definition json.RawMessage `json:"definition"`
	// What earlier attempts and restarts did.
	Steps           []StepState `json:"steps,omitempty"`
	RestartPosition string      `json:"restart_position,omitempty"` // the element that a stop@restart named
	Time            Time        `json:"time"`
}

// Result reports what happened to an execution. The execution has the result's
// batch_status from then on.
type Result struct {
	ID          int64       `json:"execution_id"`
	App         string      `json:"app"`
	Job         string      `json:"job"`
	Attempt     int         `json:"attempt"`
	BatchStatus BatchStatus `json:"batch_status"`
	ExitStatus  string      `json:"exit_status,omitempty"`
	// Why it failed, for people to read; a few lines.
	Exception string          `json:"exception,omitempty"`
	Agent     string          `json:"agent"`    // equals the subject's last token
	Handling  string          `json:"handling"` // id of one handling of one delivery
	Number    int             `json:"number"`   // 1, 2, ... within the handling
	Time      Time            `json:"time"`
	Steps     []StepExecution `json:"steps,omitempty"` // the ones that changed
	// With stopped: where a restart begins.
	RestartPosition string `json:"restart_position,omitempty"`
	// That of the request plus lines lost in this attempt.
	LogDropped int64      `json:"log_dropped,omitempty"`
	Execution  *Execution `json:"execution,omitempty"` // in a claim only, as the request gave it
}

// Same reports whether o is another copy of the message r.
func (r *Result) Same(o *Result) bool {
	return r.Handling != "" && r.Handling == o.Handling && r.Number == o.Number
}

// LogMessage carries lines of output, in order.
type LogMessage struct {
	Attempt int       `json:"attempt"`
	Dropped int       `json:"dropped,omitempty"` // lines lost before these
	Lines   []LogLine `json:"lines"`
}

// LogLine is one line of output.
type LogLine struct {
	Time    Time   `json:"time"`
	Level   string `json:"level"`  // trace, debug, info, warn, error
	Stream  string `json:"stream"` // stdout or stderr; agent for lines that the agent itself writes
	Step    string `json:"step,omitempty"`
	Message string `json:"message"`
}

// Agent statuses in heartbeats.
const (
	AgentReady   = "ready"
	AgentBlocked = "blocked" // takes no work until a resume command
	AgentLeaving = "leaving" // lets executions end, takes no work
	AgentGone    = "gone"    // the last heartbeat
)

// Heartbeat says that an agent is alive, what it can run and what it is
// running.
type Heartbeat struct {
	Agent      string    `json:"name"`
	Life       string    `json:"life"` // random id of the agent process
	Status     string    `json:"status"`
	Version    string    `json:"agent_version"`
	Host       string    `json:"host"`
	OS         string    `json:"os_name"`
	OSVersion  string    `json:"os_version,omitempty"`
	Arch       string    `json:"cpu_arch"`
	Cores      int       `json:"cpu_core"`
	Apps       []string  `json:"apps"`
	Pools      []string  `json:"pools"`
	Slots      int       `json:"slots"`
	Running    int       `json:"running"`
	IntervalMS int64     `json:"interval_ms"`
	StartTime  Time      `json:"start_time"`
	Time       Time      `json:"time,omitzero"` // when it was sent, by the agent's clock
	Stats      Stats     `json:"stats"`
	Executions []Attempt `json:"executions"`
}

// Attempt names one attempt of an execution.
type Attempt struct {
	ID      int64  `json:"execution_id"`
	Attempt int    `json:"attempt"`
	App     string `json:"app"`
	Job     string `json:"job"`
}

// Stats describe the load and memory of the agent's machine and process.
type Stats struct {
	Memory struct {
		Physical Memory `json:"physical"`
		Swap     Memory `json:"swap"`
	} `json:"memory"`
	CPU struct {
		Process struct {
			Load float64 `json:"load"` // 0..1 of all cores
			Time int64   `json:"time"` // nanoseconds of CPU time
		} `json:"process"`
		System struct {
			Load        float64 `json:"load"`         // 0..1 of all cores
			LoadAverage float64 `json:"load_average"` // of the last minute
		} `json:"system"`
	} `json:"cpu"`
}

// Memory in bytes.
type Memory struct {
	Free  uint64 `json:"free"`
	Total uint64 `json:"total"`
}

// Verbs of commands.
const (
	StopCommand   = "stop"
	DropCommand   = "drop"
	DrainCommand  = "drain"
	ResumeCommand = "resume"
	PingCommand   = "ping"
)

// Command names the attempt that a stop or drop concerns. It is empty with the
// other verbs.
type Command struct {
	ID      int64 `json:"execution_id,omitempty"`
	Attempt int   `json:"attempt,omitempty"`
}

// CommandReply answers a command.
type CommandReply struct {
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"` // if not OK, for example that the agent has no such attempt
	Life  string `json:"life"`
}

// Event reports a change to operators and notifiers. Results report executions.
type Event struct {
	Kind    string          `json:"kind"` // agent, job, schedule, fire
	Time    Time            `json:"time"`
	Subject string          `json:"subject"` // the agent's name, or <app>.<job>
	What    string          `json:"what"`    // joined, lost, blocked, created, fired, skipped ...
	Detail  json.RawMessage `json:"detail,omitempty"`
}

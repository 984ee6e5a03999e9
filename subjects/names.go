package subjects

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// NamePattern is the pattern of application, pool and agent names and of job
// keys. Each of them is one token of a subject and one part of a bucket key.
const NamePattern = `^[A-Za-z0-9_-]{1,128}$`

// MaxName is the maximum length of such a name.
const MaxName = 128

var namePattern = regexp.MustCompile(NamePattern)

// ValidName reports whether s can be the name of an application, a pool or an
// agent, or the key of a job.
func ValidName(s string) bool { return namePattern.MatchString(s) }

// Names of streams. Streams and buckets carry a prefix, since other programs
// may share the NATS account.
const (
	ResultsStream       = "JOBSTREAMER_RESULTS"
	LogsStream          = "JOBSTREAMER_LOGS"
	AuditStream         = "JOBSTREAMER_AUDIT"
	NotificationsStream = "JOBSTREAMER_NOTIFICATIONS"      // that wait to be sent
	DeadLettersStream   = "JOBSTREAMER_DEAD_NOTIFICATIONS" // that were not sent
	RequestStreamPrefix = "JOBSTREAMER_REQUEST_"
)

// Names of key-value buckets; the comments show the form of the keys. Agents
// use no bucket. Operators read them with `nats kv`.
const (
	BucketPrefix      = "jobstreamer_"
	AppsBucket        = BucketPrefix + "apps"         // <app>
	JobsBucket        = BucketPrefix + "jobs"         // <app>.<job>
	SchedulesBucket   = BucketPrefix + "schedules"    // <app>.<job>, <app>.<job>.<name>
	CalendarsBucket   = BucketPrefix + "calendars"    // derived from the name
	PausesBucket      = BucketPrefix + "pauses"       // all, app.<app>: pauses of schedules
	ExecutionsBucket  = BucketPrefix + "executions"   // <app>.<job>.<execution>
	StepDataBucket    = BucketPrefix + "step_data"    // <app>.<job>.<instance>.<step>.<partition, or "step">
	FiresBucket       = BucketPrefix + "fires"        // <app>.<job>.<unix second>
	AgentsBucket      = BucketPrefix + "agents"       // <agent>
	LeasesBucket      = BucketPrefix + "leases"       // <name>
	LocksBucket       = BucketPrefix + "locks"        // <app>.<job>, while an exclusive job has an execution
	LimitsBucket      = BucketPrefix + "limits"       // ledger: all limits, and the executions that hold them
	IdempotencyBucket = BucketPrefix + "idempotency"  // derived from application, job and Idempotency-Key
	CountersBucket    = BucketPrefix + "counters"     // execution: the start of the next free block of ids
	DeploymentsBucket = BucketPrefix + "deployments"  // <app>: the current revision; <app>.<revision>
	UsersBucket       = BucketPrefix + "users"        // <id>
	SessionsBucket    = BucketPrefix + "sessions"     // SHA-256 of the secret
	TokensBucket      = BucketPrefix + "agent_tokens" // <agent>: what the agent may do, and its account
	SecretsBucket     = BucketPrefix + "secrets"      // <app>.<name>, encrypted; key: which key encrypts
	AlertsBucket      = BucketPrefix + "alerts"       // <app>.<job>.<rule>.<execution, or millisecond>
	SamplesBucket     = BucketPrefix + "samples"      // <agent>.<archive>: averages of load and memory
)

// ArtifactsStore is the object store with the jars of applications. The name of
// each object is the SHA-256 of its content. Operators read it with `nats
// object`.
const ArtifactsStore = BucketPrefix + "artifacts"

// Subject filters of the streams and of heartbeats.
const (
	AllResults    = "jobstreamer.result.>"
	AllLogs       = "jobstreamer.log.>"
	AllAnswers    = "jobstreamer.answer.>"
	AllHeartbeats = "jobstreamer.heartbeat.*"
	AllAudit      = "jobstreamer.audit.*"

	AllNotifications = "jobstreamer.notification.*.*"
	AllDeadLetters   = "jobstreamer.event.notification.dead.*.*"
)

// Headers of a publish with an expected last sequence. See the package comment.
const (
	ExpectedSequenceHeader = "Nats-Expected-Last-Subject-Sequence"
	ExpectedFilterHeader   = "Nats-Expected-Last-Subject-Sequence-Subject"
)

// Error codes of JetStream's answer to such a publish.
const (
	WrongLastSequence = 10071 // refused
	MessageTooLarge   = 10054 // refused, whatever is expected
	AnotherInFlight   = 10164 // undecided: the cluster is storing another message of the filter; send again
)

// Bus is the last token of a result that a control bus published.
const Bus = "bus"

// Priorities, the highest first.
const (
	High   = "high"
	Normal = "normal"
	Low    = "low"
)

// Priorities returns all priorities, the highest first.
func Priorities() []string { return []string{High, Normal, Low} }

// DefaultPool is the pool of a job whose definition names none.
const DefaultPool = "default"

// RequestStream returns the name of the stream that is the application's work
// queue.
func RequestStream(app string) string { return RequestStreamPrefix + app }

// RequestConsumer returns the name of the durable consumer for one pool and
// priority. Pool names may contain - and _, so "=" joins the two parts.
func RequestConsumer(pool, priority string) string { return pool + "=" + priority }

// AllRequests returns the subject filter of the application's work queue.
func AllRequests(app string) string { return "jobstreamer.request." + app + ".>" }

// RequestsOf returns the subject filter of the consumer of a pool and priority.
func RequestsOf(app, pool, priority string) string {
	return "jobstreamer.request." + app + "." + pool + "." + priority + ".*"
}

// RequestSubject returns the subject of an execution's request. The queue holds
// at most one request of an execution.
func RequestSubject(app, pool, priority string, execution int64) string {
	return "jobstreamer.request." + app + "." + pool + "." + priority + "." + strconv.FormatInt(execution, 10)
}

// ResultFilter returns the filter that matches all results of an execution,
// from any publisher. Every expected last sequence must use it: the server does
// not check that the filter matches the subject published to.
func ResultFilter(app, job string, execution int64) string {
	return "jobstreamer.result." + app + "." + job + "." + strconv.FormatInt(execution, 10) + ".*"
}

// ResultSubject returns the subject on which who, an agent or [Bus], publishes
// results of an execution.
func ResultSubject(app, job string, execution int64, who string) string {
	return "jobstreamer.result." + app + "." + job + "." + strconv.FormatInt(execution, 10) + "." + who
}

// ParseResultSubject returns the parts of a result's subject.
func ParseResultSubject(subject string) (app, job string, execution int64, who string, err error) {
	t := strings.Split(subject, ".")
	if len(t) == 6 && t[0] == "jobstreamer" && t[1] == "result" {
		if execution, err = strconv.ParseInt(t[4], 10, 64); err == nil && execution > 0 {
			return t[2], t[3], execution, t[5], nil
		}
	}
	return "", "", 0, "", fmt.Errorf("%q is not jobstreamer.result.<app>.<job>.<execution>.<who>", subject)
}

// LogSubject returns the subject on which an agent publishes the output of an
// execution.
func LogSubject(app, job string, execution int64, agent string) string {
	return "jobstreamer.log." + app + "." + job + "." + strconv.FormatInt(execution, 10) + "." + agent
}

// LogFilter returns the filter that matches all output of an execution.
func LogFilter(app, job string, execution int64) string {
	return LogSubject(app, job, execution, "*")
}

// HeartbeatSubject returns the subject of an agent's heartbeats.
func HeartbeatSubject(agent string) string { return "jobstreamer.heartbeat." + agent }

// InboxPrefix returns the prefix of all reply subjects of an agent, without the
// dot that follows it.
func InboxPrefix(agent string) string { return "_INBOX." + agent }

// CommandSubject returns the subject on which an agent receives a command.
func CommandSubject(agent, verb string) string { return "jobstreamer.command." + agent + "." + verb }

// AuditSubject returns the subject of an audit row about an application. "="
// stands for no application: no application has that name. Agents have nothing
// to do with the audit.
func AuditSubject(app string) string {
	if !ValidName(app) {
		app = "="
	}
	return "jobstreamer.audit." + app
}

// NotificationSubject returns the subject of a notification about a job.
func NotificationSubject(app, job string) string {
	return "jobstreamer.notification." + app + "." + job
}

// DeadLetterSubject returns the subject of the event that a notification about a
// job was not sent.
func DeadLetterSubject(app, job string) string {
	return EventSubject("notification", "dead", app, job)
}

// EventSubject returns the subject of an event. The tokens name what it
// concerns.
func EventSubject(kind string, tokens ...string) string {
	return "jobstreamer.event." + kind + "." + strings.Join(tokens, ".")
}

// AnswerSubject returns the reply subject of a command, on which the agent
// answers. An agent in a NATS account of its own can answer nowhere else. id is
// that of the command, or ">" for all answers of the agent.
func AnswerSubject(agent, id string) string { return "jobstreamer.answer." + agent + "." + id }

// ResultsOfApp returns the filter that matches all results of an application.
func ResultsOfApp(app string) string { return "jobstreamer.result." + app + ".>" }

// ResultsBy returns the filter that matches all results of an application that
// an agent publishes.
func ResultsBy(app, agent string) string { return "jobstreamer.result." + app + ".*.*." + agent }

// LogsBy returns the filter that matches all output of an application that an
// agent publishes.
func LogsBy(app, agent string) string { return "jobstreamer.log." + app + ".*.*." + agent }

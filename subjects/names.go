package subjects

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// NamePattern is what application, pool and agent names and the keys of jobs match, so that each is one
// token of a subject and a part of a key.
const NamePattern = `^[A-Za-z0-9_-]{1,128}$`

// MaxName is how long a name may be.
const MaxName = 128

var namePattern = regexp.MustCompile(NamePattern)

// ValidName says whether s can be the name of an application, a pool or an agent, or the key of a job.
func ValidName(s string) bool { return namePattern.MatchString(s) }

// Streams. All of them, and the buckets, carry the prefix, since a NATS account may be shared.
const (
	ResultsStream       = "JOBSTREAMER_RESULTS"
	LogsStream          = "JOBSTREAMER_LOGS"
	RequestStreamPrefix = "JOBSTREAMER_REQUEST_"
)

// Buckets of the key-value store. Agents use none of them; operators read them with `nats kv`.
const (
	BucketPrefix      = "jobstreamer_"
	AppsBucket        = BucketPrefix + "apps"        // <app>
	JobsBucket        = BucketPrefix + "jobs"        // <app>.<job>
	SchedulesBucket   = BucketPrefix + "schedules"   // <app>.<job>
	CalendarsBucket   = BucketPrefix + "calendars"   // made from the name
	ExecutionsBucket  = BucketPrefix + "executions"  // <app>.<job>.<execution>
	FiresBucket       = BucketPrefix + "fires"       // <app>.<job>.<unix second>
	AgentsBucket      = BucketPrefix + "agents"      // <agent>
	LeasesBucket      = BucketPrefix + "leases"      // <name>
	LocksBucket       = BucketPrefix + "locks"       // <app>.<job>, while an exclusive job has an execution
	IdempotencyBucket = BucketPrefix + "idempotency" // made from application, job and Idempotency-Key
	CountersBucket    = BucketPrefix + "counters"    // execution: the next free block of ids
	DeploymentsBucket = BucketPrefix + "deployments" // <app>: which revision is current; <app>.<revision>
	UsersBucket       = BucketPrefix + "users"       // <id>
	SessionsBucket    = BucketPrefix + "sessions"    // SHA-256 of the secret
	SamplesBucket     = BucketPrefix + "samples"     // <agent>.<archive>: averages of load and memory
)

// BucketStream is the stream that keeps a bucket.
func BucketStream(bucket string) string { return "KV_" + bucket }

// ArtifactsStore is the object store with the jars of applications, each named by the SHA-256 of its content.
// Operators read it with `nats object`.
const ArtifactsStore = BucketPrefix + "artifacts"

// Wildcards of the streams.
const (
	AllResults    = "jobstreamer.result.>"
	AllLogs       = "jobstreamer.log.>"
	AllHeartbeats = "jobstreamer.heartbeat.*"
)

// Headers of a publish that fences, see the package comment.
const (
	ExpectedSequenceHeader = "Nats-Expected-Last-Subject-Sequence"
	ExpectedFilterHeader   = "Nats-Expected-Last-Subject-Sequence-Subject"
)

// Error codes of JetStream's answer to a publish that fences.
const (
	WrongLastSequence = 10071 // refused
	AnotherInFlight   = 10164 // neither stored nor refused: another message of the filter is being stored in the cluster; send again
)

// Bus is the last token of a result that a control bus published.
const Bus = "bus"

// Priorities, the one to ask first in front.
const (
	High   = "high"
	Normal = "normal"
	Low    = "low"
)

// Priorities lists all of them, the one to ask first in front.
func Priorities() []string { return []string{High, Normal, Low} }

// DefaultPool is the pool of a job that names none.
const DefaultPool = "default"

// RequestStream is the name of the application's work queue.
func RequestStream(app string) string { return RequestStreamPrefix + app }

// RequestConsumer is the durable consumer for one pool and priority. Names may hold - and _, so they
// are joined with the one character that neither has.
func RequestConsumer(pool, priority string) string { return pool + "=" + priority }

// AllRequests are the subjects of the application's work queue.
func AllRequests(app string) string { return "jobstreamer.request." + app + ".>" }

// RequestsOf is what the consumer of a pool and priority filters.
func RequestsOf(app, pool, priority string) string {
	return "jobstreamer.request." + app + "." + pool + "." + priority + ".*"
}

// RequestSubject is where the one request that an execution may have in its queue is.
func RequestSubject(app, pool, priority string, execution int64) string {
	return "jobstreamer.request." + app + "." + pool + "." + priority + "." + strconv.FormatInt(execution, 10)
}

// ResultFilter matches all results of an execution, whoever published them. Every expectation uses it:
// the server would accept a filter that does not even match the subject published.
func ResultFilter(app, job string, execution int64) string {
	return "jobstreamer.result." + app + "." + job + "." + strconv.FormatInt(execution, 10) + ".*"
}

// ResultSubject is where who, an agent or [Bus], publishes results of an execution.
func ResultSubject(app, job string, execution int64, who string) string {
	return "jobstreamer.result." + app + "." + job + "." + strconv.FormatInt(execution, 10) + "." + who
}

// ParseResultSubject takes a result's subject apart.
func ParseResultSubject(subject string) (app, job string, execution int64, who string, err error) {
	t := strings.Split(subject, ".")
	if len(t) == 6 && t[0] == "jobstreamer" && t[1] == "result" {
		if execution, err = strconv.ParseInt(t[4], 10, 64); err == nil && execution > 0 {
			return t[2], t[3], execution, t[5], nil
		}
	}
	return "", "", 0, "", fmt.Errorf("%q is not jobstreamer.result.<app>.<job>.<execution>.<who>", subject)
}

// LogSubject is where an agent publishes the output of an execution.
func LogSubject(app, job string, execution int64, agent string) string {
	return "jobstreamer.log." + app + "." + job + "." + strconv.FormatInt(execution, 10) + "." + agent
}

// LogFilter matches all output of an execution.
func LogFilter(app, job string, execution int64) string {
	return LogSubject(app, job, execution, "*")
}

// HeartbeatSubject is where an agent says that it lives.
func HeartbeatSubject(agent string) string { return "jobstreamer.heartbeat." + agent }

// CommandSubject is where an agent takes a command.
func CommandSubject(agent, verb string) string { return "jobstreamer.command." + agent + "." + verb }

// EventSubject is where a bus says what happened: kind, then what it happened to.
func EventSubject(kind string, tokens ...string) string {
	return "jobstreamer.event." + kind + "." + strings.Join(tokens, ".")
}

package bus

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// App is a batch application. Its jobs, its work queue and its agents name it.
type App struct {
	Name        string        `json:"name"`
	Description string        `json:"description,omitempty"`
	CreateTime  subjects.Time `json:"create_time"`
	UpdateTime  subjects.Time `json:"last_updated_time"`
}

// DefaultApp is an application that every bus creates.
const DefaultApp = "default"

// Job is the stored form of a job. Definition is the canonical JSON form that
// package jsl writes.
type Job struct {
	App  string `json:"app"`
	Name string `json:"name,omitempty"`
	// The key of its first name, if it was free; stored under the name that
	// older releases read.
	PermanentKey string        `json:"token,omitempty"`
	CreateTime   subjects.Time `json:"create_time"`
	UpdateTime   subjects.Time `json:"last_updated_time"`
	// Empty: there is no job at this key, only a NameOf.
	Definition json.RawMessage `json:"definition,omitempty"`
	// Permanent key of another job, whose name has this key.
	NameOf string `json:"name_of,omitempty"`
	// Revision of the last edit, if only name_of changed since.
	Edit     uint64    `json:"edit,omitempty"`
	Notation *Notation `json:"notation,omitempty"` // a diagram; the read model keeps only that there is one
	Settings Settings  `json:"settings,omitzero"`
}

// Notation is a diagram of a job, stored as the client sent it.
type Notation struct {
	BPMN string `json:"bpmn,omitempty"` // XML, for an editor
	SVG  string `json:"svg,omitempty"`  // the image
}

// EditOf returns the revision of the last edit of a job.
func EditOf(e Entry[Job]) uint64 { return cmp.Or(e.Value.Edit, e.Revision) }

// Key returns the job's key in the buckets jobs and locks.
func (j *Job) Key() string { return JobKey(j.App, cmp.Or(j.PermanentKey, NameKey(j.Name))) }

// JobKey returns the key, in the buckets jobs and locks, of the job with this
// permanent key in app.
func JobKey(app, key string) string { return app + "." + key }

// SplitJobKey splits a key that [JobKey] returned.
func SplitJobKey(key string) (app, permanentKey string, ok bool) {
	app, permanentKey, ok = strings.Cut(key, ".")
	return app, permanentKey, ok && !strings.Contains(permanentKey, ".")
}

// Schedule says when a job fires. A job may have several.
type Schedule struct {
	App  string `json:"app"`
	Job  string `json:"job"`
	Name string `json:"name,omitempty"` // empty: [DefaultSchedule]
	Cron string `json:"cron_notation"`
	// The only nominal time; Cron is empty then. With BusinessDays, the clock time.
	At       string `json:"at,omitempty"`
	TimeZone string `json:"time_zone,omitempty"` // IANA name; empty: that of the bus
	// The key of a calendar. Without one, every day is a business day; for
	// BusinessDays, every day but Saturdays and Sundays.
	Calendar     string       `json:"calendar,omitempty"`
	Substitution Substitution `json:"substitution,omitempty"`
	// In place of Cron: see [calendar.BusinessDays].
	BusinessDays []int  `json:"business_days,omitempty"`
	Of           string `json:"of,omitempty"`
	Months       []int  `json:"months,omitempty"`
	Misfire      string `json:"misfire,omitempty"`       // [MisfireFireOnce] if empty
	After        string `json:"misfire_after,omitempty"` // a duration, [DefaultMisfireAfter] if empty
	// Bounds of the nominal times, dates or times; empty: none. An end that is
	// a date includes that day.
	Start    string `json:"start,omitempty"`
	End      string `json:"end,omitempty"`
	DST      string `json:"dst,omitempty"`      // [DSTOnce] if empty
	Jitter   string `json:"jitter,omitempty"`   // a duration; the schedule fires later by a part of it
	Priority string `json:"priority,omitempty"` // of its executions; empty: that of the job
	Pool     string `json:"pool,omitempty"`     // of its executions; empty: that of the job
	// Of its executions.
	Parameters map[string]string `json:"parameters,omitempty"`
	// Who paused it; nil if nobody said, or it is active.
	Paused *Pause `json:"paused,omitempty"`
	// What becomes of a nominal time while an execution that the schedule fired
	// has not ended; [OverlapAllow] if empty.
	Overlap string `json:"overlap,omitempty"`
	// The number of misfires that [MisfireFireAll] fires; 0: 1000.
	CatchUpLimit int `json:"catch_up_limit,omitempty"`
	// A duration; no misfire fires that is older. Empty: none is too old.
	CatchUpWindow string `json:"catch_up_window,omitempty"`

	Active     bool   `json:"active"`
	Generation uint64 `json:"generation"` // from 1; each edit, pause or resume increments it
	// This generation decides the nominal times after this moment.
	Since      subjects.Time `json:"since"`
	UpdateTime subjects.Time `json:"last_updated_time"`
}

// Key returns the schedule's key.
func (s *Schedule) Key() ScheduleKey { return NewScheduleKey(s.App, s.Job, s.Name) }

// Pause says who paused a schedule, and why.
type Pause struct {
	By     string        `json:"by,omitempty"` // id of the user; empty: no login was required
	At     subjects.Time `json:"at"`
	Reason string        `json:"reason,omitempty"`
}

// How often a wall time of a fixed hour fires that the clocks show twice.
const (
	DSTOnce = "once" // when the clocks show it first
	DSTBoth = "both"
)

// Overlap policies: what the scheduler does with a nominal time while an
// execution that the schedule fired before has not ended.
const (
	OverlapAllow    = "allow"     // it fires
	OverlapSkip     = "skip"      // it is skipped
	OverlapQueueOne = "queue_one" // it fires afterwards; skipped if one waits already
	OverlapQueueAll = "queue_all" // it fires after all earlier ones
	// As queue_one, and the scheduler requests a stop of the execution.
	OverlapCancelRunning = "cancel_running"
)

// OverlapPolicies returns all of them.
func OverlapPolicies() []string {
	return []string{OverlapAllow, OverlapSkip, OverlapQueueOne, OverlapQueueAll, OverlapCancelRunning}
}

// Misfire policies: what the scheduler does with nominal times that passed
// while no bus ran, or that it decided later than misfire_after.
const (
	MisfireFireOnce = "fire_once" // the newest nominal time fires; the older ones are skipped
	MisfireFireAll  = "fire_all"  // each nominal time fires
	MisfireSkip     = "skip"      // no nominal time fires
)

// DefaultMisfireAfter is the misfire_after of a schedule that sets none.
const DefaultMisfireAfter = "60s"

// Fire is the decision about one nominal time: an execution, or the reason why
// there is none. A bus decides by creating the key, so each nominal time is
// decided once.
type Fire struct {
	// Of the schedule whose walk decided the time; 0: a backfill decided it.
	Generation uint64        `json:"generation"`
	Nominal    subjects.Time `json:"nominal_time"`
	// Of the nominal time, YYYY-MM-DD, in the time zone of the schedule.
	Date string `json:"date,omitempty"`
	// The first time of the schedule that was moved to this one, because it is
	// on a holiday. Zero if the schedule names this time itself.
	From      subjects.Time `json:"from,omitzero"`
	Execution int64         `json:"execution_id,omitempty"`
	// Of the execution. Priority and Pool are empty for those of the job.
	Parameters map[string]string `json:"parameters,omitempty"`
	Priority   string            `json:"priority,omitempty"`
	Pool       string            `json:"pool,omitempty"`
	Skipped    string            `json:"skipped,omitempty"` // misfire, edited, decided, exclusive ...
	CaughtUp   bool              `json:"caught_up,omitempty"`
	// The policy of the schedule, unless it allows overlaps. A fire with a
	// policy that queues is open until earlier executions have ended.
	Overlap string `json:"overlap,omitempty"`
	// The execution because of which the time was skipped.
	BlockedBy int64 `json:"blocked_by,omitempty"`
	// The execution was purged and must not be created again.
	Closed bool          `json:"closed,omitempty"`
	Time   subjects.Time `json:"time"` // when it was decided

	// The oldest of consecutive skipped times; Nominal is the newest.
	SkippedFrom subjects.Time `json:"skipped_from,omitzero"`
	// The number of these times, at most a million.
	SkippedCount int `json:"skipped_count,omitempty"`

	// Only of triggers: the executions that met them.
	Causes []Cause `json:"causes,omitempty"`
	// Of a time that somebody fired after it had passed.
	Backfill *Backfill `json:"backfill,omitempty"`
}

// Backfill says how somebody fired a nominal time after it had passed. The fires
// of a backfill are open, and wait, until a bus starts them.
type Backfill struct {
	ID int64 `json:"id"` // of all fires that were ordered together
	// How many executions of the backfill may run at the same time.
	Concurrency int    `json:"concurrency"`
	By          string `json:"by,omitempty"` // id of the user; empty: no login was required
	// When a bus began to submit the execution; zero: the fire waits.
	Started subjects.Time `json:"started,omitzero"`
	// Why the time had been skipped before. If the fire has a SkippedCount, its
	// key also stands for these skipped times.
	Was string `json:"was,omitempty"`
	// When it was decided that these times are skipped.
	WasTime subjects.Time `json:"was_time,omitzero"`
}

// Waits reports whether the fire is one of a backfill that no bus has started.
func (f *Fire) Waits() bool { return f.Open() && f.Backfill != nil && f.Backfill.Started == 0 }

// Open reports whether the fire still needs an execution.
func (f *Fire) Open() bool { return f.Execution != 0 && !f.Closed }

// Agent is the stored registration of an agent. It outlives the agent's
// process.
type Agent struct {
	subjects.Heartbeat
	InstanceID string        `json:"instance_id"` // a UUID derived from the name
	Blocked    bool          `json:"blocked"`
	Block      *AgentBlock   `json:"block,omitempty"` // nil: it is not blocked, or nobody knows since when
	LastSeen   subjects.Time `json:"last_seen"`
}

// AgentBlock says since when an agent is blocked, and who blocked it.
type AgentBlock struct {
	Since subjects.Time `json:"since"`
	By    string        `json:"by,omitempty"` // id of the user; empty: no login was required
}

// StopRequested in a record means that somebody asked to stop the execution. It
// stays in the record until the execution has ended.
const StopRequested = "stop"

// TimeoutExit is the exit status of an execution that ran longer than its
// timeout.
const TimeoutExit = "TIMEOUT"

// Execution is the record of an execution.
type Execution struct {
	subjects.Execution
	LastSequence uint64 `json:"last_sequence"` // of the newest result folded into the record
	// Sequences of the claim of the present attempt and of the first end; 0:
	// none, or the record is of an older release.
	ClaimSequence uint64 `json:"claim_sequence,omitempty"`
	EndSequence   uint64 `json:"end_sequence,omitempty"`
	StopRequest   string `json:"wish,omitempty"` // stored under the name that older releases read
	RestartedBy   int64  `json:"restarted_by,omitempty"`
	// If RestartedBy is an automatic retry, the Run of its [Retry].
	RestartRun int    `json:"restart_run,omitempty"`
	Retry      *Retry `json:"retry,omitempty"`
	// What it holds of limits from its request to its end.
	Limits Needs `json:"limits,omitempty"`
	// How long it may run, and how long it has to stop then, in milliseconds; 0:
	// it has no timeout.
	TimeoutMS int64 `json:"timeout_ms,omitempty"`
	GraceMS   int64 `json:"timeout_grace_ms,omitempty"`
	// When the bus found that it had run longer than its timeout.
	TimedOut subjects.Time `json:"timed_out,omitzero"`
	// When the bus restarts this failed execution; 0: never.
	RetryDue subjects.Time `json:"retry_due,omitzero"`
	// Why the bus does not restart this failed execution.
	RetryEnded string `json:"retry_ended,omitempty"`
	// Parameters of the execution RestartedBy.
	RestartParams map[string]string `json:"restart_parameters,omitempty"`
	// Element where a restart of this one begins.
	RestartPosition string `json:"restart_position,omitempty"`
	// Element where this one, a restart, begins.
	StartPosition string          `json:"start_position,omitempty"`
	Definition    json.RawMessage `json:"definition,omitempty"` // empty once the execution has ended
	// The job's first name, if its key is derived.
	JobName string `json:"job_name,omitempty"`
	// Steps of the executions that this one restarts.
	Before  []subjects.StepState `json:"before,omitempty"`
	FireKey string               `json:"fire_key,omitempty"`
	// Name of the schedule that fired it, or fired the first execution in its
	// chain of restarts. Earlier versions did not store it; see FiredBy.
	Schedule string `json:"schedule,omitempty"`
	// The pool that this schedule set. Restarts keep it, whatever the pool of the
	// job. Empty: the pool is that of the job.
	SchedulePool string `json:"schedule_pool,omitempty"`
	// Executions that started it by triggers.
	Causes []Cause `json:"causes,omitempty"`
	// The [Backfill] that fired it, or fired the first execution in its chain of
	// restarts.
	Backfill int64 `json:"backfill,omitempty"`
	// Action of the time monitor, written before it acts.
	Monitored  string        `json:"monitored,omitempty"`
	Rebuilt    bool          `json:"rebuilt,omitempty"`    // rebuilt from a claim, without a definition
	DeleteTime subjects.Time `json:"delete_time,omitzero"` // when somebody deleted it; the janitor removes it
}

// Retry says how often the bus restarts a failed execution. It is that of the
// definition with which the execution began.
type Retry struct {
	Attempts   int      `json:"attempts"`
	Backoff    string   `json:"backoff,omitempty"`
	MaxBackoff string   `json:"max_backoff,omitempty"`
	On         []string `json:"on,omitempty"`
	NotOn      []string `json:"not_on,omitempty"`
	// The execution is this run of the job, from 1. From 2 on, it is an
	// automatic restart of a failed execution.
	Run int `json:"run"`
}

// AwaitsRetry reports whether the bus is going to restart the execution.
func (e *Execution) AwaitsRetry() bool {
	return e.RetryDue != 0 && e.RestartedBy == 0 && e.BatchStatus == subjects.Failed
}

// EndRetry says that the bus is not going to restart the execution.
func (e *Execution) EndRetry(why string) { e.RetryDue, e.RetryEnded = 0, why }

// Key returns the record's key.
func (e *Execution) Key() string { return ExecutionKey(e.App, e.Job, e.ID) }

// FiredBy returns the name of the schedule that fired the execution, or the
// execution that it restarts, or "".
func (e *Execution) FiredBy() string {
	if e.Schedule != "" || e.FireKey == "" {
		return e.Schedule
	}
	if k, _, ok := SplitFireKey(e.FireKey); ok && !k.IsTrigger() {
		return k.Name()
	}
	return ""
}

// ExecutionKey returns the key of an execution's record.
func ExecutionKey(app, job string, id int64) string {
	return JobKey(app, job) + "." + strconv.FormatInt(id, 10)
}

// Idempotency names the execution that an Idempotency-Key is bound to.
type Idempotency struct {
	Execution int64         `json:"execution_id"`
	Hash      string        `json:"hash"` // of the parameters of the first request with the key
	Time      subjects.Time `json:"time"`
}

// Deployed names the class path revisions of an application. Its key is the
// application's name. Every change to the revisions is a compare-and-set on it:
// a [Revision] that it does not name does not exist for any reader.
type Deployed struct {
	Current int           `json:"current"`           // 0: none
	Kept    []int         `json:"kept"`              // ascending, with the current one
	Last    int           `json:"last"`              // the highest number so far; no number is used twice
	Removed int           `json:"removed,omitempty"` // how many times the application was removed
	Time    subjects.Time `json:"time"`
}

// Revision is a deployed class path. It never changes.
type Revision struct {
	App        string        `json:"app"`
	Number     int           `json:"revision"` // from 1
	CreateTime subjects.Time `json:"create_time"`
	// Findings of package deploy: jars, components, warnings.
	Manifest json.RawMessage `json:"manifest,omitempty"`
	// Name of the object that holds the manifest, if it is large.
	Object string `json:"object,omitempty"`
}

// Key returns the revision's key in the bucket deployments.
func (r *Revision) Key() string { return RevisionKey(r.App, r.Number) }

// RevisionKey returns the key of a revision in the bucket deployments.
func RevisionKey(app string, number int) string { return app + "." + strconv.Itoa(number) }

// Settings are stored with a job beside its definition, since they do not
// describe what the job does.
type Settings struct {
	TimeMonitor   *TimeMonitor         `json:"time_monitor,omitempty"`
	Notifications []StatusNotification `json:"status_notifications,omitempty"`
	Triggers      *Triggers            `json:"triggers,omitempty"`
	SLA           *SLA                 `json:"sla,omitempty"`
}

// TimeMonitor defines what the bus does with an execution that takes too long.
type TimeMonitor struct {
	Minutes int    `json:"duration"` // since the start
	Action  string `json:"action"`
	Type    string `json:"notification_type,omitempty"` // type of the alert
}

// Actions of a [TimeMonitor].
const (
	ActionAlert   = "alert"
	ActionStop    = "stop"
	ActionAbandon = "abandon"
)

// Actions returns all of them.
func Actions() []string { return []string{ActionAlert, ActionStop, ActionAbandon} }

// StatusNotification asks for a notification when the execution reaches a batch
// status, or ends with an exit status.
type StatusNotification struct {
	ID          int64                `json:"id"` // from the same sequence as execution ids, so it is unique
	BatchStatus subjects.BatchStatus `json:"batch_status,omitempty"`
	ExitStatus  string               `json:"exit_status,omitempty"`
	Type        string               `json:"type"`
}

// Notifiable returns the batch statuses that results report, and that a
// notification can therefore ask for.
func Notifiable() []subjects.BatchStatus {
	return []subjects.BatchStatus{
		subjects.Starting, subjects.Started, subjects.Stopping, subjects.Stopped,
		subjects.Failed, subjects.Completed, subjects.Abandoned, subjects.Unknown,
	}
}

// StatusNames returns the names of statuses, separated by commas.
func StatusNames(all []subjects.BatchStatus) string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}

// Without returns the notifications except the one with the id, and whether
// there was one. It does not change s.
func (s *Settings) Without(id int64) (rest []StatusNotification, found bool) {
	rest = slices.DeleteFunc(slices.Clone(s.Notifications), func(n StatusNotification) bool { return n.ID == id })
	return rest, len(rest) < len(s.Notifications)
}

// Roles of users.
const (
	RoleAdmin    = "admin"
	RoleOperator = "operator"
	RoleWatcher  = "watcher"
)

// RoleRank orders the roles: a higher one may do all that a lower one may. It is
// 0 for what is no role.
func RoleRank(role string) int {
	return 1 + slices.Index([]string{RoleWatcher, RoleOperator, RoleAdmin}, role)
}

// AnyApp stands for all applications in the roles of a user.
const AnyApp = "*"

// User is a person or a program that may use the control bus. Its key is its
// id.
type User struct {
	ID         string            `json:"id"`
	Password   string            `json:"password"` // hash: argon2id in PHC form
	Roles      map[string]string `json:"roles"`    // by application
	Keys       []Key             `json:"keys,omitempty"`
	CreateTime subjects.Time     `json:"create_time"` // tells this user from a later one of the same name

	// PasswordTime is when the password was changed last; 0 if it never was.
	// Sessions with another one have ended.
	PasswordTime subjects.Time `json:"password_time,omitempty"`

	// Issuer and Subject identify a user of a login provider, who has no
	// password; Name is what the provider calls them. Their roles are those of
	// their last login there.
	Issuer  string `json:"issuer,omitempty"`
	Subject string `json:"subject,omitempty"`
	Name    string `json:"name,omitempty"`

	// SentKey is the key with which the user sent a request; nil if they logged
	// in. It is not stored.
	SentKey *Key `json:"-"`
}

// Role returns the user's role in an application, within the limits of the key
// that they sent. If the user has no role there, their role for any application
// applies, or else their role in the default application. app is empty for what
// belongs to no application.
func (u *User) Role(app string) string {
	for _, name := range []string{app, AnyApp, DefaultApp} {
		if role, ok := u.Roles[name]; ok {
			return u.SentKey.limitRole(app, role)
		}
	}
	return ""
}

// Key is an API key, which lets a program in without a login. It allows what
// its user may do and its limits allow, as both are at the time of a request.
type Key struct {
	SHA256     string        `json:"sha256"` // of the key, in hex digits
	CreateTime subjects.Time `json:"create_time"`
	Name       string        `json:"name,omitempty"`        // unique for its user; empty: see ShownName
	Apps       []string      `json:"apps,omitempty"`        // where it is valid; empty: everywhere
	Role       string        `json:"role,omitempty"`        // its highest role; empty: the user's
	ExpireTime subjects.Time `json:"expire_time,omitempty"` // 0: never
}

// ShownName returns the name of the key, or one derived from its hash for a key
// without a name.
func (k *Key) ShownName() string {
	if k.Name != "" {
		return k.Name
	}
	return "key-" + k.SHA256[:min(len(k.SHA256), 8)]
}

// HasLimits reports whether the key allows less than its user may do, or only
// for a time. The key may be nil.
func (k *Key) HasLimits() bool {
	return k != nil && (len(k.Apps) > 0 || k.Role != "" || k.ExpireTime != 0)
}

// Covers reports whether the key is valid in an application, or for what
// belongs to no application if app is empty. A nil key is valid everywhere.
func (k *Key) Covers(app string) bool {
	return k == nil || len(k.Apps) == 0 || slices.Contains(k.Apps, app)
}

// HasExpired reports whether the key is no longer valid.
func (k *Key) HasExpired(now subjects.Time) bool { return k.ExpireTime != 0 && now >= k.ExpireTime }

// limitRole returns what the key allows of a role in an application.
func (k *Key) limitRole(app, role string) string {
	switch {
	case !k.Covers(app):
		return ""
	case k == nil || k.Role == "" || RoleRank(role) <= RoleRank(k.Role):
		return role
	}
	return k.Role
}

// Kinds of sessions.
const (
	KindSession = "session" // expires when unused
	KindToken   = "token"   // expires some time after it was issued
	KindCode    = "code"    // is exchanged for a token, once
)

// Session is a login. Its key is the SHA-256 of the secret that proves it, so
// that a reader of the bucket cannot use it.
type Session struct {
	User       string        `json:"user"`
	UserSince  subjects.Time `json:"user_since"` // the user's create time
	Kind       string        `json:"kind"`
	CreateTime subjects.Time `json:"create_time"`
	LastUsed   subjects.Time `json:"last_used"` // to the minute

	PasswordTime subjects.Time `json:"password_time,omitempty"` // the user's
	Twin         string        `json:"twin,omitempty"`          // key of the other secret of the same login
	Challenge    string        `json:"challenge,omitempty"`     // of a code: of PKCE, by S256
}

// AgentToken is what an agent with an account of its own may do. Its key is the
// agent's name. It has no secret.
type AgentToken struct {
	Agent      string        `json:"agent"`
	Apps       []string      `json:"apps"`
	Pools      []string      `json:"pools,omitempty"`      // empty: all
	Account    string        `json:"account"`              // public key of the NATS account
	Claims     string        `json:"claims"`               // signed token of the account
	UserKey    string        `json:"user_key,omitempty"`   // public NATS key of an agent that has joined
	CreatedBy  string        `json:"created_by,omitempty"` // empty: it joined, or no login was required
	CreateTime subjects.Time `json:"create_time"`
	ExpireTime subjects.Time `json:"expire_time"` // zero: never

	// Revoked is true until all servers know that nobody may use the account.
	Revoked bool `json:"revoked,omitempty"`
}

package bus

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// App is a batch application. Its jobs, its work queue and its agents carry its name.
type App struct {
	Name        string        `json:"name"`
	Description string        `json:"description,omitempty"`
	CreateTime  subjects.Time `json:"create_time"`
	UpdateTime  subjects.Time `json:"last_updated_time"`
}

// DefaultApp is there from the start.
const DefaultApp = "default"

// Job is a definition with its place. Definition is the canonical JSON form that package jsl writes.
type Job struct {
	App        string          `json:"app"`
	Name       string          `json:"name,omitempty"`
	Token      string          `json:"token,omitempty"` // what stands for it in subjects and keys: the key of its first name, if that was free
	CreateTime subjects.Time   `json:"create_time"`
	UpdateTime subjects.Time   `json:"last_updated_time"`
	Definition json.RawMessage `json:"definition,omitempty"` // none: there is no job here, only a NameOf
	NameOf     string          `json:"name_of,omitempty"`    // token of the job whose name is this key, if that is another job
	Edit       uint64          `json:"edit,omitempty"`       // the revision of the last edit, if only name_of was written since
	Notation   *Notation       `json:"notation,omitempty"`   // what the definition was drawn as; the read model knows only that there is one
	Settings   Settings        `json:"settings,omitzero"`
}

// Notation is a diagram of a job, kept as it was sent.
type Notation struct {
	BPMN string `json:"bpmn,omitempty"` // XML, as an editor opens it
	SVG  string `json:"svg,omitempty"`  // the picture
}

// EditOf is the revision of the last edit of a job.
func EditOf(e Entry[Job]) uint64 { return cmp.Or(e.Value.Edit, e.Revision) }

// Key is the job's key in the buckets jobs, schedules and locks.
func (j *Job) Key() string { return JobKey(j.App, cmp.Or(j.Token, NameKey(j.Name))) }

// JobKey is the key of a job, by its token, in the buckets jobs, schedules and locks.
func JobKey(app, token string) string { return app + "." + token }

// SplitJobKey takes a job's key apart.
func SplitJobKey(key string) (app, token string, ok bool) { return strings.Cut(key, ".") }

// Schedule says when a job fires.
type Schedule struct {
	App        string        `json:"app"`
	Job        string        `json:"job"`
	Cron       string        `json:"cron_notation"`
	TimeZone   string        `json:"time_zone,omitempty"` // IANA; empty is the bus's own
	Calendar   string        `json:"calendar,omitempty"`
	Substitute bool          `json:"substitution,omitempty"`
	Misfire    string        `json:"misfire,omitempty"`       // [MisfireFireOnce] if empty
	After      string        `json:"misfire_after,omitempty"` // a duration, [DefaultMisfireAfter] if empty
	Active     bool          `json:"active"`
	Generation uint64        `json:"generation"` // 1, 2, ...: one more with each edit, pause or resume
	Since      subjects.Time `json:"since"`      // the generation decides the nominal times after it
	UpdateTime subjects.Time `json:"last_updated_time"`
}

// Key is the schedule's key, that of its job.
func (s *Schedule) Key() string { return JobKey(s.App, s.Job) }

// What becomes of misfires: nominal times that passed while no bus ran, or were decided later than misfire_after.
const (
	MisfireFireOnce = "fire_once" // the newest is fired, the ones before are skipped
	MisfireFireAll  = "fire_all"  // each is fired
	MisfireSkip     = "skip"      // none is fired
)

// DefaultMisfireAfter is that of schedules that say nothing else.
const DefaultMisfireAfter = "60s"

// Fire is the decision about one nominal time: an execution, or why there is none. It is made once,
// by creating the key.
type Fire struct {
	Generation uint64        `json:"generation"`
	Nominal    subjects.Time `json:"nominal_time"`
	Date       string        `json:"date,omitempty"` // of the nominal time, YYYY-MM-DD, in the time zone of the schedule
	Execution  int64         `json:"execution_id,omitempty"`
	Skipped    string        `json:"skipped,omitempty"` // misfire, edited, calendar, exclusive ...
	CaughtUp   bool          `json:"caught_up,omitempty"`
	Closed     bool          `json:"closed,omitempty"` // the execution was purged: not to be made again
	Time       subjects.Time `json:"time"`             // of the decision

	SkippedFrom  subjects.Time `json:"skipped_from,omitzero"`   // the oldest of a run of skipped times; the newest is the nominal time
	SkippedCount int           `json:"skipped_count,omitempty"` // how many times the run has, counted to a million
}

// Open says whether the fire needs an execution.
func (f *Fire) Open() bool { return f.Execution != 0 && !f.Closed }

// FireKey is where the decision about a nominal time is kept.
func FireKey(app, job string, unixSecond int64) string {
	return JobKey(app, job) + "." + strconv.FormatInt(unixSecond, 10)
}

// SplitFireKey takes a fire's key apart into the job's and the nominal time.
func SplitFireKey(key string) (jobKey string, unixSecond int64, ok bool) {
	dot := strings.LastIndexByte(key, '.')
	if dot < 0 {
		return "", 0, false
	}
	unixSecond, err := strconv.ParseInt(key[dot+1:], 10, 64)
	return key[:dot], unixSecond, err == nil
}

// Agent is what is kept of an agent over its lives.
type Agent struct {
	subjects.Heartbeat
	InstanceID string        `json:"instance_id"` // a UUID made from the name
	Blocked    bool          `json:"blocked"`
	LastSeen   subjects.Time `json:"last_seen"`
}

// Wishes of people, kept in the record until the execution has ended.
const WishStop = "stop"

// Execution is the record of an execution.
type Execution struct {
	subjects.Execution
	LastSequence    uint64               `json:"last_sequence"` // of the newest result that is folded in
	Wish            string               `json:"wish,omitempty"`
	RestartedBy     int64                `json:"restarted_by,omitempty"`
	RestartParams   map[string]string    `json:"restart_parameters,omitempty"` // of the execution RestartedBy
	RestartPosition string               `json:"restart_position,omitempty"`   // where a restart of this one begins
	StartPosition   string               `json:"start_position,omitempty"`     // where this one, a restart, begins
	Definition      json.RawMessage      `json:"definition,omitempty"`         // until it has ended
	JobName         string               `json:"job_name,omitempty"`           // that the job was made with, if its key was made of it
	Before          []subjects.StepState `json:"before,omitempty"`             // steps of the executions that this one restarts
	FireKey         string               `json:"fire_key,omitempty"`
	Monitored       string               `json:"monitored,omitempty"`  // what the time monitor did, or is about to: once
	Rebuilt         bool                 `json:"rebuilt,omitempty"`    // made from a claim, without a definition
	DeleteTime      subjects.Time        `json:"delete_time,omitzero"` // somebody deleted it; the janitor sees to the rest
}

// Key is the record's key.
func (e *Execution) Key() string { return ExecutionKey(e.App, e.Job, e.ID) }

// ExecutionKey is the key of an execution's record.
func ExecutionKey(app, job string, id int64) string {
	return JobKey(app, job) + "." + strconv.FormatInt(id, 10)
}

// Idempotency names the execution that an Idempotency-Key stands for.
type Idempotency struct {
	Execution int64         `json:"execution_id"`
	Hash      string        `json:"hash"` // of the parameters it was first used with
	Time      subjects.Time `json:"time"`
}

// Deployed says which revisions of an application's class path there are. Its key is the application's name, and whatever changes
// is decided by compare-and-set on it: a record of a revision that it does not name is not there for anybody.
type Deployed struct {
	Current int           `json:"current"`           // 0: none
	Kept    []int         `json:"kept"`              // from the lowest; the current one is among them
	Last    int           `json:"last"`              // the highest number so far: none is used twice
	Removed int           `json:"removed,omitempty"` // how many times the application was removed
	Time    subjects.Time `json:"time"`
}

// Revision is a class path that was deployed. It does not change.
type Revision struct {
	App        string          `json:"app"`
	Number     int             `json:"revision"` // from 1
	CreateTime subjects.Time   `json:"create_time"`
	Manifest   json.RawMessage `json:"manifest,omitempty"` // what package deploy found: jars, components, warnings
	Object     string          `json:"object,omitempty"`   // in place of a large manifest, where it is in the object store
}

// Key is the revision's key in the bucket deployments.
func (r *Revision) Key() string { return RevisionKey(r.App, r.Number) }

// RevisionKey is the key of a revision in the bucket deployments.
func RevisionKey(app string, number int) string { return app + "." + strconv.Itoa(number) }

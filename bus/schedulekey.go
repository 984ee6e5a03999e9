package bus

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// DefaultSchedule is the name of the schedule that a client means if it names
// none. V1 clients see only this one.
const DefaultSchedule = "default"

const (
	maxScheduleName  = 64
	wantScheduleName = "1 to 64 characters from A-Z a-z 0-9 _ -, and not pause or resume"
)

// CheckScheduleName returns a [FieldError] if the name cannot be that of a
// schedule. The empty name stands for [DefaultSchedule].
func CheckScheduleName(name string) error {
	reserved := []string{"pause", "resume"} // the paths of the API end with them
	if name == "" || subjects.ValidName(name) && len(name) <= maxScheduleName && !slices.Contains(reserved, name) {
		return nil
	}
	return &FieldError{Path: "/name", Want: wantScheduleName, Got: name}
}

// ScheduleKey identifies a schedule: the permanent key of its job, and its own
// name. Its text is the key of the schedule in bucket schedules:
//
//	<app>.<job>           for the default schedule
//	<app>.<job>.<name>    for any other
//
// The key of a fire is that text, a dot and the Unix second of the nominal
// time.
type ScheduleKey struct {
	app, job string
	name     string // empty for the default schedule
}

// NewScheduleKey returns the key of the schedule with this name. The empty name
// stands for [DefaultSchedule].
func NewScheduleKey(app, job, name string) ScheduleKey {
	if name == DefaultSchedule {
		name = ""
	}
	return ScheduleKey{app, job, name}
}

// ParseScheduleKey parses the text of a key.
func ParseScheduleKey(key string) (k ScheduleKey, ok bool) {
	parts := strings.Split(key, ".")
	if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") || len(parts) == 3 && parts[2] == DefaultSchedule {
		return ScheduleKey{}, false
	}
	return NewScheduleKey(parts[0], parts[1], strings.Join(parts[2:], "")), true
}

// App returns the application of the job.
func (k ScheduleKey) App() string { return k.app }

// Job returns the permanent key of the job.
func (k ScheduleKey) Job() string { return k.job }

// Name returns the name of the schedule.
func (k ScheduleKey) Name() string { return cmp.Or(k.name, DefaultSchedule) }

// String returns the key in bucket schedules.
func (k ScheduleKey) String() string {
	if k.name == "" {
		return JobKey(k.app, k.job)
	}
	return JobKey(k.app, k.job) + "." + k.name
}

// FireKey returns the key of the decision about a nominal time.
func (k ScheduleKey) FireKey(unixSecond int64) string {
	return k.String() + "." + strconv.FormatInt(unixSecond, 10)
}

// FireFilter returns the filter of the keys of all decisions about the
// schedule. The filter of a default schedule does not match the keys of other
// schedules of the job, which have a part more.
func (k ScheduleKey) FireFilter() string { return k.String() + ".*" }

// Compare orders keys by application, job and name, with the default schedule
// of a job first.
func (k ScheduleKey) Compare(other ScheduleKey) int {
	return cmp.Or(cmp.Compare(k.app, other.app), cmp.Compare(k.job, other.job), cmp.Compare(k.name, other.name))
}

// SplitFireKey splits a key that [ScheduleKey.FireKey] returned.
func SplitFireKey(key string) (schedule ScheduleKey, unixSecond int64, ok bool) {
	dot := strings.LastIndexByte(key, '.')
	if dot < 0 {
		return ScheduleKey{}, 0, false
	}
	if schedule, ok = ParseScheduleKey(key[:dot]); !ok {
		return ScheduleKey{}, 0, false
	}
	unixSecond, err := strconv.ParseInt(key[dot+1:], 10, 64)
	return schedule, unixSecond, err == nil
}

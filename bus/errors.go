package bus

import (
	"errors"
	"fmt"

	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
)

// Errors that a caller can act on.
var (
	ErrNotFound = jetio.ErrNotFound
	ErrExists   = errors.New("already exists")
	ErrChanged  = jetio.ErrChanged // read again and decide again
	ErrUnknown  = jetio.ErrUnknown // send the same again
	ErrAway     = jetio.ErrAway    // nothing was stored; try later
)

// ErrFull means that JetStream has no room left, on its disk or within its
// account's limit. Nothing was stored; try later. It also is an [ErrAway], for
// callers that do not tell the two apart.
var ErrFull = jetio.ErrFull

// FieldError names a field with a wrong value and the value that it should
// have.
type FieldError struct {
	Path string // JSON pointer (RFC 6901): /steps/0/chunk/item-count
	Want string // "a number from 1"; "invalid" helps nobody
	Got  string // as sent; empty for secrets
}

func (e *FieldError) Error() string {
	if e.Got == "" {
		return fmt.Sprintf("%s: want %s", e.Path, e.Want)
	}
	return fmt.Sprintf("%s: want %s, got %s", e.Path, e.Want, e.Got)
}

// StateError reports that something cannot be done in the present state.
// Programs compare its code.
type StateError struct {
	Code   string // such as job_execution_not_running
	Reason string
}

func (e *StateError) Error() string { return e.Reason }

// State returns a [StateError] with a formatted message.
func State(code, format string, args ...any) error {
	return &StateError{Code: code, Reason: fmt.Sprintf(format, args...)}
}

// NoSuchApp returns the [StateError] for an application that does not exist.
func NoSuchApp(app string) error {
	return State(CodeNoSuchApp, "there is no application %s", app)
}

// NoSuchJob returns the [StateError] for a job that does not exist.
func NoSuchJob(app, job string) error {
	return State(CodeNoSuchJob, "there is no job %s in the application %s", job, app)
}

// HasCode reports whether err is a [StateError] with that code.
func HasCode(err error, code string) bool {
	var s *StateError
	return errors.As(err, &s) && s.Code == code
}

// Codes of a [StateError]. Those of JSR-352 are named after its exceptions.
const (
	CodeNoSuchApp        = "no_such_app"
	CodeNoSuchJob        = "no_such_job"
	CodeNoSuchExecution  = "no_such_job_execution"
	CodeJobExists        = "job_exists"
	CodeRenamed          = "job_renamed"
	CodeNoSuchSchedule   = "no_such_schedule"
	CodeNoSuchBackfill   = "no_such_backfill"
	CodeScheduleExists   = "schedule_exists"
	CodeNoSuchCalendar   = "no_such_calendar"
	CodeCalendarExists   = "calendar_exists"
	CodeCalendarInUse    = "calendar_in_use"
	CodeTooManyCalendars = "too_many_calendars"
	CodeNoSuchAgent      = "no_such_agent"
	CodeNoSuchPicture    = "no_such_picture"
	CodeNoSuchRevision   = "no_such_revision"
	CodeNoSuchArtifact   = "no_such_artifact"
	CodeNoNotification   = "no_such_status_notification"
	CodeNoTimeMonitor    = "no_such_time_monitor"
	CodeNoNotificator    = "no_notificator"
	CodeNotRunning       = "job_execution_not_running"
	CodeIsRunning        = "job_execution_is_running"
	CodeAlreadyComplete  = "job_execution_already_complete"
	CodeNotMostRecent    = "job_execution_not_most_recent"
	CodeRestartRefused   = "job_restart"
	CodeStartRefused     = "job_start"
	CodeExclusive        = "job_is_exclusive"
	CodeAppInUse         = "app_in_use"
	CodeNoSuchLimit      = "no_such_limit"
	CodeLimitInUse       = "limit_in_use"
	CodeNoSuchSecret     = "no_such_secret"
	CodeTooManySecrets   = "too_many_secrets"
	CodeNoSecretKey      = "no_secret_key"
	CodeOtherSecretKey   = "other_secret_key"
	CodeIdempotencyReuse = "idempotency_key_reused"
)

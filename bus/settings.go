package bus

import (
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Settings are what is kept of a job beside its definition, since it says nothing of what the job does.
type Settings struct {
	TimeMonitor   *TimeMonitor         `json:"time_monitor,omitempty"`
	Notifications []StatusNotification `json:"status_notifications,omitempty"`
}

// TimeMonitor says what becomes of an execution that takes too long.
type TimeMonitor struct {
	Minutes int    `json:"duration"` // from the start
	Action  string `json:"action"`
	Type    string `json:"notification_type,omitempty"` // of the alert
}

// Actions of a [TimeMonitor].
const (
	ActionAlert   = "alert"
	ActionStop    = "stop"
	ActionAbandon = "abandon"
)

// Actions lists all of them.
func Actions() []string { return []string{ActionAlert, ActionStop, ActionAbandon} }

// StatusNotification asks for a notification when the batch status, or at the end the exit status, is the one that it names.
type StatusNotification struct {
	ID          int64                `json:"id"` // drawn like those of executions, so that nothing else has it
	BatchStatus subjects.BatchStatus `json:"batch_status,omitempty"`
	ExitStatus  string               `json:"exit_status,omitempty"`
	Type        string               `json:"type"`
}

// Notifiable are the batch statuses that results report, so that somebody can be notified of them.
func Notifiable() []subjects.BatchStatus {
	return []subjects.BatchStatus{
		subjects.Starting, subjects.Started, subjects.Stopping, subjects.Stopped,
		subjects.Failed, subjects.Completed, subjects.Abandoned, subjects.Unknown,
	}
}

// Without returns the notifications but the one with the id, and whether there was one. The receiver stays as it is.
func (s *Settings) Without(id int64) (rest []StatusNotification, found bool) {
	rest = slices.DeleteFunc(slices.Clone(s.Notifications), func(n StatusNotification) bool { return n.ID == id })
	return rest, len(rest) < len(s.Notifications)
}

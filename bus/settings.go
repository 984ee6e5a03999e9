package bus

import (
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Settings are stored with a job beside its definition, since they do not
// describe what the job does.
type Settings struct {
	TimeMonitor   *TimeMonitor         `json:"time_monitor,omitempty"`
	Notifications []StatusNotification `json:"status_notifications,omitempty"`
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

// Without returns the notifications except the one with the id, and whether
// there was one. It does not change s.
func (s *Settings) Without(id int64) (rest []StatusNotification, found bool) {
	rest = slices.DeleteFunc(slices.Clone(s.Notifications), func(n StatusNotification) bool { return n.ID == id })
	return rest, len(rest) < len(s.Notifications)
}

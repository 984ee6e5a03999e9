package rest

import "github.com/job-streamer/job-streamer-control-bus/subjects"

// Settings are what of a job can be set without its definition.
type Settings struct {
	Exclusive           bool                 `json:"exclusive" edn:"job/exclusive?" doc:"One execution at a time."`
	TimeMonitor         *TimeMonitor         `json:"time_monitor" edn:"job/time-monitor"`
	StatusNotifications []StatusNotification `json:"status_notifications" edn:"job/status-notifications"`
	Warnings            []string             `json:"warnings,omitempty" doc:"Which notifications nobody gets. Of a change only."`
}

// TimeMonitor says what becomes of executions that take too long.
type TimeMonitor struct {
	Duration         int    `json:"duration" edn:"time-monitor/duration" doc:"Minutes from the start of an execution."`
	Action           string `json:"action" edn:"time-monitor/action,keyword=action" enum:"alert,stop,abandon"`
	NotificationType string `json:"notification_type" edn:"time-monitor/notification-type" doc:"Of the alert."`
}

// StatusNotification is sent when an execution gets the batch status or, at its
// end, has the exit status: it has one of the two.
type StatusNotification struct {
	ID          int64                `json:"id" edn:"db/id"`
	BatchStatus subjects.BatchStatus `json:"batch_status,omitempty" edn:"status-notification/batch-status,keyword=batch-status"`
	ExitStatus  string               `json:"exit_status,omitempty" edn:"status-notification/exit-status"`
	Type        string               `json:"type" edn:"status-notification/type"`
}

// NotificationID is the answer with a status notification that was added, empty
// for one that was removed.
type NotificationID struct {
	ID       int64    `json:"id,omitempty" edn:"db/id"`
	Warnings []string `json:"warnings,omitempty" doc:"That nobody gets it."`
}

// NewSettings is the body that changes what of a job can be set without its
// definition.
type NewSettings struct {
	Exclusive *bool `json:"exclusive,omitempty" edn:"job/exclusive?" doc:"Without it, true."`
}

// NewTimeMonitor is the body that sets the time monitor of a job.
type NewTimeMonitor struct {
	Duration         int    `json:"duration" edn:"time-monitor/duration" doc:"Minutes from the start of an execution, at least 1."`
	Action           string `json:"action" edn:"time-monitor/action,keyword=action" enum:"alert,stop,abandon" doc:"abandon: stop, and no restart after that."`
	NotificationType string `json:"notification_type,omitempty" edn:"time-monitor/notification-type" doc:"Of an alert: the last segment of the URL that it is posted to." example:"mail"`
}

// NewStatusNotification is the body that adds a status notification with one of
// batch_status and exit_status, or removes the one with the id.
type NewStatusNotification struct {
	ID          int64  `json:"id,omitempty" edn:"db/id" doc:"Alone: remove this one."`
	BatchStatus string `json:"batch_status,omitempty" edn:"status-notification/batch-status,keyword=batch-status" enum:"starting,started,stopping,stopped,failed,completed,abandoned,unknown"`
	ExitStatus  string `json:"exit_status,omitempty" edn:"status-notification/exit-status"`
	Type        string `json:"type,omitempty" edn:"status-notification/type" doc:"The last segment of the URL that it is posted to." example:"mail"`
}

package rest

import "github.com/job-streamer/job-streamer-control-bus/subjects"

// Settings are the settings of a job that are not in its definition.
type Settings struct {
	Exclusive           bool                 `json:"exclusive" edn:"job/exclusive?" doc:"Only one execution of the job may run at a time."`
	TimeMonitor         *TimeMonitor         `json:"time_monitor" edn:"job/time-monitor"`
	StatusNotifications []StatusNotification `json:"status_notifications" edn:"job/status-notifications"`
	Triggers            *Triggers            `json:"triggers,omitempty" edn:"job/triggers"`
	SLA                 *SLA                 `json:"sla,omitempty" doc:"What the job promises, if anything."`
	Warnings            []string             `json:"warnings,omitempty" doc:"Notifications that cannot be sent, and triggers of jobs that do not exist. Only in answers to a change."`
}

// TimeMonitor says what happens to executions that take too long.
type TimeMonitor struct {
	Duration         int    `json:"duration" edn:"time-monitor/duration" doc:"Minutes from the start of an execution."`
	Action           string `json:"action" edn:"time-monitor/action,keyword=action" enum:"alert,stop,abandon"`
	NotificationType string `json:"notification_type" edn:"time-monitor/notification-type" doc:"Type of the alert."`
}

// SLA is what a job promises. The control bus raises an alert, once, for each
// promise that is not kept.
type SLA struct {
	StartWithin      string `json:"start_within,omitempty" doc:"A duration. An execution starts within it after its nominal time, or after its creation if no schedule fired it." example:"10m"`
	FinishBy         string `json:"finish_by,omitempty" doc:"A duration after that time, or a time of the day: the next one after that time. An execution, or a restart of it, is completed by then." example:"06:00"`
	MissingAfter     string `json:"missing_after,omitempty" doc:"A duration. There is a new execution at least this often." example:"25h"`
	TimeZone         string `json:"time_zone,omitempty" doc:"IANA name: that of the time of the day in finish_by. Default: the time zone of the control bus." example:"Europe/Berlin"`
	NotificationType string `json:"notification_type,omitempty" doc:"Type of the notification of each alert. Without it, alerts are events and in GET /alerts only." example:"mail"`
}

// StatusNotification is sent when an execution gets the batch status or ends
// with the exit status. It has one of the two.
type StatusNotification struct {
	ID          int64                `json:"id" edn:"db/id"`
	BatchStatus subjects.BatchStatus `json:"batch_status,omitempty" edn:"status-notification/batch-status,keyword=batch-status"`
	ExitStatus  string               `json:"exit_status,omitempty" edn:"status-notification/exit-status"`
	Type        string               `json:"type" edn:"status-notification/type"`
}

// NotificationID is the answer with a new status notification. It is empty for
// one that was removed.
type NotificationID struct {
	ID       int64    `json:"id,omitempty" edn:"db/id"`
	Warnings []string `json:"warnings,omitempty" doc:"Why the notification cannot be sent, if so."`
}

// NewSettings is the body that changes settings that are not in the definition.
type NewSettings struct {
	Exclusive *bool `json:"exclusive,omitempty" edn:"job/exclusive?" doc:"Default true."`
}

// NewTimeMonitor is the body that sets the time monitor of a job.
type NewTimeMonitor struct {
	Duration         int    `json:"duration" edn:"time-monitor/duration" doc:"Minutes from the start of an execution, at least 1."`
	Action           string `json:"action" edn:"time-monitor/action,keyword=action" enum:"alert,stop,abandon" doc:"abandon: stop the execution, and allow no restart."`
	NotificationType string `json:"notification_type,omitempty" edn:"time-monitor/notification-type" doc:"Type of the alert: the last segment of the URL to which the bus posts it." example:"mail"`
}

// NewStatusNotification is the body that adds a status notification with
// batch_status or exit_status, or removes the one with the id.
type NewStatusNotification struct {
	ID          int64  `json:"id,omitempty" edn:"db/id" doc:"If it is the only member: remove the notification with this id."`
	BatchStatus string `json:"batch_status,omitempty" edn:"status-notification/batch-status,keyword=batch-status" enum:"starting,started,stopping,stopped,failed,completed,abandoned,unknown"`
	ExitStatus  string `json:"exit_status,omitempty" edn:"status-notification/exit-status"`
	Type        string `json:"type,omitempty" edn:"status-notification/type" doc:"The last segment of the URL to which the bus posts it." example:"mail"`
}

package rest

import "github.com/job-streamer/job-streamer-control-bus/subjects"

// Senders are the senders of notifications that a control bus has.
type Senders struct {
	Results []Sender `json:"results"`
}

// Sender sends the notifications whose type is its name.
type Sender struct {
	Name *string `json:"name" doc:"Name of the sender. null for the notificator, which gets all types that name no sender."`
	Kind string  `json:"kind" doc:"webhook, slack, mail or notificator."`
}

// NewTestNotification is the body that sends a test notification.
type NewTestNotification struct {
	Type string `json:"type" doc:"Type of the notification: the name of a sender, for a sender of mail maybe with a recipient." example:"mail:ann@example.com"`
}

// TestNotification is what became of a test notification.
type TestNotification struct {
	Type     string `json:"type"`
	Kind     string `json:"kind" doc:"Kind of the sender: webhook, slack, mail or notificator."`
	Host     string `json:"host" doc:"Host to which it was sent."`
	Sent     bool   `json:"sent"`
	Reason   string `json:"reason,omitempty" doc:"Why it was not sent."`
	Duration int64  `json:"duration_ms" doc:"Milliseconds that the sender needed."`
}

// Alerts are the alerts of the last 30 days, newest first.
type Alerts struct {
	Results []Alert `json:"results"`
}

// Alert says that a job did not keep a promise, or that its time monitor has
// found an execution that takes too long.
type Alert struct {
	App         string        `json:"app"`
	Job         string        `json:"job" doc:"Name of the job when the alert was raised."`
	Rule        string        `json:"rule" doc:"start_within, finish_by, missing_after or time_monitor."`
	ExecutionID *int64        `json:"execution_id" doc:"null for missing_after."`
	DueTime     subjects.Time `json:"due_time" doc:"When the promise was broken."`
	Time        subjects.Time `json:"time" doc:"When the alert was raised."`
	Text        string        `json:"text"`
	Type        string        `json:"notification_type,omitempty" doc:"Type of its notification."`
	Notified    bool          `json:"notified" doc:"Whether its notification is sent, or waits to be sent."`
}

// DeadNotifications are notifications that were not sent, newest first.
type DeadNotifications struct {
	Results []DeadNotification `json:"results"`
}

// DeadNotification is a notification that was not sent.
type DeadNotification struct {
	Number      uint64        `json:"number" doc:"Number with which it can be sent again."`
	ID          string        `json:"id"`
	Kind        string        `json:"kind" doc:"status or alert."`
	Type        string        `json:"type"`
	App         string        `json:"app"`
	Job         string        `json:"job"`
	ExecutionID *int64        `json:"execution_id"`
	Text        string        `json:"text" doc:"The notification in one line."`
	Reason      string        `json:"reason" doc:"Why the last attempt failed."`
	Attempts    int           `json:"attempts"`
	CreateTime  subjects.Time `json:"create_time"`
	DeadTime    subjects.Time `json:"dead_time" doc:"When the control bus gave up."`
}

// NewResend is the body that sends dead notifications again.
type NewResend struct {
	Numbers []int64 `json:"numbers,omitempty" doc:"Numbers of dead notifications, at most 1000."`
	All     bool    `json:"all,omitempty" doc:"In place of numbers: the newest 1000."`
}

// Resend is what became of dead notifications that were to be sent again.
type Resend struct {
	Queued  int             `json:"queued" doc:"How many were queued; they are dead no more."`
	Refused []RefusedResend `json:"refused" doc:"Those that were not queued, in the order of their numbers."`
	More    bool            `json:"more" doc:"With all: whether there are older ones, which were left alone."`
}

// RefusedResend is a dead notification that was not queued.
type RefusedResend struct {
	Number uint64 `json:"number"`
	Reason string `json:"reason"`
}

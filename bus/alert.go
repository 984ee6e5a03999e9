package bus

import (
	"strconv"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// SLA is what a job has promised. The bus raises an alert if a promise is not
// kept. The nominal time of an execution without a schedule is its creation.
type SLA struct {
	// A duration after the nominal time.
	StartWithin string `json:"start_within,omitempty"`
	// Such a duration, or HH:MM: the next such time after the nominal time.
	FinishBy string `json:"finish_by,omitempty"`
	// A duration without a new execution.
	MissingAfter string        `json:"missing_after,omitempty"`
	TimeZone     string        `json:"time_zone,omitempty"` // of FinishBy; empty: that of the bus
	Type         string        `json:"notification_type,omitempty"`
	Since        subjects.Time `json:"since"` // nothing earlier counts
}

// SetSLA sets what the job promises; nil: nothing. A promise that stays the same
// counts from when it was made.
func (s *Settings) SetSLA(is *SLA) {
	if is != nil && s.SLA != nil {
		same := *is
		if same.Since = s.SLA.Since; same == *s.SLA {
			return
		}
	}
	s.SLA = is
}

// Rules of alerts.
const (
	RuleStart       = "start_within"
	RuleFinish      = "finish_by"
	RuleMissing     = "missing_after"
	RuleTimeMonitor = "time_monitor"
)

// Alert says that a promise was not kept. It is raised once: its key is created
// once. The buses remove it after 30 days.
type Alert struct {
	App       string        `json:"app"`
	Job       string        `json:"job"` // permanent key
	Name      string        `json:"job_name"`
	Rule      string        `json:"rule"`
	Execution int64         `json:"execution_id,omitempty"` // 0 of [RuleMissing]
	Due       subjects.Time `json:"due_time"`               // when the promise was broken
	Time      subjects.Time `json:"time"`                   // when it was raised
	Text      string        `json:"text"`
	Type      string        `json:"notification_type,omitempty"` // empty: no notification
	Minutes   int           `json:"duration,omitempty"`          // of [RuleTimeMonitor]
	Notified  bool          `json:"notified,omitempty"`          // the notification is queued
}

// Key returns the alert's key.
func (a *Alert) Key() string {
	ident := a.Execution
	if ident == 0 {
		ident = int64(a.Due)
	}
	return JobKey(a.App, a.Job) + "." + a.Rule + "." + strconv.FormatInt(ident, 10)
}

// ParseClock parses a time of the day, HH:MM.
func ParseClock(s string) (hour, minute int, ok bool) {
	t, err := time.Parse("15:04", s)
	return t.Hour(), t.Minute(), err == nil && len(s) == len("15:04")
}

// Deadline returns when an execution with a nominal time has to be finished, or
// false if that is not promised. zone is that of the bus.
func (s *SLA) Deadline(nominal time.Time, zone *time.Location) (time.Time, bool) {
	hour, minute, clock := ParseClock(s.FinishBy)
	if !clock {
		d, err := time.ParseDuration(s.FinishBy)
		return nominal.Add(d), err == nil
	}
	if s.TimeZone != "" {
		if named, err := time.LoadLocation(s.TimeZone); err == nil {
			zone = named
		}
	}
	local := nominal.In(zone)
	at := time.Date(local.Year(), local.Month(), local.Day(), hour, minute, 0, 0, zone)
	if !at.After(nominal) {
		at = time.Date(local.Year(), local.Month(), local.Day()+1, hour, minute, 0, 0, zone)
	}
	return at, true
}

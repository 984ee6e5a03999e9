package httpapi

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func (s *Server) getSettings(ctx context.Context, in *JobPath) (*answer[rest.Settings], error) {
	j, err := s.findJob(ctx, in)
	if err != nil {
		return nil, err
	}
	return &answer[rest.Settings]{s.settingsOf(j.App, j.JSL.Exclusive, &j.Settings)}, nil
}

type putExclusive struct {
	JobPath
	Sent body[rest.NewSettings]
}

func (s *Server) putExclusive(ctx context.Context, in *putExclusive) (*answer[rest.Settings], error) {
	sent := in.Sent.value.Exclusive
	return s.setExclusive(ctx, in.JobPath, sent == nil || *sent)
}

func (s *Server) deleteExclusive(ctx context.Context, in *JobPath) (*struct{}, error) {
	_, err := s.setExclusive(ctx, *in, false)
	return nil, err
}

func (s *Server) setExclusive(ctx context.Context, in JobPath, exclusive bool) (*answer[rest.Settings], error) {
	return s.answerSettings(s.cfg.Catalog.SetExclusive(ctx, in.catalogRef(), exclusive))
}

type putTimeMonitor struct {
	JobPath
	Sent body[newTimeMonitor]
}

func (s *Server) putTimeMonitor(ctx context.Context, in *putTimeMonitor) (*answer[rest.Settings], error) {
	m := timeMonitorFor((*rest.NewTimeMonitor)(&in.Sent.value))
	return s.answerSettings(s.cfg.Catalog.SetTimeMonitor(ctx, in.catalogRef(), m))
}

func (s *Server) deleteTimeMonitor(ctx context.Context, in *JobPath) (*struct{}, error) {
	_, err := s.cfg.Catalog.SetTimeMonitor(ctx, in.catalogRef(), nil)
	return nil, err
}

type putSLA struct {
	JobPath
	Sent body[newSLA]
}

func (s *Server) putSLA(ctx context.Context, in *putSLA) (*answer[rest.Settings], error) {
	return s.answerSettings(s.cfg.Catalog.SetSLA(ctx, in.catalogRef(), slaFor((*rest.SLA)(&in.Sent.value))))
}

func (s *Server) deleteSLA(ctx context.Context, in *JobPath) (*struct{}, error) {
	_, err := s.cfg.Catalog.SetSLA(ctx, in.catalogRef(), nil)
	return nil, err
}

type putStatusNotification struct {
	JobPath
	Sent body[newStatusNotification]
}

// putStatusNotification adds a status notification. If the body has an id, it
// removes the one with that id, as v1 clients expect.
func (s *Server) putStatusNotification(ctx context.Context, in *putStatusNotification) (*answer[rest.NotificationID], error) {
	if id := in.Sent.value.ID; id != 0 {
		return &answer[rest.NotificationID]{}, s.removeNotification(ctx, in.JobPath, id)
	}
	n, err := s.notificationFor(ctx, (*rest.NewStatusNotification)(&in.Sent.value))
	if err != nil {
		return nil, err
	}
	_, err = s.cfg.Catalog.AddNotification(ctx, in.catalogRef(), n)
	only := &bus.Settings{Notifications: []bus.StatusNotification{n}}
	return &answer[rest.NotificationID]{rest.NotificationID{ID: n.ID, Warnings: s.unsentNotifications(only)}}, err
}

// NotificationPath is a status notification in a path.
type NotificationPath struct {
	JobPath
	ID string `path:"id" doc:"Id of the notification, from the answer that added it."`
}

func (s *Server) deleteStatusNotification(ctx context.Context, in *NotificationPath) (*struct{}, error) {
	id, _ := strconv.ParseInt(in.ID, 10, 64) // what is no number names none, like 0
	return nil, s.removeNotification(ctx, in.JobPath, id)
}

func (s *Server) removeNotification(ctx context.Context, in JobPath, id int64) error {
	_, err := s.cfg.Catalog.RemoveNotification(ctx, in.catalogRef(), id)
	return err
}

// alertExecution sends the alert of the time monitor for an execution, whether
// or not the execution has taken too long.
func (s *Server) alertExecution(ctx context.Context, in *ExecutionPath) (*answer[rest.Execution], error) {
	e, err := s.execution(ctx, *in)
	if err != nil {
		return nil, err
	}
	j, err := s.findJob(ctx, &in.JobPath)
	if err != nil {
		return nil, err
	}
	m := j.Settings.TimeMonitor
	if m == nil || m.Type == "" {
		return nil, bus.State(bus.CodeNoTimeMonitor, "the job %s has no time monitor with a notification type", in.job.Name)
	}
	if err := s.cfg.Notifier.Alert(ctx, e, m); err != nil {
		return nil, err
	}
	return &answer[rest.Execution]{s.executionOf(e)}, nil
}

// answerSettings answers with the settings of a job that was just changed.
func (s *Server) answerSettings(j *bus.Job, err error) (*answer[rest.Settings], error) {
	if err != nil {
		return nil, err
	}
	v := s.settingsOf(j.App, false, &j.Settings)
	if def, err := jsl.Restore(j.Definition); err == nil {
		v.Exclusive = def.Exclusive
	}
	v.Warnings = append(s.danglingTriggers(j.Settings.Triggers), s.unsentNotifications(&j.Settings)...)
	return &answer[rest.Settings]{v}, nil
}

// settingsOf returns the settings of a job as answers show them.
func (s *Server) settingsOf(app string, exclusive bool, set *bus.Settings) rest.Settings {
	v := rest.Settings{Exclusive: exclusive, Triggers: s.triggersOf(app, set.Triggers), StatusNotifications: []rest.StatusNotification{}}
	if m := set.TimeMonitor; m != nil {
		v.TimeMonitor = &rest.TimeMonitor{Duration: m.Minutes, Action: m.Action, NotificationType: m.Type}
	}
	v.SLA = slaOf(set.SLA)
	for _, n := range set.Notifications {
		v.StatusNotifications = append(v.StatusNotifications, rest.StatusNotification(n))
	}
	return v
}

// showSettings adds the settings to the answer with a job.
func (s *Server) showSettings(j *rest.Job, app string, set *bus.Settings) {
	v := s.settingsOf(app, j.Exclusive, set)
	j.TimeMonitor, j.StatusNotifications, j.Triggers = v.TimeMonitor, v.StatusNotifications, v.Triggers
}

// keepIDs gives each notification the id of an equal one in was.
func keepIDs(was, is []bus.StatusNotification) []bus.StatusNotification {
	was, is = slices.Clone(was), slices.Clone(is)
	for i := range is {
		for k := range was {
			same := is[i]
			if same.ID = was[k].ID; same == was[k] && same.ID != 0 {
				is[i], was[k].ID = same, 0 // so that it is found once
				break
			}
		}
	}
	return is
}

func timeMonitorFor(sent *rest.NewTimeMonitor) *bus.TimeMonitor {
	return &bus.TimeMonitor{Minutes: sent.Duration, Action: sent.Action, Type: sent.NotificationType}
}

func slaFor(sent *rest.SLA) *bus.SLA {
	return &bus.SLA{
		StartWithin: sent.StartWithin, FinishBy: sent.FinishBy, MissingAfter: sent.MissingAfter, TimeZone: sent.TimeZone,
		Type: sent.NotificationType, Since: subjects.Now(),
	}
}

// slaOf returns the body that would promise the same, or nil.
func slaOf(s *bus.SLA) *rest.SLA {
	if s == nil {
		return nil
	}
	return &rest.SLA{StartWithin: s.StartWithin, FinishBy: s.FinishBy, MissingAfter: s.MissingAfter, TimeZone: s.TimeZone, NotificationType: s.Type}
}

// notificationFor returns the notification that was sent, with a new id.
func (s *Server) notificationFor(ctx context.Context, sent *rest.NewStatusNotification) (bus.StatusNotification, error) {
	v := notificationOf(sent)
	var err error
	v.ID, err = s.cfg.Catalog.NewNotificationID(ctx)
	return v, err
}

// notificationOf returns the notification that was sent, without an id.
func notificationOf(sent *rest.NewStatusNotification) bus.StatusNotification {
	return bus.StatusNotification{BatchStatus: subjects.BatchStatus(sent.BatchStatus), ExitStatus: sent.ExitStatus, Type: sent.Type}
}

// maxMinutes is a year.
const maxMinutes = 365 * 24 * 60

// newTimeMonitor is a body with a time monitor.
type newTimeMonitor rest.NewTimeMonitor

// Validate returns all that is wrong with the values.
func (sent *newTimeMonitor) Validate() (wrong codec.Faults) {
	if sent.Duration < 1 || sent.Duration > maxMinutes {
		wrong.Add("/duration", "a number of minutes from 1 to "+strconv.Itoa(maxMinutes), strconv.Itoa(sent.Duration))
	}
	if !slices.Contains(bus.Actions(), sent.Action) {
		wrong.Add("/action", "one of "+strings.Join(bus.Actions(), ", "), strconv.Quote(sent.Action))
	}
	if sent.NotificationType != "" || sent.Action == bus.ActionAlert {
		checkType(&wrong, "/notification_type", sent.NotificationType)
	}
	return wrong
}

// newSLA is a body with what a job promises.
type newSLA rest.SLA

// maxPromise is the longest duration of a promise.
const maxPromise = 366 * 24 * time.Hour

// Validate returns all that is wrong with the values.
func (sent *newSLA) Validate() (wrong codec.Faults) {
	checkDuration := func(at, value, more string) {
		if d, err := time.ParseDuration(value); value != "" && (err != nil || d < time.Second || d > maxPromise) {
			wrong.Add(at, "a duration from 1s to 8784h, such as 90m"+more, value)
		}
	}
	checkDuration("/start_within", sent.StartWithin, "")
	checkDuration("/missing_after", sent.MissingAfter, "")
	_, _, clock := bus.ParseClock(sent.FinishBy)
	if !clock {
		checkDuration("/finish_by", sent.FinishBy, ", or a time such as 06:00")
	}
	if sent.StartWithin+sent.FinishBy+sent.MissingAfter == "" {
		wrong.Add("/finish_by", "at least one of start_within, finish_by and missing_after", "")
	}
	if _, err := time.LoadLocation(sent.TimeZone); err != nil || sent.TimeZone == "Local" {
		wrong.Add("/time_zone", "an IANA name such as Europe/Berlin", sent.TimeZone)
	} else if sent.TimeZone != "" && !clock {
		wrong.Add("/time_zone", "no time zone without a time of the day in finish_by", sent.TimeZone)
	}
	if sent.NotificationType != "" {
		checkType(&wrong, "/notification_type", sent.NotificationType)
	}
	return wrong
}

// newStatusNotification is a body with a status notification to be added, or
// with the id of one to be removed.
type newStatusNotification rest.NewStatusNotification

// Validate returns all that is wrong with the values.
func (sent *newStatusNotification) Validate() (wrong codec.Faults) {
	alone := sent.BatchStatus == "" && sent.ExitStatus == "" && sent.Type == ""
	switch {
	case sent.ID != 0 && alone:
		return nil
	case sent.ID != 0:
		wrong.Add("/id", "only the id of the notification to be removed, without other members", strconv.FormatInt(sent.ID, 10))
		return wrong
	}
	checkType(&wrong, "/type", sent.Type)
	if len(sent.ExitStatus) > maxExitStatus {
		wrong.Add("/exit_status", "at most "+strconv.Itoa(maxExitStatus)+" bytes", sent.ExitStatus)
	}
	status := subjects.BatchStatus(sent.BatchStatus)
	switch {
	case status == "" && sent.ExitStatus == "":
		wrong.Add("/batch_status", "batch_status or exit_status", "")
	case status != "" && sent.ExitStatus != "":
		wrong.Add("/exit_status", "either batch_status or exit_status, not both", sent.ExitStatus)
	case status != "" && !slices.Contains(bus.Notifiable(), status):
		wrong.Add("/batch_status", "one of "+bus.StatusNames(bus.Notifiable()), strconv.Quote(sent.BatchStatus))
	}
	return wrong
}

const (
	maxType       = 128
	maxExitStatus = 1024
)

// checkType checks the type of a notification, which becomes the last segment
// of the URL that the bus posts it to.
func checkType(f *codec.Faults, at, kind string) {
	switch {
	case kind == "healthcheck":
		f.Add(at, "another type: the notificator uses this path itself", kind)
	case kind == "" || len(kind) > maxType || kind == "." || kind == ".." || strings.ContainsFunc(kind, unicode.IsControl):
		f.Add(at, "a notification type such as mail", strconv.Quote(kind))
	}
}

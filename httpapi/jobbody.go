package httpapi

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	v1 "github.com/job-streamer/job-streamer-control-bus/httpapi/v1"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// sentJob is a body with a job: its definition, and its schedule and settings
// in the words of job files or of v1 clients.
type sentJob struct {
	jsl.Job
	beside
}

// beside is what a body holds besides the definition. Settings that are nil
// stay unchanged.
type beside struct {
	v1.Words
	fileParts
}

// ReadBody parses a job in any format. It parses the text only once.
func (v *sentJob) ReadBody(f *codec.Format, data []byte) error {
	text, err := jsl.ParseText(f.Form, data, f.Charset)
	if err != nil {
		return f.AsMalformed(err)
	}
	wrong := v.readWords(text)
	if v.Drawn {
		if wrong == nil {
			wrong = v.Draw(&v.Job)
		}
		return wrong
	}
	file, err := text.File()
	if err := f.AsMalformed(readFile(file, f.Form, &v.beside, err)); err != nil {
		return err
	}
	v.Job = *file.Job
	if wrong == nil {
		return v.Rename(&v.Job)
	}
	return wrong
}

// readWords reads the words of v1 clients.
func (b *beside) readWords(text *jsl.Text) (err error) {
	if b.Words, err = v1.ReadWords(text); err != nil {
		return err
	}
	return b.Faults(func(part any) codec.Faults {
		switch part := part.(type) {
		case *rest.NewTimeMonitor:
			return (*newTimeMonitor)(part).Validate()
		case *rest.NewStatusNotification:
			return (*newStatusNotification)(part).Validate()
		case *rest.NewSchedule:
			return (*newSchedule)(part).Validate()
		}
		return nil
	}).Err()
}

// mergeOver returns the job to be stored in place of was, which may be nil. The
// job keeps its settings, except what set changes, and what a diagram cannot
// express.
func (v *sentJob) mergeOver(was *bus.Job, app string, set func(*bus.Settings)) (bus.Job, error) {
	now := subjects.Now()
	is := bus.Job{App: app, Name: v.ID, Notation: v.notation(), CreateTime: now, UpdateTime: now}
	def := v.Job
	if was != nil {
		is.PermanentKey, is.NameOf, is.CreateTime = was.PermanentKey, was.NameOf, was.CreateTime
		if !v.Whole {
			is.Settings = was.Settings
		}
		if v.Drawn {
			old, err := jsl.Restore(was.Definition)
			if err != nil {
				return is, err
			}
			def.Restartable, def.Pool, def.Priority, def.OnAgentLost, def.MaxAttempts, def.Log = old.Restartable, old.Pool, old.Priority, old.OnAgentLost, old.MaxAttempts, old.Log
			def.Namespace = old.Namespace
			if v.Words.Exclusive == nil && !v.Whole {
				def.Exclusive = old.Exclusive
			}
		}
	}
	set(&is.Settings)
	var err error
	is.Definition, err = def.MarshalJSON()
	return is, err
}

// notation returns the diagram to be stored, nil for none.
func (b *beside) notation() *bus.Notation {
	if b.BPMN == "" && b.SVG == "" {
		return nil
	}
	return &bus.Notation{BPMN: b.BPMN, SVG: b.SVG}
}

// settingsFor returns a function that applies the sent settings to a job. A
// notification that exists already keeps its id.
func (s *Server) settingsFor(ctx context.Context, b *beside) (set func(*bus.Settings), err error) {
	var drawn []bus.StatusNotification
	if b.StatusNotifications != nil {
		for _, n := range *b.StatusNotifications {
			v, err := s.notificationFor(ctx, &n)
			if err != nil {
				return nil, err
			}
			drawn = append(drawn, v)
		}
	}
	return b.settings(drawn), nil
}

// settings does the same with the notifications given.
func (b *beside) settings(notifications []bus.StatusNotification) func(*bus.Settings) {
	return func(v *bus.Settings) {
		switch {
		case b.TimeMonitor != nil:
			v.TimeMonitor = timeMonitorFor(b.TimeMonitor)
		case b.noMonitor:
			v.TimeMonitor = nil
		}
		if b.StatusNotifications != nil {
			v.Notifications = keepIDs(v.Notifications, notifications)
		}
	}
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
		wrong.Add("/duration", "minutes, from 1 to "+strconv.Itoa(maxMinutes), strconv.Itoa(sent.Duration))
	}
	if !slices.Contains(bus.Actions(), sent.Action) {
		wrong.Add("/action", "one of "+strings.Join(bus.Actions(), ", "), strconv.Quote(sent.Action))
	}
	if sent.NotificationType != "" || sent.Action == bus.ActionAlert {
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
		wrong.Add("/id", "nothing beside the id of the notification that is to be removed", strconv.FormatInt(sent.ID, 10))
		return wrong
	}
	checkType(&wrong, "/type", sent.Type)
	if len(sent.ExitStatus) > maxExitStatus {
		wrong.Add("/exit_status", "at most "+strconv.Itoa(maxExitStatus)+" bytes", sent.ExitStatus)
	}
	status := subjects.BatchStatus(sent.BatchStatus)
	switch {
	case status == "" && sent.ExitStatus == "":
		wrong.Add("/batch_status", "this or exit_status", "")
	case status != "" && sent.ExitStatus != "":
		wrong.Add("/exit_status", "this or batch_status, not both", sent.ExitStatus)
	case status != "" && !slices.Contains(bus.Notifiable(), status):
		wrong.Add("/batch_status", "one of "+joinStatuses(bus.Notifiable()), strconv.Quote(sent.BatchStatus))
	}
	return wrong
}

func joinStatuses(all []subjects.BatchStatus) string {
	var names []string
	for _, s := range all {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
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
		f.Add(at, "a type; the notificator has this path for itself", kind)
	case kind == "" || len(kind) > maxType || kind == "." || kind == ".." || strings.ContainsFunc(kind, unicode.IsControl):
		f.Add(at, "a type that the notificator knows, such as mail", strconv.Quote(kind))
	}
}

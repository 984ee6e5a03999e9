package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	v1 "github.com/job-streamer/job-streamer-control-bus/httpapi/v1"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/scheduler"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
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
		if v.Whole {
			is.Settings.Triggers = was.Settings.Triggers // which v1 clients do not know
		} else {
			is.Settings = was.Settings
		}
		if v.Drawn {
			old, err := jsl.Restore(was.Definition)
			if err != nil {
				return is, err
			}
			def.Restartable, def.Pool, def.Priority, def.OnAgentLost, def.MaxAttempts, def.Log = old.Restartable, old.Pool, old.Priority, old.OnAgentLost, old.MaxAttempts, old.Log
			def.Namespace, def.UnsafeSubstitution = old.Namespace, old.UnsafeSubstitution
			def.Retry, def.Limits, def.Timeout, def.TimeoutGrace = old.Retry, old.Limits, old.Timeout, old.TimeoutGrace
			if v.Words.Exclusive == nil && !v.Whole {
				def.Exclusive = old.Exclusive
			}
		}
	}
	if v.Drawn {
		if err := v.CheckDrawn(&def); err != nil {
			return is, err
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
		switch {
		case b.sla != nil:
			v.SetSLA(slaFor(b.sla))
		case b.noSLA:
			v.SetSLA(nil)
		}
		if b.StatusNotifications != nil {
			v.Notifications = keepIDs(v.Notifications, notifications)
		}
		if b.triggers != nil || b.noTriggers {
			v.Triggers = b.triggers
		}
	}
}

// fileParts are the parts of a job's file besides the definition. A part that
// the file leaves out stays unchanged; a part that is null is removed.
type fileParts struct {
	file *jsl.File // nil: nothing was sent in the words of files

	noSchedule, noMonitor, noSLA bool
	sla                          *rest.SLA
	// All schedules but the default one, by name; nil if they stay as they are.
	schedules map[string]*rest.ImportedSchedule

	Triggers       *rest.Triggers
	listedTriggers bool // they were sent as a list
	noTriggers     bool
	triggers       *bus.Triggers // Triggers with the keys of the jobs
}

// ParseFile reads a job's file and checks all rules that do not depend on a
// control bus. The error is a [jsl.Errors].
func ParseFile(form jsl.Format, text []byte) (*jsl.File, error) {
	file, err := jsl.ParseFile(form, text)
	return file, readFile(file, form, &beside{}, err)
}

// readFile reads the parts besides the definition into b. err holds the faults
// of the definition; readFile returns the faults of both.
func readFile(file *jsl.File, form jsl.Format, b *beside, err error) error {
	var all jsl.Errors
	if file == nil || err != nil && !errors.As(err, &all) {
		return err
	}
	b.file = file
	all = slices.Clip(all)
	for _, m := range file.Beside {
		for _, f := range b.readPart(m, form == jsl.EDN) {
			path := "/" + m.Name + f.Pointer
			line, column := file.Locate(path)
			all = append(all, jsl.FieldError{Path: path, Want: strings.TrimPrefix(f.Detail, "want "), Got: f.Got, Line: line, Column: column})
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b jsl.FieldError) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return all
}

// readPart reads one part and returns its faults.
func (b *beside) readPart(m jsl.Member, edn bool) (wrong codec.Faults) {
	none := string(m.Value) == "null"
	read := func(v any, validate func() codec.Faults) {
		if err := readValue(m.Value, v, edn); err != nil && !errors.As(err, &wrong) {
			wrong.Add("", "an object", string(m.Value))
		}
		wrong.AddOther(validate())
	}
	switch m.Name {
	case jsl.BesideSchedule:
		if b.Schedule, b.noSchedule = nil, none; !none {
			b.Schedule = &rest.ImportedSchedule{}
			read(b.Schedule, (*newSchedule)(&b.Schedule.NewSchedule).Validate)
		}
	case jsl.BesideSchedules:
		b.schedules = map[string]*rest.ImportedSchedule{}
		if none {
			break
		}
		var sent map[string]json.RawMessage
		if json.Unmarshal(m.Value, &sent) != nil {
			wrong.Add("", "an object with schedules by their names", string(m.Value))
		}
		for _, name := range slices.Sorted(maps.Keys(sent)) {
			wrong.AddWithin("/"+codec.Escape(name), b.readNamed(name, sent[name], edn))
		}
	case jsl.BesideTriggers:
		b.Triggers, b.noTriggers, b.listedTriggers = nil, none || string(m.Value) == "[]", strings.HasPrefix(string(m.Value), "[")
		if !b.noTriggers {
			b.Triggers = &rest.Triggers{}
			if b.listedTriggers {
				m.Value = slices.Concat([]byte(`{"jobs":`), m.Value, []byte("}"))
			}
			read(b.Triggers, (*newTriggers)(b.Triggers).Validate)
		}
		if b.listedTriggers {
			for i := range wrong {
				wrong[i].Pointer = strings.TrimPrefix(wrong[i].Pointer, "/jobs")
			}
		}
	case jsl.BesideTimeMonitor:
		if b.TimeMonitor, b.noMonitor = nil, none; !none {
			b.TimeMonitor = &rest.NewTimeMonitor{}
			read(b.TimeMonitor, (*newTimeMonitor)(b.TimeMonitor).Validate)
		}
	case jsl.BesideSLA:
		if b.sla, b.noSLA = nil, none; !none {
			b.sla = &rest.SLA{}
			read(b.sla, (*newSLA)(b.sla).Validate)
		}
	case jsl.BesideNotifications:
		var sent struct {
			All []rest.NewStatusNotification `json:"all" edn:"all"`
		}
		if !none {
			list := slices.Concat([]byte(`{"all":`), m.Value, []byte("}"))
			if err := readValue(list, &sent, edn); err != nil && !errors.As(err, &wrong) {
				wrong.Add("", "an array", string(m.Value))
			}
			for i := range wrong {
				wrong[i].Pointer = wrong[i].Pointer[min(len("/all"), len(wrong[i].Pointer)):]
			}
		}
		for i := range sent.All {
			sent.All[i].ID = 0
			if len(wrong) == 0 {
				wrong.AddWithin("/"+strconv.Itoa(i), (*newStatusNotification)(&sent.All[i]).Validate())
			}
		}
		b.StatusNotifications = &sent.All
	}
	return wrong
}

// readNamed reads a schedule other than the default one, and returns its faults.
func (b *beside) readNamed(name string, value []byte, edn bool) (wrong codec.Faults) {
	var field *bus.FieldError
	switch {
	case name == bus.DefaultSchedule || name == "":
		wrong.Add("", "another name: the member schedule is the schedule "+bus.DefaultSchedule, name)
		return wrong
	case errors.As(bus.CheckScheduleName(name), &field):
		wrong.Add("", "a name of "+field.Want, name)
		return wrong
	}
	sent := &rest.ImportedSchedule{}
	if err := readValue(value, sent, edn); err != nil && !errors.As(err, &wrong) || string(value) == "null" {
		wrong = nil
		wrong.Add("", "an object with a schedule", string(value))
		return wrong
	}
	wrong.AddOther((*newSchedule)(&sent.NewSchedule).Validate())
	b.schedules[name] = sent
	return wrong
}

// readValue reads a JSON value, or the JSON of an EDN value.
func readValue(data []byte, v any, edn bool) error {
	if edn {
		return codec.ReadEDN(data, v, v1.Ignores)
	}
	return codec.ReadJSON(data, v)
}

// jobFile is a job with its schedule and settings, in the form of a file.
type jobFile struct {
	job    *jsl.Job
	beside []jsl.Member
}

// Format writes the file for people to read.
func (f jobFile) Format(form jsl.Format) ([]byte, error) { return f.job.FormatFile(form, f.beside) }

// MarshalJSON writes the canonical form: files with the same meaning have the
// same text.
func (f jobFile) MarshalJSON() ([]byte, error) {
	text, err := f.job.FormatFile(jsl.JSON, f.beside)
	if err == nil {
		v := jsontext.Value(text)
		err = v.Compact()
		text = v
	}
	return text, err
}

// fileSchedule is a schedule in a file. It leaves out defaults, except active:
// without active, a paused schedule would stay paused.
type fileSchedule struct {
	rest.NewSchedule
	Active bool `json:"active"`
}

// fileOf returns the file of a job, stored or not, with its schedules.
func (s *Server) fileOf(app string, job *jsl.Job, set *bus.Settings, all []bus.Schedule) (jobFile, error) {
	f := jobFile{job: job}
	var monitor *rest.NewTimeMonitor
	if m := set.TimeMonitor; m != nil {
		monitor = &rest.NewTimeMonitor{Duration: m.Minutes, Action: m.Action, NotificationType: m.Type}
	}
	notifications := []rest.NewStatusNotification{}
	for _, n := range set.Notifications {
		notifications = append(notifications, rest.NewStatusNotification{BatchStatus: string(n.BatchStatus), ExitStatus: n.ExitStatus, Type: n.Type})
	}
	var schedule *fileSchedule
	named := map[string]*fileSchedule{}
	for i := range all {
		sc := &all[i]
		is := &fileSchedule{sentOf(sc), sc.Active}
		if name := sc.Key().Name(); name != bus.DefaultSchedule {
			named[name] = is
		} else {
			schedule = is
		}
	}
	for _, m := range []struct {
		name  string
		value any
	}{{jsl.BesideSchedule, schedule}, {jsl.BesideSchedules, named}, {jsl.BesideTriggers, fileTriggers(s.triggersOf(app, set.Triggers))}, {jsl.BesideTimeMonitor, monitor}, {jsl.BesideNotifications, notifications}} {
		value, err := json.Marshal(m.value)
		if err != nil {
			return f, err
		}
		f.beside = append(f.beside, jsl.Member{Name: m.name, Value: value})
	}
	if promised := slaOf(set.SLA); promised != nil {
		value, err := json.Marshal(promised)
		if err != nil {
			return f, err
		}
		f.beside = append(f.beside, jsl.Member{Name: jsl.BesideSLA, Value: value})
	}
	return f, nil
}

// sentOf returns the body that would create a schedule.
func sentOf(sc *bus.Schedule) rest.NewSchedule {
	is := *sc
	leaveDefaults(&is)
	return rest.NewSchedule{
		CronNotation: is.Cron, TimeZone: is.TimeZone, Calendar: is.Calendar, Substitution: string(is.Substitution),
		BusinessDays: is.BusinessDays, Of: is.Of, Months: is.Months,
		Misfire: is.Misfire, MisfireAfter: is.After,
		At: is.At, Start: is.Start, End: is.End, DST: is.DST, Jitter: is.Jitter, Priority: is.Priority, Pool: is.Pool, Parameters: is.Parameters,
		Overlap: is.Overlap, CatchUpLimit: is.CatchUpLimit, CatchUpWindow: is.CatchUpWindow,
	}
}

// leaveDefaults removes values that are defaults, so that schedules with the
// same meaning are equal.
func leaveDefaults(sc *bus.Schedule) {
	if sc.Misfire == bus.MisfireFireOnce {
		sc.Misfire = ""
	}
	if sc.Overlap == bus.OverlapAllow {
		sc.Overlap = ""
	}
	if sc.DST == bus.DSTOnce {
		sc.DST = ""
	}
	if sc.Substitution.Or() == calendar.NoSubstitution {
		sc.Substitution = ""
	}
	after, err := time.ParseDuration(sc.After)
	if usual, _ := time.ParseDuration(bus.DefaultMisfireAfter); err == nil && after == usual {
		sc.After = ""
	}
}

func (s *Server) getFile(ctx context.Context, in *JobPath) (*tagged[jobFile], error) {
	j, err := s.findJob(ctx, in)
	if err != nil {
		return nil, err
	}
	all := make([]bus.Schedule, len(j.Schedules))
	for i, sc := range j.Schedules {
		all[i] = *s.withNames(sc)
	}
	f, err := s.fileOf(j.App, j.JSL, &j.Settings, all)
	return &tagged[jobFile]{entityTag(j.Revision), f}, err
}

type previewJob struct {
	AppPath
	Sent body[sentJob]
}

// previewJob returns what a PUT of a job's file would change. It writes
// nothing.
func (s *Server) previewJob(ctx context.Context, in *previewJob) (*tagged[rest.JobPreview], error) {
	sent := &in.Sent.value
	sent.Whole = false // as with a PUT
	if err := s.checkSentJob(ctx, in.App, sent); err != nil {
		return nil, err
	}
	out := &tagged[rest.JobPreview]{Body: rest.JobPreview{Name: sent.ID, Result: "created"}}
	was, err := s.loadStored(ctx, in.App, sent.ID)
	if err != nil {
		return nil, err
	}
	var notifications []bus.StatusNotification
	if sent.StatusNotifications != nil {
		for _, n := range *sent.StatusNotifications {
			notifications = append(notifications, notificationOf(&n))
		}
	}
	is, err := sent.mergeOver(was.job, in.App, sent.settings(notifications))
	if err != nil {
		return nil, err
	}
	job, err := jsl.Restore(is.Definition)
	if err != nil {
		return nil, err
	}
	if out.Body.Is, err = fileText(s.fileOf(in.App, job, &is.Settings, sent.schedulesOver(in.App, was.schedules))); err != nil {
		return nil, err
	}
	out.Body.Warnings = s.warnings(in.App, job, &is.Settings)
	if was.job == nil {
		return out, nil
	}
	out.ETag = entityTag(was.revision)
	if job, err = jsl.Restore(was.job.Definition); err == nil {
		out.Body.Was, err = fileText(s.fileOf(in.App, job, &was.job.Settings, was.schedules))
	}
	out.Body.Result = map[bool]string{true: "unchanged", false: "changed"}[bytes.Equal(out.Body.Was, out.Body.Is)]
	return out, err
}

func fileText(f jobFile, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return f.MarshalJSON()
}

// storedJob is a job with its schedules, read from the buckets. Both may be nil.
type storedJob struct {
	job       *bus.Job
	schedules []bus.Schedule
	revision  uint64
}

func (s *Server) loadStored(ctx context.Context, app, name string) (is storedJob, err error) {
	e, err := s.cfg.Catalog.JobNamed(ctx, app, name)
	if errors.Is(err, bus.ErrNotFound) {
		return is, nil
	}
	if err != nil {
		return is, err
	}
	is.job, is.revision = &e.Value, bus.EditOf(e)
	is.schedules, err = s.cfg.Schedules.StoredAll(ctx, app, e.Value.PermanentKey)
	return is, err
}

// checkSentJob returns why the bus would refuse a job, independent of what is
// stored.
func (s *Server) checkSentJob(ctx context.Context, app string, sent *sentJob) error {
	if _, _, err := s.findApp(ctx, app); err != nil {
		return err
	}
	if sent.ID == testJob {
		return &bus.FieldError{Path: "/id", Want: "another name: the bus uses this one to try diagrams", Got: sent.ID}
	}
	if err := s.checkSentTriggers(ctx, app, sent); err != nil {
		return err
	}
	for _, sc := range sent.schedulesOver(app, nil) {
		err := s.cfg.Schedules.ValidateSchedule(ctx, sc)
		if err == nil {
			continue
		}
		was, readErr := s.loadStored(ctx, app, sent.ID)
		if readErr != nil {
			return readErr
		}
		if !slices.ContainsFunc(was.schedules, func(is bus.Schedule) bool { return sentAgain(&sc, &is) }) {
			return sent.placeFault(sc.Key().Name(), err)
		}
	}
	return nil
}

// sentAgain reports whether a schedule equals the stored one. A schedule that
// has fired for the last time may be in the file of a job that is sent again.
func sentAgain(sc, is *bus.Schedule) bool {
	was := *is
	was.Active = sc.Active
	return scheduler.SameSchedule(sc, &was)
}

// placeFault adds the place in a job's file to the fault of a schedule.
func (v *sentJob) placeFault(name string, err error) error {
	member, at := jsl.BesideSchedule, "/"+jsl.BesideSchedule
	if name != bus.DefaultSchedule {
		member, at = jsl.BesideSchedules, "/"+jsl.BesideSchedules+"/"+name
	}
	var wrong *bus.FieldError
	if v.file == nil || v.file.Get(member) == nil || !errors.As(err, &wrong) {
		return err
	}
	at += wrong.Path
	line, column := v.file.Locate(at)
	return jsl.Errors{{Path: at, Want: wrong.Want, Got: wrong.Got, Line: line, Column: column}}
}

// schedulesOver returns the schedules to be stored in place of those in was.
func (v *sentJob) schedulesOver(app string, was []bus.Schedule) (all []bus.Schedule) {
	old := map[string]*bus.Schedule{}
	for i := range was {
		old[was[i].Key().Name()] = &was[i]
	}
	sentInFile := v.file != nil && v.file.Get(jsl.BesideSchedule) != nil
	switch is := old[bus.DefaultSchedule]; {
	case v.Schedule != nil:
		all = append(all, v.scheduleOver(app, "", v.Schedule, is, sentInFile))
	case is != nil && !v.Whole && !v.noSchedule:
		all = append(all, *is)
	}
	delete(old, bus.DefaultSchedule)
	if v.schedules == nil {
		for _, name := range slices.Sorted(maps.Keys(old)) {
			all = append(all, *old[name])
		}
		return all
	}
	for _, name := range slices.Sorted(maps.Keys(v.schedules)) {
		all = append(all, v.scheduleOver(app, name, v.schedules[name], old[name], true))
	}
	return all
}

// scheduleOver returns the schedule to be stored in place of was, which may be
// nil.
func (v *sentJob) scheduleOver(app, name string, sent *rest.ImportedSchedule, was *bus.Schedule, inFile bool) bus.Schedule {
	sc := scheduleFor(app, v.ID, &sent.NewSchedule)
	sc.Name = name
	switch {
	case sent.Active != nil:
		sc.Active = *sent.Active
	case was != nil && inFile:
		sc.Active = was.Active // somebody paused it, which a file without a word about it does not undo
	}
	return sc
}

// warnings returns what the bus accepted of a job although it cannot run or
// notify anybody.
func (s *Server) warnings(app string, job *jsl.Job, set *bus.Settings) []string {
	all := s.cfg.Deployments.Missing(app, job)
	if s.cfg.Runnable != nil {
		if err := s.cfg.Runnable(job); err != nil {
			all = append(all, err.Error()+": the job cannot run")
		}
	}
	all = append(all, s.danglingTriggers(set.Triggers)...)
	return append(all, s.unsentNotifications(set)...)
}

// unsentNotifications returns warnings about notifications that nobody will
// receive.
func (s *Server) unsentNotifications(set *bus.Settings) (all []string) {
	if s.cfg.Notifier == nil {
		return nil
	}
	warn := func(at, kind string) {
		if why := s.cfg.Notifier.WhyUnsent(kind); why != "" {
			all = append(all, at+": the notification "+strconv.Quote(kind)+" cannot be sent: "+why)
		}
	}
	if m := set.TimeMonitor; m != nil && m.Type != "" {
		warn("/"+jsl.BesideTimeMonitor, m.Type)
	}
	if set.SLA != nil && set.SLA.Type != "" {
		warn("/"+jsl.BesideSLA, set.SLA.Type)
	}
	for i, n := range set.Notifications {
		warn("/"+jsl.BesideNotifications+"/"+strconv.Itoa(i), n.Type)
	}
	return all
}

type convertXML struct{ Sent body[rest.Diagram] }

func (s *Server) convertXML(_ context.Context, in *convertXML) (*answer[rest.JobXML], error) {
	j, err := v1.ReadDiagram(in.Sent.value.JobBPMNXML, "/job_bpmn_xml")
	if err != nil {
		return nil, err
	}
	text, err := j.Format(jsl.XML)
	return &answer[rest.JobXML]{rest.JobXML{JobXML: string(text)}}, err
}

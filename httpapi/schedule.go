package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/scheduler"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

type putSchedule struct {
	JobPath
	Sent body[newSchedule]
}

// scheduled is the answer with a new schedule.
type scheduled struct {
	Status   int
	Location string `header:"Location"`
	Body     *rest.Schedule
}

func (s *Server) postSchedule(ctx context.Context, in *putSchedule) (*scheduled, error) {
	out, err := s.putSchedule(ctx, in)
	if err == nil {
		out.Status = 201
	}
	return out, err
}

func (s *Server) putSchedule(ctx context.Context, in *putSchedule) (*scheduled, error) {
	return s.saveSchedule(ctx, &in.JobPath, "", &in.Sent.value, s.replaceSchedule)
}

// SchedulePath is a schedule of a job in a path.
type SchedulePath struct {
	JobPath
	Schedule string `path:"schedule" doc:"Name of the schedule."`
}

// Resolve refuses an invalid name before it becomes a part of a key.
func (p *SchedulePath) Resolve(huma.Context) []error {
	var wrong *bus.FieldError
	if errors.As(bus.CheckScheduleName(p.Schedule), &wrong) {
		return []error{codec.Faults{{Parameter: "schedule", InPath: true, Detail: "want " + wrong.Want, Got: codec.Cut(p.Schedule)}}}
	}
	return nil
}

func (p *SchedulePath) key() bus.ScheduleKey { return bus.NewScheduleKey(p.App, p.job.Key, p.Schedule) }

type putNamedSchedule struct {
	SchedulePath
	Sent body[newSchedule]
}

func (s *Server) putNamedSchedule(ctx context.Context, in *putNamedSchedule) (*scheduled, error) {
	return s.saveSchedule(ctx, &in.JobPath, in.Schedule, &in.Sent.value, s.replaceSchedule)
}

type postNamedSchedule struct {
	JobPath
	Sent body[newNamedSchedule]
}

func (s *Server) postNamedSchedule(ctx context.Context, in *postNamedSchedule) (*scheduled, error) {
	sent := &in.Sent.value
	name := cmp.Or(sent.Name, bus.DefaultSchedule)
	noteObject(ctx, codec.Cut(in.Name)+"/"+name)
	return s.saveSchedule(ctx, &in.JobPath, name, (*newSchedule)(&sent.NewSchedule), s.createSchedule)
}

// saveSchedule stores a schedule of a job with save. The empty name is that of
// the routes without a name.
func (s *Server) saveSchedule(ctx context.Context, at *JobPath, name string, sent *newSchedule, save func(context.Context, bus.Schedule) (uint64, error)) (*scheduled, error) {
	j, err := s.findJob(ctx, at)
	if err != nil {
		return nil, err
	}
	sc := scheduleFor(at.App, at.job.Key, (*rest.NewSchedule)(sent))
	sc.Name = name
	isNew := !slices.ContainsFunc(j.Schedules, func(was *bus.Schedule) bool { return was.Key() == sc.Key() })
	if _, err := save(ctx, sc); err != nil {
		return nil, err
	}
	is, err := s.schedule(ctx, sc.Key())
	if err != nil {
		return nil, err
	}
	place := jobURL(at.App, at.job.Name) + "/schedule"
	if name != "" {
		place += "/" + name
	}
	return &scheduled{putStatus(isNew), place, is}, nil
}

// replaceSchedule stores a schedule, unless it sets another pool than the stored
// one and the user may not choose it.
func (s *Server) replaceSchedule(ctx context.Context, sc bus.Schedule) (uint64, error) {
	return s.cfg.Schedules.SetIf(ctx, sc, func(was *bus.Schedule) error {
		if was != nil && was.Pool == sc.Pool {
			return nil
		}
		return checkPool(ctx, &sc)
	})
}

// createSchedule stores a new schedule, unless the user may not choose its pool.
func (s *Server) createSchedule(ctx context.Context, sc bus.Schedule) (uint64, error) {
	if err := checkPool(ctx, &sc); err != nil {
		return 0, err
	}
	return s.cfg.Schedules.Create(ctx, sc)
}

// checkPool refuses the pool of a schedule if the user may not change the job. A
// pool decides which agents run the job, as the definition does.
func checkPool(ctx context.Context, sc *bus.Schedule) error {
	if sc.Pool == "" {
		return nil
	}
	err := checkPermission(ctx, updateJob, sc.App)
	var may *permissionError
	if errors.As(err, &may) {
		may.fault = rest.Fault{Pointer: "/pool", Detail: "want the pool of the stored schedule, or none", Got: sc.Pool, Message: may.Error()}
	}
	return err
}

func (s *Server) listSchedules(ctx context.Context, in *JobPath) (*answer[rest.Schedules], error) {
	j, err := s.findJob(ctx, in)
	if err != nil {
		return nil, err
	}
	return &answer[rest.Schedules]{rest.Schedules{Results: s.namedSchedules(j)}}, nil
}

func (s *Server) getNamedSchedule(ctx context.Context, in *SchedulePath) (*answer[rest.NamedSchedule], error) {
	j, err := s.findJob(ctx, &in.JobPath)
	if err != nil {
		return nil, err
	}
	for _, sc := range j.Schedules {
		if sc.Key() == in.key() {
			return &answer[rest.NamedSchedule]{s.namedScheduleOf(sc)}, nil
		}
	}
	return nil, bus.State(bus.CodeNoSuchSchedule, "job %s of application %s has no schedule %s", j.Name, in.App, in.key().Name())
}

// namedSchedules returns all schedules of a job as answers show them.
func (s *Server) namedSchedules(j *index.Job) []rest.NamedSchedule {
	all := make([]rest.NamedSchedule, len(j.Schedules))
	for i, sc := range j.Schedules {
		all[i] = s.namedScheduleOf(sc)
	}
	return all
}

func (s *Server) namedScheduleOf(sc *bus.Schedule) rest.NamedSchedule {
	is := rest.NamedSchedule{Schedule: *s.scheduleOf(s.withNames(sc))}
	for _, t := range s.cfg.Schedules.Next(sc.Key(), 1) {
		is.NextFire = subjects.TimeOf(t)
	}
	return is
}

func (s *Server) deleteNamedSchedule(ctx context.Context, in *SchedulePath) (*struct{}, error) {
	return s.removeSchedule(ctx, &in.JobPath, in.Schedule)
}

type pauseNamed struct {
	SchedulePath
	Sent body[newPause]
}

func (s *Server) pauseNamedSchedule(ctx context.Context, in *pauseNamed) (*answer[*rest.Schedule], error) {
	return s.pause(ctx, &in.JobPath, in.Schedule, &in.Sent.value)
}

type resumeNamed struct {
	SchedulePath
	Sent body[rest.NewResumption]
}

func (s *Server) resumeNamedSchedule(ctx context.Context, in *resumeNamed) (*answer[*rest.ResumedSchedule], error) {
	return s.resume(ctx, &in.JobPath, in.Schedule, in.Sent.value.CatchUp)
}

// newPause is a body with the reason of a pause.
type newPause rest.NewPause

const maxReason = 500

// Validate returns all that is wrong with the values.
func (sent *newPause) Validate() (wrong codec.Faults) {
	if utf8.RuneCountInString(sent.Reason) > maxReason {
		wrong.Add("/reason", fmt.Sprintf("up to %d characters", maxReason), sent.Reason)
	}
	return wrong
}

// pauseBy returns a pause by the user who sends the request.
func pauseBy(ctx context.Context, sent *newPause) bus.Pause {
	return bus.Pause{By: senderID(ctx), Reason: sent.Reason}
}

func (s *Server) pause(ctx context.Context, at *JobPath, name string, sent *newPause) (*answer[*rest.Schedule], error) {
	if _, err := s.findJob(ctx, at); err != nil {
		return nil, err
	}
	key := bus.NewScheduleKey(at.App, at.job.Key, name)
	if err := s.cfg.Schedules.Pause(ctx, key, pauseBy(ctx, sent)); err != nil {
		return nil, err
	}
	is, err := s.schedule(ctx, key)
	return &answer[*rest.Schedule]{is}, err
}

func (s *Server) resume(ctx context.Context, at *JobPath, name string, catchUp bool) (*answer[*rest.ResumedSchedule], error) {
	if _, err := s.findJob(ctx, at); err != nil {
		return nil, err
	}
	key := bus.NewScheduleKey(at.App, at.job.Key, name)
	done, err := s.cfg.Schedules.Resume(ctx, key, catchUp)
	if err != nil {
		return nil, err
	}
	is, err := s.schedule(ctx, key)
	if err != nil {
		return nil, err
	}
	if is == nil { // removed meanwhile
		return nil, bus.State(bus.CodeNoSuchSchedule, "the schedule of job %s was removed", at.Name)
	}
	out := &rest.ResumedSchedule{Schedule: *is}
	if done.From != 0 {
		out.Resumed = &rest.Resumed{From: done.From, To: done.To, Count: done.Count, CatchUp: catchUp}
	}
	return &answer[*rest.ResumedSchedule]{out}, nil
}

type preview struct{ Sent body[newPreview] }

const (
	previewed    = 10
	maxPreviewed = 1000
)

func (s *Server) previewFires(ctx context.Context, in *preview) (*answer[rest.Preview], error) {
	sent := &in.Sent.value
	from := time.Now()
	if sent.From != "" {
		from, _ = time.Parse(time.RFC3339, sent.From) // checked before
	}
	if sent.Calendar != "" {
		if err := checkPermission(ctx, readCalendar, ""); err != nil {
			return nil, err
		}
	}
	v, err := s.cfg.Schedules.Preview(ctx, scheduleFor("", "", &sent.NewSchedule), from, cmp.Or(sent.Count, previewed))
	if err != nil {
		return nil, err
	}
	out := &answer[rest.Preview]{rest.Preview{Fires: make([]rest.PreviewFire, len(v.Fires)), Skipped: make([]rest.PreviewFire, len(v.Skipped))}}
	out.Body.GroupPauses = groupPausesOf(s.cfg.Schedules.GroupPauses(""))
	for i := range v.Fires {
		out.Body.Fires[i] = previewFireOf(&v.Fires[i])
	}
	for i := range v.Skipped {
		out.Body.Skipped[i] = previewFireOf(&v.Skipped[i])
	}
	return out, nil
}

func previewFireOf(f *scheduler.PreviewedFire) rest.PreviewFire {
	v := rest.PreviewFire{Time: subjects.TimeOf(f.Time), Local: f.Time.Format(time.RFC3339), Note: f.Note}
	if f.Why != nil {
		v.Reason = f.Why.String()
	}
	if !f.From.IsZero() {
		v.From = f.From.Format(time.RFC3339)
	}
	if !f.To.IsZero() {
		v.To = f.To.Format(time.RFC3339)
	}
	return v
}

// newPreview is a body that asks for the next fires of a schedule.
type newPreview rest.NewPreview

// Validate returns all that is wrong with the values.
func (sent *newPreview) Validate() codec.Faults {
	wrong := (*newSchedule)(&sent.NewSchedule).Validate()
	if from, err := time.Parse(time.RFC3339, sent.From); sent.From != "" && (err != nil || from.Unix() <= 0) {
		wrong.Add("/from", "a time after 1970 such as 2026-11-24T00:00:00Z (RFC 3339)", sent.From)
	}
	if sent.Count < 0 || sent.Count > maxPreviewed {
		wrong.Add("/count", fmt.Sprintf("a whole number from 1 to %d", maxPreviewed), strconv.Itoa(sent.Count))
	}
	return wrong
}

// scheduleFor returns the schedule that was sent for a job. Its calendar is a
// name: see [calendarNames].
func scheduleFor(app, key string, sent *rest.NewSchedule) bus.Schedule {
	sc := bus.Schedule{
		App: app, Job: key, Cron: sent.CronNotation, TimeZone: sent.TimeZone, Calendar: sent.Calendar, Substitution: substitutionOf(sent),
		Misfire: sent.Misfire, After: sent.MisfireAfter, Active: true,
		At: sent.At, Start: sent.Start, End: sent.End, DST: sent.DST, Jitter: sent.Jitter, Priority: sent.Priority, Pool: sent.Pool,
		Overlap: sent.Overlap, CatchUpLimit: sent.CatchUpLimit, CatchUpWindow: sent.CatchUpWindow,
		BusinessDays: sent.BusinessDays, Of: sent.Of, Months: sent.Months,
	}
	if len(sent.Parameters) > 0 {
		sc.Parameters = sent.Parameters
	}
	leaveDefaults(&sc)
	return sc
}

// substitutionOf returns the substitution that was sent. V1 clients know only
// whether there is one. They send back the rest of a schedule unchanged.
func substitutionOf(sent *rest.NewSchedule) bus.Substitution {
	none := bus.Substitution(calendar.NoSubstitution)
	is := bus.Substitution(sent.Substitution)
	switch v1 := sent.Substitutes; {
	case v1 == nil:
		return is
	case !*v1:
		return none
	}
	if is == "" || is == none {
		return bus.Substitution(calendar.NextUnlessDue)
	}
	return is
}

// maxWant is the greatest length of a fault of a schedule.
const maxWant = 400

// newSchedule is a body with a schedule.
type newSchedule rest.NewSchedule

// Validate returns all that is wrong with the values.
func (sent *newSchedule) Validate() (wrong codec.Faults) {
	for _, f := range scheduler.Faults(scheduleFor("", "", (*rest.NewSchedule)(sent))) {
		wrong.Add(f.Path, f.Want[:min(len(f.Want), maxWant)], f.Got)
	}
	return wrong
}

// ValidateFor also refuses a substitution, which does nothing without a
// calendar. It accepts one from v1 clients, which send it with an empty calendar.
func (sent *newSchedule) ValidateFor(ctx huma.Context) codec.Faults {
	wrong := sent.Validate()
	if is := substitutionOf((*rest.NewSchedule)(sent)); sent.Calendar == "" && len(sent.BusinessDays) == 0 && is.Or() != calendar.NoSubstitution && !fromV1Client(ctx) {
		wrong.Add("/substitution", "none, or a calendar", string(is))
	}
	return wrong
}

// newNamedSchedule is a body with a schedule and its name.
type newNamedSchedule rest.NewNamedSchedule

// Validate returns all that is wrong with the values.
func (sent *newNamedSchedule) Validate() codec.Faults {
	wrong := (*newSchedule)(&sent.NewSchedule).Validate()
	var name *bus.FieldError
	if errors.As(bus.CheckScheduleName(sent.Name), &name) {
		wrong.Add(name.Path, name.Want, name.Got)
	}
	return wrong
}

// ValidateFor also refuses what [newSchedule.ValidateFor] refuses.
func (sent *newNamedSchedule) ValidateFor(ctx huma.Context) codec.Faults {
	wrong := sent.Validate()
	wrong.AddOther((*newSchedule)(&sent.NewSchedule).ValidateFor(ctx))
	return wrong
}

func (s *Server) deleteSchedule(ctx context.Context, in *JobPath) (*struct{}, error) {
	return s.removeSchedule(ctx, in, "")
}

func (s *Server) removeSchedule(ctx context.Context, at *JobPath, name string) (*struct{}, error) {
	if _, err := s.findJob(ctx, at); err != nil {
		return nil, err
	}
	return nil, s.cfg.Schedules.Remove(ctx, bus.NewScheduleKey(at.App, at.job.Key, name))
}

type pauseDefault struct {
	JobPath
	Sent body[newPause]
}

func (s *Server) pauseSchedule(ctx context.Context, in *pauseDefault) (*answer[*rest.Schedule], error) {
	return s.pause(ctx, &in.JobPath, "", &in.Sent.value)
}

type resumeDefault struct {
	JobPath
	Sent body[rest.NewResumption]
}

func (s *Server) resumeSchedule(ctx context.Context, in *resumeDefault) (*answer[*rest.ResumedSchedule], error) {
	return s.resume(ctx, &in.JobPath, "", in.Sent.value.CatchUp)
}

// schedule returns the schedule that was just written.
func (s *Server) schedule(ctx context.Context, key bus.ScheduleKey) (*rest.Schedule, error) {
	is, err := s.cfg.Schedules.Stored(ctx, key)
	return s.scheduleOf(is), err
}

// scheduleOf returns a stored schedule as answers show it, nil for none. Its
// calendar is a name. See [Server.scheduleOf].
func scheduleOf(s *bus.Schedule) *rest.Schedule {
	if s == nil {
		return nil
	}
	is := &rest.Schedule{
		CronNotation: s.Cron, TimeZone: orNil(s.TimeZone), Calendar: orNil(s.Calendar),
		Substitution: string(s.Substitution.Or()), Substitutes: s.Substitution.Or() != calendar.NoSubstitution,
		BusinessDays: s.BusinessDays, Of: s.Of, Months: s.Months,
		Misfire: cmp.Or(s.Misfire, bus.MisfireFireOnce), MisfireAfter: cmp.Or(s.After, bus.DefaultMisfireAfter),
		Active: s.Active, LastUpdatedTime: s.UpdateTime, Name: s.Key().Name(),
		At: s.At, Start: s.Start, End: s.End, DST: s.DST, Jitter: s.Jitter, Priority: s.Priority, Pool: s.Pool, Parameters: s.Parameters,
		Overlap: s.Overlap, CatchUpLimit: s.CatchUpLimit, CatchUpWindow: s.CatchUpWindow,
	}
	if p := s.Paused; p != nil {
		is.Paused = &rest.Pause{By: orNil(p.By), At: p.At, Reason: p.Reason}
	}
	return is
}

// firesPath selects decisions about the nominal times of a job.
type firesPath struct {
	JobPath
	Schedule string `query:"schedule" doc:"Name of a schedule. Default: all schedules of the job."`

	From  string `query:"from" example:"2026-11-24T18:00:00Z" doc:"Only nominal times at or after this time (RFC 3339)."`
	To    string `query:"to" example:"2026-11-25T06:00:00Z" doc:"Only nominal times before this time (RFC 3339)."`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"20" doc:"Maximum number of entries."`

	from, to time.Time // zero: no limit
}

// Resolve reads the limits of the list. It refuses empty ones: they must not
// select everything.
func (f *firesPath) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	query := u.Query()
	var wrong codec.Faults
	read := func(name string) (t time.Time) {
		if query.Has(name) {
			var err error
			if t, err = parseTime(query.Get(name)); err != nil {
				wrong.AddParameter(name, wantTime, query.Get(name))
			}
		}
		return t
	}
	f.from, f.to = read("from"), read("to")
	var name *bus.FieldError
	if errors.As(bus.CheckScheduleName(f.Schedule), &name) || query.Has("schedule") && f.Schedule == "" {
		wrong.AddParameter("schedule", "the name of a schedule", f.Schedule)
	}
	if len(wrong) == 0 && !f.to.IsZero() && f.from.After(f.to) {
		wrong.AddParameter("from", "a time that is not later than to", f.From)
	}
	return asErrors(wrong)
}

// listFires lists the decisions about a job's present and former schedules. A
// deleted job keeps them until they expire.
func (s *Server) listFires(ctx context.Context, in *firesPath) (*answer[rest.Fires], error) {
	fires, err := s.cfg.Schedules.Fires(ctx, in.App, in.job.Key, in.Schedule, scheduler.FireQuery{From: in.from, To: in.to, Limit: in.Limit})
	if err == nil && len(fires) == 0 {
		_, err = s.findJob(ctx, &in.JobPath)
	}
	if err != nil {
		return nil, err
	}
	out := &answer[rest.Fires]{rest.Fires{Results: make([]rest.Fire, len(fires))}}
	for i := range fires {
		out.Body.Results[i] = s.fireOf(&fires[i])
	}
	return out, nil
}

// fireOf returns a decision as answers show it.
func (s *Server) fireOf(f *scheduler.Decided) rest.Fire {
	shown := rest.Fire{
		NominalTime: f.Nominal, Skipped: orNil(f.Skipped), CaughtUp: f.CaughtUp, DecideTime: f.Time, SkippedCount: f.SkippedCount,
	}
	if shown.TriggeredBy = s.causesOf(f.Causes); len(f.Causes) == 0 {
		shown.Schedule = f.Schedule.Name()
	}
	if f.Skipped != "" {
		shown.SkippedCount = max(f.SkippedCount, 1)
	}
	if f.Execution != 0 && f.Skipped == "" {
		shown.ExecutionID = &f.Execution
	}
	if f.BlockedBy != 0 {
		shown.BlockedBy = &f.BlockedBy
	}
	if f.SkippedFrom != 0 {
		shown.SkippedFrom = &f.SkippedFrom
	}
	if f.From != 0 {
		shown.From = &f.From
	}
	if f.Backfill != nil {
		shown.BackfillID = &f.Backfill.ID
	}
	return shown
}

package httpapi

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/audit"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// Audit is the part of package audit that the API needs. See [audit.Log].
type Audit interface {
	Reserve(ctx context.Context, now bool) error
	Append(ctx context.Context, r audit.Row) error
	AppendLater(r audit.Row)
	AppendRefused(r audit.Row)
	Release()
	List(ctx context.Context, q audit.Query) (audit.Page, error)
}

// action is what a route does, in the words of the audit.
type action struct{ id, kind string }

// verbs are the last segments of paths that name no object.
var verbs = []string{"stop", "abandon", "alert", "restart", "pause", "resume", "block", "unblock", "current", "join"}

// kinds are the kinds of objects whose segment in a path has another name.
var kinds = map[string]string{
	"auth": "login", "cb": "login", "token": "login", "apps": "application", "app": "application", "jobs": "job", "artifact": "jar", "roles": "role",
	"deployments": "deployment", "batch-components": "deployment", "executions": "execution", "schedules": "schedule", "test-executions": "test-execution",
	"agent-tokens": "agent-token", "calendars": "calendar", "exclusive": "settings", "time-monitor": "settings", "sla": "settings", "status-notification": "settings", "triggers": "settings",
	"test": "notification", "resend": "notification",
}

// kindOf returns the kind of object that a route changes.
func kindOf(path string) string {
	kind := ""
	for segment := range strings.SplitSeq(path, "/") {
		if segment != "" && !strings.HasPrefix(segment, "{") && !slices.Contains(verbs, segment) {
			kind = segment
		}
	}
	if name, ok := kinds[kind]; ok {
		return name
	}
	return kind
}

// auditRecord is the row of a request that changes something, while the request
// is handled.
type auditRecord struct {
	row     audit.Row
	changes *bus.Changes // nil: no handler was called
	later   bool         // the answer does not wait for the row
	settled bool         // the row was appended
	failed  error        // why the request failed, if its answer leads on
}

type auditKey struct{}

// recordOf returns the record of a request. Of requests that only read it is
// one that goes nowhere.
func recordOf(ctx context.Context) *auditRecord {
	if rec, ok := ctx.Value(auditKey{}).(*auditRecord); ok {
		return rec
	}
	return &auditRecord{settled: true}
}

// newRecord returns the record of a request before anything is known but its
// route and its path.
func newRecord(a action, address string, param func(string) string) *auditRecord {
	rec := &auditRecord{row: audit.Row{User: audit.Nobody, Address: address, Action: a.id, Kind: a.kind}}
	value := func(name string) string { return validUTF8(codec.Cut(param(name))) }
	r := &rec.row
	r.App = value("app")
	job := value("job")
	switch {
	case a.kind == "execution":
		r.Job, r.Name = job, value("id")
	case job != "":
		r.Name = job
		if name := value("schedule"); name != "" {
			r.Name += "/" + name
		}
	case a.kind == "application":
		r.Name = r.App
	case a.kind == "login": // of whom is not known yet
	default:
		for _, name := range []string{"id", "name", "number", "sha256"} {
			if v := value(name); v != "" {
				r.Name = strings.TrimPrefix(r.Name+"/"+v, "/")
			}
		}
	}
	return rec
}

// noteSender sets the user of a request, and the key that they sent.
func noteSender(ctx context.Context, u *bus.User) {
	r := &recordOf(ctx).row
	if r.User = u.ID; u.SentKey != nil {
		r.Key = u.SentKey.ShownName()
	}
}

// noteObject sets the name of the object that a request creates, which its path
// does not contain. It must not be a name that somebody only sent: people type
// passwords in the wrong place.
func noteObject(ctx context.Context, name string) { recordOf(ctx).row.Name = name }

// noteFailure sets why a request failed whose answer is a redirect.
func noteFailure(ctx context.Context, err error) { recordOf(ctx).failed = err }

// noteLogin sets the user who has got a secret.
func (s *Server) noteLogin(ctx context.Context, secret string) {
	if u, _ := s.cfg.Logins.Peek(ctx, secret); u != nil {
		noteSender(ctx, u)
		noteObject(ctx, u.ID)
	}
}

func noteExecution(ctx context.Context, id int64) { noteObject(ctx, strconv.FormatInt(id, 10)) }

// audited calls a handler that changes something and appends its row. Nothing is
// changed while rows cannot be stored. Unless the row may follow later, the
// answer is an error if the row of a success was not stored. A row with changes
// of definitions never follows later.
func audited[O any](ctx context.Context, s *Server, later bool, change func(context.Context) (*O, error)) (out *O, err error) {
	rec := recordOf(ctx)
	if err = s.cfg.Audit.Reserve(ctx, !later); err != nil {
		rec.row.Code = problemOf(err).Code
		return nil, err
	}
	rec.later = later
	ctx, rec.changes = bus.RecordChanges(ctx)
	failed := errPanic
	defer func() {
		if err2 := s.settleAudit(ctx, failed); err2 != nil {
			out, err = nil, err2
		}
	}()
	out, err = change(ctx)
	failed = err
	return out, err
}

// settleAudit appends the row of a request, unless that was done. A handler
// calls it before it waits for something else than the change.
func (s *Server) settleAudit(ctx context.Context, failed error) error {
	rec := recordOf(ctx)
	if rec.settled {
		return nil
	}
	rec.settled = true
	status := http.StatusOK
	if failed = cmp.Or(failed, rec.failed); failed != nil {
		p := problemOf(failed)
		status, rec.row.Code = p.Status, p.Code
	}
	rec.row.Changes = rec.changes.List()
	refused := status >= 400 && status < 500 || rec.row.User == audit.Nobody && s.cfg.RequireLogin
	switch {
	case refused && len(rec.row.Changes) == 0:
		s.cfg.Audit.Release()
		s.cfg.Audit.AppendRefused(rec.row)
	case failed != nil || rec.later && len(rec.row.Changes) == 0:
		s.cfg.Audit.AppendLater(rec.row)
	default:
		return s.cfg.Audit.Append(ctx, rec.row)
	}
	return nil
}

// settleRefused appends the row of a request for which no handler was called.
func (s *Server) settleRefused(rec *auditRecord, status int, err error) {
	if rec.settled || rec.changes != nil {
		return
	}
	rec.settled = true
	if err != nil {
		rec.row.Code = problemOf(err).Code
	}
	if rec.row.Code == "" {
		rec.row.Code = newProblem(status, "", "").Code
	}
	s.cfg.Audit.AppendRefused(rec.row)
}

// noteRefusal records why huma refuses a request before a handler is called.
func noteRefusal(ctx huma.Context, p *problem) {
	if ctx != nil {
		if rec := recordOf(ctx.Context()); rec.row.Code == "" {
			rec.row.Code = p.Code
		}
	}
}

// listAudit is a query of the audit.
type listAudit struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"20" doc:"Maximum number of rows."`
	After  int64  `query:"after" minimum:"0" doc:"Return the rows that follow this one in the order of the list: the value of next of the page before."`
	Order  string `query:"order" enum:"newest,oldest" default:"newest" doc:"Which rows come first."`
	User   string `query:"user" doc:"Id of the user who sent the request; (nobody) for requests without a login, (bus) for what the control bus did itself."`
	Action string `query:"action" example:"put-job" doc:"Operation id of the route, or an action of the control bus."`
	Kind   string `query:"kind" example:"job" doc:"Kind of the object: application, calendar, job, schedule, backfill, settings, secret, execution, deployment, jar, user, role, password, key, login, agent, agent-token, test-execution, notification; audit and bus for what the control bus did itself."`
	App    string `query:"app" doc:"Application of the object."`
	Name   string `query:"name" doc:"Name of the object, or of the job of an execution."`
	Since  string `query:"since" example:"2026-11-24T18:00:00Z" doc:"At this time or later (RFC 3339)."`
	Until  string `query:"until" example:"2026-11-25T06:00:00Z" doc:"Before this time (RFC 3339)."`
	With   string `query:"with" enum:"stored" doc:"With stored, each row also has the text that is stored, from which its hash can be computed."`

	q audit.Query
}

// Resolve reads the times.
func (in *listAudit) Resolve(huma.Context) []error {
	var wrong codec.Faults
	in.q = audit.Query{
		User: in.User, Action: in.Action, Kind: in.Kind, App: in.App, Name: in.Name,
		Oldest: in.Order == "oldest", After: uint64(max(0, in.After)), Limit: in.Limit,
	}
	if in.Since != "" {
		t, err := parseTime(in.Since)
		if err != nil {
			wrong.AddParameter("since", wantTime, in.Since)
		}
		in.q.From = t
	}
	if in.Until != "" {
		t, err := parseTime(in.Until)
		if err != nil {
			wrong.AddParameter("until", wantTime, in.Until)
		}
		in.q.To = t
	}
	if len(wrong) == 0 && !in.q.To.IsZero() && !in.q.To.After(in.q.From) {
		wrong.AddParameter("until", "a time after since", in.Until)
	}
	return asErrors(wrong)
}

func (s *Server) listAudit(ctx context.Context, in *listAudit) (*answer[rest.AuditPage], error) {
	p, err := s.cfg.Audit.List(ctx, in.q)
	if err != nil {
		return nil, err
	}
	out := rest.AuditPage{Results: make([]rest.AuditRow, len(p.Rows)), Limit: in.Limit, Head: rest.AuditMark(p.Head), Last: p.Last}
	for i := range p.Rows {
		out.Results[i] = auditRowOf(&p.Rows[i])
		if in.With != "" {
			stored := string(p.Rows[i].Data)
			out.Results[i].Stored = &stored
		}
	}
	if p.Next != 0 {
		out.Next = orNil(strconv.FormatUint(p.Next, 10))
	}
	return &answer[rest.AuditPage]{out}, nil
}

func auditRowOf(r *audit.Stored) rest.AuditRow {
	v := rest.AuditRow{
		Number: r.Sequence, Time: r.Time, User: r.User, Key: r.Key, Address: r.Address, Action: r.Action, Kind: r.Kind, App: r.App, Name: r.Name, Job: r.Job,
		Code: r.Code, Omitted: r.Omitted, Bus: r.Bus, Previous: r.Previous, Hash: audit.Hash(r.Data),
	}
	for _, c := range r.Changes {
		v.Changes = append(v.Changes, rest.AuditChange(c))
	}
	if r.Anchor != nil {
		v.Anchor = orNil(rest.AuditMark(*r.Anchor))
	}
	return v
}

// auditProblem returns the problem of a row that cannot be stored, or nil.
func auditProblem(err error) *problem {
	switch {
	case errors.Is(err, audit.ErrUnavailable) && errors.Is(err, bus.ErrFull):
		return noRoom(err)
	case errors.Is(err, audit.ErrUnavailable):
		return unavailable("audit_unavailable", "the audit cannot be written at the moment, so nothing was changed")
	case errors.Is(err, audit.ErrWaiting):
		return unavailable("not_audited", "the change was made, but its row in the audit is not stored yet; the control bus keeps trying. Check the change before you repeat the request")
	}
	return nil
}

package httpapi

import (
	"cmp"
	"context"
	"errors"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/catalog"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// jobSearch is a search for a page of jobs.
type jobSearch struct {
	Page
	Search
}

// jobDownload is a search without pages.
type jobDownload struct{ Search }

// Search selects jobs of an application.
type Search struct {
	AppPath
	Q       string `query:"q" doc:"Words, and conditions on the latest execution. A job matches if its name contains any of the words. Conditions: since:2016-09-09 until:2016-09-10 batch-status:failed exit-status:X. An unknown condition is an error."`
	SortBy  string `query:"sort_by" example:"last_execution_started:desc,name" doc:"name, last_execution_started, last_execution_duration, last_execution_status, next_execution_start, each with :asc or :desc. The first one is the primary sort key."`
	SortBy2 string `query:"sort-by" hidden:"true"` // as v1 clients write it
	With    string `query:"with" example:"execution" doc:"Additional contents of the answer, separated by commas: execution (the executions of each job), notation (its diagram), settings (its time monitor and status notifications)."`

	lenient bool // for a v1 client: what is not understood is no condition
}

// Resolve reads whether the search comes from a v1 client. Its search box sends
// the text after each letter, and the original control bus ignores words that
// it cannot read.
func (in *Search) Resolve(ctx huma.Context) []error {
	in.lenient = fromV1Client(ctx)
	return in.AppPath.Resolve(ctx)
}

// byName returns how the list compares names, nil if it has another order. Only
// names are cursors: in another order a job may move from one page to the next.
func (in *jobSearch) byName() (order func(a, b string) int, err error) {
	sorted := cmp.Or(in.SortBy, in.SortBy2)
	switch {
	case sorted == "name:desc":
		return func(a, b string) int { return strings.Compare(b, a) }, nil
	case sorted != "" && sorted != "name" && sorted != "name:asc" && in.hasCursor():
		return nil, codec.ParameterFault("sort_by", "name or name:desc with after and before; other sort orders require offset", sorted)
	case sorted != "" && sorted != "name" && sorted != "name:asc":
		return nil, nil
	}
	return strings.Compare, nil
}

// jobQuery returns the query for the index, or an error that names every
// unknown part of the search.
func (in *Search) jobQuery(s *Server) (index.JobQuery, error) {
	q := index.JobQuery{App: in.App, Limit: math.MaxInt}
	var wrong codec.Faults
	var conditions []string
	for word := range strings.FieldsSeq(in.Q) {
		if strings.Contains(word, ":") { // which no name has
			conditions = append(conditions, word)
		} else {
			q.Words = append(q.Words, word)
		}
	}
	match, unknown := index.ParseConditions(conditions)
	for _, e := range unknown {
		wrong.AddParameter("q", e.Want, e.Got)
	}
	q.Match = match
	for word := range strings.SplitSeq(in.With, ",") {
		if word = strings.TrimSpace(word); word != "" && !slices.Contains(besides, word) {
			wrong.AddParameter("with", strings.Join(besides, ", "), word)
		}
	}
	less, err := index.ParseOrder(cmp.Or(in.SortBy, in.SortBy2), s.nextFire)
	q.Less = less
	var unsortable codec.Faults
	if e, ok := errors.AsType[*index.QueryError](err); ok {
		unsortable.AddParameter("sort_by", e.Want, e.Got)
	}
	switch {
	case in.lenient && in.SortBy == "":
		return q, nil
	case in.lenient:
		return q, unsortable.Err()
	}
	return q, append(wrong, unsortable...).Err()
}

// besides are the values of with. Schedules are always in the answer.
var besides = []string{"execution", "notation", "schedule", "settings"}

// hasWord reports whether with contains a word.
func hasWord(with, word string) bool {
	for w := range strings.SplitSeq(with, ",") {
		if strings.TrimSpace(w) == word {
			return true
		}
	}
	return false
}

func (s *Server) listJobs(ctx context.Context, in *jobSearch) (*answer[rest.List[rest.Job]], error) {
	if _, _, err := s.findApp(ctx, in.App); err != nil {
		return nil, err
	}
	q, err := in.jobQuery(s)
	if err != nil {
		return nil, err
	}
	order, err := in.byName()
	if err != nil {
		return nil, err
	}
	all, _ := s.cfg.Index.Jobs(q)
	shown := cutPage(in.Page, all, func(j **index.Job) string { return (*j).Name }, order)
	found := shown.items
	var results []rest.Job
	for _, j := range found {
		v := s.jobOf(j)
		if hasWord(in.With, "execution") {
			executions := s.timeline(j)
			v.Executions = &executions
		}
		if hasWord(in.With, "settings") {
			s.showSettings(&v, j.App, &j.Settings)
		}
		results = append(results, v)
	}
	if hasWord(in.With, "notation") {
		if err := s.addDiagrams(ctx, found, results); err != nil {
			return nil, err
		}
	}
	return listOf(shown.part, results), nil
}

// download answers with all jobs of a search as a file. In EDN, which v1
// clients ask for, each job can be imported again.
func (s *Server) download(ctx context.Context, in *jobDownload) (*streamed, error) {
	if _, _, err := s.findApp(ctx, in.App); err != nil {
		return nil, err
	}
	q, err := in.jobQuery(s)
	if err != nil {
		return nil, err
	}
	found, _ := s.cfg.Index.Jobs(q)
	all := make([]rest.Job, len(found))
	for i, j := range found {
		all[i] = s.wholeJob(j)
	}
	if hasWord(in.With, "notation") {
		if err := s.addDiagrams(ctx, found, all); err != nil {
			return nil, err
		}
	}
	return s.sendValues(all, func(set func(name, value string), f *codec.Format) {
		set("Content-Type", "application/force-download")
		set("Content-Disposition", `attachment; filename="jobs.`+string(f.Form)+`"`)
	}), nil
}

// findJob returns a job. It asks the store if the read model does not know the
// job yet: another bus may just have created it.
func (s *Server) findJob(ctx context.Context, in *JobPath) (*index.Job, error) {
	if j, ok := s.cfg.Index.Job(in.App, in.job.Key); ok {
		return j, nil
	}
	return s.cfg.Catalog.Job(ctx, in.catalogRef())
}

// catalogRef returns the job as the catalog wants it.
func (p *JobPath) catalogRef() catalog.Ref {
	return catalog.Ref{App: p.App, Name: codec.Cut(p.job.Name), Key: p.job.Key}
}

// readJobPath is a job to be read, perhaps as XML.
type readJobPath struct {
	JobPath
	Namespace string `query:"namespace" enum:"javaee,jakartaee" doc:"Namespace of the XML: javaee (JSR-352) or jakartaee (Jakarta Batch). Default: the namespace in which the job was sent, or javaee."`
}

// findJobIn returns a job with the namespace that the client asks for.
func (s *Server) findJobIn(ctx context.Context, in *readJobPath) (*index.Job, error) {
	j, err := s.findJob(ctx, &in.JobPath)
	if err != nil || in.Namespace == "" || in.Namespace == j.JSL.Namespace {
		return j, err
	}
	asked, def := *j, *j.JSL // what the read model has is not to be changed
	def.Namespace = in.Namespace
	asked.JSL = &def
	asked.Definition, err = def.MarshalJSON()
	return &asked, err
}

func (s *Server) getJob(ctx context.Context, in *readJobPath) (*tagged[rest.Job], error) {
	j, err := s.findJobIn(ctx, in)
	if err != nil {
		return nil, err
	}
	v := []rest.Job{s.wholeJob(j)}
	err = s.addDiagrams(ctx, []*index.Job{j}, v)
	return &tagged[rest.Job]{entityTag(j.Revision), v[0]}, err
}

func (s *Server) getDefinition(ctx context.Context, in *readJobPath) (*tagged[jsl.Job], error) {
	j, err := s.findJobIn(ctx, in)
	if err != nil {
		return nil, err
	}
	return &tagged[jsl.Job]{entityTag(j.Revision), *j.JSL}, nil
}

type postJob struct {
	AppPath
	Preconditions
	Sent body[sentJob]
}

func (s *Server) postJob(ctx context.Context, in *postJob) (*saved[rest.Job], error) {
	noteObject(ctx, codec.Cut(in.Sent.value.ID))
	out, err := s.importJob(ctx, NamedPath{in.App, in.Sent.value.ID}, &in.Sent.value, &in.Preconditions)
	if err == nil {
		out.Status = 201
	}
	return out, err
}

type putJob struct {
	NamedPath
	Preconditions
	Sent body[sentJob]
}

func (s *Server) putJob(ctx context.Context, in *putJob) (*saved[rest.Job], error) {
	in.Sent.value.Whole = false // of what there is only the definition is replaced
	return s.importJob(ctx, in.NamedPath, &in.Sent.value, &in.Preconditions)
}

// importJob writes the job of a path and the schedule that was sent with it. If
// either is invalid it writes neither.
func (s *Server) importJob(ctx context.Context, at NamedPath, sent *sentJob, p *Preconditions) (*saved[rest.Job], error) {
	if err := s.checkSentJob(ctx, at.App, sent); err != nil {
		return nil, err
	}
	out, key, err := s.writeJob(ctx, at, sent, p)
	if err != nil {
		return nil, err
	}
	if sent.Schedule != nil || sent.noSchedule || sent.Whole || sent.schedules != nil {
		if err := s.importSchedules(ctx, at.App, key, sent); err != nil {
			return nil, err
		}
		shown, err := s.findJob(ctx, &JobPath{App: at.App, job: JobRef{sent.ID, key}})
		if err != nil {
			return nil, err
		}
		s.showSchedules(&out.Body, shown)
	}
	return out, nil
}

// importSchedules writes the schedules that were sent with a job, and removes
// those that were sent as removed.
func (s *Server) importSchedules(ctx context.Context, app, key string, sent *sentJob) error {
	was, err := s.cfg.Schedules.StoredAll(ctx, app, key)
	if err != nil {
		return err
	}
	is := sent.schedulesOver(app, was)
	for i := range is {
		is[i].Job = key
		if slices.ContainsFunc(was, func(sc bus.Schedule) bool { return reflect.DeepEqual(sc, is[i]) }) {
			continue
		}
		if _, err := s.cfg.Schedules.Set(ctx, is[i]); err != nil {
			return err
		}
	}
	for i := range was {
		gone := !slices.ContainsFunc(is, func(sc bus.Schedule) bool { return sc.Key() == was[i].Key() })
		if !gone {
			continue
		}
		if err := s.cfg.Schedules.Remove(ctx, was[i].Key()); err != nil && !bus.HasCode(err, bus.CodeNoSuchSchedule) {
			return err
		}
	}
	return nil
}

// writeJob writes the definition of a job and returns the job's key. If the
// definition has another id, the job is renamed.
func (s *Server) writeJob(ctx context.Context, at NamedPath, sent *sentJob, p *Preconditions) (out *saved[rest.Job], key string, err error) {
	set, err := s.settingsFor(ctx, &sent.beside)
	if err != nil {
		return nil, "", err
	}
	e, did, err := s.cfg.Catalog.SaveJob(ctx, at.App, at.Name, p.checkRevision, func(was *bus.Job) (bus.Job, error) { return sent.mergeOver(was, at.App, set) })
	if err != nil {
		return nil, "", err
	}
	key = e.Value.PermanentKey
	shown, err := s.findJob(ctx, &JobPath{App: at.App, job: JobRef{sent.ID, key}})
	if err != nil {
		return nil, "", err
	}
	out = &saved[rest.Job]{putStatus(did == catalog.Created), jobURL(at.App, sent.ID), entityTag(e.Revision), s.wholeJob(shown)}
	addNotation(&out.Body, sent.notation())
	out.Body.Warnings = s.warnings(at.App, shown.JSL, &shown.Settings)
	return out, key, nil
}

type deleteJob struct {
	JobPath
	Preconditions
	Keep string `query:"keep" enum:"history" doc:"With history, the bus keeps the executions."`
}

func (s *Server) deleteJob(ctx context.Context, in *deleteJob) (*struct{}, error) {
	if _, err := s.findJob(ctx, &in.JobPath); err != nil {
		return nil, err
	}
	return nil, s.cfg.Catalog.DeleteJob(ctx, in.App, in.job.Key, in.checkRevision, in.Keep == "history")
}

// wholeJob returns a job with everything that its own answer shows.
func (s *Server) wholeJob(j *index.Job) rest.Job {
	v := s.jobOf(j)
	v.Definition, v.DynamicParameters = rest.Definition{JSON: j.Definition, Model: j.JSL}, j.JSL.Parameters()
	s.showSettings(&v, j.App, &j.Settings)
	return v
}

const (
	inTimeline = 100 // executions of a job that the timeline draws
	toCome     = 5   // fires
	usual      = 5 * time.Minute
)

// timeline returns the newest executions of a job, preceded by its next fires.
// A fire gets the duration of the latest execution.
func (s *Server) timeline(j *index.Job) []rest.ExecutionSummary {
	all := []rest.ExecutionSummary{}
	took := usual
	if l := j.Latest; l != nil && !l.StartTime.IsZero() && !l.EndTime.IsZero() {
		took = l.EndTime.Std().Sub(l.StartTime.Std())
	}
	for _, sc := range j.Schedules {
		for _, t := range s.cfg.Schedules.Next(sc.Key(), toCome) {
			all = append(all, rest.ExecutionSummary{
				App: j.App, Job: j.Name, BatchStatus: subjects.Registered,
				StartTime: subjects.TimeOf(t), EndTime: subjects.TimeOf(t.Add(took)), ScheduledFor: subjects.TimeOf(t),
			})
		}
	}
	slices.SortStableFunc(all, func(a, b rest.ExecutionSummary) int { return cmp.Compare(a.StartTime, b.StartTime) })
	all = all[:min(len(all), toCome)]
	slices.Reverse(all) // newest first
	newest, _ := s.cfg.Index.Executions(j.App, j.PermanentKey, 0, inTimeline)
	for i := range newest {
		all = append(all, summaryOf(&newest[i]))
	}
	return all
}

// jobOf returns a job as lists show it.
func (s *Server) jobOf(j *index.Job) rest.Job {
	v := rest.Job{
		DBID: rest.DBID("job", j.App, j.PermanentKey),
		Name: j.Name, Restartable: j.JSL.Restartable.Or(true), Exclusive: j.JSL.Exclusive,
		Stats: rest.JobStats{
			Total: j.Stats.Total, Success: j.Stats.Success, Failure: j.Stats.Failure,
			Average: float64(j.Stats.Average.Microseconds()) / 1000,
		},
		CreateTime: j.CreateTime, LastUpdatedTime: j.UpdateTime,
	}
	if j.Latest != nil {
		latest := summaryOf(j.Latest)
		v.LatestExecution = &latest
	}
	s.showSchedules(&v, j)
	return v
}

// showSchedules adds the schedules of a job to its answer.
func (s *Server) showSchedules(v *rest.Job, j *index.Job) {
	v.Schedule, v.Schedules, v.NextExecution = s.scheduleOf(s.withNames(j.Schedule)), nil, nil
	if j.Schedule == nil && len(j.Schedules) > 0 || len(j.Schedules) > 1 {
		v.Schedules = s.namedSchedules(j)
	}
	if t := s.nextFire(j); !t.IsZero() {
		v.NextExecution = &rest.NextExecution{StartTime: t}
	}
}

// nextFire returns when a schedule of the job fires next, zero if none does.
func (s *Server) nextFire(j *index.Job) (next subjects.Time) {
	for _, sc := range j.Schedules {
		for _, t := range s.cfg.Schedules.Next(sc.Key(), 1) {
			if at := subjects.TimeOf(t); next == 0 || at < next {
				next = at
			}
		}
	}
	return next
}

// JobRef is a job that a request is about.
type JobRef struct {
	Name string // as the request calls it; a job can be renamed
	Key  string // its permanent key, by which everything of it is stored
}

// JobPath is a job in a path. [Server.resolveJob] sets job before the handler
// runs.
type JobPath struct {
	App  string `path:"app" doc:"Name of the application."`
	Name string `path:"job" doc:"Name of the job."`
	job  JobRef
}

// addDiagrams adds the diagrams of jobs to their answers.
func (s *Server) addDiagrams(ctx context.Context, jobs []*index.Job, answers []rest.Job) error {
	return readConcurrently(ctx, len(jobs), func(ctx context.Context, i int) error {
		j := jobs[i]
		if j.Notation == nil {
			return nil
		}
		e, err := s.cfg.Catalog.StoredJob(ctx, j.App, j.PermanentKey)
		if errors.Is(err, bus.ErrNotFound) { // it was deleted just now
			return nil
		}
		addNotation(&answers[i], e.Value.Notation)
		return err
	})
}

func addNotation(v *rest.Job, n *bus.Notation) {
	if n != nil {
		v.BPMNXMLNotation, v.SVGNotation = n.BPMN, n.SVG
	}
}

// NamedPath is a job in a path of a handler that may create the job: there may
// be no key yet.
type NamedPath struct {
	App  string `path:"app" doc:"Name of the application."`
	Name string `path:"job" doc:"Name of the job."`
}

// Resolve refuses invalid names before they become parts of a key.
func (p *NamedPath) Resolve(huma.Context) []error {
	if err := validNames(p.App, p.Name); err != nil {
		return []error{err}
	}
	return nil
}

func validNames(app, job string) error {
	switch {
	case !subjects.ValidName(app):
		return noApp(app)
	case !jsl.ValidID(job):
		return codec.Faults{{Parameter: "job", InPath: true, Detail: "want " + jsl.WantID, Got: codec.Cut(job)}}
	}
	return nil
}

// jobURL returns the path of a job.
func jobURL(app, job string) string { return "/" + app + "/job/" + url.PathEscape(job) }

// jobInput is an input with a [JobPath].
type jobInput interface{ jobPath() *JobPath }

func (p *JobPath) jobPath() *JobPath { return p }

// resolveJob sets the job of a path. A route that only reads asks the read
// model. A route that writes asks the leader of the bucket: a job that had the
// name a moment ago must not be changed. A name without a job gets the key that
// a job of this name would have: the bucket may hold executions that the read
// model has not seen.
func (s *Server) resolveJob(ctx context.Context, p *JobPath, readModel bool) error {
	if p.Name == "" { // the path of an execution without its job
		return nil
	}
	if err := validNames(p.App, p.Name); err != nil {
		return err
	}
	if key, ok := s.cfg.Index.PermanentKey(p.App, p.Name); ok && readModel {
		p.job = JobRef{p.Name, key}
		return nil
	}
	e, err := s.cfg.Catalog.JobNamed(ctx, p.App, p.Name)
	p.job = JobRef{p.Name, bus.NameKey(p.Name)}
	switch {
	case err == nil:
		p.job.Key = e.Value.PermanentKey
	case !errors.Is(err, bus.ErrNotFound):
		return err
	case e.Value.Definition != nil: // the records under this key are those of another job
		if _, _, err := s.findApp(ctx, p.App); err != nil {
			return err
		}
		return bus.NoSuchJob(p.App, codec.Cut(p.Name))
	}
	return nil
}

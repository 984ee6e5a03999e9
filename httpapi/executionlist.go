package httpapi

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// ExecutionFilter selects executions that meet all given conditions.
type ExecutionFilter struct {
	Status     []string `query:"status,explode" example:"[\"failed\",\"stopped\"]" doc:"Batch statuses, separated by commas or given several times. An execution matches if it has one of them."`
	ExitStatus string   `query:"exit_status" example:"NO_*" doc:"Exit status as shown in the list; * matches any characters, ? a single one."`
	Since      string   `query:"since" example:"2026-11-24T18:00:00Z" doc:"Started at this time or later (RFC 3339). An execution that has not started is compared by the time of its creation."`
	Until      string   `query:"until" example:"2026-11-25T06:00:00Z" doc:"Started before this time (RFC 3339). An execution that has not started is compared by the time of its creation."`
	Agent      string   `query:"agent" doc:"Name of the agent; * matches any characters, ? a single one."`
	Parameter  []string `query:"parameter,explode" example:"[\"date=2026-11-24\"]" doc:"A job parameter as name=value. If it is given several times, an execution must have all of them. The bus reads up to 2,000 records for one answer: see scanned, more and next. Not allowed with offset or before."`

	since, until subjects.Time
	statuses     []subjects.BatchStatus
	parameters   map[string]string
}

// Resolve reads the filter. It refuses values that are empty or unknown: a
// misspelt filter must not select everything.
func (f *ExecutionFilter) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	query := u.Query()
	var wrong codec.Faults
	for _, name := range []string{"exit_status", "since", "until", "agent", "job"} {
		if len(query[name]) > 0 && query.Get(name) == "" {
			wrong.AddParameter(name, "a value, or no such query parameter", "")
		}
	}
	for _, list := range query["status"] {
		for word := range strings.SplitSeq(list, ",") {
			status := subjects.BatchStatus(strings.TrimSpace(word))
			if !slices.Contains(subjects.BatchStatuses(), status) {
				wrong.AddParameter("status", "one of "+bus.StatusNames(subjects.BatchStatuses()), word)
			}
			f.statuses = append(f.statuses, status)
		}
	}
	for name, at := range map[string]*subjects.Time{"since": &f.since, "until": &f.until} {
		if sent := query.Get(name); sent != "" {
			t, err := parseTime(sent)
			if err != nil {
				wrong.AddParameter(name, wantTime, sent)
				continue
			}
			*at = subjects.TimeOf(t)
		}
	}
	if f.until != 0 && f.until <= f.since {
		wrong.AddParameter("until", "a time after since", f.Until)
	}
	for _, sent := range query["parameter"] {
		name, value, ok := strings.Cut(sent, "=")
		if !ok || name == "" {
			wrong.AddParameter("parameter", "name=value", sent)
			continue
		}
		if was, twice := f.parameters[name]; twice && was != value {
			wrong.AddParameter("parameter", "only one value of "+name, sent)
		}
		if f.parameters == nil {
			f.parameters = map[string]string{}
		}
		f.parameters[name] = value
	}
	return asErrors(wrong)
}

// globMatcher returns a function that matches a glob, nil if the glob is empty.
func globMatcher(glob string) func(string) bool {
	if glob == "" {
		return nil
	}
	return func(s string) bool { return jsl.Match(glob, s) }
}

// ExecutionList has the parameters of all lists of executions.
type ExecutionList struct {
	Page
	ExecutionFilter
	With string `query:"with" enum:"parameters" doc:"With parameters, the answer also has the job parameters of each execution."`
}

// Resolve reads page and filter.
func (in *ExecutionList) Resolve(ctx huma.Context) []error {
	return append(in.Page.Resolve(ctx), in.ExecutionFilter.Resolve(ctx)...)
}

// indexQuery returns the query for the read model.
func (in *ExecutionList) indexQuery() (q index.ExecutionQuery, err error) {
	q = index.ExecutionQuery{
		Status: in.statuses, Exit: globMatcher(in.ExitStatus), Agent: globMatcher(in.Agent), Since: in.since, Until: in.until,
		Offset: in.skippedEntries(), Limit: in.Limit,
	}
	for name, to := range map[string]*int64{"after": &q.After, "before": &q.Before} {
		sent := map[string]string{"after": in.After, "before": in.Before}[name]
		if sent == "" {
			continue
		}
		if *to, err = strconv.ParseInt(sent, 10, 64); err != nil || *to <= 0 {
			return q, codec.ParameterFault(name, "the id of an execution", sent)
		}
	}
	switch {
	case len(in.parameters) == 0:
	case in.Offset > 1:
		return q, codec.ParameterFault("offset", "after in place of offset, because of the filter parameter", strconv.Itoa(in.Offset))
	case in.Before != "":
		return q, codec.ParameterFault("before", "after in place of before, because of the filter parameter", in.Before)
	}
	return q, nil
}

type listExecutions struct {
	JobPath
	ExecutionList
}

func (s *Server) listExecutions(ctx context.Context, in *listExecutions) (*answer[rest.Executions], error) {
	q, err := in.indexQuery()
	if err != nil {
		return nil, err
	}
	// A deleted job may still have a history.
	if _, hits := s.cfg.Index.Executions(in.App, in.job.Key, 0, 1); hits == 0 {
		if _, err := s.findJob(ctx, &in.JobPath); err != nil {
			return nil, err
		}
	}
	q.App, q.Job = in.App, in.job.Key
	return s.findExecutions(ctx, &in.ExecutionList, &q)
}

// JobGlob selects jobs by name.
type JobGlob struct {
	Job string `query:"job" example:"night*" doc:"Current name of the job; * matches any characters, ? a single one."`
}

type listAppExecutions struct {
	AppPath
	JobGlob
	ExecutionList
}

func (s *Server) listAppExecutions(ctx context.Context, in *listAppExecutions) (*answer[rest.Executions], error) {
	if _, _, err := s.findApp(ctx, in.App); err != nil {
		return nil, err
	}
	q, err := in.indexQuery()
	if err != nil {
		return nil, err
	}
	q.App, q.JobMatch = in.App, in.nameMatcher()
	return s.findExecutions(ctx, &in.ExecutionList, &q)
}

type listAllExecutions struct {
	JobGlob
	ExecutionList
}

func (s *Server) listAllExecutions(ctx context.Context, in *listAllExecutions) (*answer[rest.Executions], error) {
	q, err := in.indexQuery()
	if err != nil {
		return nil, err
	}
	q.JobMatch, q.AppMatch = in.nameMatcher(), appReader(ctx)
	return s.findExecutions(ctx, &in.ExecutionList, &q)
}

// nameMatcher returns a function that matches names of jobs. It excludes the
// executions of tried diagrams, which belong to no job.
func (g *JobGlob) nameMatcher() func(string) bool {
	return func(name string) bool { return name != testJob && (g.Job == "" || jsl.Match(g.Job, name)) }
}

// findExecutions answers with the page that q selects.
func (s *Server) findExecutions(ctx context.Context, in *ExecutionList, q *index.ExecutionQuery) (*answer[rest.Executions], error) {
	if len(in.parameters) > 0 {
		return s.searchRecords(ctx, in, q)
	}
	found := s.cfg.Index.FindExecutions(q)
	p := part{offset: found.Offset + 1, limit: in.Limit, hits: found.Hits}
	if n := len(found.Results); n > 0 {
		if found.Offset > 0 {
			p.previous = cursorOf(&found.Results[0])
		}
		if found.Offset+n < found.Hits {
			p.next = cursorOf(&found.Results[n-1])
		}
	}
	return s.answerExecutions(ctx, in, p, found.Results, nil)
}

func cursorOf(e *index.Summary) string { return strconv.FormatInt(e.ID, 10) }

// answerExecutions returns the answer with a page of executions. read holds
// their records, if the caller has read them.
func (s *Server) answerExecutions(ctx context.Context, in *ExecutionList, p part, found []index.Summary, read []*bus.Execution) (*answer[rest.Executions], error) {
	waiting := s.cfg.Executions.WaitingOf(found)
	results := make([]rest.ListedExecution, len(found))
	for i := range found {
		results[i].ExecutionSummary, results[i].Waiting = summaryOf(&found[i]), waitingOf(waiting[found[i].ID])
	}
	if in.With != "" {
		var err error
		if read == nil {
			if read, err = s.recordsOf(ctx, found); err != nil {
				return nil, err
			}
		}
		for i, e := range read {
			if e != nil {
				results[i].JobParameters = &e.Parameters
			}
		}
	}
	return &answer[rest.Executions]{rest.Executions{List: listOf(p, results).Body}}, nil
}

// recordsOf reads the records of executions. A record that was just deleted is
// nil.
func (s *Server) recordsOf(ctx context.Context, all []index.Summary) ([]*bus.Execution, error) {
	records := make([]*bus.Execution, len(all))
	err := readConcurrently(ctx, len(all), func(ctx context.Context, i int) error {
		e, err := s.cfg.Executions.Get(ctx, all[i].App, all[i].Job, all[i].ID)
		if bus.HasCode(err, bus.CodeNoSuchExecution) {
			return nil
		}
		records[i] = e
		return err
	})
	return records, err
}

const (
	maxScanned = 2000 // records that are read for one answer
	scanStep   = 200  // at a time
)

// recordSearch is the state of a search for parameters.
type recordSearch struct {
	found   []index.Summary
	records []*bus.Execution
	scanned int
	reached int64 // the last execution that was looked at
	more    bool  // there are others after it
}

// searchRecords reads records in the order of the list until the page is full,
// the list has ended or maxScanned records were read. The read model does not
// hold the parameters of executions.
func (s *Server) searchRecords(ctx context.Context, in *ExecutionList, q *index.ExecutionQuery) (*answer[rest.Executions], error) {
	r := recordSearch{reached: q.After, more: true}
	for r.more && r.scanned < maxScanned && len(r.found) < in.Limit {
		q.After, q.Limit = r.reached, scanStep
		p := s.cfg.Index.FindExecutions(q)
		read, err := s.recordsOf(ctx, p.Results)
		if err != nil {
			return nil, err
		}
		n := r.scanRecords(p.Results, read, in)
		r.more = n > 0 && p.Offset+n < p.Hits
	}
	p := part{offset: 1, limit: in.Limit, hits: len(r.found)}
	if r.more {
		p.next = strconv.FormatInt(r.reached, 10)
	}
	out, err := s.answerExecutions(ctx, in, p, r.found, r.records)
	if err == nil {
		out.Body.Scanned, out.Body.More = &r.scanned, &r.more
	}
	return out, err
}

// scanRecords adds matching executions until the page is full. It returns how
// many executions it has looked at.
func (r *recordSearch) scanRecords(all []index.Summary, read []*bus.Execution, in *ExecutionList) int {
	for i := range all {
		if len(r.found) == in.Limit {
			return i
		}
		r.scanned, r.reached = r.scanned+1, all[i].ID
		if read[i] != nil && hasParameters(read[i], in.parameters) {
			r.found, r.records = append(r.found, all[i]), append(r.records, read[i])
		}
	}
	return len(all)
}

func hasParameters(e *bus.Execution, want map[string]string) bool {
	for name, value := range want {
		if got, ok := e.Parameters[name]; !ok || got != value {
			return false
		}
	}
	return true
}

package httpapi

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// jobSearch is a search for jobs.
type jobSearch struct {
	Page
	Search
}

// jobDownload is a search without pages.
type jobDownload struct{ Search }

// Search is what of an application is searched for.
type Search struct {
	AppPath
	Q       string `query:"q" doc:"Words, of which a name contains any, and conditions on the latest execution: since:2016-09-09 until:2016-09-10 batch-status:failed exit-status:X."`
	SortBy  string `query:"sort_by" example:"last_execution_started:desc,name" doc:"name, last_execution_started, last_execution_duration, last_execution_status, next_execution_start, each with :asc or :desc; the first is the strongest."`
	SortBy2 string `query:"sort-by" hidden:"true"` // as older clients write it; what cannot be read they expect to be passed over
	With    string `query:"with" example:"execution" doc:"What is wanted besides, with commas between: execution (the executions of each job), notation (its diagram), settings (time monitor and status notifications)."`
}

// Resolve judges the application, beside the page: see checkResolvers.
func (in *Search) Resolve(ctx huma.Context) []error { return in.AppPath.Resolve(ctx) }

// byName returns how the list compares names. A cursor is a name: in another
// order a job may move from one page to the next, and it would say nothing.
func (in *jobSearch) byName() (order func(a, b string) int, err error) {
	sorted := cmp.Or(in.SortBy, in.SortBy2)
	switch {
	case sorted == "name:desc":
		return func(a, b string) int { return strings.Compare(b, a) }, nil
	case sorted != "" && sorted != "name" && sorted != "name:asc" && in.cursor():
		return nil, parameterError("sort_by", "name or name:desc with after and before; another order goes with offset", cut(sorted))
	case sorted != "" && sorted != "name" && sorted != "name:asc":
		return nil, nil
	}
	return strings.Compare, nil
}

func (in *Search) query(s *Server) (index.JobQuery, error) {
	q := index.JobQuery{App: in.App, Limit: math.MaxInt}
	var conditions []func(*index.Summary) bool
	for word := range strings.FieldsSeq(in.Q) {
		key, value, ok := strings.Cut(word, ":")
		if !ok {
			q.Words = append(q.Words, word)
		} else if c := condition(key, value); c != nil { // what cannot be read is no condition
			conditions = append(conditions, c)
		}
	}
	if len(conditions) > 0 {
		q.Match = func(j *index.Job) bool {
			return j.Latest != nil && !slices.ContainsFunc(conditions, func(c func(*index.Summary) bool) bool { return !c(j.Latest) })
		}
	}
	var err error
	if q.Less, err = order(cmp.Or(in.SortBy, in.SortBy2), s.next); in.SortBy == "" {
		err = nil
	}
	return q, err
}

// condition is one on the latest execution, nil if it cannot be read.
func condition(key, value string) func(*index.Summary) bool {
	switch strings.ReplaceAll(key, "_", "-") {
	case "since":
		if day, err := time.Parse(time.DateOnly, value); err == nil {
			return func(l *index.Summary) bool { return !l.StartTime.IsZero() && !l.StartTime.Std().Before(day) }
		}
	case "until":
		if day, err := time.Parse(time.DateOnly, value); err == nil {
			end := day.AddDate(0, 0, 1)
			return func(l *index.Summary) bool { return !l.EndTime.IsZero() && l.EndTime.Std().Before(end) }
		}
	case "exit-status":
		return func(l *index.Summary) bool {
			return strings.Contains(strings.ToUpper(l.ExitStatus), strings.ToUpper(value))
		}
	case "batch-status":
		if status := subjects.BatchStatus(strings.ToLower(value)); status.Ended() || status.Waiting() || status.Running() || status == subjects.Registered {
			return func(l *index.Summary) bool { return l.BatchStatus == status }
		}
	}
	return nil
}

// order reads sort_by; nil for the order by name.
// Its error is about one of the keys; the function goes by the others.
func order(by string, next func(*index.Job) subjects.Time) (less func(a, b *index.Job) int, err error) {
	if by == "" {
		return nil, nil
	}
	var keys []func(a, b *index.Job) int
	for part := range strings.SplitSeq(by, ",") {
		name, direction, _ := strings.Cut(strings.TrimSpace(part), ":")
		key := sortKey(strings.ReplaceAll(name, "-", "_"), next)
		switch {
		case key == nil, direction != "" && direction != "asc" && direction != "desc":
			err = parameterError("sort_by", "name, last_execution_started, last_execution_duration, last_execution_status or next_execution_start, each with :asc or :desc", part)
		case direction == "desc":
			keys = append(keys, func(a, b *index.Job) int { return key(b, a) })
		default:
			keys = append(keys, key)
		}
	}
	return func(a, b *index.Job) int {
		for _, key := range keys {
			if c := key(a, b); c != 0 {
				return c
			}
		}
		return strings.Compare(a.Name, b.Name)
	}, err
}

// wants says whether with has the word.
func wants(with, word string) bool {
	for w := range strings.SplitSeq(with, ",") {
		if strings.TrimSpace(w) == word {
			return true
		}
	}
	return false
}

// sortKey compares by one key; what is missing comes first.
func sortKey(name string, next func(*index.Job) subjects.Time) func(a, b *index.Job) int {
	switch name {
	case "name":
		return func(a, b *index.Job) int { return strings.Compare(a.Name, b.Name) }
	case "last_execution_started":
		return compareLatest(func(l *index.Summary) int64 { return int64(l.StartTime) })
	case "last_execution_duration":
		return compareLatest(func(l *index.Summary) int64 {
			if l.EndTime.IsZero() || l.StartTime.IsZero() {
				return -1
			}
			return int64(l.EndTime - l.StartTime)
		})
	case "last_execution_status":
		return compareLatest(func(l *index.Summary) string { return string(l.BatchStatus) })
	case "next_execution_start":
		known := map[*index.Job]subjects.Time{} // a sort asks for each many times
		of := func(j *index.Job) subjects.Time {
			t, ok := known[j]
			if !ok {
				t = next(j)
				known[j] = t
			}
			return t
		}
		return func(a, b *index.Job) int { return cmp.Compare(of(a), of(b)) }
	}
	return nil
}

func compareLatest[T cmp.Ordered](of func(*index.Summary) T) func(a, b *index.Job) int {
	return func(a, b *index.Job) int {
		switch {
		case a.Latest == nil && b.Latest == nil:
			return 0
		case a.Latest == nil:
			return -1
		case b.Latest == nil:
			return 1
		}
		return cmp.Compare(of(a.Latest), of(b.Latest))
	}
}

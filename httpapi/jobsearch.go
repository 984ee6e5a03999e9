package httpapi

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
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
	Q       string `query:"q" doc:"Words, and conditions on the latest execution. A name matches if it contains any of the words. Conditions: since:2016-09-09 until:2016-09-10 batch-status:failed exit-status:X. An unknown condition is an error."`
	SortBy  string `query:"sort_by" example:"last_execution_started:desc,name" doc:"name, last_execution_started, last_execution_duration, last_execution_status, next_execution_start, each with :asc or :desc. The first key counts most."`
	SortBy2 string `query:"sort-by" hidden:"true"` // as v1 clients write it
	With    string `query:"with" example:"execution" doc:"What the answer has besides, separated by commas: execution (the executions of each job), notation (its diagram), settings (time monitor and status notifications)."`

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
		return nil, codec.ParameterFault("sort_by", "name or name:desc with after and before; another order goes with offset", sorted)
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
	var conditions []func(*index.Summary) bool
	for word := range strings.FieldsSeq(in.Q) {
		if !strings.Contains(word, ":") { // which no name has
			q.Words = append(q.Words, word)
			continue
		}
		holds, want := parseCondition(word)
		if want == "" {
			conditions = append(conditions, holds)
		} else {
			wrong.AddParameter("q", want, word)
		}
	}
	if len(conditions) > 0 {
		q.Match = func(j *index.Job) bool {
			return j.Latest != nil && !slices.ContainsFunc(conditions, func(c func(*index.Summary) bool) bool { return !c(j.Latest) })
		}
	}
	for word := range strings.SplitSeq(in.With, ",") {
		if word = strings.TrimSpace(word); word != "" && !slices.Contains(besides, word) {
			wrong.AddParameter("with", strings.Join(besides, ", "), word)
		}
	}
	less, unsortable := jobOrder(cmp.Or(in.SortBy, in.SortBy2), s.nextFire)
	q.Less = less
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

// parseCondition reads a condition on the latest execution. For an unknown
// condition, want says which ones exist.
func parseCondition(word string) (holds func(*index.Summary) bool, want string) {
	key, value, _ := strings.Cut(word, ":")
	switch strings.ReplaceAll(key, "_", "-") {
	case "since":
		day, err := time.Parse(time.DateOnly, value)
		if err != nil {
			return nil, wantDay
		}
		return func(l *index.Summary) bool { return !l.StartTime.IsZero() && !l.StartTime.Std().Before(day) }, ""
	case "until":
		day, err := time.Parse(time.DateOnly, value)
		if err != nil {
			return nil, wantDay
		}
		end := day.AddDate(0, 0, 1)
		return func(l *index.Summary) bool { return !l.EndTime.IsZero() && l.EndTime.Std().Before(end) }, ""
	case "exit-status":
		if value == "" {
			return nil, "a part of an exit status behind exit-status:"
		}
		value = strings.ToUpper(value)
		return func(l *index.Summary) bool { return strings.Contains(strings.ToUpper(l.ExitStatus), value) }, ""
	case "batch-status":
		status := subjects.BatchStatus(strings.ToLower(value))
		if !slices.Contains(subjects.BatchStatuses(), status) {
			return nil, "batch-status: with one of " + statusNames()
		}
		return func(l *index.Summary) bool { return l.BatchStatus == status }, ""
	}
	return nil, "since:, until:, batch-status: or exit-status:, or a word that names contain"
}

const wantDay = "a day of UTC such as 2026-11-24"

// jobOrder reads sort_by. It returns nil for the order by name. The fault is
// about one of the keys; less uses the others.
func jobOrder(by string, next func(*index.Job) subjects.Time) (less func(a, b *index.Job) int, wrong codec.Faults) {
	if by == "" {
		return nil, nil
	}
	var keys []func(a, b *index.Job) int
	for part := range strings.SplitSeq(by, ",") {
		name, direction, _ := strings.Cut(strings.TrimSpace(part), ":")
		key := sortKey(strings.ReplaceAll(name, "-", "_"), next)
		switch {
		case key == nil, direction != "" && direction != "asc" && direction != "desc":
			wrong = codec.ParameterFault("sort_by", "name, last_execution_started, last_execution_duration, last_execution_status or next_execution_start, each with :asc or :desc", part)
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
	}, wrong
}

// hasWord reports whether with contains a word.
func hasWord(with, word string) bool {
	for w := range strings.SplitSeq(with, ",") {
		if strings.TrimSpace(w) == word {
			return true
		}
	}
	return false
}

// sortKey returns a comparison by one key. Jobs without a value come first.
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

package index

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// QueryError is a part of a search that the index does not understand.
type QueryError struct{ Want, Got string }

func (e *QueryError) Error() string { return "want " + e.Want + ", got " + e.Got }

// condition is a condition on the latest execution of a job.
type condition func(latest *Summary) bool

// ParseConditions reads conditions on the latest execution of a job, such as
// batch-status:failed. The function that it returns reports whether a job meets
// all that it could read; it is nil if there are none.
func ParseConditions(words []string) (match func(*Job) bool, wrong []*QueryError) {
	var all []condition
	for _, word := range words {
		if holds, want := parseCondition(word); want == "" {
			all = append(all, holds)
		} else {
			wrong = append(wrong, &QueryError{want, word})
		}
	}
	if len(all) == 0 {
		return nil, wrong
	}
	return func(j *Job) bool {
		return j.Latest != nil && !slices.ContainsFunc(all, func(c condition) bool { return !c(j.Latest) })
	}, wrong
}

// parseCondition reads a condition on the latest execution. For an unknown
// condition, want says which ones exist.
func parseCondition(word string) (holds condition, want string) {
	key, value, _ := strings.Cut(word, ":")
	switch strings.ReplaceAll(key, "_", "-") {
	case "since":
		day, err := time.Parse(time.DateOnly, value)
		if err != nil {
			return nil, wantDay
		}
		return func(l *Summary) bool { return !l.StartTime.IsZero() && !l.StartTime.Std().Before(day) }, ""
	case "until":
		day, err := time.Parse(time.DateOnly, value)
		if err != nil {
			return nil, wantDay
		}
		end := day.AddDate(0, 0, 1)
		return func(l *Summary) bool { return !l.EndTime.IsZero() && l.EndTime.Std().Before(end) }, ""
	case "exit-status":
		if value == "" {
			return nil, "part of an exit status after exit-status:"
		}
		value = strings.ToUpper(value)
		return func(l *Summary) bool { return strings.Contains(strings.ToUpper(l.ExitStatus), value) }, ""
	case "batch-status":
		status := subjects.BatchStatus(strings.ToLower(value))
		if !slices.Contains(subjects.BatchStatuses(), status) {
			return nil, "batch-status: with one of " + bus.StatusNames(subjects.BatchStatuses())
		}
		return func(l *Summary) bool { return l.BatchStatus == status }, ""
	}
	return nil, "since:, until:, batch-status: or exit-status:, or a part of a job's name"
}

const wantDay = "a date in UTC, such as 2026-11-24"

// ParseOrder reads the keys to sort jobs by, such as
// last_execution_started:desc,name. It returns nil for the order by name. The
// error is a [QueryError] about one of the keys; less uses the others. next
// returns when a job fires next.
func ParseOrder(by string, next func(*Job) subjects.Time) (less func(a, b *Job) int, err error) {
	if by == "" {
		return nil, nil
	}
	var keys []func(a, b *Job) int
	for part := range strings.SplitSeq(by, ",") {
		name, direction, _ := strings.Cut(strings.TrimSpace(part), ":")
		key := parseSortKey(strings.ReplaceAll(name, "-", "_"), next)
		switch {
		case key == nil, direction != "" && direction != "asc" && direction != "desc":
			err = &QueryError{"name, last_execution_started, last_execution_duration, last_execution_status or next_execution_start, each with :asc or :desc", part}
		case direction == "desc":
			keys = append(keys, func(a, b *Job) int { return key(b, a) })
		default:
			keys = append(keys, key)
		}
	}
	return func(a, b *Job) int {
		for _, key := range keys {
			if c := key(a, b); c != 0 {
				return c
			}
		}
		return strings.Compare(a.Name, b.Name)
	}, err
}

// parseSortKey returns a comparison by one key. Jobs without a value come first.
func parseSortKey(name string, next func(*Job) subjects.Time) func(a, b *Job) int {
	switch name {
	case "name":
		return func(a, b *Job) int { return strings.Compare(a.Name, b.Name) }
	case "last_execution_started":
		return compareLatest(func(l *Summary) int64 { return int64(l.StartTime) })
	case "last_execution_duration":
		return compareLatest(func(l *Summary) int64 {
			if l.EndTime.IsZero() || l.StartTime.IsZero() {
				return -1
			}
			return int64(l.EndTime - l.StartTime)
		})
	case "last_execution_status":
		return compareLatest(func(l *Summary) string { return string(l.BatchStatus) })
	case "next_execution_start":
		known := map[*Job]subjects.Time{} // a sort asks for each many times
		of := func(j *Job) subjects.Time {
			t, ok := known[j]
			if !ok {
				t = next(j)
				known[j] = t
			}
			return t
		}
		return func(a, b *Job) int { return cmp.Compare(of(a), of(b)) }
	}
	return nil
}

func compareLatest[T cmp.Ordered](of func(*Summary) T) func(a, b *Job) int {
	return func(a, b *Job) int {
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

package index

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Job is a job as lists show it.
type Job struct {
	bus.Job
	Revision uint64   // of the last edit
	JSL      *jsl.Job // the parsed definition; read-only
	Stats    Stats
	Latest   *Summary      // the newest execution by create time; nil if none
	Schedule *bus.Schedule // the default schedule; nil if none
	// All schedules, the default one first, the others by name.
	Schedules []*bus.Schedule
}

// Stats counts the executions of a job.
type Stats struct {
	Total, Success, Failure int
	Average                 time.Duration // from start to end, of completed executions
}

// JobQuery selects and sorts jobs.
type JobQuery struct {
	App    string
	Words  []string            // the name must contain one of them; empty: all jobs
	Match  func(*Job) bool     // nil: all
	Less   func(a, b *Job) int // as in slices.SortFunc; nil: by name
	Offset int                 // from 0
	Limit  int                 // a negative offset or limit counts as 0
}

// jobEntry is a job's definition, if it has one, with counts of its executions.
type jobEntry struct {
	app, key string
	first    string // the first name; empty if it equals the key or is not known
	number   uint32
	def      *bus.Job // nil: no definition
	jsl      *jsl.Job
	rev      uint64
	// By key; also removed ones, so that a late update does not restore them.
	schedules []scheduleEntry

	list     []int32 // handles of executions, oldest first
	success  int
	failure  int
	duration int64 // sum over completed executions, in milliseconds
}

type scheduleEntry struct {
	key   bus.ScheduleKey
	value *bus.Schedule // nil: removed at rev
	rev   uint64
}

// App returns an application's definition and its revision.
func (x *Index) App(name string) (a bus.App, revision uint64, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	e := x.apps[name]
	if e.app == nil {
		return bus.App{}, 0, false
	}
	return *e.app, e.rev, true
}

// Apps returns all applications by name.
func (x *Index) Apps() []bus.App {
	x.mu.RLock()
	defer x.mu.RUnlock()
	all := make([]bus.App, 0, len(x.apps))
	for _, e := range x.apps {
		if e.app != nil {
			all = append(all, *e.app)
		}
	}
	slices.SortFunc(all, func(a, b bus.App) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// PermanentKey returns the permanent key of the job with this name. If only executions
// are left of a job, its permanent key stands for the name.
func (x *Index) PermanentKey(app, name string) (key string, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	k := jobName{app, name}
	if j := x.byName[k]; j != nil {
		return j.key, true
	}
	k.job = bus.NameKey(name)
	j := x.byKey[k]
	return k.job, j != nil && j.def == nil && len(j.list) > 0
}

// FirstName returns the name that a job was created with, or its permanent key
// if that name is not known.
func (x *Index) FirstName(app, key string) string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if j := x.byKey[jobName{app, key}]; j != nil {
		return cmp.Or(j.first, key)
	}
	return key
}

// JobName returns the present name of a job. If the job no longer exists, it
// returns its first name.
func (x *Index) JobName(app, key string) string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if j := x.byKey[jobName{app, key}]; j != nil {
		return j.displayName()
	}
	return key
}

func (j *jobEntry) displayName() string {
	if j.def == nil {
		return cmp.Or(j.first, j.key)
	}
	return j.def.Name
}

// setFirstName records name as the first name, if the permanent key is derived
// from it.
func (j *jobEntry) setFirstName(name string) {
	if j.first == "" && name != "" && name != j.key && bus.NameKey(name) == j.key {
		j.first = name
	}
}

// Job returns a job; false if it has no definition.
func (x *Index) Job(app, key string) (*Job, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	j := x.byKey[jobName{app, key}]
	if j == nil || j.def == nil {
		return nil, false
	}
	return x.jobView(j), true
}

// Definition returns a job without counts, which is enough to start it.
func (x *Index) Definition(app, key string) (def *bus.Job, parsed *jsl.Job, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	j := x.byKey[jobName{app, key}]
	if j == nil || j.def == nil {
		return nil, nil, false
	}
	return j.def, j.jsl, true
}

// JobKeys returns the permanent keys of an application's jobs, and of deleted
// jobs that still have executions.
func (x *Index) JobKeys(app string) []string {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var keys []string
	for _, j := range x.jobs {
		if j.app == app {
			keys = append(keys, j.key)
		}
	}
	return keys
}

// Promised is a job that promises something.
type Promised struct {
	App, Key string
	SLA      *bus.SLA      // must not be changed
	Newest   subjects.Time // when its newest execution was created; zero: it has none
}

// Promised returns the jobs that promise something, in no order.
func (x *Index) Promised() []Promised {
	x.mu.RLock()
	defer x.mu.RUnlock()
	all := make([]Promised, 0, len(x.promised))
	for j := range x.promised {
		p := Promised{App: j.app, Key: j.key, SLA: j.def.Settings.SLA}
		if n := len(j.list); n > 0 {
			p.Newest = x.table.entryAt(j.list[n-1]).create
		}
		all = append(all, p)
	}
	return all
}

// CountJobs counts an application's jobs.
func (x *Index) CountJobs(app string) int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.perApp[app]
}

// Jobs returns a page of the jobs that q selects, and how many it selects in
// all.
func (x *Index) Jobs(q JobQuery) (page []*Job, hits int) {
	x.mu.RLock()
	var all []*Job
	for _, j := range x.jobs {
		if j.def == nil || j.app != q.App || !containsAny(j.def.Name, q.Words) {
			continue
		}
		if v := x.jobView(j); q.Match == nil || q.Match(v) {
			all = append(all, v)
		}
	}
	x.mu.RUnlock()
	less := q.Less
	if less == nil {
		less = func(a, b *Job) int { return cmp.Compare(a.Name, b.Name) }
	}
	slices.SortStableFunc(all, less)
	rest := all[min(max(0, q.Offset), len(all)):]
	return rest[:min(max(0, q.Limit), len(rest))], len(all) // no sum of q's fields: it may overflow
}

func containsAny(s string, words []string) bool {
	return len(words) == 0 || slices.ContainsFunc(words, func(w string) bool { return strings.Contains(s, w) })
}

// Schedules returns the schedules of all jobs.
func (x *Index) Schedules() []bus.Entry[bus.Schedule] {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var all []bus.Entry[bus.Schedule]
	for _, j := range x.jobs {
		for _, e := range j.schedules {
			if e.value != nil {
				all = append(all, bus.Entry[bus.Schedule]{Key: e.key.String(), Value: *e.value, Revision: e.rev})
			}
		}
	}
	return all
}

// Schedule returns a schedule of a job that has a definition.
func (x *Index) Schedule(key bus.ScheduleKey) (*bus.Schedule, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	j := x.byKey[jobName{key.App(), key.Job()}]
	if j == nil || j.def == nil {
		return nil, false
	}
	i, there := j.findSchedule(key)
	if !there {
		return nil, false
	}
	v := j.schedules[i].value
	return v, v != nil
}

// findSchedule returns the index of a schedule, or where it belongs.
func (j *jobEntry) findSchedule(key bus.ScheduleKey) (i int, there bool) {
	return slices.BinarySearchFunc(j.schedules, key, func(e scheduleEntry, k bus.ScheduleKey) int { return e.key.Compare(k) })
}

// ScheduleKeys returns the keys of the schedules of all jobs.
func (x *Index) ScheduleKeys() []bus.ScheduleKey {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var keys []bus.ScheduleKey
	for _, j := range x.jobs {
		for _, e := range j.schedules {
			if e.value != nil {
				keys = append(keys, e.key)
			}
		}
	}
	return keys
}

// StoredSchedule returns a schedule, also of a job whose definition the index
// does not know yet, with its revision. It returns nil if there is none.
func (x *Index) StoredSchedule(key bus.ScheduleKey) (v *bus.Schedule, revision uint64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	j := x.byKey[jobName{key.App(), key.Job()}]
	if j == nil {
		return nil, 0
	}
	i, there := j.findSchedule(key)
	if !there {
		return nil, 0
	}
	return j.schedules[i].value, j.schedules[i].rev
}

func (x *Index) jobView(j *jobEntry) *Job {
	v := &Job{Job: *j.def, Revision: cmp.Or(j.def.Edit, j.rev), JSL: j.jsl}
	for _, e := range j.schedules {
		if e.value == nil {
			continue
		}
		v.Schedules = append(v.Schedules, e.value)
		if e.key.Name() == bus.DefaultSchedule {
			v.Schedule = e.value
		}
	}
	v.Stats = Stats{Total: len(j.list), Success: j.success, Failure: j.failure}
	if j.success > 0 {
		v.Stats.Average = time.Duration(j.duration/int64(j.success)) * time.Millisecond
	}
	if n := len(j.list); n > 0 {
		s := x.summaryOf(x.table.entryAt(j.list[n-1]))
		v.Latest = &s
	}
	return v
}

// addCount adds an execution to the job's counts, or subtracts it if sign is
// -1.
func (j *jobEntry) addCount(e *entry, sign int) {
	switch statusOf(e.status) {
	case subjects.Completed:
		j.success += sign
		j.duration += int64(sign) * max(0, int64(e.end-e.start))
	case subjects.Failed:
		j.failure += sign
	}
}

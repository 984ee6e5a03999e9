package index

import (
	"cmp"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// ExecutionQuery selects executions. The list is ordered by create time, then
// by id, newest first, whichever bus assigned the ids.
type ExecutionQuery struct {
	App, Job     string                       // Job is the permanent key; empty: all
	AppMatch     func(app string) bool        // nil: all, here and below
	JobMatch     func(name string) bool       // by the present name of the job
	Status       []subjects.BatchStatus       // any of them
	Exit         func(exitStatus string) bool // as lists show it
	Agent        func(name string) bool
	Since, Until subjects.Time // start time, or create time if not started; Until is exclusive

	After, Before int64 // the page after or before this execution
	Offset        int   // from 0; only without After and Before
	Limit         int   // a negative offset or limit counts as 0
}

// Page is a part of a list.
type Page struct {
	Results []Summary
	Hits    int // in the whole list
	Offset  int // the number of executions before the results
}

// selectsAll reports whether the query selects all executions of its jobs.
func (q *ExecutionQuery) selectsAll() bool {
	return len(q.Status) == 0 && q.Exit == nil && q.Agent == nil && q.Since == 0 && q.Until == 0
}

// deepOffset is the offset from which a query over several jobs scans all
// entries, which releases the lock at times, instead of walking along the jobs'
// lists, which holds the lock.
const deepOffset = 5000

// FindExecutions returns a page of the executions that q selects.
func (x *Index) FindExecutions(q *ExecutionQuery) Page {
	bounded := *q
	bounded.Offset, bounded.Limit = max(0, q.Offset), max(0, q.Limit)
	q = &bounded
	m := &matcher{q: q}
	if q.selectsAll() {
		if p, ok := x.walkLists(m); ok {
			return p
		}
	}
	return x.scanEntries(m)
}

// sortKey is an execution's position in a list.
type sortKey struct {
	create subjects.Time
	id     int64
}

func (e *entry) sortKey() sortKey { return sortKey{e.create, e.id} }

func (a sortKey) compare(b sortKey) int {
	return cmp.Or(cmp.Compare(a.create, b.create), cmp.Compare(a.id, b.id))
}

// cursorKey returns the position that the query starts at, if it has one. If
// that execution is gone, it is the position of the next lower id.
func (x *Index) cursorKey(q *ExecutionQuery) (at sortKey, ok bool) {
	id := cmp.Or(q.After, q.Before)
	if id == 0 {
		return sortKey{}, false
	}
	if h, there := x.table.findHandle(id); there {
		return x.table.entryAt(h).sortKey(), true
	}
	below := int64(-1)
	for p, pg := range x.table.pages {
		if p > below && p <= id/chunkSize && pg.highestBelow(p, id) >= 0 {
			below = p
		}
	}
	if below < 0 {
		return sortKey{0, id}, true
	}
	return sortKey{x.table.entryAt(x.table.pages[below].highestBelow(below, id)).create, id}, true
}

// highestBelow returns the handle of the highest id in the page that is lower
// than id, or -1.
func (pg *page) highestBelow(number, id int64) int32 {
	for i := min(id-number*chunkSize, chunkSize) - 1; i >= 0; i-- {
		if pg.handles[i] > 0 {
			return pg.handles[i] - 1
		}
	}
	return -1
}

// matcher decides which entries a query selects. It caches the decisions that
// depend only on a name.
type matcher struct {
	q      *ExecutionQuery
	status [256]bool // by number
	jobs   []verdict // by number
	exits  []verdict
	ends   []verdict // for entries without an exit status, by batch status
	agents []verdict
}

type verdict uint8

const (
	unjudged verdict = iota
	no
	yes
)

// cachedVerdict returns the verdict on n. It calls ask the first time.
func cachedVerdict(all *[]verdict, n uint32, ask func() bool) bool {
	if int(n) >= len(*all) {
		*all = append(*all, make([]verdict, int(n)+64-len(*all))...)
	}
	v := &(*all)[n]
	if *v == unjudged {
		*v = no
		if ask() {
			*v = yes
		}
	}
	return *v == yes
}

// matchesJob reports whether the query selects executions of a job.
func (m *matcher) matchesJob(j *jobEntry) bool {
	q := m.q
	return cachedVerdict(&m.jobs, j.number, func() bool {
		return (q.App == "" || j.app == q.App) && (q.Job == "" || j.key == q.Job) &&
			(q.AppMatch == nil || q.AppMatch(j.app)) && (q.JobMatch == nil || q.JobMatch(j.displayName()))
	})
}

func (m *matcher) matchesEntry(x *Index, e *entry) bool {
	q := m.q
	if len(q.Status) > 0 && !m.status[e.status] || !m.matchesJob(x.jobs[e.job]) {
		return false
	}
	if at := cmp.Or(e.start, e.create); at < q.Since || q.Until > 0 && at >= q.Until {
		return false
	}
	if q.Agent != nil && !cachedVerdict(&m.agents, e.agent, func() bool { return e.agent != 0 && q.Agent(x.names.nameOf(e.agent)) }) {
		return false
	}
	return q.Exit == nil || m.matchesExit(x, e)
}

// matchesExit reports whether the query selects the exit status. An ended
// execution without one has its batch status as exit status.
func (m *matcher) matchesExit(x *Index, e *entry) bool {
	if e.exit != 0 {
		return cachedVerdict(&m.exits, e.exit, func() bool { return m.q.Exit(x.names.nameOf(e.exit)) })
	}
	return cachedVerdict(&m.ends, uint32(e.status), func() bool {
		batch := statusOf(e.status)
		return batch.Ended() && m.q.Exit(strings.ToUpper(string(batch)))
	})
}

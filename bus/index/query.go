package index

import (
	"cmp"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// ExecutionQuery selects executions. A list is ordered by create time and then by
// id, the newest first, whichever bus gave the id.
type ExecutionQuery struct {
	App, Job     string                       // the job's token; empty: all
	AppMatch     func(app string) bool        // nil: all, here and below
	JobMatch     func(name string) bool       // by the name that the job has now
	Status       []subjects.BatchStatus       // any of them
	Exit         func(exitStatus string) bool // as lists show it
	Agent        func(name string) bool
	Since, Until subjects.Time // of the start or, before it, of the creation; Until is not included

	After, Before int64 // the page behind this execution, or the one in front of it
	Offset        int   // from 0; neither with After nor with Before
	Limit         int
}

// Page is a part of a list.
type Page struct {
	Results []Summary
	Hits    int // in the list
	Offset  int // how many come before the results
}

// plain reports whether the query selects all executions of its jobs.
func (q *ExecutionQuery) plain() bool {
	return len(q.Status) == 0 && q.Exit == nil && q.Agent == nil && q.Since == 0 && q.Until == 0
}

// deepOffset is where a walk along the lists of several jobs, which holds the
// lock, gives way to a scan, which does not.
const deepOffset = 5000

// FindExecutions returns a page of the executions that q selects.
func (x *Index) FindExecutions(q *ExecutionQuery) Page {
	m := &matcher{q: q}
	if q.plain() {
		if p, ok := x.walk(m); ok {
			return p
		}
	}
	return x.scan(m)
}

// key is an execution's place in a list.
type key struct {
	create subjects.Time
	id     int64
}

func (e *entry) key() key { return key{e.create, e.id} }

func (a key) compare(b key) int {
	return cmp.Or(cmp.Compare(a.create, b.create), cmp.Compare(a.id, b.id))
}

// cursor returns the place that the query begins at, if it begins at one. If that
// execution is gone, it is the place in front of the newest one with a lower id.
func (x *Index) cursor(q *ExecutionQuery) (at key, ok bool) {
	id := cmp.Or(q.After, q.Before)
	if id == 0 {
		return key{}, false
	}
	if h, there := x.table.find(id); there {
		return x.table.at(h).key(), true
	}
	below := int64(-1)
	for p, pg := range x.table.pages {
		if p > below && p <= id/chunkSize && pg.lower(p, id) >= 0 {
			below = p
		}
	}
	if below < 0 {
		return key{0, id}, true
	}
	return key{x.table.at(x.table.pages[below].lower(below, id)).create, id}, true
}

// lower returns the handle of the highest id of the page that is lower than id, -1 if there is none.
func (pg *page) lower(number, id int64) int32 {
	for i := min(id-number*chunkSize, chunkSize) - 1; i >= 0; i-- {
		if pg.handles[i] > 0 {
			return pg.handles[i] - 1
		}
	}
	return -1
}

// matcher judges entries for a query. What depends on a name is judged once.
type matcher struct {
	q      *ExecutionQuery
	status [256]bool // by number
	jobs   []verdict // by number
	exits  []verdict
	ends   []verdict // of those without an exit status, by batch status
	agents []verdict
}

type verdict uint8

const (
	unjudged verdict = iota
	no
	yes
)

// judge returns the verdict on n, and asks for it the first time.
func judge(all *[]verdict, n uint32, ask func() bool) bool {
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

// job reports whether a job's executions are in the list, if they match.
func (m *matcher) job(j *jobEntry) bool {
	q := m.q
	return judge(&m.jobs, j.number, func() bool {
		return (q.App == "" || j.app == q.App) && (q.Job == "" || j.token == q.Job) &&
			(q.AppMatch == nil || q.AppMatch(j.app)) && (q.JobMatch == nil || q.JobMatch(j.name()))
	})
}

func (m *matcher) matches(x *Index, e *entry) bool {
	q := m.q
	if len(q.Status) > 0 && !m.status[e.status] || !m.job(x.jobs[e.job]) {
		return false
	}
	if at := cmp.Or(e.start, e.create); at < q.Since || q.Until > 0 && at >= q.Until {
		return false
	}
	if q.Agent != nil && !judge(&m.agents, e.agent, func() bool { return e.agent != 0 && q.Agent(x.names.name(e.agent)) }) {
		return false
	}
	return q.Exit == nil || m.exit(x, e)
}

// exit judges the exit status. At the end it is the batch status if nobody said another.
func (m *matcher) exit(x *Index, e *entry) bool {
	if e.exit != 0 {
		return judge(&m.exits, e.exit, func() bool { return m.q.Exit(x.names.name(e.exit)) })
	}
	return judge(&m.ends, uint32(e.status), func() bool {
		batch := statusOf(e.status)
		return batch.Ended() && m.q.Exit(strings.ToUpper(string(batch)))
	})
}

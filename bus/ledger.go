package bus

import (
	"slices"
	"strconv"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Limit is a named resource of which executions may use only so much at a time.
type Limit struct {
	Capacity   int           `json:"capacity"`
	CreateTime subjects.Time `json:"create_time"`
	UpdateTime subjects.Time `json:"last_updated_time"`
}

// Need is how much of a limit an execution holds while it runs.
type Need struct {
	Limit string
	Units int
}

// Needs are what an execution needs, as text such as api=2,db=1, ordered by
// name.
type Needs string

// NeedsOf returns needs as text. No limit may occur twice.
func NeedsOf(all []Need) Needs {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b Need) int { return strings.Compare(a.Limit, b.Limit) })
	var parts []string
	for _, n := range all {
		parts = append(parts, n.Limit+"="+strconv.Itoa(n.Units))
	}
	return Needs(strings.Join(parts, ","))
}

// All returns the needs, ordered by name.
func (n Needs) All() []Need {
	if n == "" {
		return nil
	}
	var all []Need
	for part := range strings.SplitSeq(string(n), ",") {
		name, units, _ := strings.Cut(part, "=")
		u, err := strconv.Atoi(units)
		if err != nil { // nobody but NeedsOf writes them
			continue
		}
		all = append(all, Need{name, u})
	}
	return all
}

// Ledger has all limits, and the executions that hold them. It is one value,
// under [LedgerKey], so that an execution gets all of its limits or none by one
// compare-and-set, and so that a change of a limit is decided on what is held.
type Ledger struct {
	Limits map[string]Limit `json:"limits,omitempty"`
	Held   map[Needs]*IDSet `json:"held,omitempty"` // executions, by what they hold
}

// LedgerKey is the key of the ledger in its bucket.
const LedgerKey = "ledger"

// Clone returns a copy that shares nothing with l.
func (l *Ledger) Clone() *Ledger {
	c := &Ledger{Limits: make(map[string]Limit, len(l.Limits)), Held: make(map[Needs]*IDSet, len(l.Held))}
	for name, limit := range l.Limits {
		c.Limits[name] = limit
	}
	for needs, ids := range l.Held {
		c.Held[needs] = ids.clone()
	}
	return c
}

// Holds reports whether an execution holds what it needs.
func (l *Ledger) Holds(needs Needs, id int64) bool {
	ids := l.Held[needs]
	return ids != nil && ids.Has(id)
}

// Hold records that an execution holds what it needs.
func (l *Ledger) Hold(needs Needs, id int64) {
	if l.Held[needs] == nil {
		l.Held[needs] = &IDSet{}
	}
	l.Held[needs].Add(id)
}

// Free frees what an execution holds. It returns false if it held nothing.
func (l *Ledger) Free(needs Needs, id int64) bool {
	ids := l.Held[needs]
	if ids == nil || !ids.Remove(id) {
		return false
	}
	if ids.Len() == 0 {
		delete(l.Held, needs)
	}
	return true
}

// Used returns how much of each limit is held.
func (l *Ledger) Used() map[string]int {
	used := map[string]int{}
	for needs, ids := range l.Held {
		n := ids.Len()
		for _, need := range needs.All() {
			used[need.Limit] += n * need.Units
		}
	}
	return used
}

// Granter decides which waiting executions get what they need. Those that came
// first get it first: an execution that has to wait for a limit reserves it, and
// no later one gets anything of it before. So one that needs much does not
// starve. An execution that needs more than there is, or a limit that does not
// exist, reserves nothing, since it could wait for ever.
type Granter struct {
	l        *Ledger
	used     map[string]int
	reserved map[string]bool
	needs    map[Needs][]Need
}

// NewGranter returns a Granter that adds what it grants to l.
func NewGranter(l *Ledger) *Granter {
	return &Granter{l: l, used: l.Used(), reserved: map[string]bool{}, needs: map[Needs][]Need{}}
}

// Grant lets the next waiting execution have what it needs, if that is free.
// Calls must be in the order in which the executions came. blocked means that
// no later execution with the same needs can get them either.
func (g *Granter) Grant(needs Needs, id int64) (granted, blocked bool) {
	all, known := g.needs[needs]
	if !known {
		all = needs.All()
		g.needs[needs] = all
	}
	free := true
	for _, n := range all {
		capacity := g.l.Limits[n.Limit].Capacity
		if n.Units > capacity {
			return false, true
		}
		free = free && !g.reserved[n.Limit] && g.used[n.Limit]+n.Units <= capacity
	}
	for _, n := range all {
		if free {
			g.used[n.Limit] += n.Units
		} else {
			g.reserved[n.Limit] = true
		}
	}
	if free {
		g.l.Hold(needs, id)
	}
	return free, !free
}

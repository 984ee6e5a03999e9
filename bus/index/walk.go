package index

import (
	"container/heap"
	"slices"
)

// walkLists walks along the lists of jobs to the page. ok is false if the page
// is too far.
func (x *Index) walkLists(m *matcher) (p Page, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	q := m.q
	at, cursor := x.cursorKey(q)
	lists := merge{table: &x.table, up: q.Before != 0}
	for _, j := range x.jobs {
		if len(j.list) == 0 || !m.matchesJob(j) {
			continue
		}
		p.Hits += len(j.list)
		list := j.list
		if cursor {
			i, found := slices.BinarySearchFunc(list, at, func(h int32, at sortKey) int { return x.table.entryAt(h).sortKey().compare(at) })
			if found && lists.up {
				i++
			}
			if lists.up {
				list = list[i:]
			} else {
				list = list[:i]
			}
		}
		if len(list) > 0 {
			lists.all = append(lists.all, list)
			lists.left += len(list)
		}
	}
	skip := q.Offset
	if p.Offset = skip; cursor && !lists.up {
		p.Offset = p.Hits - lists.left
	}
	switch {
	case skip >= lists.left:
		return p, true
	case len(lists.all) == 1:
		lists.all[0] = lists.all[0][:lists.left-skip]
		skip = 0
	case skip > deepOffset:
		return p, false
	}
	heap.Init(&lists)
	for range skip {
		lists.nextHandle()
	}
	for len(p.Results) < q.Limit && len(lists.all) > 0 {
		p.Results = append(p.Results, x.summaryOf(x.table.entryAt(lists.nextHandle())))
	}
	if lists.up {
		slices.Reverse(p.Results)
		p.Offset = lists.left // the newer ones
	}
	return p, true
}

// merge is a heap of lists of handles, with the list that has the next handle
// on top. It consumes each list from its end, or from its beginning if up is
// set.
type merge struct {
	table *table
	up    bool
	all   [][]int32
	left  int
}

func (m *merge) Len() int      { return len(m.all) }
func (m *merge) Swap(i, j int) { m.all[i], m.all[j] = m.all[j], m.all[i] }
func (m *merge) Push(any)      { panic("nothing is added") }
func (m *merge) Pop() any      { m.all = m.all[:len(m.all)-1]; return nil }

func (m *merge) Less(i, j int) bool {
	if m.up {
		return m.table.compareAge(m.all[i][0], m.all[j][0]) < 0
	}
	return m.table.compareAge(m.all[i][len(m.all[i])-1], m.all[j][len(m.all[j])-1]) > 0
}

// nextHandle removes and returns the next handle.
func (m *merge) nextHandle() (h int32) {
	list := m.all[0]
	if m.up {
		h, m.all[0] = list[0], list[1:]
	} else {
		h, m.all[0] = list[len(list)-1], list[:len(list)-1]
	}
	m.left--
	if len(m.all[0]) == 0 {
		heap.Remove(m, 0)
	} else {
		heap.Fix(m, 0)
	}
	return h
}

package index

import (
	"container/heap"
	"slices"
)

// walk goes along the lists of jobs, as far as the page reaches. ok is false if
// that is too far.
func (x *Index) walk(m *matcher) (p Page, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	q := m.q
	at, cursor := x.cursor(q)
	lists := merge{table: &x.table, up: q.Before != 0}
	for _, j := range x.jobs {
		if len(j.list) == 0 || !m.job(j) {
			continue
		}
		p.Hits += len(j.list)
		list := j.list
		if cursor {
			i, found := slices.BinarySearchFunc(list, at, func(h int32, at key) int { return x.table.at(h).key().compare(at) })
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
		lists.next()
	}
	for len(p.Results) < q.Limit && len(lists.all) > 0 {
		p.Results = append(p.Results, x.summary(x.table.at(lists.next())))
	}
	if lists.up {
		slices.Reverse(p.Results)
		p.Offset = lists.left // of those that are newer
	}
	return p, true
}

// merge is a heap of lists of handles, the list with the next one on top. Each
// list is taken from its end, or with up from its beginning.
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
		return m.table.older(m.all[i][0], m.all[j][0]) < 0
	}
	return m.table.older(m.all[i][len(m.all[i])-1], m.all[j][len(m.all[j])-1]) > 0
}

// next takes the next handle.
func (m *merge) next() (h int32) {
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

package index

import (
	"slices"
)

// scanned is how many chunks are looked at under one lock: about a millisecond.
const scanned = 32

// scan looks at every entry, which is the price of knowing how many match. It
// keeps the places of the page only, and lets writers in between.
func (x *Index) scan(m *matcher) Page {
	q := m.q
	for _, s := range q.Status {
		m.status[statusNumber(s)] = true
	}
	x.mu.RLock()
	at, cursor := x.cursor(q)
	chunks := len(x.table.chunks)
	x.mu.RUnlock()
	up := q.Before != 0
	offset := min(q.Offset, chunks*chunkSize)
	best := nearest{most: offset + q.Limit, up: up}
	p := Page{Offset: q.Offset}
	beyond := 0 // on the other side of the cursor, or the cursor itself
	for end := chunks; end > 0; end -= scanned {
		x.mu.RLock()
		for c := end - 1; c >= max(0, end-scanned); c-- {
			chunk := x.table.chunks[c]
			for i := len(chunk) - 1; i >= 0; i-- {
				e := &chunk[i]
				if e.id == 0 || !m.matches(x, e) {
					continue
				}
				p.Hits++
				k := e.key()
				if c := k.compare(at); cursor && (c == 0 || up == (c < 0)) {
					beyond++
					continue
				}
				best.add(k)
			}
		}
		x.mu.RUnlock()
	}
	keys := best.all()
	switch {
	case up:
		slices.Reverse(keys)
		p.Offset = p.Hits - beyond - len(keys)
	case cursor:
		p.Offset = beyond
	}
	x.summaries(m, keys[min(offset, len(keys)):], &p)
	return p
}

// summaries adds the executions of the keys that are still there and still match.
func (x *Index) summaries(m *matcher, keys []key, p *Page) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, k := range keys {
		if h, ok := x.table.find(k.id); ok && m.matches(x, x.table.at(h)) {
			p.Results = append(p.Results, x.summary(x.table.at(h)))
		}
	}
}

// nearest keeps the newest of the keys that are added, or with up the oldest.
type nearest struct {
	most int
	up   bool
	kept []key
	full bool // the last of those kept is the bound for others
	last key
}

// compare orders the nearest first.
func (n *nearest) compare(a, b key) int {
	if n.up {
		return a.compare(b)
	}
	return b.compare(a)
}

func (n *nearest) add(k key) {
	if n.full && n.compare(k, n.last) > 0 {
		return
	}
	const slack = 1024 // sorting is rarer
	if n.kept = append(n.kept, k); len(n.kept) >= 2*n.most+slack {
		n.cut()
	}
}

func (n *nearest) cut() {
	slices.SortFunc(n.kept, n.compare)
	if len(n.kept) >= n.most && n.most > 0 {
		n.kept = n.kept[:n.most]
		n.full, n.last = true, n.kept[n.most-1]
	}
}

// all returns the keys, the nearest first.
func (n *nearest) all() []key {
	n.cut()
	return n.kept
}

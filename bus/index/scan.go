package index

import (
	"slices"
)

// scanned is the number of chunks that are scanned under one lock: about a
// millisecond.
const scanned = 32

// scanEntries examines every entry, which is necessary to count the matches. It
// keeps only the positions on the page, and releases the lock at times so that
// writers can proceed.
func (x *Index) scanEntries(m *matcher) Page {
	q := m.q
	for _, s := range q.Status {
		m.status[statusNumber(s)] = true
	}
	x.mu.RLock()
	at, cursor := x.cursorKey(q)
	chunks := len(x.table.chunks)
	x.mu.RUnlock()
	up := q.Before != 0
	offset := min(q.Offset, chunks*chunkSize)
	best := nearest{most: offset + min(q.Limit, chunks*chunkSize), up: up}
	p := Page{Offset: q.Offset}
	beyond := 0 // matches on the other side of the cursor, and the cursor itself
	for end := chunks; end > 0; end -= scanned {
		x.mu.RLock()
		for c := end - 1; c >= max(0, end-scanned); c-- {
			chunk := x.table.chunks[c]
			for i := len(chunk) - 1; i >= 0; i-- {
				e := &chunk[i]
				if e.id == 0 || !m.matchesEntry(x, e) {
					continue
				}
				p.Hits++
				k := e.sortKey()
				if c := k.compare(at); cursor && (c == 0 || up == (c < 0)) {
					beyond++
					continue
				}
				best.addKey(k)
			}
		}
		x.mu.RUnlock()
	}
	keys := best.sortedKeys()
	switch {
	case up:
		slices.Reverse(keys)
		p.Offset = p.Hits - beyond - len(keys)
	case cursor:
		p.Offset = beyond
	}
	x.appendSummaries(m, keys[min(offset, len(keys)):], &p)
	return p
}

// appendSummaries adds the executions of the keys that still exist and still
// match.
func (x *Index) appendSummaries(m *matcher, keys []sortKey, p *Page) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, k := range keys {
		if h, ok := x.table.findHandle(k.id); ok && m.matchesEntry(x, x.table.entryAt(h)) {
			p.Results = append(p.Results, x.summaryOf(x.table.entryAt(h)))
		}
	}
}

// nearest keeps the newest of the added keys, or the oldest if up is set.
type nearest struct {
	most int
	up   bool
	kept []sortKey
	full bool // last is the bound for further keys
	last sortKey
}

// compare orders the nearest first.
func (n *nearest) compare(a, b sortKey) int {
	if n.up {
		return a.compare(b)
	}
	return b.compare(a)
}

func (n *nearest) addKey(k sortKey) {
	if n.full && n.compare(k, n.last) > 0 {
		return
	}
	const slack = 1024 // fewer sorts
	if n.kept = append(n.kept, k); len(n.kept) >= 2*n.most+slack {
		n.trimKept()
	}
}

func (n *nearest) trimKept() {
	slices.SortFunc(n.kept, n.compare)
	if len(n.kept) < n.most {
		return
	}
	n.kept = n.kept[:n.most]
	if n.most > 0 {
		n.full, n.last = true, n.kept[n.most-1]
	}
}

// sortedKeys returns the keys, the nearest first.
func (n *nearest) sortedKeys() []sortKey {
	n.trimKept()
	return n.kept
}

package httpapi

import (
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// Page is the part of a list that is asked for: by number, or by the entry next
// to it. Only the latter neither repeats nor misses an entry while others come.
type Page struct {
	Offset int    `query:"offset" minimum:"0" default:"1" doc:"Number of the first one, from 1. Not with after or before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"20"`
	After  string `query:"after" doc:"The page that follows this entry: next of the page before. An entry is named by what the list is ordered by: a name, a revision, or an execution's id."`
	Before string `query:"before" doc:"The page that ends in front of this entry: previous of the page after it."`
}

// Resolve refuses what excludes each other.
func (p *Page) Resolve(huma.Context) []error {
	switch {
	case p.After != "" && p.Before != "":
		return []error{codec.ParameterFault("before", "one of after and before", p.Before)}
	case p.cursor() && p.Offset > 1:
		return []error{codec.ParameterFault("offset", "offset, or after, or before", strconv.Itoa(p.Offset))}
	}
	return nil
}

// cursor reports whether the page is named by an entry next to it.
func (p *Page) cursor() bool { return p.After != "" || p.Before != "" }

// skip is how many come before the page.
func (p Page) skip() int { return max(p.Offset, 1) - 1 }

// part says which entries of a list are on a page.
type part struct {
	offset, limit, hits int // offset is the number of the first one, from 1
	next, previous      string
}

// listOf is the answer with the results of a page.
func listOf[T any](p part, results []T) *answer[rest.List[T]] {
	return &answer[rest.List[T]]{rest.List[T]{
		Results: results, Hits: p.hits, Offset: p.offset, Limit: p.limit, Next: orNil(p.next), Previous: orNil(p.previous),
	}}
}

// allOf is listOf where there are few.
func allOf[T any](p part, results []T) *answer[rest.All[T]] {
	return &answer[rest.All[T]]{rest.All[T]{List: listOf(p, results).Body}}
}

// shown is a page with the entries that are on it.
type shown[T any] struct {
	items []T
	part
}

// cutPage returns the page of a list that is all in memory, in the order of its
// keys. Without order, the keys are no cursors.
func cutPage[T any](p Page, all []T, key func(*T) string, order func(a, b string) int) shown[T] {
	from := min(p.skip(), len(all))
	to := from + min(p.Limit, len(all)-from)
	place := func(cursor string) (int, bool) {
		return slices.BinarySearchFunc(all, cursor, func(v T, cursor string) int { return order(key(&v), cursor) })
	}
	switch {
	case p.After != "":
		i, found := place(p.After)
		if from = i; found {
			from++
		}
		to = from + min(p.Limit, len(all)-from)
	case p.Before != "":
		to, _ = place(p.Before)
		from = max(0, to-p.Limit)
	}
	cut := shown[T]{all[from:to], part{offset: from + 1, limit: p.Limit, hits: len(all)}}
	if !p.cursor() {
		cut.offset = p.skip() + 1 // as it was asked for, if only beyond the end
	}
	if order != nil && from < to {
		cut.setCursors(key(&all[from]), key(&all[to-1]))
	}
	return cut
}

// setCursors names the pages in front of a page, whose first and last entry
// these are, and after it, if there are any.
func (s *shown[T]) setCursors(first, last string) {
	if s.offset > 1 {
		s.previous = first
	}
	if s.offset-1+len(s.items) < s.hits {
		s.next = last
	}
}

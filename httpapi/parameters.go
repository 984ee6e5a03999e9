package httpapi

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	v1 "github.com/job-streamer/job-streamer-control-bus/httpapi/v1"
)

// Page selects a part of a list, by number or by the entry next to it. Only the
// latter neither repeats nor misses an entry while others are added.
type Page struct {
	Offset int    `query:"offset" minimum:"0" default:"1" doc:"Number of the first entry, from 1. Not allowed with after or before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"20" doc:"Maximum number of entries."`
	After  string `query:"after" doc:"Return the entries after this one: the value of next of the page before. An entry is identified by the sort key of the list: a name, a revision, or the id of an execution."`
	Before string `query:"before" doc:"Return the entries before this one: the value of previous of the page after."`
}

// Resolve refuses parameters that exclude each other.
func (p *Page) Resolve(huma.Context) []error {
	switch {
	case p.After != "" && p.Before != "":
		return []error{codec.ParameterFault("before", "either after or before, not both", p.Before)}
	case p.hasCursor() && p.Offset > 1:
		return []error{codec.ParameterFault("offset", "only one of offset, after and before", strconv.Itoa(p.Offset))}
	}
	return nil
}

// hasCursor reports whether an entry next to the page selects it.
func (p *Page) hasCursor() bool { return p.After != "" || p.Before != "" }

// skippedEntries returns the number of entries before the page.
func (p Page) skippedEntries() int { return max(p.Offset, 1) - 1 }

// part says which entries of a list are on a page.
type part struct {
	offset, limit, hits int // offset is the number of the first one, from 1
	next, previous      string
}

// listOf returns the answer with a page.
func listOf[T any](p part, results []T) *answer[rest.List[T]] {
	return &answer[rest.List[T]]{rest.List[T]{
		Results: results, Hits: p.hits, Offset: p.offset, Limit: p.limit, Next: orNil(p.next), Previous: orNil(p.previous),
	}}
}

// allOf returns the answer with a page of a short list.
func allOf[T any](p part, results []T) *answer[rest.All[T]] {
	return &answer[rest.All[T]]{rest.All[T]{List: listOf(p, results).Body}}
}

// shown is a page with the entries that are on it.
type shown[T any] struct {
	items []T
	part
}

// cutPage returns a page of a list that is sorted by its keys. Without order,
// the keys are no cursors.
func cutPage[T any](p Page, all []T, key func(*T) string, order func(a, b string) int) shown[T] {
	from := min(p.skippedEntries(), len(all))
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
	if !p.hasCursor() {
		cut.offset = p.skippedEntries() + 1 // as it was asked for, if only beyond the end
	}
	if order != nil && from < to {
		cut.setCursors(key(&all[from]), key(&all[to-1]))
	}
	return cut
}

// setCursors sets the cursors of the pages before and after this one, if there
// are any. first and last are the keys of its entries.
func (s *shown[T]) setCursors(first, last string) {
	if s.offset > 1 {
		s.previous = first
	}
	if s.offset-1+len(s.items) < s.hits {
		s.next = last
	}
}

// checkQuery refuses a malformed query, an unknown parameter, and a second
// value of a parameter that has one: a misspelt filter must not select
// everything. It accepts unknown parameters of v1 clients, as the original
// control bus did.
func checkQuery(ctx huma.Context, f *codec.Format) error {
	u := ctx.URL()
	if u.RawQuery == "" || traitsOf(ctx.Operation()).foreignQuery || f == codec.EDN || v1.ReadsOnlyEDN(ctx.Header, u.Path) {
		return nil
	}
	return faultyQuery(u.RawQuery, ctx.Operation().Parameters, traitsOf(ctx.Operation()).fullQuery)
}

// faultyQuery returns all faults of a query. If full is true, no parameter may
// be empty.
func faultyQuery(raw string, params []*huma.Param, full bool) error {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return codec.ParameterFault("query", "name=value pairs separated by &, percent-encoded (RFC 3986)", raw)
	}
	known := map[string]*huma.Param{}
	for _, p := range params {
		if p.In == "query" {
			known[p.Name] = p
		}
	}
	var all codec.Faults
	for _, name := range slices.Sorted(maps.Keys(values)) {
		switch p := known[name]; {
		case p == nil:
			all = append(all, rest.Fault{Parameter: codec.Cut(name), Detail: wantKnown(known)})
		case values.Get(name) == "" && full:
			all = append(all, rest.Fault{Parameter: name, Detail: "want a value, or no such query parameter"})
		case len(values[name]) > 1 && p.Schema.Type != huma.TypeArray:
			all = append(all, rest.Fault{Parameter: name, Detail: "want only one value", Got: codec.Cut(strings.Join(values[name], ", "))})
		}
		if len(all) == codec.MaxFaults {
			break
		}
	}
	return all.Err()
}

func wantKnown(known map[string]*huma.Param) string {
	if len(known) == 0 {
		return "want no query parameter: this route has none"
	}
	return "want one of the query parameters of this route: " + strings.Join(slices.Sorted(maps.Keys(known)), ", ")
}

const wantTime = "a time after 1970 such as 2026-11-24T18:00:00Z (RFC 3339)"

// parseTime parses a time in a query. An unencoded + arrives as a space.
func parseTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, strings.Replace(text, " ", "+", 1))
	if err == nil && t.Unix() < 0 {
		err = errors.New("before 1970")
	}
	return t, err
}

// Preconditions are the headers of a write.
type Preconditions struct {
	IfMatch     string `header:"If-Match" doc:"Write only if the current entity tag is one of these."`
	IfNoneMatch string `header:"If-None-Match" doc:"With *: write only if the resource does not exist yet."`
}

// entityTag returns the entity tag of a revision.
func entityTag(revision uint64) string { return `"` + strconv.FormatUint(revision, 10) + `"` }

// checkRevision returns an error if a write to a value with this revision must
// not happen. Revision 0 means that there is no value.
func (p *Preconditions) checkRevision(revision uint64) error {
	if p.IfMatch != "" {
		holds, err := matchesTag("If-Match", p.IfMatch, revision)
		if err != nil {
			return err
		}
		if !holds {
			return fmt.Errorf("%w: If-Match: %s, but the current entity tag is %s", errPrecondition, codec.Cut(p.IfMatch), tagOrNone(revision))
		}
	}
	if p.IfNoneMatch != "" {
		hit, err := matchesTag("If-None-Match", p.IfNoneMatch, revision)
		switch {
		case err != nil:
			return err
		case hit && strings.TrimSpace(p.IfNoneMatch) == "*":
			return bus.ErrExists
		case hit:
			return fmt.Errorf("%w: If-None-Match: %s", errPrecondition, codec.Cut(p.IfNoneMatch))
		}
	}
	return nil
}

func tagOrNone(revision uint64) string {
	if revision == 0 {
		return "none, since the resource does not exist"
	}
	return entityTag(revision)
}

// matchesTag reports whether the list in a header has the tag of the revision.
// A weak tag and a tag of another form match nothing.
func matchesTag(header, list string, revision uint64) (bool, error) {
	if strings.TrimSpace(list) == "*" {
		return revision != 0, nil
	}
	var tags []string
	for tag := range strings.SplitSeq(list, ",") {
		tag = strings.TrimSpace(tag)
		opaque := strings.TrimPrefix(tag, "W/")
		if len(opaque) < 2 || opaque[0] != '"' || opaque[len(opaque)-1] != '"' {
			return false, codec.ParameterFault(header, `* or entity tags such as "12", including the quotes`, list)
		}
		tags = append(tags, tag)
	}
	return revision != 0 && slices.Contains(tags, entityTag(revision)), nil
}

package httpapi

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	v1 "github.com/job-streamer/job-streamer-control-bus/httpapi/v1"
)

// checkQuery refuses a query that cannot be read, a parameter that the route
// does not have, and a second value of one that has a single value: a filter
// that is misspelt must not select everything. v1 clients send parameters that
// nobody reads, and those are ignored, as they were.
func checkQuery(ctx huma.Context, f *codec.Format) error {
	u := ctx.URL()
	if u.RawQuery == "" || f == codec.EDN || v1.ReadsOnlyEDN(ctx.Header, u.Path) {
		return nil
	}
	return faultyQuery(u.RawQuery, ctx.Operation().Parameters)
}

// faultyQuery returns all faults of a query, as an error.
func faultyQuery(raw string, params []*huma.Param) error {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return codec.ParameterFault("query", "name=value with & between, percent-encoded (RFC 3986)", raw)
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
		case len(values[name]) > 1 && p.Schema.Type != huma.TypeArray:
			all = append(all, rest.Fault{Parameter: name, Detail: "want one value", Got: codec.Cut(strings.Join(values[name], ", "))})
		}
		if len(all) == codec.MaxFaults {
			break
		}
	}
	return all.Err()
}

func wantKnown(known map[string]*huma.Param) string {
	if len(known) == 0 {
		return "want no parameter: this route has none"
	}
	return "want one of the parameters that this route has: " + strings.Join(slices.Sorted(maps.Keys(known)), ", ")
}

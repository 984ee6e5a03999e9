package httpapi

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	v1 "github.com/job-streamer/job-streamer-control-bus/httpapi/v1"
)

// chooseFormat chooses the format of the answer before the handler runs.
func (s *Server) chooseFormat(ctx huma.Context, next func(huma.Context)) {
	u := ctx.URL()
	has := traitsOf(ctx.Operation())
	f, ok := negotiate(ctx.Header, u.Path, has.definition)
	if f == codec.JSON && has.signsIn && isV1Login(ctx) {
		f = codec.EDN
	}
	chosen := answered{ctx, f}
	if !ok && !has.streams {
		_ = huma.WriteErr(s.api, chosen, http.StatusNotAcceptable, "", errNotAcceptable)
		return
	}
	if err := checkQuery(ctx, f); err != nil {
		_ = huma.WriteErr(s.api, chosen, http.StatusBadRequest, "", err)
		return
	}
	next(chosen)
}

var errNotAcceptable = errors.New("not acceptable")

// request allows embedding huma's Context, which has a method Context itself.
type request huma.Context

// answered is a request with the format of its answer. It also does what v1
// clients expect besides EDN, so that no handler has to know of them.
type answered struct {
	request
	format *codec.Format
}

// Header returns the chosen media type in place of the list in Accept.
func (a answered) Header(name string) string {
	if name == "Accept" {
		return a.format.Media
	}
	return a.request.Header(name)
}

// SetStatus sets the status that clients of the format expect.
func (a answered) SetStatus(status int) { a.request.SetStatus(statusIn(a.format, a.Method(), status)) }

// statusIn returns the status of an answer in a format.
func statusIn(f *codec.Format, method string, status int) int {
	if f == codec.EDN {
		return v1.Status(method, status)
	}
	return status
}

// negotiate decides which format answers a request.
func negotiate(header func(string) string, path string, job bool) (f *codec.Format, ok bool) {
	return codec.Negotiate(header("Accept"), job, func() *codec.Format {
		if v1.ReadsOnlyEDN(header, path) {
			return codec.EDN
		}
		return codec.JSON
	})
}

// Query returns a parameter, or the default that v1 clients expect.
func (a answered) Query(name string) string {
	v := a.request.Query(name)
	if v == "" && a.format == codec.EDN {
		return v1.Default(name, a.Operation().Path)
	}
	return v
}

// Param returns a parameter of the path, decoded. The router leaves it encoded
// if the path has an encoded slash: see canonicalPath.
func (a answered) Param(name string) string {
	v := a.request.Param(name)
	if u := a.URL(); u.RawPath != "" {
		if plain, err := url.PathUnescape(v); err == nil {
			return plain
		}
	}
	return v
}

// accepted returns the header Accept as the client sent it.
func accepted(ctx huma.Context) string {
	if a, ok := ctx.(answered); ok {
		ctx = a.request
	}
	return ctx.Header("Accept")
}

// fromV1Client reports whether the answer is EDN although the request asked for
// no format by name.
func fromV1Client(ctx huma.Context) bool {
	a, ok := ctx.(answered)
	return ok && a.format == codec.EDN && codec.EDN.Liked(accepted(ctx), true) == 0
}

// Unwrap lets [humaecho.Unwrap] find Echo's context.
func (a answered) Unwrap() huma.Context { return a.request }

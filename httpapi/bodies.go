package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	v1 "github.com/job-streamer/job-streamer-control-bus/httpapi/v1"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
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
func (a answered) SetStatus(status int) {
	if a.format == codec.EDN {
		status = v1.RouteStatus(a.Method(), a.Operation().Path, status)
	}
	a.request.SetStatus(statusIn(a.format, a.Method(), status))
}

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

// Param returns a parameter of the path, decoded.
func (a answered) Param(name string) string {
	u := a.URL()
	return pathValue(&u, a.request.Param(name))
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

// Limits of bodies in bytes. The deployer has its own limits for jars.
const (
	maxBody   = 4 << 20
	maxUpload = 2 << 30
	maxSecret = 64 << 10 // of users and passwords
)

// body is the part of an input that is read from the body of the request, in
// any format.
type body[T any] struct{ value T }

// Resolve reads the body. Huma calls it after it has read the parameters, and
// reports the faults of both.
func (b *body[T]) Resolve(ctx huma.Context) []error {
	buf := buffers.Get().(*bytes.Buffer)
	defer putBuffer(buf)
	if _, err := buf.ReadFrom(limitBody(ctx, b.maxBytes())); err != nil {
		return []error{fmt.Errorf("read the body: %w", err)}
	}
	if buf.Len() == 0 && b.optional() { // whatever its type is said to be
		if err := withoutSecrets(&b.value, validate(ctx, &b.value, nil)); err != nil {
			return []error{err}
		}
		return nil
	}
	f, err := codec.ForBody(ctx.Header("Content-Type"), ctx.Header("Content-Encoding"))
	if err == nil && f.Form == jsl.XML && b.optional() {
		err = &codec.MediaTypeError{Header: "Content-Type", Got: f.Media, Want: codec.MediaTypes() + " (XML for jobs and calendars only)"}
	}
	if err == nil {
		err = withoutSecrets(&b.value, validate(ctx, &b.value, f.Read(buf.Bytes(), &b.value, v1.Ignores)))
	}
	if err != nil {
		return []error{err}
	}
	return nil
}

// validator is a body that has rules of its own.
type validator interface {
	Validate() codec.Faults
}

// requestValidator is a body whose rules depend on who sends it.
type requestValidator interface {
	ValidateFor(ctx huma.Context) codec.Faults
}

// validate adds the faults of the values to those that the reader found, so
// that a client gets all faults of a body at once.
func validate(ctx huma.Context, value any, err error) error {
	var found codec.Faults
	if err != nil && !errors.As(err, &found) {
		return err
	}
	switch v := value.(type) {
	case requestValidator:
		found.AddOther(v.ValidateFor(ctx))
	case validator:
		found.AddOther(v.Validate())
	}
	return found.Err()
}

// asErrors returns faults as huma wants them from a Resolve.
func asErrors(all codec.Faults) []error {
	if len(all) == 0 {
		return nil
	}
	return []error{all}
}

func (b *body[T]) maxBytes() int64 {
	if l, ok := any(&b.value).(interface{ maxBytes() int64 }); ok {
		return l.maxBytes()
	}
	if isSecret(&b.value) { // anybody may send it
		return maxSecret
	}
	return maxBody
}

// optional reports whether an empty body counts as an object without members.
// Only bodies that are not optional may be XML.
func (b *body[T]) optional() bool {
	switch any(&b.value).(type) {
	case *sentJob, *newCalendar:
		return false
	}
	return true
}

func (b *body[T]) describe(r huma.Registry) *huma.RequestBody {
	schema := r.Schema(reflect.TypeFor[T](), true, "Body")
	if of := r.SchemaFromRef(schema.Ref); of != nil {
		of.AdditionalProperties = false // unknown names are refused
		for name, p := range of.Properties {
			if texts, ok := p.AdditionalProperties.(*huma.Schema); ok && texts.Type == huma.TypeString {
				p.AdditionalProperties = scalar // see readText of package codec
			}
			if !slices.Contains(of.Required, name) {
				of.Properties[name] = orNull(p) // null counts as absent
			}
		}
	}
	return &huma.RequestBody{Content: described(schema, !b.optional()), Required: !b.optional()}
}

// scalar describes a value that is read as text.
var scalar = &huma.Schema{AnyOf: []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeNumber}, {Type: huma.TypeBoolean}}}

// orNull describes a value or null.
func orNull(p *huma.Schema) *huma.Schema {
	if p.Ref == "" && p.Type != "" && len(p.Enum) == 0 {
		c := *p
		c.Nullable = true
		return &c
	}
	return &huma.Schema{Description: p.Description, AnyOf: []*huma.Schema{p, {Type: "null"}}}
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func putBuffer(b *bytes.Buffer) {
	if b.Cap() <= 64<<10 { // else one large body would be kept for ever
		b.Reset()
		buffers.Put(b)
	}
}

// answer is an answer that has only a body.
type answer[T any] struct{ Body T }

// saved is the answer to a write of something with an entity tag and a URL.
type saved[T any] struct {
	Status   int
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     T
}

// putStatus returns the status of a PUT.
func putStatus(created bool) int {
	if created {
		return 201
	}
	return 200
}

type tagged[T any] struct {
	ETag string `header:"ETag"`
	Body T
}

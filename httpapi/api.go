package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// How many bytes a body may have. The deployer has limits for jars of its own.
const (
	maxBody   = 4 << 20
	maxUpload = 2 << 30
	maxSecret = 64 << 10 // of users and passwords
)

// bodyTimeout is how long a body may take to come.
const bodyTimeout = 30 * time.Second

// add makes a route of a handler. It is described by the handler's types; what a body holds is the type argument of a
// [body] in the input.
func add[I, O any](s *Server, needs permission, op huma.Operation, h func(context.Context, *I) (*O, error)) {
	op.DefaultStatus = max(op.DefaultStatus, http.StatusOK)
	s.require(&op, needs)
	reads := op.Method == http.MethodGet || op.Path == job+"/executions" && op.Method == http.MethodPost // which has to be quick
	huma.Register(s.api, op, func(ctx context.Context, in *I) (out *O, err error) {
		if p, ok := any(in).(located); ok {
			err = s.locate(ctx, p.jobPath(), reads)
		}
		if err == nil {
			out, err = h(ctx, in)
		}
		if err != nil {
			return nil, s.problem(ctx, err)
		}
		return out, nil
	})
	// After Register: it would read a body that it knows of.
	doc := operationOf(s.api.OpenAPI().Paths[op.Path], op.Method)
	if b := bodyOf[I](); b != nil {
		doc.RequestBody = b.describe(s.api.OpenAPI().Components.Schemas)
	}
	for _, r := range doc.Responses {
		if of := r.Content[inJSON.media]; of != nil && of.Schema != nil {
			r.Content = described(of.Schema, isJob(&op))
		}
		if r.Content[inJSON.problem] != nil {
			for i := range formats {
				if r.Content[formats[i].problem] == nil {
					r.Content[formats[i].problem] = &huma.MediaType{}
				}
			}
		}
	}
	if ok := doc.Responses["200"]; ok != nil && op.Method == http.MethodPut { // also: EDN clients expect it of any PUT
		created := *ok
		created.Description = http.StatusText(http.StatusCreated)
		doc.Responses["201"] = &created
	}
}

// described is a body in all formats. What a schema says of JSON is said of the others by the prose of the document.
func described(schema *huma.Schema, job bool) map[string]*huma.MediaType {
	content := map[string]*huma.MediaType{}
	for i := range formats {
		switch f := &formats[i]; f.form {
		case jsl.JSON, jsl.YAML:
			content[f.media] = &huma.MediaType{Schema: schema}
		case jsl.XML:
			if job {
				content[f.media] = &huma.MediaType{}
			}
		default:
			content[f.media] = &huma.MediaType{}
		}
	}
	return content
}

// isJob says that the route is about a definition, which XML can hold.
func isJob(op *huma.Operation) bool { return op.Metadata["job"] != nil }

// route is an operation with what is the same for all.
func route(method, path, summary string, status int) huma.Operation {
	id := strings.NewReplacer("{app}", "", "{job}", "", "{id}", "", "/", "-", ".", "-").Replace(strings.ToLower(method) + path)
	parts := slices.DeleteFunc(strings.Split(id, "-"), func(s string) bool { return s == "" })
	return huma.Operation{
		Method: method, Path: path, Summary: summary, DefaultStatus: status,
		OperationID: strings.Join(parts, "-"), Tags: []string{tagOf(path)},
	}
}

func tagOf(path string) string {
	for _, tag := range []string{"execution", "schedule", "agent", "job", "event", "user"} {
		if strings.Contains(path, "/"+tag) {
			return tag + "s"
		}
	}
	if strings.Contains(path, "app") {
		return "applications"
	}
	return "control bus"
}

func operationOf(p *huma.PathItem, method string) *huma.Operation {
	switch method {
	case http.MethodGet:
		return p.Get
	case http.MethodPut:
		return p.Put
	case http.MethodPost:
		return p.Post
	}
	return p.Delete
}

// describer is a [body] of any type.
type describer interface {
	describe(huma.Registry) *huma.RequestBody
}

// bodyOf is the body of an input, or nil.
func bodyOf[I any]() describer {
	v := reflect.New(reflect.TypeFor[I]()).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).IsExported() {
			if d, ok := v.Field(i).Addr().Interface().(describer); ok {
				return d
			}
		}
	}
	return nil
}

// body is a part of an input that is read from the request's body, whatever its format.
type body[T any] struct{ value T }

// Resolve reads the body; huma calls it after the parameters, and reports the faults of both.
func (b *body[T]) Resolve(ctx huma.Context) []error {
	buf := buffers.Get().(*bytes.Buffer)
	defer putBuffer(buf)
	// The deadline has to go again: it would end the request's context while the handler works.
	_ = ctx.SetReadDeadline(time.Now().Add(bodyTimeout)) // not everything that can be read has deadlines
	_, err := buf.ReadFrom(limited(ctx, b.limit()))
	_ = ctx.SetReadDeadline(time.Time{})
	if err != nil {
		return []error{fmt.Errorf("read the body: %w", err)}
	}
	if buf.Len() == 0 && b.optional() { // whatever its type is said to be
		if err := discreet(&b.value, judged(ctx, &b.value, nil)); err != nil {
			return []error{err}
		}
		return nil
	}
	f, err := formatOf(ctx.Header("Content-Type"), ctx.Header("Content-Encoding"))
	if err == nil && f.form == jsl.XML && b.optional() {
		err = &mediaTypeError{"Content-Type", f.media, mediaTypes() + " (XML for jobs only)"}
	}
	if err == nil {
		err = discreet(&b.value, judged(ctx, &b.value, f.read(buf.Bytes(), &b.value)))
	}
	if err != nil {
		return []error{err}
	}
	return nil
}

// judged adds to what reading found what is wrong with the values that could be read: all faults of a body are reported at once.
func judged(ctx huma.Context, value any, err error) error {
	var found, more faults
	if err != nil && !errors.As(err, &found) {
		return err
	}
	switch v := value.(type) {
	case *rest.NewSchedule:
		more = faultsOfSchedule(v)
	case *rest.NewTimeMonitor:
		more = faultsOfTimeMonitor(v)
	case *rest.NewStatusNotification:
		more = faultsOfNotification(v)
	case *rest.NewDeployment:
		if len(v.Artifacts) == 0 {
			more.add("/artifacts", "at least one jar", "")
		}
	case *rest.Credentials:
		more = faultsOfCredentials(v)
	case *rest.NewUser:
		more = faultsOfUser(v)
	case *rest.NewPreview:
		more = faultsOfPreview(v)
	case *rest.App:
		if v.Name != "" && !byToken(ctx.Header("Authorization")) {
			more.checkAppName("/name", v.Name)
		}
	}
	for _, f := range more {
		if !slices.ContainsFunc(found, func(o rest.Fault) bool { return o.Pointer == f.Pointer }) {
			found = append(found, f)
		}
	}
	return found.err()
}

func (b *body[T]) limit() int64 {
	if secret(&b.value) { // anybody may send it
		return maxSecret
	}
	return maxBody
}

// optional says that an empty body is read as an object without members.
func (b *body[T]) optional() bool {
	_, definition := any(&b.value).(*sentJob)
	return !definition
}

func (b *body[T]) describe(r huma.Registry) *huma.RequestBody {
	schema := r.Schema(reflect.TypeFor[T](), true, "Body")
	if schema.Ref != "" {
		r.SchemaFromRef(schema.Ref).AdditionalProperties = false // unknown names are refused
	}
	return &huma.RequestBody{Content: described(schema, !b.optional()), Required: !b.optional()}
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func putBuffer(b *bytes.Buffer) {
	if b.Cap() <= 64<<10 { // else one large body would be kept for ever
		b.Reset()
		buffers.Put(b)
	}
}

// chooseFormat decides how the answer will be written before anything is done.
func (s *Server) chooseFormat(ctx huma.Context, next func(huma.Context)) {
	u := ctx.URL()
	f, ok := negotiate(ctx.Header, u.Path, isJob(ctx.Operation()))
	if f == inJSON && ctx.Operation().Metadata["sign-in"] != nil && loginByOlderClient(ctx) {
		f = inEDN
	}
	chosen := answered{ctx, f}
	if _, own := ctx.Operation().Metadata["stream"]; !ok && !own {
		_ = huma.WriteErr(s.api, chosen, http.StatusNotAcceptable, "", errNotAcceptable)
		return
	}
	next(chosen)
}

var errNotAcceptable = errors.New("not acceptable")

// request is a name under which huma's Context, that has a method Context, can be embedded.
type request huma.Context

// answered is a request whose answer has a format. What clients of the original control bus expect besides EDN is here, so
// that no handler has to know of it.
type answered struct {
	request
	format *format
}

// Header gives the media type that was chosen for the list that it was chosen from.
func (a answered) Header(name string) string {
	if name == "Accept" {
		return a.format.media
	}
	return a.request.Header(name)
}

// SetStatus sets the status that clients of the format expect.
func (a answered) SetStatus(status int) { a.request.SetStatus(a.format.status(a.Method(), status)) }

// status is the one that clients of the format expect: in EDN each PUT that is well is a 201, and whatever is wrong with what was
// sent a 400.
func (f *format) status(method string, status int) int {
	switch {
	case f == inEDN && method == http.MethodPut && status == http.StatusOK:
		return http.StatusCreated
	case f == inEDN && status == http.StatusUnprocessableEntity:
		return http.StatusBadRequest
	}
	return status
}

// Query is the parameter, or what it is in EDN for one who does not send it.
func (a answered) Query(name string) string {
	v := a.request.Query(name)
	if v == "" && a.format == inEDN {
		return ednDefaults[name+" "+a.Operation().Path]
	}
	return v
}

var ednDefaults = map[string]string{
	"with /{app}/jobs":            "execution",
	"with " + exec:                "logs",
	"with " + job + "/executions": "parameters",
	"with /{app}/execution/{id}":  "logs",
	"limit /apps":                 "1000", // vectors, without a word of there being more
	"limit /agents":               "1000",
}

// accepted is what the client said, before a format was chosen.
func accepted(ctx huma.Context) string {
	if a, ok := ctx.(answered); ok {
		ctx = a.request
	}
	return ctx.Header("Accept")
}

// fromV1Client reports whether the answer is EDN although the request asked for no format by name: see knowsOnlyEDN.
func fromV1Client(ctx huma.Context) bool {
	a, ok := ctx.(answered)
	return ok && a.format == inEDN && inEDN.liked(accepted(ctx), true) == 0
}

// Unwrap is for [humaecho.Unwrap].
func (a answered) Unwrap() huma.Context { return a.request }

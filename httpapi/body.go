package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	v1 "github.com/job-streamer/job-streamer-control-bus/httpapi/v1"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// Limits of bodies in bytes. The deployer has its own limits for jars.
const (
	maxBody   = 4 << 20
	maxUpload = 2 << 30
	maxSecret = 64 << 10 // of users and passwords
)

// bodyTimeout is how long the bus waits for the next bytes of a body.
const bodyTimeout = 30 * time.Second

// body is the part of an input that is read from the body of the request, in
// any format.
type body[T any] struct{ value T }

// Resolve reads the body. Huma calls it after it has read the parameters, and
// reports the faults of both.
func (b *body[T]) Resolve(ctx huma.Context) []error {
	buf := buffers.Get().(*bytes.Buffer)
	defer putBuffer(buf)
	// Remove the deadline: it would end the context of the request while the
	// handler works.
	_ = ctx.SetReadDeadline(time.Now().Add(bodyTimeout)) // not everything that can be read has deadlines
	_, err := buf.ReadFrom(limitBody(ctx, b.limit()))
	_ = ctx.SetReadDeadline(time.Time{})
	if err != nil {
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
		err = &codec.MediaTypeError{Header: "Content-Type", Got: f.Media, Want: codec.MediaTypes() + " (XML for jobs only)"}
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
	ValidateFor(authorization string) codec.Faults
}

// validate adds the faults of the values to those that the reader found, so
// that a client gets all faults of a body at once.
func validate(ctx huma.Context, value any, err error) error {
	var found codec.Faults
	if err != nil && !errors.As(err, &found) {
		return err
	}
	switch v := value.(type) {
	case validator:
		found.AddOther(v.Validate())
	case requestValidator:
		found.AddOther(v.ValidateFor(ctx.Header("Authorization")))
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

func (b *body[T]) limit() int64 {
	if isSecret(&b.value) { // anybody may send it
		return maxSecret
	}
	return maxBody
}

// optional reports whether an empty body counts as an object without members.
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

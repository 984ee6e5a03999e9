package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

func TestProblemOf(t *testing.T) {
	field := &bus.FieldError{Path: "/cron_notation", Want: "a cron expression", Got: "x"}
	for name, tc := range map[string]struct {
		err    error
		status int
		code   string
		detail string // a part of it
	}{
		"a missing job is 404":               {bus.State(bus.CodeNoSuchJob, "no job a"), 404, "no_such_job", "no job a"},
		"a missing agent is 404":             {bus.State(bus.CodeNoSuchAgent, "x"), 404, "no_such_agent", ""},
		"not running is 409":                 {bus.State(bus.CodeNotRunning, "x"), 409, "job_execution_not_running", ""},
		"already complete is 409":            {bus.State(bus.CodeAlreadyComplete, "x"), 409, "job_execution_already_complete", ""},
		"exclusive is 409":                   {bus.State(bus.CodeExclusive, "x"), 409, "job_is_exclusive", ""},
		"what no runtime can run is 409":     {bus.State(bus.CodeStartRefused, "split s"), 409, "job_start", "split s"},
		"a used key with another body":       {bus.State(bus.CodeIdempotencyReuse, "x"), 409, "idempotency_key_reused", ""},
		"a wrapped state stays what it is":   {fmt.Errorf("stop 1: %w", bus.State(bus.CodeNotRunning, "x")), 409, "job_execution_not_running", "x"},
		"a field is 422":                     {fmt.Errorf("set: %w", field), 422, "invalid_body", "/cron_notation: want a cron expression, got x"},
		"several faults are 422":             {codec.Faults{{Pointer: "/a", Detail: "want b"}, {}}, 422, "invalid_body", "2 faults"},
		"a definition is 422":                {jsl.Errors{{Path: "/id", Want: "x", Line: 1, Column: 2}}, 422, "invalid_job", "(line 1, column 2)"},
		"what is no JSON is 400":             {&codec.MalformedError{Fault: rest.Fault{Detail: "want valid JSON"}}, 400, "malformed_body", "want valid JSON"},
		"another media type is 415":          {&codec.MediaTypeError{Header: "Content-Type", Got: "text/xml", Want: "application/json"}, 415, "unsupported_media_type", "text/xml"},
		"too large is 413":                   {&http.MaxBytesError{Limit: 4}, 413, "body_too_large", "4 bytes"},
		"too large for NATS is 413":          {fmt.Errorf("create: %w", nats.ErrMaxPayload), 413, "body_too_large", "max_payload"},
		"not acceptable is 406":              {errNotAcceptable, 406, "not_acceptable", "application/json"},
		"lost precondition is 412":           {fmt.Errorf("%w: x", errPrecondition), 412, "precondition_failed", ""},
		"lost update is 409":                 {fmt.Errorf("update: %w", bus.ErrChanged), 409, "conflict", "another request changed the resource"},
		"there already is 409":               {fmt.Errorf("create: %w", bus.ErrExists), 409, "conflict", "already exists"},
		"missing key is 404":                 {fmt.Errorf("get: %w", bus.ErrNotFound), 404, "not_found", ""},
		"away is 503":                        {fmt.Errorf("get: %w: %w", bus.ErrAway, nats.ErrConnectionClosed), 503, "unavailable", "nothing was stored"},
		"no room is 503 with the reason":     {fmt.Errorf("create: %w: it stores 1 B", bus.ErrFull), 503, "no_room", "has no space left: it stores 1 B; nothing was stored"},
		"health says why":                    {&sickError{errors.New("JetStream is away: no leader")}, 503, "unavailable", "no leader"},
		"health says that there is no room":  {&sickError{fmt.Errorf("%w: it stores 1 B", bus.ErrFull)}, 503, "no_room", "it stores 1 B"},
		"a time-out is 503":                  {context.DeadlineExceeded, 503, "unavailable", ""},
		"an unknown outcome is 503":          {fmt.Errorf("x: %w", bus.ErrUnknown), 503, "outcome_unknown", ""},
		"an unknown execution is 503":        {&unknownError{4711, bus.ErrUnknown}, 503, "outcome_unknown", "Idempotency-Key"},
		"no such route is 404":               {echo.ErrNotFound, 404, "no_such_route", ""},
		"wrong method is 405":                {echo.ErrMethodNotAllowed, 405, "method_not_allowed", ""},
		"a teapot has a code too":            {echo.NewHTTPError(418), 418, "i'm_a_teapot", ""},
		"a wrong parameter is 400":           {codec.ParameterFault("wait", "a time", "x"), 400, "invalid_parameter", "wait: want a time, got x"},
		"parameter and body are 422":         {&refusal{422, []error{&huma.ErrorDetail{Location: "query.limit", Message: "expected number >= 1"}, codec.Faults{{Pointer: "/a"}}}}, 422, "invalid_body", "2 faults"},
		"a large body beats a parameter":     {&refusal{422, []error{&huma.ErrorDetail{Location: "query.limit"}, &http.MaxBytesError{}}}, 413, "body_too_large", ""},
		"no JSON beats a parameter":          {&refusal{422, []error{&huma.ErrorDetail{Location: "query.limit"}, &codec.MalformedError{}}}, 400, "malformed_body", ""},
		"what nobody foresaw is 500":         {errors.New("secret"), 500, "internal", ""},
		"a panic is 500":                     {errPanic, 500, "internal", ""},
		"a field beats the store's reason":   {fmt.Errorf("%w: %w", bus.ErrChanged, field), 422, "invalid_body", ""},
		"unknown beats changed":              {fmt.Errorf("%w: %w", bus.ErrUnknown, bus.ErrChanged), 503, "outcome_unknown", ""},
		"huma alone keeps its status":        {&refusal{408, nil}, 408, "timeout", ""},
		"a state within a refusal":           {&refusal{422, []error{bus.State(bus.CodeNoSuchJob, "x")}}, 404, "no_such_job", "x"},
		"what is cut short says where":       {&codec.MalformedError{Fault: rest.Fault{Detail: "want valid JSON", Line: 3, Column: 1}}, 400, "malformed_body", "line 3"},
		"a refusal by huma that is not ours": {&refusal{500, []error{errors.New("secret")}}, 500, "internal", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := problemOf(tc.err)
			if p.Status != tc.status || p.Code != tc.code || !strings.Contains(p.Detail, tc.detail) {
				t.Errorf("problemOf(%v) = %d %s %q, want %d %s %q", tc.err, p.Status, p.Code, p.Detail, tc.status, tc.code, tc.detail)
			}
			if strings.Contains(p.Error(), "secret") {
				t.Errorf("problemOf(%v) = %v tells the cause", tc.err, p)
			}
			if (p.Status == 503) != (p.GetHeaders().Get("Retry-After") != "") {
				t.Errorf("problemOf(%v): Retry-After %q of a %d", tc.err, p.GetHeaders().Get("Retry-After"), p.Status)
			}
		})
	}
	if p := problemOf(&unknownError{4711, bus.ErrUnknown}); p.ExecutionID != 4711 {
		t.Errorf("execution_id = %d, want 4711", p.ExecutionID)
	}
}

package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/accounts"
	"github.com/job-streamer/job-streamer-control-bus/bus/login"
	"github.com/job-streamer/job-streamer-control-bus/bus/notify"
	"github.com/job-streamer/job-streamer-control-bus/bus/oidc"
	"github.com/job-streamer/job-streamer-control-bus/deploy"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/origin"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	v1 "github.com/job-streamer/job-streamer-control-bus/httpapi/v1"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
)

// problem is an error as the API answers it.
type problem struct {
	rest.Problem
	header http.Header
}

// GetStatus, GetHeaders and ContentType implement what huma expects of an
// error.
func (p *problem) GetStatus() int          { return p.Status }
func (p *problem) GetHeaders() http.Header { return p.header }

// EDN returns the error in the words of v1 clients.
func (p *problem) EDN() any { return v1.ProblemOf(&p.Problem) }

// ContentType returns the media type of problems in the chosen format.
func (p *problem) ContentType(media string) string {
	for i := range codec.Formats {
		if codec.Formats[i].Media == media {
			return codec.Formats[i].Problem
		}
	}
	return media
}

// adoptProblems turns huma's own errors into problems. Huma has one hook for
// the whole process.
var adoptProblems = sync.OnceFunc(func() {
	huma.NewErrorWithContext = func(ctx huma.Context, status int, _ string, errs ...error) huma.StatusError {
		p := problemOf(&refusal{status, errs})
		noteRefusal(ctx, p)
		return p
	}
	huma.NewError = func(status int, _ string, errs ...error) huma.StatusError {
		return problemOf(&refusal{status, errs})
	}
})

// refusal is what huma found wrong with a request before the handler ran.
type refusal struct {
	status int
	errs   []error
}

func (r *refusal) Error() string { return fmt.Sprint(r.status, r.errs) }

// errPrecondition is the error of an If-Match or If-None-Match that does not
// hold.
var errPrecondition = errors.New("the precondition does not hold")

// unknownError is an unknown outcome of a request to start the execution with
// this id.
type unknownError struct {
	id  int64
	err error
}

func (e *unknownError) Error() string { return fmt.Sprintf("execution %d: %v", e.id, e.err) }
func (e *unknownError) Unwrap() error { return e.err }

// problemFor returns the answer to an error. An unexpected error goes to the
// log with its cause.
func (s *Server) problemFor(ctx context.Context, err error) *problem {
	p := problemOf(err)
	if p.Status == http.StatusInternalServerError && !errors.Is(err, errPanic) && ctx.Err() == nil {
		s.log.Error("request failed", "err", err)
	}
	return p
}

// problemOf returns the status and code of an error; no other function does. It
// replaces invalid UTF-8 from the request, which no answer could carry.
func problemOf(err error) *problem {
	p := classifyError(err)
	p.Detail = validUTF8(p.Detail)
	if p.Status == http.StatusUnauthorized {
		// With this scheme no browser asks for a password.
		p.header.Set("WWW-Authenticate", `Bearer realm="JobStreamer"`)
	}
	for i := range p.Errors {
		f := &p.Errors[i]
		f.Pointer, f.Parameter, f.Detail, f.Got = validUTF8(f.Pointer), validUTF8(f.Parameter), validUTF8(f.Detail), validUTF8(f.Got)
	}
	return p
}

func validUTF8(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func classifyError(err error) *problem {
	var (
		state   *bus.StateError
		field   *bus.FieldError
		found   codec.Faults
		written jsl.Errors
		bad     *codec.MalformedError
		media   *codec.MediaTypeError
		large   *http.MaxBytesError
		unknown *unknownError
		refused *refusal
		missing *deploy.MissingError
		entries deploy.Errors
		he      *echo.HTTPError
		may     *permissionError
		outside *deploy.OutsideError
		quota   *deploy.QuotaError
		host    *origin.HostError
		paused  *login.PausedError
		noJoin  *accounts.NotJoinableError
		denied  *oidc.RefusedError
		sick    *sickError
		date    calendar.FieldError
		dates   calendar.Errors
	)
	if p := auditProblem(err); p != nil {
		return p
	}
	switch {
	case errors.As(err, &refused):
		return refused.asProblem()
	case errors.As(err, &sick) && errors.Is(sick.reason, bus.ErrFull):
		return unavailable("no_room", sick.Error())
	case errors.As(err, &sick):
		return unavailable("unavailable", sick.Error())
	case errors.As(err, &unknown):
		p := unavailable("outcome_unknown", "the execution may have started: look it up by its id, or repeat the request with the same Idempotency-Key")
		p.ExecutionID = unknown.id
		return p
	case errors.Is(err, login.ErrWrong):
		return newProblem(http.StatusUnauthorized, "authentication_failed", "Authentication failure.")
	case errors.As(err, &paused):
		p := newProblem(http.StatusTooManyRequests, "too_many_failed_logins", paused.Error())
		p.header.Set("Retry-After", strconv.Itoa(paused.Seconds()))
		return p
	case errors.Is(err, accounts.ErrJoinToken):
		return newProblem(http.StatusUnauthorized, "wrong_join_token", "this is not the join token of the control bus")
	case errors.As(err, &noJoin):
		return newProblem(http.StatusForbidden, "forbidden", noJoin.Error())
	case errors.As(err, &denied):
		status := http.StatusForbidden
		if denied.Code == oidc.CodeNotCompleted {
			status = http.StatusBadRequest
		}
		return newProblem(status, denied.Code, denied.Reason)
	case errors.Is(err, oidc.ErrAway):
		return unavailable("login_provider_away", err.Error())
	case errors.Is(err, login.ErrBusy), errors.Is(err, oidc.ErrBusy):
		return unavailable("too_many_logins", "too many users are logging in at the moment; try again later")
	case errors.Is(err, errNoLogin):
		return newProblem(http.StatusUnauthorized, "login_required", "this request needs a login: log in with POST /auth, or send a valid token or key in the header Authorization")
	case errors.Is(err, origin.ErrForeign):
		return newProblem(http.StatusForbidden, "cross_origin", "the request comes from a page whose origin is not allowed")
	case errors.As(err, &host):
		return newProblem(http.StatusMisdirectedRequest, "wrong_host", host.Error())
	case errors.As(err, &may):
		p := newProblem(http.StatusForbidden, "forbidden", may.Error())
		if may.fault.Pointer != "" {
			p.Errors = append(p.Errors, may.fault)
		}
		return p
	case errors.As(err, &quota):
		return newProblem(http.StatusInsufficientStorage, "jar_quota", quota.Error())
	case errors.As(err, &outside):
		outside = &deploy.OutsideError{URL: codec.Cut(outside.URL), Roots: outside.Roots}
		return newProblem(http.StatusForbidden, "forbidden", outside.Error()+": only an admin of all applications may deploy it")
	case errors.As(err, &state):
		return newProblem(statusOf(state.Code), state.Code, state.Reason)
	case errors.As(err, &found):
		return faultyRequest(found)
	case errors.As(err, &missing):
		return missingArtifacts(missing)
	case errors.As(err, &entries):
		return faultyRequest(faultsOfEntries(entries))
	case errors.As(err, &field):
		return faultyRequest(codec.Faults{{Pointer: field.Path, Detail: "want " + field.Want, Got: codec.Cut(field.Got)}})
	case errors.As(err, &dates):
		return faultyRequest(faultsOfCalendar(dates))
	case errors.As(err, &date):
		return faultyRequest(faultsOfCalendar(calendar.Errors{date}))
	case errors.As(err, &written):
		return problemWithFaults(http.StatusUnprocessableEntity, "invalid_job", codec.FaultsOf(written))
	case errors.As(err, &bad):
		return problemWithFaults(http.StatusBadRequest, "malformed_body", codec.Faults{bad.Fault})
	case errors.As(err, &media):
		p := newProblem(http.StatusUnsupportedMediaType, "unsupported_media_type", err.Error())
		p.header.Set("Accept", codec.MediaTypes())
		return p
	case errors.As(err, &large):
		return newProblem(http.StatusRequestEntityTooLarge, "body_too_large", fmt.Sprintf("body: want at most %d bytes", large.Limit))
	case errors.Is(err, errSlowBody):
		return newProblem(http.StatusRequestTimeout, routeCodes[http.StatusRequestTimeout], errSlowBody.Error())
	case errors.Is(err, nats.ErrMaxPayload):
		return newProblem(http.StatusRequestEntityTooLarge, "body_too_large", "the request exceeds the maximum size of a NATS message (max_payload)")
	case errors.Is(err, notify.ErrNotSent):
		return newProblem(http.StatusBadGateway, "notification_not_sent", err.Error()+"; see the log of the control bus")
	case errors.Is(err, errPrecondition):
		return newProblem(http.StatusPreconditionFailed, "precondition_failed", err.Error())
	case errors.Is(err, errNotAcceptable):
		return newProblem(http.StatusNotAcceptable, "not_acceptable", "Accept: want one of "+codec.MediaTypes())
	case errors.Is(err, bus.ErrUnknown):
		return unavailable("outcome_unknown", "the change may have been stored: check it, or repeat the request")
	case errors.Is(err, bus.ErrFull):
		return noRoom(err)
	case errors.Is(err, bus.ErrAway), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return unavailable("unavailable", "NATS or JetStream cannot be reached; nothing was stored")
	case errors.Is(err, bus.ErrNotFound):
		return newProblem(http.StatusNotFound, "not_found", "not found")
	case errors.Is(err, bus.ErrExists), errors.Is(err, bus.ErrChanged):
		return newProblem(http.StatusConflict, "conflict", conflict(err))
	case errors.As(err, &he): // no such route, wrong method
		return newProblem(he.Code, routeCodes[he.Code], "")
	}
	// The cause goes to the log only.
	return newProblem(http.StatusInternalServerError, "internal", "internal error; see the log of the control bus")
}

// missingArtifacts names the jars that must be stored before the deployment.
func missingArtifacts(e *deploy.MissingError) *problem {
	p := newProblem(http.StatusConflict, "artifacts_missing", fmt.Sprintf("%d jars are not stored: upload each with PUT /artifact/<sha256>, then deploy again", len(e.SHA256)))
	for _, sum := range e.SHA256 {
		p.Errors = append(p.Errors, rest.Fault{Pointer: "/artifacts", Detail: "want the SHA-256 of a stored jar", Got: sum})
	}
	return p
}

func faultsOfEntries(entries deploy.Errors) (all codec.Faults) {
	for _, e := range entries {
		all.Add(e.Path, e.Want, e.Got)
	}
	return all
}

var routeCodes = map[int]string{
	http.StatusNotFound:         "no_such_route",
	http.StatusMethodNotAllowed: "method_not_allowed",
	http.StatusRequestTimeout:   "timeout",
}

// statusOf returns the status of a StateError.
func statusOf(code string) int {
	if strings.HasPrefix(code, "no_such_") {
		return http.StatusNotFound
	}
	return http.StatusConflict
}

func conflict(err error) string {
	if errors.Is(err, bus.ErrExists) {
		return "the resource already exists"
	}
	return "another request changed the resource at the same time"
}

func newProblem(status int, code, detail string) *problem {
	p := &problem{header: http.Header{}}
	p.Title, p.Status, p.Code, p.Detail = http.StatusText(status), status, code, detail
	if p.Code == "" {
		p.Code = strings.ReplaceAll(strings.ToLower(p.Title), " ", "_")
	}
	return p
}

func unavailable(code, detail string) *problem {
	p := newProblem(http.StatusServiceUnavailable, code, detail)
	p.header.Set("Retry-After", "1")
	return p
}

func noRoom(err error) *problem {
	return unavailable("no_room", err.Error()+"; nothing was stored; the control bus accepts writes again as soon as there is space")
}

func problemWithFaults(status int, code string, all codec.Faults) *problem {
	p := newProblem(status, code, "")
	p.Errors = all
	switch n := len(all); {
	case n == 1:
		p.Detail = all[0].String()
	case n >= codec.MaxFaults:
		p.Detail = fmt.Sprintf("the request has at least %d faults", n)
	default:
		p.Detail = fmt.Sprintf("the request has %d faults", n)
	}
	return p
}

// faultyRequest returns the problem of a request with faults in its body or its
// parameters.
func faultyRequest(all codec.Faults) *problem {
	switch {
	case slices.ContainsFunc(all, func(f rest.Fault) bool { return f.Parameter == "" }):
		return problemWithFaults(http.StatusUnprocessableEntity, "invalid_body", all)
	case slices.ContainsFunc(all, func(f rest.Fault) bool { return f.InPath }):
		return problemWithFaults(http.StatusUnprocessableEntity, "invalid_parameter", all)
	}
	return problemWithFaults(http.StatusBadRequest, "invalid_parameter", all)
}

// asProblem returns the error that prevents any other, or all faults of
// parameters and body together.
func (r *refusal) asProblem() *problem {
	var all codec.Faults
	status, code := http.StatusBadRequest, "invalid_parameter"
	for _, err := range r.errs {
		var d *huma.ErrorDetail
		if errors.As(err, &d) {
			all = append(all, parameterFault(d))
			continue
		}
		p := problemOf(err)
		if len(p.Errors) == 0 || p.Status == http.StatusBadRequest && p.Code == "malformed_body" {
			return p
		}
		all = append(all, p.Errors...)
		if p.Status >= status {
			status, code = p.Status, p.Code
		}
	}
	if len(all) == 0 {
		return newProblem(r.status, routeCodes[r.status], "")
	}
	return problemWithFaults(status, code, all)
}

// parameterFault returns a fault of huma in our words.
func parameterFault(d *huma.ErrorDetail) rest.Fault {
	f := rest.Fault{Parameter: d.Location, Detail: d.Message}
	if _, name, ok := strings.Cut(d.Location, "."); ok {
		f.Parameter = name
	}
	switch {
	case strings.HasPrefix(d.Message, "expected "):
		f.Detail = "want " + strings.TrimPrefix(d.Message, "expected ")
	case d.Message == "invalid integer":
		f.Detail = "want a whole number"
	case d.Message == "invalid boolean":
		f.Detail = "want true or false"
	}
	if d.Value != nil {
		f.Got = codec.Cut(fmt.Sprint(d.Value))
	}
	return f
}

package httpapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	v1 "github.com/job-streamer/job-streamer-control-bus/httpapi/v1"
)

// permission is what a route needs. A route without one is for nobody.
type permission string

const (
	open    permission = "open"    // no login
	anyone  permission = "login"   // a login, whatever the role
	ownKeys permission = "own-key" // keys, password: to be that user, or to manage users

	readJob     permission = "read-job"
	createJob   permission = "create-job"
	updateJob   permission = "update-job"
	removeJob   permission = "delete-job"
	executeJob  permission = "execute-job"
	blockAgents permission = "block-agent" // and unblock
	manageUsers permission = "manage-users"
	readAudit   permission = "read-audit"

	manageAgents permission = "manage-agents" // create and revoke their tokens

	testNotifications permission = "test-notifications"

	deployApp permission = "deploy"     // create the application, deploy jars
	deployAny permission = "deploy-any" // deploy in at least one application

	readCalendar  permission = "read-calendar"
	writeCalendar permission = "write-calendar" // create, update, delete

	writeLimit permission = "write-limit" // create, update, delete

	writeSecret permission = "write-secret" // set, delete; nobody may read a value

	pauseEverything permission = "pause-all" // pause and resume all schedules of all applications
)

// roles lists the roles that have a permission in the application of the path.
var roles = map[permission][]string{
	readJob:     {bus.RoleAdmin, bus.RoleOperator, bus.RoleWatcher},
	executeJob:  {bus.RoleAdmin, bus.RoleOperator},
	createJob:   {bus.RoleAdmin},
	updateJob:   {bus.RoleAdmin},
	removeJob:   {bus.RoleAdmin},
	blockAgents: {bus.RoleAdmin, bus.RoleOperator},
	manageUsers: {bus.RoleAdmin},
	readAudit:   {bus.RoleAdmin},

	manageAgents:      {bus.RoleAdmin},
	testNotifications: {bus.RoleAdmin},
	deployApp:         {bus.RoleAdmin, bus.RoleOperator},

	readCalendar:  {bus.RoleAdmin, bus.RoleOperator, bus.RoleWatcher},
	writeCalendar: {bus.RoleAdmin, bus.RoleOperator},

	writeLimit: {bus.RoleAdmin, bus.RoleOperator},

	writeSecret: {bus.RoleAdmin},

	pauseEverything: {bus.RoleAdmin},
}

// place is a route in the router's notation.
type place struct{ method, path string }

// declarePermission sets the permission that a route needs, for checkAccess and
// for the document.
func (s *Server) declarePermission(op *huma.Operation, needs permission) {
	s.needs[place{op.Method, pathOf(op.Path)}] = needs
	if op.Extensions == nil {
		op.Extensions = map[string]any{}
	}
	op.Extensions["x-permission"] = string(needs)
	op.Security = []map[string][]string{}
	if needs != open {
		op.Security = []map[string][]string{{"bearer": {}}, {"cookie": {}}}
	}
}

// permissionError says which permission the sender of a request lacks: a user,
// or a key.
type permissionError struct {
	sender, app string
	needs       permission
	fault       rest.Fault // the member of the body that needs the permission; zero: the request does
}

// senderName names who lacks a permission.
func senderName(u *bus.User) string {
	if u.SentKey.HasLimits() {
		return fmt.Sprintf("the key %s of %s", u.SentKey.ShownName(), u.ID)
	}
	return u.ID
}

func (e *permissionError) Error() string {
	if e.app == "" {
		return fmt.Sprintf("%s lacks the permission %s", e.sender, e.needs)
	}
	return fmt.Sprintf("%s lacks the permission %s in the application %s", e.sender, e.needs, codec.Cut(e.app))
}

var errNoLogin = errors.New("the request needs a login")

// errUsersNeedLogin refuses changes of users where everybody is an admin: such
// a user could log in later, when a login is required.
var errUsersNeedLogin = bus.State("users_need_login", "the control bus requires no login, so anyone could make themselves an admin: start it with --login, then log in and change users")

// authorizeRequest returns the user who sends a request, nil for an open route
// or without [Config.RequireLogin], or why the request is refused. An unknown
// path needs a login: without one, nobody can find out which paths exist. A
// stream is checked while it is open too, see withLoginCheck.
func (s *Server) authorizeRequest(r *http.Request, path string, param func(string) string) (*bus.User, error) {
	needs, known := s.needs[place{r.Method, path}]
	if !known {
		needs = anyone
	}
	foreign := s.pages.CheckOrigin(r)
	if !s.cfg.RequireLogin && foreign == nil && r.Method != http.MethodGet && (needs == manageUsers || needs == ownKeys) {
		return nil, errUsersNeedLogin
	}
	if !s.cfg.RequireLogin || r.Method == http.MethodOptions {
		needs = open
	}
	if needs == open && foreign == nil {
		return nil, nil
	}
	var user *bus.User
	byCookie := false
	if s.cfg.RequireLogin {
		if user, byCookie = s.senderOf(r); user != nil {
			noteSender(r.Context(), user)
		}
	}
	switch {
	case foreign != nil && (user == nil || byCookie): // a browser sends it whoever made the page
		return nil, foreign
	case needs == open:
		return nil, nil
	case user == nil:
		return nil, errNoLogin
	}
	app := appOf(path, param)
	if !isAllowed(user, needs, app, param("id")) {
		return nil, &permissionError{sender: senderName(user), app: app, needs: needs}
	}
	return user, nil
}

// appOf returns the application that a route is about, empty for none.
func appOf(path string, param func(string) string) string {
	if strings.HasPrefix(path, "/test-execution") {
		return bus.DefaultApp // where diagrams are tested
	}
	return param("app")
}

// isAllowed reports whether a user has a permission in an application. id is
// the user that the path is about.
func isAllowed(u *bus.User, needs permission, app, id string) bool {
	switch needs {
	case anyone:
		return app == "" || u.SentKey.Covers(app)
	case ownKeys:
		return u.ID == id && !u.SentKey.HasLimits() || isAllowed(u, manageUsers, app, id)
	case manageUsers, manageAgents:
		// What a limited key makes would outlast its limits: users, keys, tokens.
		if u.SentKey.HasLimits() {
			return false
		}
	case deployAny:
		for _, name := range namedApps(u) {
			if isAllowed(u, deployApp, name, id) {
				return true
			}
		}
	}
	return slices.Contains(roles[needs], u.Role(app))
}

// namedApps returns the applications for which the user, or the key that they
// sent, has a rule of its own, and the default application.
func namedApps(u *bus.User) []string {
	apps := append(slices.Collect(maps.Keys(u.Roles)), bus.DefaultApp)
	if u.SentKey != nil {
		apps = append(apps, u.SentKey.Apps...)
	}
	return apps
}

// checkPermission returns an error if the user of a request lacks a permission
// in an application that only the body names.
func checkPermission(ctx context.Context, needs permission, app string) error {
	if u := userOf(ctx); !isAllowed(u, needs, app, "") {
		return &permissionError{sender: senderName(u), app: app, needs: needs}
	}
	return nil
}

// appReader returns a function that reports whether the user of a request may
// read the jobs and executions of an application.
func appReader(ctx context.Context) func(app string) bool {
	user := userOf(ctx)
	return func(app string) bool { return isAllowed(user, readJob, app, "") }
}

// senderOf returns the user of the token or key in the header Authorization, or
// else the user of the cookie.
func (s *Server) senderOf(r *http.Request) (u *bus.User, byCookie bool) {
	secret, byCookie := secretOf(r)
	switch {
	case secret == "":
		return nil, byCookie
	case byCookie:
		return s.cfg.Logins.BySession(r.Context(), secret), true
	}
	return s.cfg.Logins.ByToken(r.Context(), secret), false
}

// secretOf returns the token or key in the header Authorization, or else the
// session of the cookie.
func secretOf(r *http.Request) (secret string, byCookie bool) {
	if secret, ok := bearerSecret(r.Header.Get("Authorization")); ok {
		return secret, false
	}
	if c, err := r.Cookie(v1.SessionCookie); err == nil {
		return c.Value, true
	}
	return "", false
}

type loginCheckKey struct{}

// loginCheckInterval is how often the login of an open stream is checked.
const loginCheckInterval = time.Second

// maxUnknownLogin is how long a stream goes on while NATS cannot be asked
// whether its login is still valid.
const maxUnknownLogin = 30 * time.Second

// withLoginCheck returns a context with which a stream of the request ends when
// its login or the permission ends. An open stream is no use of a session.
func (s *Server) withLoginCheck(ctx context.Context, r *http.Request, path string, param func(string) string) context.Context {
	secret, _ := secretOf(r)
	needs, app, id := s.needs[place{r.Method, path}], appOf(path, param), param("id")
	return context.WithValue(ctx, loginCheckKey{}, loginCheck(func(ctx context.Context) (bool, error) {
		u, err := s.cfg.Logins.Peek(ctx, secret)
		return u != nil && isAllowed(u, needs, app, id), err
	}))
}

// loginCheck reports whether a login is still valid, or an error if that is
// unknown at the moment.
type loginCheck func(context.Context) (bool, error)

// cancelUnless checks isValid until ctx ends, and calls cancel when it is not
// true any more, or has been unknown for maxUnknownLogin.
func cancelUnless(ctx context.Context, isValid loginCheck, cancel func()) {
	tick := time.NewTicker(loginCheckInterval)
	defer tick.Stop()
	known := time.Now()
	for {
		select {
		case <-tick.C:
			valid, err := isValid(ctx)
			if err == nil {
				known = time.Now()
			}
			if !valid && (err == nil || time.Since(known) >= maxUnknownLogin) {
				cancel()
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// bearerSecret returns the token or key in the header Authorization.
func bearerSecret(authorization string) (secret string, ok bool) {
	scheme, secret, _ := strings.Cut(authorization, " ")
	return strings.TrimSpace(secret), strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "Token")
}

type userKey struct{}

func withUser(ctx context.Context, u *bus.User) context.Context {
	return context.WithValue(ctx, userKey{}, u)
}

// everybody is the user of all requests if no login is needed.
var everybody = &bus.User{ID: "admin", Roles: map[string]string{bus.DefaultApp: bus.RoleAdmin}}

// userOf returns the user who sends the request.
func userOf(ctx context.Context) *bus.User {
	if u, ok := ctx.Value(userKey{}).(*bus.User); ok {
		return u
	}
	return everybody
}

// senderID returns the id of the user who sends the request, "" if no login is
// needed.
func senderID(ctx context.Context) string {
	if u := userOf(ctx); u != everybody {
		return u.ID
	}
	return ""
}

type addressKey struct{}

func withAddress(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, addressKey{}, address)
}

// addressOf returns the address of the client that sends the request, empty if
// it has none.
func addressOf(ctx context.Context) string {
	address, _ := ctx.Value(addressKey{}).(string)
	return address
}

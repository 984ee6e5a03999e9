package httpapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/login"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	v1 "github.com/job-streamer/job-streamer-control-bus/httpapi/v1"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// sessionCookie returns the header Set-Cookie with a session. Without a session
// it deletes the cookie.
func (s *Server) sessionCookie(session string) string {
	c := http.Cookie{Name: v1.SessionCookie, Value: session, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	c.Secure = s.cfg.CookieSecure || s.cfg.TLS != nil || strings.HasPrefix(s.cfg.PublicURL, "https:")
	if s.cfg.CookieSecure && s.cfg.AllowOrigin != "" { // its page may be on another site
		c.SameSite = http.SameSiteNoneMode
	}
	if session == "" {
		c.MaxAge = -1
	}
	return c.String()
}

type postAuth struct{ Sent body[credentials] }

type loggedIn struct {
	Cookie string `header:"Set-Cookie"`
	Cache  string `header:"Cache-Control"`
	Body   rest.Token
}

// postAuth logs a user in. If no login is needed it answers with new secrets
// all the same: v1 clients always log in first.
func (s *Server) postAuth(ctx context.Context, in *postAuth) (*loggedIn, error) {
	secrets := login.NewSecrets()
	if s.cfg.RequireLogin {
		var err error
		s.noteUser(ctx, in.Sent.value.ID)
		a := login.Attempt{ID: in.Sent.value.ID, Password: in.Sent.value.Password, Address: addressOf(ctx)}
		if secrets, err = s.cfg.Logins.Login(ctx, a); err != nil {
			return nil, err
		}
		recordOf(ctx).row.User = a.ID
	}
	return &loggedIn{s.sessionCookie(secrets.Session), "no-store", rest.Token{Token: secrets.Token}}, nil
}

// noteUser sets the object of a request to a user whom only the body names, if
// there is such a user: else the text may be a password in the wrong place.
func (s *Server) noteUser(ctx context.Context, id string) {
	if slices.ContainsFunc(s.cfg.Logins.Users(), func(u *bus.User) bool { return u.ID == id }) {
		noteObject(ctx, id)
	}
}

// isV1Login reports whether a login comes from a v1 client, if its header
// Accept names no format.
func isV1Login(ctx huma.Context) bool {
	return codec.JSON.Liked(accepted(ctx), true) == 0 && v1.IsLogin(peekBody(ctx, maxSecret))
}

type deleteAuth struct {
	Session       string `cookie:"ring-session" doc:"The session from POST /auth."`
	Authorization string `header:"Authorization" hidden:"true"`
}

type loggedOut struct {
	Cookie string `header:"Set-Cookie"`
}

// deleteAuth ends the session of the cookie, and the token that was sent.
func (s *Server) deleteAuth(ctx context.Context, in *deleteAuth) (*loggedOut, error) {
	token, _ := bearerSecret(in.Authorization)
	for _, secret := range []string{in.Session, token} {
		if secret == "" || !s.cfg.RequireLogin {
			continue
		}
		s.noteLogin(ctx, secret)
		if err := s.cfg.Logins.Logout(ctx, secret); err != nil {
			return nil, err
		}
	}
	return &loggedOut{s.sessionCookie("")}, nil
}

// getAccount returns the user who is logged in. Consoles look for the roles in
// the application default.
func (s *Server) getAccount(ctx context.Context, _ *struct{}) (*answer[rest.Account], error) {
	u := userOf(ctx)
	a := rest.Account{ID: u.ID, Applications: map[string]rest.Application{}}
	for _, app := range namedApps(u) {
		if app == bus.AnyApp {
			continue
		}
		of := rest.Application{Name: app, Roles: []string{}}
		if role := u.Role(app); role != "" {
			of.Roles = append(of.Roles, role)
		}
		a.Applications[app] = of
	}
	return &answer[rest.Account]{a}, nil
}

func (s *Server) listUsers(_ context.Context, in *Page) (*answer[rest.All[rest.User]], error) {
	shown := cutPage(*in, s.cfg.Logins.Users(), func(u **bus.User) string { return (*u).ID }, strings.Compare)
	results := []rest.User{}
	for _, u := range shown.items {
		results = append(results, userInfoOf(u))
	}
	return allOf(shown.part, results), nil
}

func userInfoOf(u *bus.User) rest.User {
	roles := u.Roles
	if roles == nil { // of a provider's user
		roles = map[string]string{}
	}
	return rest.User{ID: u.ID, Roles: roles, Keys: len(u.Keys), Provider: u.Issuer, Subject: u.Subject, Name: u.Name}
}

type postUser struct{ Sent body[newUser] }

func (s *Server) postUser(ctx context.Context, in *postUser) (*struct{}, error) {
	u := &in.Sent.value
	err := s.cfg.Logins.Add(ctx, u.ID, u.Password, rolesOf(u.Role, u.Roles))
	s.noteUser(ctx, u.ID)
	if errors.Is(err, bus.ErrExists) {
		err = codec.Faults{{Pointer: "/id", Detail: "want an id that is not in use", Got: u.ID, Message: "id is used by someone."}}
	}
	return nil, err
}

// UserPath is a user in a path.
type UserPath struct {
	ID string `path:"id" doc:"Id of the user."`
}

func (s *Server) deleteUser(ctx context.Context, in *UserPath) (*struct{}, error) {
	return nil, s.cfg.Logins.Remove(ctx, in.ID)
}

type putRoles struct {
	UserPath
	Sent body[newRoles]
}

// putRoles replaces the roles of a user.
func (s *Server) putRoles(ctx context.Context, in *putRoles) (*answer[rest.User], error) {
	sent := &in.Sent.value
	u, err := s.cfg.Logins.SetRoles(ctx, in.ID, rolesOf(sent.Role, sent.Roles))
	if err != nil {
		return nil, err
	}
	return &answer[rest.User]{userInfoOf(u)}, nil
}

type putPassword struct {
	UserPath
	Session       string `cookie:"ring-session" hidden:"true"`
	Authorization string `header:"Authorization" hidden:"true"`
	Sent          body[newPassword]
}

// putPassword changes a password. Users need their present one; the login with
// which they ask goes on.
func (s *Server) putPassword(ctx context.Context, in *putPassword) (*struct{}, error) {
	sent := &in.Sent.value
	keep, ok := bearerSecret(in.Authorization)
	if !ok {
		keep = in.Session
	}
	if userOf(ctx).ID == in.ID {
		err := s.cfg.Logins.CheckPassword(ctx, login.Attempt{ID: in.ID, Password: sent.Old, Address: addressOf(ctx)})
		if errors.Is(err, login.ErrWrong) {
			err = codec.Faults{{Pointer: "/old_password", Detail: "want the present password"}}
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, s.cfg.Logins.SetPassword(ctx, in.ID, sent.Password, keep)
}

// rolesOf returns the roles that the store keeps for a user.
func rolesOf(role string, roles map[string]string) map[string]string {
	all := map[string]string{bus.DefaultApp: role}
	maps.Copy(all, roles)
	return all
}

// credentials are the body of a login.
type credentials rest.Credentials

func (*credentials) holdsSecret() {}

// Validate returns what is missing. The API does not say which part of a login
// is wrong.
func (c *credentials) Validate() (all codec.Faults) {
	checkPresent(&all, "id", c.ID)
	checkPresent(&all, "password", c.Password)
	return all
}

// newUser is a body with a user to be created.
type newUser rest.NewUser

func (*newUser) holdsSecret() {}

// Validate returns the first fault of each part. The messages are those that v1
// clients show.
func (u *newUser) Validate() (all codec.Faults) {
	n := utf8.RuneCountInString(u.ID)
	if checkPresent(&all, "id", u.ID) {
		addUnless(&all, n >= 3 && n <= 20 && login.ValidID(u.ID), "id", "3 to 20 of the characters A-Z a-z 0-9 _ -",
			map[bool]string{n < 3: "Username must be at least 3 characters long.", n > 20: "Username is too long."}[true])
	}
	if checkPresent(&all, "password", u.Password) {
		n := utf8.RuneCountInString(u.Password)
		addUnless(&all, n >= login.MinPassword, "password", fmt.Sprint("at least ", login.MinPassword, " characters"),
			fmt.Sprintf("Password must be at least %d characters long.", login.MinPassword))
		addUnless(&all, len(u.Password) <= login.MaxPassword, "password", fmt.Sprint("at most ", login.MaxPassword, " bytes"), "Password is too long.")
	}
	return append(all, (&newRoles{Role: u.Role, Roles: u.Roles}).Validate()...)
}

// newPassword is a body with a password to be set.
type newPassword rest.NewPassword

func (*newPassword) holdsSecret() {}

// Validate checks that there is a password; package login judges it.
func (p *newPassword) Validate() (all codec.Faults) {
	checkPresent(&all, "password", p.Password)
	return all
}

// newRoles is a body with the roles of a user.
type newRoles rest.NewRoles

// Validate returns all that is wrong with the roles.
func (r *newRoles) Validate() (all codec.Faults) {
	if checkPresent(&all, "role", r.Role) {
		addUnless(&all, slices.Contains(login.Roles(), r.Role), "role", wantRole, "")
	}
	for _, app := range slices.Sorted(maps.Keys(r.Roles)) {
		// These names store the role for all applications: see [bus.User].
		if app == bus.AnyApp || app == bus.DefaultApp {
			addUnless(&all, false, "roles/"+codec.Escape(app), "the general role in the field role: it is the one in "+app+", too", "")
			continue
		}
		right := slices.Contains(login.Roles(), r.Roles[app]) && subjects.ValidName(app)
		addUnless(&all, right, "roles/"+codec.Escape(app), "an application with "+wantRole, "")
	}
	return all
}

const wantRole = "admin, operator or watcher"

// checkPresent adds a fault if a value is missing. It reports whether the value
// is present.
func checkPresent(f *codec.Faults, name, value string) bool {
	addUnless(f, value != "", name, "a value", name+" must be present")
	return value != ""
}

// addUnless adds a fault unless the value is right. The message is for v1
// clients.
func addUnless(f *codec.Faults, right bool, name, want, message string) {
	if !right && len(*f) < codec.MaxFaults {
		*f = append(*f, rest.Fault{Pointer: "/" + name, Detail: "want " + want, Message: message})
	}
}

// secretMembers are the members whose names may be shown of a secret body.
var secretMembers = []string{"id", "password", "old_password", "role", "roles", "code", "code_verifier", "join_token", "name", "apps", "pools", "public_key", "signature", "value"}

// secretBody is a body whose values no answer may show.
type secretBody interface{ holdsSecret() }

func isSecret(body any) bool {
	_, secret := body.(secretBody)
	return secret
}

// withoutSecrets returns err without the values of a secret body: a password
// may stand where a name belongs.
func withoutSecrets(body any, err error) error {
	var all codec.Faults
	var bad *codec.MalformedError
	switch {
	case !isSecret(body):
	case errors.As(err, &all):
		for i := range all {
			all[i].Got = ""
			if name, _, _ := strings.Cut(strings.TrimPrefix(all[i].Pointer, "/"), "/"); !slices.Contains(secretMembers, name) {
				all[i].Pointer = ""
			}
		}
	case errors.As(err, &bad):
		bad.Fault.Got, bad.Fault.Pointer = "", ""
	}
	return err
}

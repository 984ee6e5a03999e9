package bus

import "github.com/job-streamer/job-streamer-control-bus/subjects"

// Roles of users.
const (
	RoleAdmin    = "admin"
	RoleOperator = "operator"
	RoleWatcher  = "watcher"
)

// AnyApp stands for all applications in the roles of a user.
const AnyApp = "*"

// User is a person or a program that may use the control bus. Its key is its
// id.
type User struct {
	ID         string            `json:"id"`
	Password   string            `json:"password"` // hash: argon2id in PHC form
	Roles      map[string]string `json:"roles"`    // by application
	Keys       []Key             `json:"keys,omitempty"`
	CreateTime subjects.Time     `json:"create_time"` // tells this user from a later one of the same name
}

// Role returns the user's role in an application. If the user has no role
// there, their role for any application applies, or else their role in the
// default application. app is empty for what belongs to no application.
func (u *User) Role(app string) string {
	for _, name := range []string{app, AnyApp, DefaultApp} {
		if role, ok := u.Roles[name]; ok {
			return role
		}
	}
	return ""
}

// Key is an API key, which lets a program in without a login.
type Key struct {
	SHA256     string        `json:"sha256"` // of the key, in hex digits
	CreateTime subjects.Time `json:"create_time"`
}

// Kinds of sessions.
const (
	KindSession = "session" // expires when unused
	KindToken   = "token"   // expires some time after it was issued
)

// Session is a login. Its key is the SHA-256 of the secret that proves it, so
// that a reader of the bucket cannot use it.
type Session struct {
	User       string        `json:"user"`
	UserSince  subjects.Time `json:"user_since"` // the user's create time
	Kind       string        `json:"kind"`
	CreateTime subjects.Time `json:"create_time"`
	LastUsed   subjects.Time `json:"last_used"` // to the minute
}

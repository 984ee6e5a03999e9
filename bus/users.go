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

// User is somebody, or a program, who may use the control bus. Its key is its id.
type User struct {
	ID         string            `json:"id"`
	Password   string            `json:"password"` // hashed: argon2id in PHC form
	Roles      map[string]string `json:"roles"`    // by application
	Keys       []Key             `json:"keys,omitempty"`
	CreateTime subjects.Time     `json:"create_time"` // a user of the same name who comes later is another
}

// Role is the user's role in an application. That for any application, or else that in the default one, is good for every
// application that has none of its own; for what belongs to no application, app is empty.
func (u *User) Role(app string) string {
	for _, name := range []string{app, AnyApp, DefaultApp} {
		if role, ok := u.Roles[name]; ok {
			return role
		}
	}
	return ""
}

// Key lets a program in without a login.
type Key struct {
	SHA256     string        `json:"sha256"` // of the key, in hex digits
	CreateTime subjects.Time `json:"create_time"`
}

// What a login leaves.
const (
	KindSession = "session" // ends when nobody uses it
	KindToken   = "token"   // ends some time after it was issued
)

// Session is a login. Its key is the SHA-256 of the secret that proves it, so that whoever reads the bucket cannot use it.
type Session struct {
	User       string        `json:"user"`
	UserSince  subjects.Time `json:"user_since"` // the user's create time
	Kind       string        `json:"kind"`
	CreateTime subjects.Time `json:"create_time"`
	LastUsed   subjects.Time `json:"last_used"` // to the minute
}

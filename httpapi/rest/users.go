package rest

// Credentials are the body that logs in.
type Credentials struct {
	ID       string `json:"id" edn:"user/id" example:"admin"`
	Password string `json:"password" edn:"user/password" format:"password"`
}

// Token is the answer to a login. Older clients cut it out of the EDN by its
// place.
type Token struct {
	Token string `json:"token" doc:"For the header Authorization: Token or Bearer, for 30 minutes."`
}

// Key is the answer that shows a key, once.
type Key struct {
	Key string `json:"key" doc:"For the header Authorization: Bearer, until it is revoked."`
}

// NewUser is the body that makes a user.
type NewUser struct {
	ID       string            `json:"id" edn:"user/id" doc:"3 to 20 of the characters A-Z a-z 0-9 _ -."`
	Password string            `json:"password" edn:"user/password" format:"password" doc:"At least 8 characters."`
	Role     string            `json:"role" edn:"user/role|role,keyword" enum:"admin,operator,watcher" doc:"In all applications but those of roles."`
	Roles    map[string]string `json:"roles,omitempty" edn:"user/roles" doc:"Roles in applications, by name."`
}

// NewRoles is the body that gives a user other roles.
type NewRoles struct {
	Role  string            `json:"role" edn:"user/role|role,keyword" enum:"admin,operator,watcher" doc:"In all applications but those of roles."`
	Roles map[string]string `json:"roles,omitempty" edn:"user/roles" doc:"Roles in applications, by name."`
}

// User is somebody, or a program, who may use the control bus.
type User struct {
	ID    string            `json:"id" edn:"user/id"`
	Roles map[string]string `json:"roles" edn:"user/roles" doc:"By application; that of default is good for all that are not there."`
	Keys  int               `json:"keys" edn:"user/keys" doc:"How many keys there are for programs."`
}

// Account is who is logged in.
type Account struct {
	ID           string                 `json:"id" edn:"user/id"`
	Applications map[string]Application `json:"applications"`
}

// Application is what somebody is in an application.
type Application struct {
	Name  string   `json:"name" edn:"application/name"`
	Roles []string `json:"roles"`
}

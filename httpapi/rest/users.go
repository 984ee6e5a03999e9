package rest

import (
	"crypto/sha256"
	"encoding/base32"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Credentials are the body that logs in.
type Credentials struct {
	ID       string `json:"id" edn:"user/id" example:"admin"`
	Password string `json:"password" edn:"user/password" format:"password"`
}

// Token is the answer to a login. V1 clients cut it out of the EDN by its
// position.
type Token struct {
	Token string `json:"token" doc:"To be sent in the header Authorization, as Token or Bearer. Valid for 30 minutes."`
}

// NewKey is the body that creates a key. Without limits it allows what its user
// may do.
type NewKey struct {
	Name string   `json:"name,omitempty" doc:"Name of the key, unique among the keys of the user: 1 to 40 of the characters A-Z a-z 0-9 . _ -. Default: derived from the key."`
	Apps []string `json:"apps,omitempty" doc:"Applications in which the key is valid; all if there are none." example:"[\"billing\"]"`
	Role string   `json:"role,omitempty" enum:"admin,operator,watcher" doc:"Highest role that the key gives; default: the user's. In each application the lower one counts of this and the role that the user has at the time of a request."`
	TTL  int64    `json:"ttl,omitempty" doc:"Seconds after which the key expires; 0: never." minimum:"0"`
}

// KeyInfo is a key without its secret.
type KeyInfo struct {
	Name       string        `json:"name"`
	Apps       []string      `json:"apps" doc:"Applications in which the key is valid; all if there are none."`
	Role       string        `json:"role,omitempty" doc:"Highest role that the key gives; the user's if there is none."`
	CreateTime subjects.Time `json:"create_time"`
	ExpireTime subjects.Time `json:"expire_time" nullable:"true" doc:"When the key expires; null: never."`
}

// Key is the answer with a new key. No other answer shows it.
type Key struct {
	Key string `json:"key" doc:"To be sent in the header Authorization, as Bearer. Valid until it expires or is revoked."`
	KeyInfo
}

// NewUser is the body that creates a user.
type NewUser struct {
	ID       string            `json:"id" edn:"user/id" doc:"3 to 20 of the characters A-Z a-z 0-9 _ -."`
	Password string            `json:"password" edn:"user/password" format:"password" doc:"At least 8 characters, not one of the most common passwords, and not the user's id."`
	Role     string            `json:"role" edn:"user/role|role,keyword" enum:"admin,operator,watcher" doc:"Role in all applications that roles does not name."`
	Roles    map[string]string `json:"roles,omitempty" edn:"user/roles" doc:"Roles by name of the application."`
}

// NewPassword is the body that changes a password.
type NewPassword struct {
	Old      string `json:"old_password,omitempty" edn:"user/old-password" format:"password" doc:"The present password; not needed for another user's."`
	Password string `json:"password" edn:"user/password" format:"password" doc:"At least 8 characters, not one of the most common passwords, and not the user's id."`
}

// NewRoles is the body that replaces the roles of a user.
type NewRoles struct {
	Role  string            `json:"role" edn:"user/role|role,keyword" enum:"admin,operator,watcher" doc:"Role in all applications that roles does not name."`
	Roles map[string]string `json:"roles,omitempty" edn:"user/roles" doc:"Roles by name of the application."`
}

// User is a person or a program that may use the control bus.
type User struct {
	ID    string            `json:"id" edn:"user/id"`
	Roles map[string]string `json:"roles" edn:"user/roles" doc:"Roles by name of the application. The role in default applies to all applications that are not named."`
	Keys  int               `json:"keys" edn:"user/keys" doc:"Number of keys that the user has for programs."`

	Provider string `json:"provider,omitempty" edn:"user/provider" doc:"Login provider of the user; absent for users with a password."`
	Subject  string `json:"subject,omitempty" edn:"user/subject" doc:"Id of the user at the provider."`
	Name     string `json:"name,omitempty" edn:"user/name" doc:"Name of the user at the provider."`
}

// LoginProvider is a login provider other than the control bus itself.
type LoginProvider struct {
	Name  string `json:"name" edn:"name" doc:"Name to be shown to users."`
	Class string `json:"class_name" edn:"class-name" doc:"Kind of the provider: openid."`
}

// LoginCode is the body that exchanges a code for a token.
type LoginCode struct {
	Code     string `json:"code" doc:"The code that the redirect to redirect_uri had. Valid once, for a minute."`
	Verifier string `json:"code_verifier" doc:"The text whose SHA-256, in Base64url, was code_challenge."`
}

// NewAgentToken is the body that creates the token of an agent.
type NewAgentToken struct {
	Name  string   `json:"name" doc:"Name of the agent."`
	Apps  []string `json:"apps" doc:"Applications whose jobs the agent may run." example:"[\"default\"]"`
	Pools []string `json:"pools,omitempty" doc:"Pools whose jobs the agent may run; all if there are none."`
	TTL   int64    `json:"ttl,omitempty" doc:"Seconds after which the credentials expire; 0: never." minimum:"0"`
}

// AgentToken says what an agent may do that has a NATS account of its own.
type AgentToken struct {
	Name       string        `json:"name" doc:"Name of the agent."`
	Apps       []string      `json:"apps" doc:"Applications whose jobs the agent may run."`
	Pools      []string      `json:"pools" doc:"Pools whose jobs the agent may run; all if there are none."`
	PublicKey  string        `json:"public_key,omitempty" doc:"NATS key of an agent that has joined with the join token."`
	CreatedBy  string        `json:"created_by,omitempty" doc:"User who created the token; empty if the agent has joined, or if the control bus required no login."`
	CreateTime subjects.Time `json:"create_time"`
	ExpireTime subjects.Time `json:"expire_time" nullable:"true" doc:"When the credentials expire; null: never."`
}

// AgentCredentials is the answer with a new token. No other answer shows the
// credentials.
type AgentCredentials struct {
	AgentToken
	Credentials string `json:"credentials" doc:"NATS credentials file, for jobstreamer agent --nats-creds."`
}

// NewJoin is the body with which an agent asks for a token of its own.
type NewJoin struct {
	JoinToken string   `json:"join_token" format:"password" doc:"The secret of --join-token-file of the control bus."`
	Name      string   `json:"name" doc:"Name of the agent."`
	Apps      []string `json:"apps" doc:"Applications whose jobs the agent runs." example:"[\"default\"]"`
	Pools     []string `json:"pools,omitempty" doc:"Pools whose jobs the agent runs; all if there are none."`
	PublicKey string   `json:"public_key" doc:"Public NATS key of a user (U...), which the agent has made. It proves later that it is the same agent."`
	Signature string   `json:"signature" doc:"Base64 of the signature, by that key, of four lines that each end with a line feed: jobstreamer join, the name, the applications and the pools, each joined by commas."`
}

// JoinedAgent is the answer to an agent that has joined.
type JoinedAgent struct {
	AgentToken
	JWT string `json:"jwt" doc:"NATS token of the agent's key. It is worth nothing without the private half of that key."`
}

// Account is the user who is logged in.
type Account struct {
	ID           string                 `json:"id" edn:"user/id"`
	Applications map[string]Application `json:"applications"`
}

// Application lists the roles of a user in an application.
type Application struct {
	Name  string   `json:"name" edn:"application/name"`
	Roles []string `json:"roles"`
}

// ConsentCode returns the code by which a user recognizes the login of a program
// in a browser. The program and the browser show the same.
func ConsentCode(state string) string {
	sum := sha256.Sum256([]byte(state))
	text := base32.StdEncoding.EncodeToString(sum[:5])
	return text[:4] + "-" + text[4:]
}

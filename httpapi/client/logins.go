package client

import (
	"context"
	"net/url"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// Login returns a token for a user and password.
func (c *Client) Login(ctx context.Context, id, password string) (token string, err error) {
	var t rest.Token
	_, err = c.call(ctx, request{method: "POST", path: "/auth", body: rest.Credentials{ID: id, Password: password}}, &t)
	return t.Token, err
}

// LoginProviders returns the login providers besides the control bus itself, by
// id.
func (c *Client) LoginProviders(ctx context.Context) (all map[string]rest.LoginProvider, err error) {
	_, err = c.call(ctx, request{method: "GET", path: "/oauth"}, &all)
	return all, err
}

// BrowserLogin is a login in a browser, whose outcome the browser brings to a
// program on the same machine.
type BrowserLogin struct {
	Provider    string // id
	RedirectURI string // where the program listens, on the loopback interface
	State       string // random; the browser brings it back
	Challenge   string // of PKCE (RFC 7636), method S256
}

// BrowserLoginURL returns the URL to be opened in a browser.
func (c *Client) BrowserLoginURL(l BrowserLogin) string {
	q := url.Values{"redirect_uri": {l.RedirectURI}, "state": {l.State}, "code_challenge": {l.Challenge}, "code_challenge_method": {"S256"}}
	return strings.TrimRight(c.URL(), "/") + joinPath("oauth", l.Provider) + "?" + q.Encode()
}

// RedeemCode returns a token for the code that the browser brought.
func (c *Client) RedeemCode(ctx context.Context, provider, code, verifier string) (token string, err error) {
	var t rest.Token
	_, err = c.call(ctx, request{method: "POST", path: joinPath("oauth", provider, "token"), body: rest.LoginCode{Code: code, Verifier: verifier}}, &t)
	return t.Token, err
}

// Logout revokes the token of the client.
func (c *Client) Logout(ctx context.Context) error {
	_, err := c.call(ctx, request{method: "DELETE", path: "/auth"}, nil)
	return err
}

// Account returns the user of the client's token or key.
func (c *Client) Account(ctx context.Context) (a *rest.Account, err error) {
	_, err = c.call(ctx, request{method: "GET", path: "/account"}, &a)
	return a, err
}

// Users lists users by id.
func (c *Client) Users(ctx context.Context, p Page) (list rest.List[rest.User], err error) {
	_, err = c.call(ctx, request{method: "GET", path: "/users", query: p.query()}, &list)
	return list, err
}

// NewUser creates a user.
func (c *Client) NewUser(ctx context.Context, u rest.NewUser) error {
	_, err := c.call(ctx, request{method: "POST", path: "/user", body: u}, nil)
	return err
}

// SetRoles replaces the roles of a user.
func (c *Client) SetRoles(ctx context.Context, id string, r rest.NewRoles) (u *rest.User, err error) {
	_, err = c.call(ctx, request{method: "PUT", path: joinPath("user", id, "roles"), body: r}, &u)
	return u, err
}

// SetPassword changes the password of a user and ends their other sessions.
func (c *Client) SetPassword(ctx context.Context, id string, p rest.NewPassword) error {
	_, err := c.call(ctx, request{method: "PUT", path: joinPath("user", id, "password"), body: p}, nil)
	return err
}

// DeleteUser deletes a user with their sessions and keys.
func (c *Client) DeleteUser(ctx context.Context, id string) error {
	_, err := c.call(ctx, request{method: "DELETE", path: joinPath("user", id)}, nil)
	return err
}

// NewKey creates a key of a user for programs. Only this answer holds it.
func (c *Client) NewKey(ctx context.Context, id string, limits rest.NewKey) (k rest.Key, err error) {
	_, err = c.call(ctx, request{method: "POST", path: joinPath("user", id, "key"), body: limits}, &k)
	return k, err
}

// Keys returns a page of the keys of a user, without their secrets.
func (c *Client) Keys(ctx context.Context, id string, p Page) (list rest.List[rest.KeyInfo], err error) {
	_, err = c.call(ctx, request{method: "GET", path: joinPath("user", id, "keys"), query: p.query()}, &list)
	return list, err
}

// RevokeKey revokes a key of a user by its name.
func (c *Client) RevokeKey(ctx context.Context, id, name string) error {
	_, err := c.call(ctx, request{method: "DELETE", path: joinPath("user", id, "key", name)}, nil)
	return err
}

// RevokeKeys revokes all keys of a user.
func (c *Client) RevokeKeys(ctx context.Context, id string) error {
	_, err := c.call(ctx, request{method: "DELETE", path: joinPath("user", id, "key")}, nil)
	return err
}

// AgentTokens returns a page of the tokens of agents.
func (c *Client) AgentTokens(ctx context.Context, p Page) (list rest.List[rest.AgentToken], err error) {
	_, err = c.call(ctx, request{method: "GET", path: "/agent-tokens", query: p.query()}, &list)
	return list, err
}

// NewAgentToken creates a token for an agent. Only this answer holds its
// credentials.
func (c *Client) NewAgentToken(ctx context.Context, t rest.NewAgentToken) (made *rest.AgentCredentials, err error) {
	_, err = c.call(ctx, request{method: "POST", path: "/agent-tokens", body: t}, &made)
	return made, err
}

// RevokeAgentToken revokes the token of an agent and closes its connections.
func (c *Client) RevokeAgentToken(ctx context.Context, agent string) error {
	_, err := c.call(ctx, request{method: "DELETE", path: joinPath("agent-token", agent)}, nil)
	return err
}

// Join asks for a token of the agent that sends it.
func (c *Client) Join(ctx context.Context, j rest.NewJoin) (joined *rest.JoinedAgent, err error) {
	_, err = c.call(ctx, request{method: "POST", path: "/agent-tokens/join", body: j}, &joined)
	return joined, err
}

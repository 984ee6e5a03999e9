package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Tokens makes and revokes accounts for agents.
type Tokens struct {
	bus    *bus.Bus
	keys   *Keys
	system *nats.Conn
}

// NewTokens returns the tokens that are stored on b. system is a connection to
// the system account, by which the servers learn of accounts.
func NewTokens(b *bus.Bus, keys *Keys, system *nats.Conn) *Tokens { return &Tokens{b, keys, system} }

// PublishAccounts tells the servers of all accounts. They know them already
// unless they have lost their folder.
func (t *Tokens) PublishAccounts(ctx context.Context) error {
	always, err := t.keys.Accounts()
	if err != nil {
		return err
	}
	for _, claims := range always {
		if err := t.publishClaims(ctx, claims); err != nil {
			return err
		}
	}
	all, err := t.List(ctx)
	if err != nil {
		return err
	}
	for _, token := range all {
		if err := t.publishClaims(ctx, token.Claims); err != nil {
			return err
		}
	}
	return nil
}

// Create makes an account for an agent, and returns its token and the
// credentials file with which the agent connects. They are valid for ttl, or
// forever if ttl is 0. The error is [bus.ErrExists] if the agent has a token.
func (t *Tokens) Create(ctx context.Context, g Grant, ttl time.Duration, by string) (made *bus.AgentToken, credentials []byte, err error) {
	account, err := nkeys.CreateAccount()
	if err != nil {
		return nil, nil, fmt.Errorf("make the account of the agent %s: %w", g.Agent, err)
	}
	now := time.Now()
	token := bus.AgentToken{Agent: g.Agent, Apps: g.Apps, Pools: g.Pools, Account: publicOf(account), CreatedBy: by, CreateTime: subjects.TimeOf(now)}
	var expires time.Time
	if ttl > 0 {
		expires = now.Add(ttl)
		token.ExpireTime = subjects.TimeOf(expires)
	}
	if token.Claims, err = t.keys.agentAccount(token.Account, &g); err != nil {
		return nil, nil, fmt.Errorf("make the account of the agent %s: %w", g.Agent, err)
	}
	user, key, err := newUser(account, g.Agent, expires)
	if err != nil {
		return nil, nil, fmt.Errorf("make the user of the agent %s: %w", g.Agent, err)
	}
	if _, err := t.bus.Tokens.Create(ctx, g.Agent, token); err != nil {
		return nil, nil, err
	}
	if err := t.publishClaims(ctx, token.Claims); err != nil {
		return nil, nil, err
	}
	credentials, err = jwt.FormatUserConfig(user, []byte(seedOf(key)))
	return &token, credentials, err
}

// List returns all tokens, by agent.
func (t *Tokens) List(ctx context.Context) ([]bus.AgentToken, error) {
	entries, err := t.bus.Tokens.List(ctx, ">")
	if err != nil {
		return nil, err
	}
	all := make([]bus.AgentToken, len(entries))
	for i := range entries {
		all[i] = entries[i].Value
	}
	slices.SortFunc(all, func(a, b bus.AgentToken) int { return strings.Compare(a.Agent, b.Agent) })
	return all, nil
}

// Revoke ends the token of an agent. The servers close its connections at once.
// The error is [bus.ErrNotFound] if there is no such token.
func (t *Tokens) Revoke(ctx context.Context, agent string) error {
	e, err := t.bus.Tokens.Get(ctx, agent)
	if err != nil {
		return err
	}
	claims, err := t.keys.revokedAccount(e.Value.Account)
	if err != nil {
		return fmt.Errorf("revoke the account of the agent %s: %w", agent, err)
	}
	if err := t.publishClaims(ctx, claims); err != nil { // before the record goes: a retry must find it
		return err
	}
	return t.bus.Tokens.Delete(ctx, agent, e.Revision)
}

// publishClaims tells the servers of an account. The first answer counts: the
// servers of a cluster tell each other.
func (t *Tokens) publishClaims(ctx context.Context, claims string) error {
	ctx, cancel := jetio.WithAckTimeout(ctx)
	defer cancel()
	m, err := t.system.RequestWithContext(ctx, "$SYS.REQ.CLAIMS.UPDATE", []byte(claims))
	if err != nil {
		return fmt.Errorf("tell NATS of an account: %w: %w", bus.ErrAway, err)
	}
	var answer struct {
		Data *struct {
			Code int `json:"code"`
		} `json:"data"`
		Error *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	switch err := json.Unmarshal(m.Data, &answer); {
	case err != nil:
		return fmt.Errorf("tell NATS of an account: answer %.100q: %w", m.Data, err)
	case answer.Error != nil:
		return fmt.Errorf("tell NATS of an account: %w", errors.New(answer.Error.Description))
	case answer.Data == nil || answer.Data.Code != 200:
		return fmt.Errorf("tell NATS of an account: unexpected answer %.100q", m.Data)
	}
	return nil
}

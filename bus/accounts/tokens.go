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
	"golang.org/x/sync/errgroup"

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

// PublishAccounts tells the servers of the accounts of all agents. They know
// them already unless they have lost their folder, or an older version made an
// account that lacks what agents need now. It completes revocations that another
// bus had begun when it died.
func (t *Tokens) PublishAccounts(ctx context.Context) error {
	entries, err := t.bus.Tokens.List(ctx, ">")
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(concurrentUpdates)
	for _, e := range entries {
		g.Go(func() error {
			e, err := t.renewClaims(ctx, e)
			if err != nil {
				return err
			}
			return t.publishEntry(ctx, e)
		})
	}
	return g.Wait()
}

// renewClaims signs an account again if it lacks subjects that an agent with its
// grant needs. Its users stay valid.
func (t *Tokens) renewClaims(ctx context.Context, e bus.Entry[bus.AgentToken]) (bus.Entry[bus.AgentToken], error) {
	is, err := t.bus.Tokens.Change(ctx, e.Key, func(was *bus.AgentToken) (*bus.AgentToken, error) {
		if was == nil || was.Revoked || was.Account != e.Value.Account {
			return nil, nil
		}
		account, err := jwt.DecodeAccountClaims(was.Claims)
		if err != nil {
			return nil, fmt.Errorf("stored claims of the agent %s: %w", was.Agent, err)
		}
		imported := map[string]bool{}
		for _, i := range account.Imports {
			imported[string(i.Subject)] = true
		}
		g := Grant{Agent: was.Agent, Apps: was.Apps, Pools: was.Pools}
		if !slices.ContainsFunc(g.shares(), func(s share) bool { return !imported[s.subject] }) {
			return nil, nil
		}
		if err := waitForNewer(ctx, was.Claims); err != nil {
			return nil, err
		}
		is := *was
		is.Claims, err = t.keys.agentAccount(was.Account, &g, account.SigningKeys.Keys()...)
		return &is, err
	})
	if err != nil || is.Value.Account != e.Value.Account { // revoked meanwhile
		return e, err
	}
	return is, nil
}

// concurrentUpdates is the number of accounts of which the servers are told at
// once.
const concurrentUpdates = 16

// publishEntry tells the servers of an account as its record has it. The record
// may be revoked meanwhile, so publishEntry reads it again afterwards: the
// servers keep what they are told last.
func (t *Tokens) publishEntry(ctx context.Context, e bus.Entry[bus.AgentToken]) error {
	for {
		if err := t.publishClaims(ctx, e.Value.Claims); err != nil {
			return err
		}
		now, err := t.bus.Tokens.Get(ctx, e.Key)
		switch {
		case errors.Is(err, bus.ErrNotFound) || err == nil && now.Value.Account != e.Value.Account:
			if err := waitForNewer(ctx, e.Value.Claims); err != nil {
				return err
			}
			claims, err := t.keys.revokedAccount(e.Value.Account)
			if err != nil {
				return err
			}
			return t.publishClaims(ctx, claims)
		case err != nil:
			return err
		case now.Revision != e.Revision:
			e = now
		case e.Value.Revoked:
			return t.deleteRecord(ctx, e)
		default:
			return nil
		}
	}
}

// deleteRecord deletes the record of a revoked token, unless another bus has.
func (t *Tokens) deleteRecord(ctx context.Context, e bus.Entry[bus.AgentToken]) error {
	if err := t.bus.Tokens.Delete(ctx, e.Key, e.Revision); err != nil && !errors.Is(err, bus.ErrChanged) {
		return err
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
	// NATS refuses an account that imports a subject twice.
	g.Apps, g.Pools = sortedSet(g.Apps), sortedSet(g.Pools)
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
	rev, err := t.bus.Tokens.Create(ctx, g.Agent, token)
	if err != nil {
		return nil, nil, err
	}
	e := bus.Entry[bus.AgentToken]{Key: g.Agent, Value: token, Revision: rev}
	if err := t.publishEntry(ctx, e); err != nil {
		// Nobody gets the credentials, so the name must be free again.
		return nil, nil, errors.Join(err, t.deleteRecord(context.WithoutCancel(ctx), e))
	}
	credentials, err = jwt.FormatUserConfig(user, []byte(seedOf(key)))
	return &token, credentials, err
}

// sortedSet returns the names in order, each once.
func sortedSet(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }

// List returns all tokens that are not revoked, by agent.
func (t *Tokens) List(ctx context.Context) ([]bus.AgentToken, error) {
	entries, err := t.bus.Tokens.List(ctx, ">")
	if err != nil {
		return nil, err
	}
	all := []bus.AgentToken{}
	for i := range entries {
		if t := entries[i].Value; !t.Revoked {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b bus.AgentToken) int { return strings.Compare(a.Agent, b.Agent) })
	return all, nil
}

// Revoke ends the token of an agent. The servers close its connections at once.
// The error is [bus.ErrNotFound] if there is no such token.
func (t *Tokens) Revoke(ctx context.Context, agent string) error {
	if !subjects.ValidName(agent) {
		return bus.ErrNotFound
	}
	e, err := t.bus.Tokens.Change(ctx, agent, func(was *bus.AgentToken) (*bus.AgentToken, error) {
		if was != nil {
			if err := waitForNewer(ctx, was.Claims); err != nil {
				return nil, err
			}
		}
		return t.revokedToken(was)
	})
	if err != nil {
		return fmt.Errorf("revoke the token of the agent %s: %w", agent, err)
	}
	return t.publishEntry(ctx, e)
}

// maxBehind is how much the clock of a bus may be behind that of the bus that
// has signed the claims of an account before.
const maxBehind = 5 * time.Second

// waitForNewer blocks until claims that are signed now are newer than others of
// the same account. A nats-server keeps the newer ones, counts in seconds, and
// does not report that it has ignored older ones: a revocation would be lost.
func waitForNewer(ctx context.Context, claims string) error {
	was, err := jwt.DecodeGeneric(claims)
	if err != nil {
		return fmt.Errorf("stored claims of an account: %w", err)
	}
	wait := time.Until(time.Unix(was.IssuedAt+1, 0))
	if wait > maxBehind {
		return fmt.Errorf("the clock of this control bus is %v behind that of the one that changed the token before: correct it, then try again", wait.Round(time.Second))
	}
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// revokedToken returns the record of a token that nobody may use any more.
func (t *Tokens) revokedToken(was *bus.AgentToken) (*bus.AgentToken, error) {
	if was == nil {
		return nil, bus.ErrNotFound
	}
	is := *was
	is.Revoked = true
	var err error
	is.Claims, err = t.keys.revokedAccount(is.Account)
	return &is, err
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

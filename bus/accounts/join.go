package accounts

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/login"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// MinJoinToken is the least number of characters of a join token.
const MinJoinToken = 16

// ErrJoinToken refuses an agent that does not know the join token.
var ErrJoinToken = errors.New("wrong join token")

// NotJoinableError refuses an agent of an application for which no agent may
// join.
type NotJoinableError struct{ App string }

func (e *NotJoinableError) Error() string {
	return fmt.Sprintf("agents may not join for the application %s: see --join-apps of the control bus", e.App)
}

// JoinRequest is the request of an agent for a token of its own.
type JoinRequest struct {
	Grant
	Token     string // the join token
	Key       string // public NATS key of a user; only the agent has the other half
	Signature []byte // of [Grant.JoinStatement] by that key
	Address   string // of the agent
}

// JoinStatement returns what an agent signs when it joins. So nobody who has
// only seen its public key can change what it may do.
func (g *Grant) JoinStatement() []byte {
	return fmt.Appendf(nil, "jobstreamer join\n%s\n%s\n%s\n", g.Agent, strings.Join(g.Apps, ","), strings.Join(g.Pools, ","))
}

// JoinConfig configures [Joins].
type JoinConfig struct {
	Tokens *Tokens
	Token  string        // the join token, at least MinJoinToken characters
	Apps   []string      // applications for which agents may join; [bus.AnyApp] stands for all
	TTL    time.Duration // of the credentials; 0: they do not expire
	Log    *slog.Logger
}

// Joins gives tokens to agents that know the join token.
type Joins struct {
	cfg    JoinConfig
	digest [sha256.Size]byte
	guard  *login.Guard
}

// NewJoins returns the joins of a join token.
func NewJoins(cfg JoinConfig) *Joins {
	j := &Joins{cfg: cfg, digest: sha256.Sum256([]byte(cfg.Token)), guard: login.NewGuard("join token")}
	j.cfg.Token = ""
	return j
}

// Join returns the token of an agent, and a signed NATS token for its key. The
// first agent with a name gets it; an agent with the same key may join again. It
// then gets a new NATS token, and its token has the applications and pools that
// it asks for now. The error is [ErrJoinToken], a [login.PausedError], a
// [NotJoinableError], a [bus.FieldError], or [bus.ErrExists] if the name belongs
// to another agent.
func (j *Joins) Join(ctx context.Context, r JoinRequest) (t *bus.AgentToken, user string, err error) {
	log := j.cfg.Log.With("agent", r.Agent, "address", r.Address)
	err = j.guard.Check(r.Address, func() bool {
		sent := sha256.Sum256([]byte(r.Token))
		return subtle.ConstantTimeCompare(sent[:], j.digest[:]) == 1
	})
	if errors.Is(err, login.ErrWrong) {
		log.Warn("an agent was refused: wrong join token")
		return nil, "", ErrJoinToken
	}
	if err != nil {
		return nil, "", err
	}
	if err := j.checkRequest(&r); err != nil {
		log.Warn("an agent with the join token was refused", "err", err)
		return nil, "", err
	}
	if t, user, err = j.cfg.Tokens.join(ctx, r.Grant, r.Key, j.cfg.TTL); err != nil {
		log.Warn("an agent with the join token was refused", "err", err)
		return nil, "", err
	}
	log.Info("an agent has joined", "apps", t.Apps, "pools", t.Pools, "key", r.Key)
	return t, user, nil
}

// checkRequest returns an error if an agent with the join token may not join as
// it asks to.
func (j *Joins) checkRequest(r *JoinRequest) error {
	if !slices.Contains(j.cfg.Apps, bus.AnyApp) {
		for _, app := range r.Apps {
			if !slices.Contains(j.cfg.Apps, app) {
				return &NotJoinableError{app}
			}
		}
	}
	key, err := nkeys.FromPublicKey(r.Key)
	if err != nil || !nkeys.IsValidPublicUserKey(r.Key) {
		return &bus.FieldError{Path: "/public_key", Want: "the public NATS key of a user"}
	}
	if key.Verify(r.JoinStatement(), r.Signature) != nil {
		return &bus.FieldError{Path: "/signature", Want: "the signature of name, apps and pools by the key"}
	}
	return nil
}

// join makes an account for an agent with a key, or finds the one that it has.
// An error leaves a record behind that the agent gets when it asks again.
func (t *Tokens) join(ctx context.Context, g Grant, key string, ttl time.Duration) (*bus.AgentToken, string, error) {
	// NATS refuses an account that imports a subject twice.
	g.Apps, g.Pools = sortedSet(g.Apps), sortedSet(g.Pools)
	signer, err := t.keys.joinSigner()
	if err != nil {
		return nil, "", err
	}
	account, err := nkeys.CreateAccount()
	if err != nil {
		return nil, "", fmt.Errorf("make the account of the agent %s: %w", g.Agent, err)
	}
	now := time.Now()
	var expires time.Time
	if ttl > 0 {
		expires = now.Add(ttl)
	}
	e, err := t.bus.Tokens.Change(ctx, g.Agent, func(was *bus.AgentToken) (*bus.AgentToken, error) {
		is := bus.AgentToken{Agent: g.Agent, Account: publicOf(account), UserKey: key, CreateTime: subjects.TimeOf(now)}
		if was != nil {
			if was.Revoked || was.UserKey != key {
				return nil, bus.ErrExists
			}
			is = *was
		}
		same := was != nil && slices.Equal(was.Apps, g.Apps) && slices.Equal(was.Pools, g.Pools)
		is.Apps, is.Pools, is.ExpireTime = g.Apps, g.Pools, 0
		if ttl > 0 {
			is.ExpireTime = subjects.TimeOf(expires)
		}
		if same {
			if is.ExpireTime == was.ExpireTime {
				return nil, nil
			}
			return &is, nil // with the same claims, which servers need not read again
		}
		if was != nil {
			if err := waitForNewer(ctx, was.Claims); err != nil {
				return nil, err
			}
		}
		var err error
		is.Claims, err = t.keys.agentAccount(is.Account, &g, publicOf(signer))
		return &is, err
	})
	if err != nil {
		return nil, "", fmt.Errorf("let the agent %s join: %w", g.Agent, err)
	}
	if err := t.publishEntry(ctx, e); err != nil {
		return nil, "", err
	}
	c := userClaims(key, g.Agent, expires)
	c.IssuerAccount = e.Value.Account
	user, err := c.Encode(signer)
	return &e.Value, user, err
}

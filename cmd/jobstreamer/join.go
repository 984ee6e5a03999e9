package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/job-streamer/job-streamer-control-bus/agent/datadir"
	"github.com/job-streamer/job-streamer-control-bus/bus/accounts"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// joinFile is the name of the file in an agent's data directory with the
// identity of an agent that joins.
const joinFile = "nats.join"

// identity is who an agent is that joins: the key that it has made, and what
// the control bus has allowed that key. It is stored before the agent sends the
// public key, since the name belongs to the key from then on.
type identity struct {
	Seed  string   `json:"seed"`
	Agent string   `json:"agent,omitempty"`
	Apps  []string `json:"apps,omitempty"`
	Pools []string `json:"pools,omitempty"`
	JWT   string   `json:"jwt,omitempty"` // empty: it has not joined yet
}

// joiner joins a control bus for an agent.
type joiner struct {
	server    string // URL of the REST API
	serverCA  string // PEM file; empty: the authorities of the system
	tokenFile string
	data      string
	grant     accounts.Grant // what the agent asks for
	log       *slog.Logger

	key nkeys.KeyPair
	mu  sync.Mutex
	is  identity
}

// openJoiner reads the identity in the agent's data directory. The first call
// makes it.
func openJoiner(s *agentSettings, log *slog.Logger) (*joiner, error) {
	j := &joiner{
		server: s.server, serverCA: s.serverCA, tokenFile: s.joinFile, data: s.data, log: log,
		grant: accounts.Grant{Agent: s.name, Apps: s.apps, Pools: s.pools},
	}
	text, err := os.ReadFile(j.path())
	if errors.Is(err, fs.ErrNotExist) {
		return j, j.makeKey()
	}
	if err == nil {
		err = checkSecretFile("data", j.path())
	}
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(text, &j.is) == nil { // an error could quote the key
		j.key, err = nkeys.FromSeed([]byte(j.is.Seed))
	}
	if j.key == nil || err != nil {
		return nil, fmt.Errorf("%s holds no identity of an agent: delete the file, revoke the token of the agent %s, and let it join again", j.path(), s.name)
	}
	return j, nil
}

func (j *joiner) path() string { return filepath.Join(j.data, joinFile) }

// makeKey makes the key of a new agent and stores it.
func (j *joiner) makeKey() (err error) {
	if j.key, err = nkeys.CreateUser(); err != nil {
		return fmt.Errorf("make the key of the agent: %w", err)
	}
	seed, err := j.key.Seed()
	if err != nil {
		return fmt.Errorf("make the key of the agent: %w", err)
	}
	return j.store(identity{Seed: string(seed)})
}

// store replaces the identity, in memory and in the file.
func (j *joiner) store(is identity) error {
	text, err := json.Marshal(is)
	if err == nil {
		err = datadir.ReplaceFile(j.path(), text)
	}
	if err != nil {
		return fmt.Errorf("store the identity of the agent: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.is = is
	return nil
}

// current returns the NATS token of the agent.
func (j *joiner) current() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.is.JWT
}

// connectOption returns the option of a connection as this agent. A reconnect
// uses the token that the agent has then.
func (j *joiner) connectOption() nats.Option {
	return nats.UserJWT(func() (string, error) { return j.current(), nil }, j.key.Sign)
}

// lifetime returns when the NATS token of the agent was made and when it
// expires. The latter is zero if it does not expire.
func (j *joiner) lifetime() (made, expires time.Time, err error) {
	c, err := jwt.DecodeUserClaims(j.current())
	if err != nil {
		return made, expires, fmt.Errorf("token of the agent in %s: %w", j.path(), err)
	}
	if c.Expires != 0 {
		expires = time.Unix(c.Expires, 0)
	}
	return time.Unix(c.IssuedAt, 0), expires, nil
}

// mustJoin reports whether the agent has no valid NATS token for what it does.
func (j *joiner) mustJoin() bool {
	if j.is.JWT == "" || j.is.Agent != j.grant.Agent || !slices.Equal(j.is.Apps, j.grant.Apps) || !slices.Equal(j.is.Pools, j.grant.Pools) {
		return true
	}
	_, expires, err := j.lifetime()
	return err != nil || !expires.IsZero() && !time.Now().Before(expires)
}

// Delays between two tries to join.
const (
	firstJoinDelay = 500 * time.Millisecond
	maxJoinDelay   = 30 * time.Second
)

// join asks the control bus for a NATS token until it gives one, refuses, or ctx
// ends.
func (j *joiner) join(ctx context.Context) error {
	c, err := client.New(client.Config{URL: j.server, CAFile: j.serverCA, UserAgent: "jobstreamer-agent"})
	if err != nil {
		return usageError{fmt.Errorf("--server, --server-ca: %w", err)}
	}
	defer c.Close()
	j.warnOfPlainText(c.URL())
	for delay, warned := firstJoinDelay, false; ; delay = min(2*delay, maxJoinDelay) {
		err := j.joinOnce(ctx, c)
		if err == nil || !errors.As(err, new(awayError)) {
			return err
		}
		if ctx.Err() == nil && !warned {
			j.log.Warn("cannot join the control bus, retrying", "server", j.server, "err", err)
			warned = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(delay):
		}
	}
}

// joinTimeout bounds one try to join.
const joinTimeout = 30 * time.Second

// joinOnce asks the control bus for a NATS token, and stores it.
func (j *joiner) joinOnce(ctx context.Context, c *client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	token, err := readJoinToken(j.tokenFile)
	if err != nil {
		return err
	}
	public, err := j.key.PublicKey()
	if err != nil {
		return fmt.Errorf("key of the agent: %w", err)
	}
	signature, err := j.key.Sign(j.grant.JoinStatement())
	if err != nil {
		return fmt.Errorf("key of the agent: %w", err)
	}
	joined, err := c.Join(ctx, rest.NewJoin{
		JoinToken: token, Name: j.grant.Agent, Apps: j.grant.Apps, Pools: j.grant.Pools,
		PublicKey: public, Signature: base64.StdEncoding.EncodeToString(signature),
	})
	if err != nil {
		return j.explainJoinError(err)
	}
	if err := j.store(identity{Seed: j.is.Seed, Agent: j.grant.Agent, Apps: j.grant.Apps, Pools: j.grant.Pools, JWT: joined.JWT}); err != nil {
		return err
	}
	j.log.Info("joined the control bus", "server", j.server, "agent", j.grant.Agent)
	return nil
}

// awayError is an error after which the same request may succeed later.
type awayError struct{ error }

func (e awayError) Unwrap() error { return e.error }

// explainJoinError returns an awayError if the control bus is away, is starting,
// or has no time, or if a proxy answers for it. To a refusal it adds what to do.
func (j *joiner) explainJoinError(err error) error {
	var p *client.Problem
	switch {
	case !errors.As(err, &p), p.Status >= http.StatusInternalServerError, p.Status == http.StatusTooManyRequests, p.Status == http.StatusRequestTimeout:
		return awayError{err}
	case p.Code == "wrong_join_token":
		return fmt.Errorf("--join-token-file %s: the control bus at %s has another join token: %w", j.tokenFile, j.server, err)
	case p.Code == "agent_token_exists":
		return fmt.Errorf("--name %s: another agent has this name; choose another one, or free it with `jobstreamer agent-token revoke %[1]s --server %[2]s`: %w", j.grant.Agent, j.server, err)
	}
	return err
}

// warnOfPlainText warns that others on the network can read the join token.
func (j *joiner) warnOfPlainText(server string) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" || u.Hostname() == "localhost" {
		return
	}
	if ip := net.ParseIP(u.Hostname()); ip == nil || !ip.IsLoopback() {
		j.log.Warn("the join token is sent without TLS: others on the network can read it", "server", server)
	}
}

// renew renews the NATS token in the last third of its life, until ctx ends. The
// connection then uses the new one: NATS closes it when the token expires with
// which it was opened.
func (j *joiner) renew(ctx context.Context, conn *nats.Conn) error {
	for {
		made, expires, err := j.lifetime()
		if err != nil {
			return err
		}
		if expires.IsZero() {
			return nil
		}
		select {
		case <-time.After(time.Until(expires.Add(-expires.Sub(made) / 3))):
		case <-ctx.Done():
			return nil
		}
		for err = j.join(ctx); err != nil && ctx.Err() == nil; err = j.join(ctx) {
			j.log.Error("the credentials expire, and the control bus gives no new ones", "expires", expires, "err", err)
			select {
			case <-time.After(maxJoinDelay):
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		if err := conn.ForceReconnect(); err != nil {
			return fmt.Errorf("reconnect with new credentials: %w", err)
		}
	}
}

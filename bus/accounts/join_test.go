package accounts_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/accounts"
	"github.com/job-streamer/job-streamer-control-bus/bus/login"
)

const joinToken = "correct horse battery"

// joins returns the joins of the world's control bus.
func (w *world) joins(ttl time.Duration, apps ...string) *accounts.Joins {
	return accounts.NewJoins(accounts.JoinConfig{Tokens: w.tokens, Token: joinToken, Apps: apps, TTL: ttl, Log: slog.New(slog.DiscardHandler)})
}

// newcomer is an agent that joins.
type newcomer struct {
	w   *world
	key nkeys.KeyPair
}

func (w *world) newcomer() *newcomer {
	w.Helper()
	key, err := nkeys.CreateUser()
	w.check(err)
	return &newcomer{w, key}
}

// request returns the request of the newcomer, signed by its key.
func (n *newcomer) request(name string, apps ...string) accounts.JoinRequest {
	n.w.Helper()
	public, err := n.key.PublicKey()
	n.w.check(err)
	r := accounts.JoinRequest{Grant: accounts.Grant{Agent: name, Apps: apps}, Token: joinToken, Key: public, Address: "192.0.2.1"}
	r.Signature, err = n.key.Sign(r.JoinStatement())
	n.w.check(err)
	return r
}

// connect connects with a NATS token that the newcomer got.
func (n *newcomer) connect(token string) (*nats.Conn, error) {
	return nats.Connect(n.w.url, nats.Timeout(time.Minute), nats.MaxReconnects(0), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
		nats.UserJWT(func() (string, error) { return token, nil }, n.key.Sign))
}

// mustConnect is connect for a token that must be good, until the test ends.
func (n *newcomer) mustConnect(token string) *nats.Conn {
	n.w.Helper()
	nc, err := n.connect(token)
	n.w.check(err)
	n.w.Cleanup(nc.Close)
	return nc
}

// TestJoin holds whom the bus lets join, and that a name belongs to the first
// key.
func TestJoin(t *testing.T) { onBothServers(t, testJoin) }

func testJoin(w *world) {
	joins := w.joins(0, "billing", "hr")
	one, two := w.newcomer(), w.newcomer()
	w.createToken("made", "billing")
	changed := func(change func(*accounts.JoinRequest)) accounts.JoinRequest {
		r := one.request("a1", "billing")
		change(&r)
		return r
	}
	account, err := nkeys.CreateAccount()
	w.check(err)
	other, err := account.PublicKey()
	w.check(err)
	for _, c := range []struct {
		name string
		sent accounts.JoinRequest
		want string // part of the error
	}{
		{"no token", changed(func(r *accounts.JoinRequest) { r.Token = "" }), accounts.ErrJoinToken.Error()},
		{"another token", changed(func(r *accounts.JoinRequest) { r.Token += "x" }), accounts.ErrJoinToken.Error()},
		{"another application", one.request("a1", "billing", "shop"), "may not join for the application shop"},
		{"all applications", one.request("a1", "*"), "may not join for the application *"},
		{"no key", changed(func(r *accounts.JoinRequest) { r.Key = "" }), "/public_key"},
		{"the key of an account", changed(func(r *accounts.JoinRequest) { r.Key = other }), "/public_key"},
		{"no signature", changed(func(r *accounts.JoinRequest) { r.Signature = nil }), "/signature"},
		{"a signature of something else", changed(func(r *accounts.JoinRequest) { r.Apps = []string{"hr"} }), "/signature"},
		{"the name of an agent with a token", one.request("made", "billing"), bus.ErrExists.Error()},
	} {
		if _, _, err := joins.Join(w.Context(), c.sent); err == nil || !strings.Contains(err.Error(), c.want) {
			w.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if all, err := w.tokens.List(w.Context()); err != nil || len(all) != 1 {
		w.Fatalf("after refusals there are %d tokens, %v", len(all), err)
	}

	made, token, err := joins.Join(w.Context(), one.request("a1", "billing"))
	w.check(err)
	if made.UserKey == "" || made.ExpireTime != 0 || made.Account == "" {
		w.Errorf("%+v", made)
	}
	first := one.mustConnect(token)
	if nc, err := two.connect(token); !errors.Is(err, nats.ErrAuthorization) {
		w.Errorf("another key with the same NATS token: %v, want a refusal", err)
		if err == nil {
			nc.Close()
		}
	}
	if _, _, err := joins.Join(w.Context(), two.request("a1", "billing")); !errors.Is(err, bus.ErrExists) {
		w.Errorf("another key with the same name: %v, want ErrExists", err)
	}
	again, token, err := joins.Join(w.Context(), one.request("a1", "billing", "billing"))
	if err != nil || again.Account != made.Account || again.Claims != made.Claims {
		w.Errorf("the same key again: %+v, %v, want %+v", again, err, made)
	}
	one.mustConnect(token)

	// Its applications may change, also while it is connected.
	reaches := func(app string) bool {
		_, err := first.Request("$JS.API.DIRECT.GET.JOBSTREAMER_RESULTS.jobstreamer.result."+app+".none", nil, 2*time.Second)
		return err == nil // an answer, though there is no such message
	}
	if !reaches("billing") || reaches("hr") {
		w.Errorf("billing: %v, hr: %v, want billing alone", reaches("billing"), reaches("hr"))
	}
	_, _, err = joins.Join(w.Context(), one.request("a1", "hr"))
	w.check(err)
	if reaches("billing") || !reaches("hr") {
		w.Errorf("billing: %v, hr: %v, want hr alone", reaches("billing"), reaches("hr"))
	}

	w.check(w.tokens.Revoke(w.Context(), "a1"))
	if nc, err := one.connect(token); !errors.Is(err, nats.ErrAuthorization) {
		w.Errorf("with a revoked token: %v, want a refusal", err)
		if err == nil {
			nc.Close()
		}
	}
	_, token, err = joins.Join(w.Context(), two.request("a1", "billing"))
	w.check(err)
	two.mustConnect(token)
}

// TestJoinExpires holds that credentials of an agent that has joined expire, and
// that it may join again.
func TestJoinExpires(t *testing.T) { onBothServers(t, testJoinExpires) }

func testJoinExpires(w *world) {
	n := w.newcomer()
	joins := w.joins(2*time.Second, bus.AnyApp)
	_, token, err := joins.Join(w.Context(), n.request("a1", "billing"))
	w.check(err)
	closed := make(chan struct{})
	n.mustConnect(token).SetClosedHandler(func(*nats.Conn) { close(closed) })
	select {
	case <-closed:
	case <-time.After(time.Minute):
		w.Fatal("the connection lasts longer than the credentials")
	}
	// The server counts seconds.
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		nc, err := n.connect(token)
		if err != nil {
			break
		}
		nc.Close()
		if time.Now().After(end) {
			w.Fatal("expired credentials are good")
		}
	}
	made, token, err := w.joins(time.Hour, bus.AnyApp).Join(w.Context(), n.request("a1", "billing"))
	w.check(err)
	if left := time.Until(made.ExpireTime.Std()); left < 30*time.Minute {
		w.Errorf("it expires in %v", left)
	}
	n.mustConnect(token)
}

// TestGuessedJoinTokens holds that guesses are delayed, and the right token with
// them.
func TestGuessedJoinTokens(t *testing.T) { onBothServers(t, testGuessedJoinTokens) }

func testGuessedJoinTokens(w *world) {
	joins, n := w.joins(0, bus.AnyApp), w.newcomer()
	wrong := n.request("a1", "billing")
	wrong.Token = "correct horse cattery"
	refused := 0
	for range 7 {
		if _, _, err := joins.Join(w.Context(), wrong); errors.As(err, new(*login.PausedError)) {
			refused++
		} else if err != accounts.ErrJoinToken {
			w.Fatal(err)
		}
	}
	if _, _, err := joins.Join(w.Context(), n.request("a1", "billing")); refused == 0 || !errors.As(err, new(*login.PausedError)) {
		w.Errorf("%d of 7 guesses wait; then the right token: %v, want a pause", refused, err)
	}
	elsewhere := n.request("a1", "billing")
	elsewhere.Address = "192.0.2.2"
	if _, _, err := joins.Join(w.Context(), elsewhere); err != nil {
		w.Errorf("from another address: %v", err)
	}
}

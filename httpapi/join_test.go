package httpapi

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/accounts"
	"github.com/job-streamer/job-streamer-control-bus/bus/login"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// joinAnswer answers agents that join, and has a list of tokens that is empty.
type joinAnswer struct {
	AgentTokens
	err  error
	seen accounts.JoinRequest
}

func (j *joinAnswer) Join(_ context.Context, r accounts.JoinRequest) (*bus.AgentToken, string, error) {
	j.seen = r
	return &bus.AgentToken{Agent: r.Agent, Apps: r.Apps, UserKey: r.Key, CreateTime: subjects.Now()}, "a token", j.err
}

// Agents join without a login. No answer shows what they sent as a secret.
func TestJoinBodies(t *testing.T) {
	answer := &joinAnswer{}
	e := newEnv(t, withLogin, func(c *Config) { c.AgentTokens, c.Joins = answer, answer })
	key, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	good := rest.NewJoin{JoinToken: "my secret secret", Name: "a1", Apps: []string{"default"}, PublicKey: public, Signature: "c2ln"}
	send := func(change func(*rest.NewJoin)) *reply {
		t.Helper()
		j := good
		change(&j)
		body, err := json.Marshal(&j)
		if err != nil {
			t.Fatal(err)
		}
		r := e.call("POST", "/agent-tokens/join", string(body), "Accept", "application/json")
		if strings.Contains(string(r.body), "secret") {
			t.Errorf("%s shows the join token", r.body)
		}
		return r
	}
	for _, c := range []struct {
		pointer string
		change  func(*rest.NewJoin)
	}{
		{"/join_token", func(j *rest.NewJoin) { j.JoinToken = "" }},
		{"/name", func(j *rest.NewJoin) { j.Name = "bus" }},
		{"/apps", func(j *rest.NewJoin) { j.Apps = nil }},
		{"/apps/0", func(j *rest.NewJoin) { j.Apps = []string{"my secret"} }},
		{"/public_key", func(j *rest.NewJoin) { j.PublicKey = "my secret" }},
		{"/signature", func(j *rest.NewJoin) { j.Signature = "" }},
		{"/signature", func(j *rest.NewJoin) { j.Signature = "my secret!" }},
	} {
		if r := send(c.change).want(422); !strings.Contains(string(r.body), `"pointer":"`+c.pointer+`"`) {
			t.Errorf("%s, want a fault of %s", r.body, c.pointer)
		}
	}
	same := func(*rest.NewJoin) {}
	var made rest.JoinedAgent
	send(same).want(201).into(&made)
	if made.JWT != "a token" || made.PublicKey != public || answer.seen.Token != good.JoinToken || string(answer.seen.Signature) != "sig" || answer.seen.Address == "" {
		t.Errorf("%+v, %+v", made, answer.seen)
	}
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{accounts.ErrJoinToken, 401, "wrong_join_token"},
		{&login.PausedError{Wait: time.Second}, 429, "too_many_failed_logins"},
		{&accounts.NotJoinableError{App: "shop"}, 403, "forbidden"},
		{&bus.FieldError{Path: "/signature", Want: "a good one"}, 422, "invalid_body"},
		{bus.ErrExists, 409, "agent_token_exists"},
		{bus.ErrAway, 503, "unavailable"},
	} {
		answer.err = c.err
		send(same).code(c.status, c.code)
	}
	e.call("POST", "/agent-tokens/join", "{}", "Origin", "http://evil.example").code(403, "cross_origin")
}

// A control bus without a join token lets nobody join.
func TestNoJoins(t *testing.T) {
	e := newEnv(t, func(c *Config) { c.AgentTokens = &joinAnswer{} })
	key, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	body := `{"join_token":"x","name":"a1","apps":["default"],"signature":"c2ln","public_key":"` + public + `"}`
	e.call("POST", "/agent-tokens/join", body).code(409, "no_join_token")
}

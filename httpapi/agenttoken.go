package httpapi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/accounts"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// newAgentToken is a body with a token to be created.
type newAgentToken rest.NewAgentToken

// maxTokenTTL is the longest lifetime of credentials, in seconds: ten years.
const maxTokenTTL = 10 * 366 * 24 * 60 * 60

// Validate returns all that is wrong with the token.
func (t *newAgentToken) Validate() (all codec.Faults) {
	addUnless(&all, subjects.ValidName(t.Name) && t.Name != subjects.Bus, "name", "the name of an agent, other than "+subjects.Bus, "")
	addUnless(&all, len(t.Apps) > 0, "apps", "at least one application", "")
	for i, app := range t.Apps {
		addUnless(&all, subjects.ValidName(app), fmt.Sprint("apps/", i), "the name of an application", "")
	}
	for i, pool := range t.Pools {
		addUnless(&all, subjects.ValidName(pool), fmt.Sprint("pools/", i), "the name of a pool", "")
	}
	addUnless(&all, t.TTL >= 0 && t.TTL <= maxTokenTTL, "ttl", fmt.Sprint("seconds from 0 to ", maxTokenTTL), "")
	if g := t.grant(); len(all) == 0 {
		addUnless(&all, g.Size() <= accounts.MaxSize, "apps",
			fmt.Sprintf("fewer applications or pools: they need %d subjects of NATS, at most %d are possible", g.Size(), accounts.MaxSize), "")
	}
	return all
}

func (t *newAgentToken) grant() accounts.Grant {
	return accounts.Grant{Agent: t.Name, Apps: t.Apps, Pools: t.Pools}
}

// agentTokens returns the tokens, or an error if agents have no accounts.
func (s *Server) agentTokens() (AgentTokens, error) {
	if s.cfg.AgentTokens == nil {
		return nil, bus.State("no_agent_accounts", "agents have no accounts of their own on this NATS: start the control bus without --agent-accounts=false and --nats-user, or with --nats-keys for an external NATS")
	}
	return s.cfg.AgentTokens, nil
}

func agentTokenOf(t *bus.AgentToken) rest.AgentToken {
	return rest.AgentToken{Name: t.Agent, Apps: t.Apps, Pools: append([]string{}, t.Pools...), PublicKey: t.UserKey, CreatedBy: t.CreatedBy, CreateTime: t.CreateTime, ExpireTime: t.ExpireTime}
}

func (s *Server) listAgentTokens(ctx context.Context, in *Page) (*answer[rest.All[rest.AgentToken]], error) {
	tokens, err := s.agentTokens()
	if err != nil {
		return nil, err
	}
	all, err := tokens.List(ctx)
	if err != nil {
		return nil, err
	}
	shown := cutPage(*in, all, func(t *bus.AgentToken) string { return t.Agent }, strings.Compare)
	results := []rest.AgentToken{}
	for i := range shown.items {
		results = append(results, agentTokenOf(&shown.items[i]))
	}
	return allOf(shown.part, results), nil
}

type postAgentToken struct{ Sent body[newAgentToken] }

type agentTokenMade struct {
	Cache string `header:"Cache-Control"`
	Body  rest.AgentCredentials
}

func (s *Server) postAgentToken(ctx context.Context, in *postAgentToken) (*agentTokenMade, error) {
	tokens, err := s.agentTokens()
	if err != nil {
		return nil, err
	}
	sent := &in.Sent.value
	by := "" // whoever it was, without a login
	if s.cfg.RequireLogin {
		by = userOf(ctx).ID
	}
	noteObject(ctx, sent.Name)
	token, credentials, err := tokens.Create(ctx, sent.grant(), time.Duration(sent.TTL)*time.Second, by)
	if errors.Is(err, bus.ErrExists) {
		return nil, bus.State("agent_token_exists", "the agent %s has a token: revoke it first", sent.Name)
	}
	if err != nil {
		return nil, err
	}
	return &agentTokenMade{"no-store", rest.AgentCredentials{AgentToken: agentTokenOf(token), Credentials: string(credentials)}}, nil
}

type agentTokenPath struct {
	Name string `path:"name" doc:"Name of the agent."`
}

func (s *Server) deleteAgentToken(ctx context.Context, in *agentTokenPath) (*struct{}, error) {
	tokens, err := s.agentTokens()
	if err != nil {
		return nil, err
	}
	if err = tokens.Revoke(ctx, in.Name); errors.Is(err, bus.ErrNotFound) {
		err = bus.State("no_such_agent_token", "the agent %s has no token", codec.Cut(in.Name))
	}
	return nil, err
}

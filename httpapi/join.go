package httpapi

import (
	"context"
	"encoding/base64"
	"errors"

	"github.com/nats-io/nkeys"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/accounts"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// newJoin is the body of an agent that joins.
type newJoin rest.NewJoin

func (*newJoin) holdsSecret() {}

// Validate returns all that is wrong with the body.
func (j *newJoin) Validate() (all codec.Faults) {
	checkPresent(&all, "join_token", j.JoinToken)
	all = append(all, (&newAgentToken{Name: j.Name, Apps: j.Apps, Pools: j.Pools}).Validate()...)
	addUnless(&all, nkeys.IsValidPublicUserKey(j.PublicKey), "public_key", "the public NATS key of a user", "")
	_, err := base64.StdEncoding.DecodeString(j.Signature)
	addUnless(&all, j.Signature != "" && err == nil, "signature", "a signature as Base64", "")
	return all
}

type postJoin struct{ Sent body[newJoin] }

type agentJoined struct {
	Cache string `header:"Cache-Control"`
	Body  rest.JoinedAgent
}

// postJoin gives a token to an agent that knows the join token.
func (s *Server) postJoin(ctx context.Context, in *postJoin) (*agentJoined, error) {
	if _, err := s.agentTokens(); err != nil {
		return nil, err
	}
	if s.cfg.Joins == nil {
		return nil, bus.State("no_join_token", "agents cannot join: start the control bus with --join-token-file, or create a token for the agent")
	}
	sent := &in.Sent.value
	signature, err := base64.StdEncoding.DecodeString(sent.Signature)
	if err != nil {
		return nil, err // Validate has decoded it
	}
	token, user, err := s.cfg.Joins.Join(ctx, accounts.JoinRequest{
		Grant: accounts.Grant{Agent: sent.Name, Apps: sent.Apps, Pools: sent.Pools},
		Token: sent.JoinToken, Key: sent.PublicKey, Signature: signature, Address: addressOf(ctx),
	})
	if errors.Is(err, bus.ErrExists) {
		return nil, bus.State("agent_token_exists", "the name %s belongs to another agent: revoke its token first, or choose another name", sent.Name)
	}
	if err != nil {
		return nil, err
	}
	noteObject(ctx, sent.Name)
	return &agentJoined{"no-store", rest.JoinedAgent{AgentToken: agentTokenOf(token), JWT: user}}, nil
}

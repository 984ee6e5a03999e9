package httpapi

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// An agent with the bus's own name could decide like the bus.
func TestAgentTokenBodies(t *testing.T) {
	e := newEnv(t)
	var many []string
	for i := range 200 {
		many = append(many, fmt.Sprint("app-", i))
	}
	for _, c := range []struct {
		name    string
		sent    rest.NewAgentToken
		pointer string // of the fault; empty: none
	}{
		{"a good one", rest.NewAgentToken{Name: "a1", Apps: []string{"default"}}, ""},
		{"no name", rest.NewAgentToken{Apps: []string{"default"}}, "/name"},
		{"the name of the bus", rest.NewAgentToken{Name: "bus", Apps: []string{"default"}}, "/name"},
		{"a name with a wildcard", rest.NewAgentToken{Name: "*", Apps: []string{"default"}}, "/name"},
		{"no application", rest.NewAgentToken{Name: "a1"}, "/apps"},
		{"an application with a wildcard", rest.NewAgentToken{Name: "a1", Apps: []string{"default", ">"}}, "/apps/1"},
		{"a pool with a dot", rest.NewAgentToken{Name: "a1", Apps: []string{"default"}, Pools: []string{"a.b"}}, "/pools/0"},
		{"too much for an account", rest.NewAgentToken{Name: "a1", Apps: many}, "/apps"},
		{"a negative lifetime", rest.NewAgentToken{Name: "a1", Apps: []string{"default"}, TTL: -1}, "/ttl"},
		{"a lifetime that overflows", rest.NewAgentToken{Name: "a1", Apps: []string{"default"}, TTL: 1 << 62}, "/ttl"},
	} {
		body, err := json.Marshal(c.sent)
		if err != nil {
			t.Fatal(err)
		}
		r := e.call("POST", "/agent-tokens", string(body), "Accept", "application/json")
		if c.pointer == "" {
			r.code(409, "no_agent_accounts")
			continue
		}
		if r.want(422); !strings.Contains(string(r.body), `"pointer":"`+c.pointer+`"`) {
			t.Errorf("%s: %s, want a fault of %s", c.name, r.body, c.pointer)
		}
	}
	e.call("GET", "/agent-tokens", "").code(409, "no_agent_accounts")
	e.call("DELETE", "/agent-token/a1", "").code(409, "no_agent_accounts")
}

package oidc

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// rule gives the members of a group a role.
type rule struct {
	group string // * for every user of the provider
	role  string
	app   string // [bus.DefaultApp]: all applications
}

const wantRule = "GROUP=ROLE or GROUP=ROLE@APPLICATION, such as jobs-admins=admin or clerks=operator@billing"

// parseRules parses rules such as clerks=operator@billing. The group ends at the
// last equals sign: names of groups may have some.
func parseRules(texts []string) (all []rule, err error) {
	for _, text := range texts {
		end := max(strings.LastIndex(text, "="), 0)
		role, app, inApp := strings.Cut(strings.TrimPrefix(text[end:], "="), "@")
		if !inApp {
			app = bus.DefaultApp
		}
		if end == 0 || bus.RoleRank(role) == 0 || inApp && (!subjects.ValidName(app) || app == bus.DefaultApp) {
			return nil, &bus.FieldError{Path: "oidc-roles", Want: wantRule, Got: text}
		}
		all = append(all, rule{strings.TrimSpace(text[:end]), role, app})
	}
	if len(all) == 0 {
		return nil, &bus.FieldError{Path: "oidc-roles", Want: "at least one rule, " + wantRule + "; without one nobody could log in"}
	}
	return all, nil
}

// rolesFor returns the roles of a user who is in groups, none if no rule
// applies. Of several roles in one application the highest counts.
func rolesFor(rules []rule, groups []string) map[string]string {
	all := map[string]string{}
	for _, r := range rules {
		if r.group != "*" && !slices.Contains(groups, r.group) {
			continue
		}
		if bus.RoleRank(r.role) > bus.RoleRank(all[r.app]) {
			all[r.app] = r.role
		}
	}
	// A role in one application replaces the general one. It must not be lower.
	for app, role := range all {
		if app != bus.DefaultApp && bus.RoleRank(role) <= bus.RoleRank(all[bus.DefaultApp]) {
			delete(all, app)
		}
	}
	return all
}

// claims are what a provider says of a user.
type claims map[string]json.RawMessage

// find returns a claim by its name, or by a path of names such as
// realm_access.roles.
func (c claims) find(name string) json.RawMessage {
	if v, ok := c[name]; ok {
		return v
	}
	first, rest, ok := strings.Cut(name, ".")
	if !ok {
		return nil
	}
	var inner claims
	if json.Unmarshal(c[first], &inner) != nil {
		return nil
	}
	return inner.find(rest)
}

// text returns a claim that is a text, or "".
func (c claims) text(name string) (s string) {
	_ = json.Unmarshal(c.find(name), &s) // leaves s empty for what is no text
	return s
}

// list returns a claim that is a list of texts, or one text.
func (c claims) list(name string) []string {
	raw := c.find(name)
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		return many
	}
	if one := c.text(name); one != "" {
		return []string{one}
	}
	return nil
}

// label returns the name that labels a user. An address of mail that the
// provider has not verified may be another person's.
func (c claims) label(name string) string {
	label := c.text(name)
	if verified := c.find("email_verified"); name == "email" && string(verified) != "true" && string(verified) != `"true"` {
		label = ""
	}
	if label == "" {
		label = c.text("sub")
	}
	return label
}

package oidc

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

func TestRules(t *testing.T) {
	for _, c := range []struct {
		name   string
		rules  []string
		groups []string
		want   string
	}{
		{"a group has a role", []string{"admins=admin"}, []string{"staff", "admins"}, "map[default:admin]"},
		{"no group has one", []string{"admins=admin"}, []string{"staff"}, "map[]"},
		{"a role in one application", []string{"clerks=operator@billing"}, []string{"clerks"}, "map[billing:operator]"},
		{"the highest role counts", []string{"a=watcher", "b=admin", "c=operator"}, []string{"a", "b", "c"}, "map[default:admin]"},
		{"a role in one application does not lower the general one", []string{"a=operator", "b=watcher@billing"}, []string{"a", "b"}, "map[default:operator]"},
		{"but it raises it", []string{"a=watcher", "b=admin@billing"}, []string{"a", "b"}, "map[billing:admin default:watcher]"},
		{"everybody", []string{"*=watcher", "a=admin"}, nil, "map[default:watcher]"},
		{"a name with equals signs", []string{"cn=jobs,dc=example=admin"}, []string{"cn=jobs,dc=example"}, "map[default:admin]"},
		{"a name with an at sign", []string{"a@b=admin"}, []string{"a@b"}, "map[default:admin]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules, err := parseRules(c.rules)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(rolesFor(rules, c.groups)); got != c.want {
				t.Errorf("roles are %s, want %s", got, c.want)
			}
		})
	}
	for _, wrong := range []string{"", "a", "=admin", "a=", "a=boss", "a=admin@", "a=admin@b/c", "a=admin@default", "a=admin@*"} {
		_, err := parseRules([]string{wrong})
		var field *bus.FieldError
		if !errors.As(err, &field) || field.Path != "oidc-roles" {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	if _, err := parseRules(nil); err == nil {
		t.Error("no rule was accepted")
	}
}

func TestClaims(t *testing.T) {
	var c claims
	if err := json.Unmarshal([]byte(`{"sub":"u-1","groups":["a","b"],"role":"a","realm":{"access":{"roles":["x"]}},"https://example.com/roles":["y"],
		"email":"ann@example.com","number":[1],"object":{}}`), &c); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"groups": "[a b]", "role": "[a]", "realm.access.roles": "[x]", "https://example.com/roles": "[y]",
		"none": "[]", "none.none": "[]", "number": "[]", "object": "[]", "realm": "[]", "sub.x": "[]"} {
		if got := fmt.Sprint(c.list(name)); got != want {
			t.Errorf("the claim %s has %s, want %s", name, got, want)
		}
	}
	if got := c.label("email"); got != "u-1" {
		t.Errorf("an address that nobody verified labels the user: %s", got)
	}
	c["email_verified"] = json.RawMessage("true")
	if got := c.label("email"); got != "ann@example.com" {
		t.Errorf("the label is %s", got)
	}
}

func TestNew(t *testing.T) {
	good := Config{Issuer: "https://login.example.com/realm", ClientID: "jobs", PublicURL: "http://127.0.0.1:45102", Roles: []string{"*=watcher"}}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
	for flag, change := range map[string]func(*Config, string){
		"oidc-issuer": func(c *Config, v string) { c.Issuer = v },
		"public-url":  func(c *Config, v string) { c.PublicURL = v },
	} {
		for _, wrong := range []string{"", "jobs.example.com", "http://jobs.example.com", "ftp://localhost", "https://me:secret@jobs.example.com", "https://jobs.example.com?a", "https://jobs.example.com#a", "https:jobs"} {
			c := good
			change(&c, wrong)
			_, err := New(c)
			var field *bus.FieldError
			if !errors.As(err, &field) || field.Path != flag || field.Got != "" {
				t.Errorf("%s %q: %v", flag, wrong, err)
			}
		}
	}
	good.ClientID = ""
	if _, err := New(good); err == nil {
		t.Error("no client id was accepted")
	}
}

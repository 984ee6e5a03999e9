package cli

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestContexts(t *testing.T) {
	e := newEnv(t)
	var all strings.Builder
	for _, line := range []string{
		"context list", "context show", "context add prod --server https://jobs.example.com --app billing --description Production",
		"context add test --server http://127.0.0.1:1", "context list", "context show", "context select test", "context show prod", "context select none",
		"context add prod --server ftp://x", "context add ../x --server http://h:1", "context add bare", "context delete test", "context list", "context delete test", "context lst",
	} {
		got := e.runOnce(t.Context(), strings.Fields(line)...)
		all.WriteString("$ jobstreamer " + line + "\n" + got.out + got.err)
	}
	checkGolden(t, "contexts", strings.ReplaceAll(strings.ReplaceAll(all.String(), e.dir, "DIR"), `\`, "/"))
}

func TestContextsKeepSecrets(t *testing.T) {
	e := newEnv(t)
	all := contexts{e.dir}
	if err := all.saveContext("prod", savedContext{Server: "http://h:1", Token: "geheim"}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(e.dir, "contexts", "prod.yaml"))
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v; want it readable for its owner only", info.Mode(), err)
	}
	for _, line := range []string{"context add prod --server http://h:2 --select", "context show prod", "context list", "context show"} {
		if got := e.runOnce(t.Context(), strings.Fields(line)...); strings.Contains(got.out+got.err, "geheim") || got.failed != nil {
			t.Errorf("%s: %+v", line, got)
		}
	}
	if is, err := all.loadContext("prod"); err != nil || is.Token != "geheim" || is.Server != "http://h:2" {
		t.Errorf("%+v, %v; want the new server with the token", is, err)
	}
}

// The command line overrides the environment, the environment a context, and a
// context the default.
func TestWhichServer(t *testing.T) {
	dir := t.TempDir()
	all := contexts{dir}
	for name, is := range map[string]savedContext{"prod": {Server: "http://prod:1", App: "billing"}, "test": {Server: "http://test:1"}} {
		if err := all.saveContext(name, is); err != nil {
			t.Fatal(err)
		}
	}
	if err := all.selectContext("prod"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name           string
		cli            CLI
		env            string
		wantURL, wantA string
	}{
		{"the selected context", CLI{}, "", "http://prod:1", "billing"},
		{"another context", CLI{context: "test"}, "", "http://test:1", ""},
		{"a server by flag", CLI{server: "http://flag:1"}, "", "http://flag:1", ""},
		{"a context of the environment", CLI{}, "JOBSTREAMER_CONTEXT=test", "http://test:1", ""},
		{"a server of the environment", CLI{}, "JOBSTREAMER_SERVER=http://env:1", "http://env:1", ""},
		{"a context by flag, and a server of the environment", CLI{context: "test"}, "JOBSTREAMER_SERVER=http://env:1", "http://test:1", ""},
		{"a server by flag with a context", CLI{context: "prod", server: "http://flag:1"}, "", "http://flag:1", "billing"},
		{"an application by flag", CLI{app: "shop"}, "JOBSTREAMER_APP=other", "http://prod:1", "shop"},
		{"an application of the environment", CLI{}, "JOBSTREAMER_APP=other", "http://prod:1", "other"},
	} {
		t.Run(c.name, func(t *testing.T) {
			name, value, _ := strings.Cut(c.env, "=")
			c.cli.Config = Config{Dir: dir, Env: map[string]string{name: value}}
			if is, err := c.cli.resolveContext(); err != nil || is.Server != c.wantURL || is.App != c.wantA {
				t.Errorf("%+v, %v; want %s %s", is, err, c.wantURL, c.wantA)
			}
		})
	}
	if _, err := (&CLI{context: "none", Config: Config{Dir: dir}}).resolveContext(); !errors.Is(err, errNoContext) || !strings.Contains(err.Error(), "prod, test") {
		t.Errorf("%v", err)
	}
}

// A token is sent only to the server to which it belongs.
func TestWhichToken(t *testing.T) {
	dir := t.TempDir()
	all := contexts{dir}
	for name, is := range map[string]savedContext{"prod": {Server: "http://prod:1", Token: "of-prod"}, "test": {Server: "http://test:1"}} {
		if err := all.saveContext(name, is); err != nil {
			t.Fatal(err)
		}
	}
	if err := all.selectContext("prod"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		cli  CLI
		env  string
		want string
	}{
		{"the context's", CLI{}, "", "of-prod"},
		{"of another context", CLI{context: "test"}, "", ""},
		{"not to another server", CLI{server: "http://flag:1"}, "", ""},
		{"nor of a context that was named", CLI{context: "prod", server: "http://flag:1"}, "", ""},
		{"nor of one of the environment", CLI{}, "JOBSTREAMER_SERVER=http://env:1", ""},
		{"the same server by flag", CLI{context: "prod", server: "http://prod:1"}, "", "of-prod"},
		{"of the environment", CLI{}, "JOBSTREAMER_TOKEN=of-env", "of-env"},
		{"by flag", CLI{token: "of-flag"}, "JOBSTREAMER_TOKEN=of-env", "of-flag"},
	} {
		t.Run(c.name, func(t *testing.T) {
			name, value, _ := strings.Cut(c.env, "=")
			c.cli.Config = Config{Dir: dir, Env: map[string]string{name: value}}
			if is, err := c.cli.resolveContext(); err != nil || is.Token != c.want {
				t.Errorf("%q, %v; want %q", is.Token, err, c.want)
			}
		})
	}
}

func TestATokenIsSentAndNotShown(t *testing.T) {
	var sent []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.Header.Get("Authorization"))
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(401)
		_, _ = w.Write([]byte(`{"title":"Unauthorized","status":401,"code":"login_required","detail":"this request needs a login"}`))
	}))
	t.Cleanup(srv.Close)
	e := newEnv(t)
	e.in = "geheim-1\n"
	for _, line := range []string{
		"context add prod --token - --server " + srv.URL, "context add prod --token geheim-1 --server " + srv.URL, "context show", "context list -o json",
		"job list", "job list --token geheim-2", "job list --token geheim-ä", "context add other --token geheim-ä --server " + srv.URL,
	} {
		got := e.runOnce(t.Context(), strings.Fields(line)...)
		if strings.Contains(got.out+got.err, "geheim") {
			t.Errorf("%s: %+v", line, got)
		}
		if strings.HasPrefix(line, "job list") && !strings.Contains(line, "ä") && !strings.Contains(got.err, "this request needs a login\nThe token or key is no longer valid. Get a new token with `jobstreamer login USER") {
			t.Errorf("%s: %+v", line, got)
		}
	}
	if want := []string{"Bearer geheim-1", "Bearer geheim-2"}; !slices.Equal(sent, want) {
		t.Errorf("sent %q, want %q", sent, want)
	}
}

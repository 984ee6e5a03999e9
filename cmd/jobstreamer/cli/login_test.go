package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi"
)

const secret = "correct horse"

// withLogins runs a control bus that requires a login and has an admin.
func withLogins(t *testing.T) *env {
	t.Helper()
	e, _ := withBus(t, func(c *httpapi.Config) {
		c.RequireLogin = true
		if err := c.Logins.Add(t.Context(), "admin", secret, map[string]string{bus.DefaultApp: bus.RoleAdmin}); err != nil {
			t.Fatal(err)
		}
	})
	return e
}

var (
	keys     = regexp.MustCompile(`js_[A-Z2-7]{26}`)
	keyNames = regexp.MustCompile(`key-[0-9a-f]{8}`)
	keyTimes = regexp.MustCompile(`(\d{4}-\d\d-\d\d )?\d\d:\d\d(:\d\d)?`)
	hosts    = regexp.MustCompile(`127\.0\.0\.1([:-])\d+`)
)

// TestLogins records the output of login, user and key commands in one file.
func TestLogins(t *testing.T) {
	e := withLogins(t)
	server := e.vars["JOBSTREAMER_SERVER"]
	delete(e.vars, "JOBSTREAMER_SERVER")
	var all strings.Builder
	try := func(line, in string) outcome {
		t.Helper()
		e.in = in
		got := e.runOnce(t.Context(), strings.Fields(strings.ReplaceAll(line, "URL", server))...)
		fmt.Fprintf(&all, "$ jobstreamer %s\n%s%s", line, got.out, got.err)
		if status := ExitStatus(got.failed); status != 0 {
			fmt.Fprintf(&all, "exit status %d\n", status)
		}
		return got
	}
	try("job list --server URL", "")
	try("login --server URL", "")
	try("login --browser --server URL", "")
	try("login admin --browser --server URL", "")
	try("login --password-stdin --server URL", "x")
	try("login admin --server URL", "")
	try("login admin --server URL --password-stdin", "wrong horse\n")
	try("login admin --server URL --password-stdin", "two\nlines\n")
	try("login nobody --server URL --password-stdin", secret)
	try("login admin --server URL --password-stdin", secret+"\n")
	contexts, err := filepath.Glob(filepath.Join(e.dir, "contexts", "*"))
	if err != nil || len(contexts) != 1 {
		t.Fatal(contexts, err)
	}
	if info, err := os.Stat(contexts[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	try("job list", "")
	try("job list --server URL", "")
	try("user create ann --role operator --in shop=admin --in x= --password-stdin", "password of ann\n")
	try("user create bob --role boss --password-stdin", "password of bob\n")
	try("user create bob --role watcher --in shop --password-stdin", "password of bob\n")
	try("user create bob --role watcher", "")
	try("user create bob --role watcher --password-stdin", "short\n")
	try("user create ann --role watcher --password-stdin", "password of ann\n")
	try("user list", "")
	try("user roles", "")
	try("user roles ann", "")
	try("user roles ann --role watcher --in shop= --in bill=operator", "")
	try("user roles nobody", "")
	try("user roles --role watcher", "")
	try("user roles admin --role watcher", "")
	try("user delete admin --yes", "")
	try("user create bob --role watcher --password-stdin", "Password2026\n")
	try("user password ann", "")
	try("user password ann --password-stdin", "password of ann\n")
	try("user password --password-stdin", "one line only\n")
	try("user password --password-stdin", "wrong horse\ncorrect donkey\n")
	try("user password --password-stdin", secret+"\nbob\n")
	try("user password --password-stdin", secret+"\nadmin2026\n")
	try("user password --password-stdin", secret+"\n"+secret+"\n")
	try("key create ann", "")
	key := keys.FindString(all.String())
	try("job list --token "+key, "")
	try("user list --token "+key, "")
	try("key create ann --name nightly --apps bill,shop --role watcher --ttl 720h", "")
	shown := keys.FindAllString(all.String(), -1)
	limited := shown[len(shown)-1]
	try("job list --app bill --token "+limited, "")
	try("job list --token "+limited, "")
	try("user roles --token "+limited, "")
	try("key create ann --token "+limited, "")
	try("key create ann --name nightly", "")
	try("key create ann --name .a --apps b/c --role watcher", "")
	try("key create ann --role boss", "")
	try("key create ann --ttl 1ms", "")
	try("key list ann", "")
	try("key list", "")
	try("key revoke ann nightly --yes", "")
	try("key revoke ann nightly --yes", "")
	try("job list --app bill --token "+limited, "")
	try("key create ann --name saved --save", "")
	try("user roles", "")
	try("logout", "")
	try("job list", "")
	try("logout", "")
	try("login admin --password-stdin", secret)
	try("key revoke ann", "")
	try("key revoke ann --yes", "")
	try("job list --token "+key, "")
	try("user delete ann --yes", "")
	try("user delete ann --yes", "")
	try("logout", "")
	text := hosts.ReplaceAllString(keys.ReplaceAllString(all.String(), "KEY"), "127.0.0.1${1}PORT")
	text = keyTimes.ReplaceAllString(keyNames.ReplaceAllString(text, "key-00000000"), "TIME")
	checkGolden(t, "logins", strings.ReplaceAll(text, e.dir, "DIR"))
	if strings.Contains(all.String(), secret) || strings.Contains(all.String(), "password of ann\n") {
		t.Error("a password was shown")
	}
}

// A login is saved in the context of its control bus and in no other.
func TestWhereALoginIsKept(t *testing.T) {
	e := withLogins(t)
	server := e.vars["JOBSTREAMER_SERVER"]
	delete(e.vars, "JOBSTREAMER_SERVER")
	try := func(line string) outcome {
		t.Helper()
		e.in = secret
		return e.runOnce(t.Context(), strings.Fields(line)...)
	}
	try("context add far --server http://127.0.0.1:1")
	try("context add near --app shop --server " + server + "/")
	if got := try("login admin --password-stdin --server " + server); got.failed != nil || !strings.Contains(got.out, "the token is saved in the context near") {
		t.Errorf("%+v", got)
	}
	for name, want := range map[string]bool{"far": false, "near": true} {
		if is, err := (contexts{e.dir}).loadContext(name); err != nil || (is.Token != "") != want {
			t.Errorf("%s: %+v, %v", name, is, err)
		}
	}
	if is, _ := (contexts{e.dir}).loadContext("near"); is.App != "shop" {
		t.Errorf("%+v", is)
	}
	if got := try("login admin --password-stdin --context far --server " + server); ExitStatus(got.failed) != ExitUsage {
		t.Errorf("%+v", got)
	}
	if got := try("login admin --password-stdin --context none"); got.failed == nil || !strings.Contains(got.err, "no such context") {
		t.Errorf("%+v", got)
	}
	// The selected context's server cannot be reached.
	if got := try("login admin --password-stdin"); ExitStatus(got.failed) != ExitAway {
		t.Errorf("%+v", got)
	}
	if got := try("job list --context near"); got.failed == nil || !strings.Contains(got.err, "no application shop") {
		t.Errorf("%+v", got)
	}
	if got := try("login admin --password-stdin --password " + secret); ExitStatus(got.failed) == 0 {
		t.Errorf("a password was taken from the command line: %+v", got)
	}
	e.vars["JOBSTREAMER_TOKEN"] = "old"
	if got := try("login admin --password-stdin --context near"); got.failed != nil || !strings.Contains(got.err, "JOBSTREAMER_TOKEN is set") {
		t.Errorf("%+v", got)
	}
}

func TestNoLoginIsNeeded(t *testing.T) {
	e, _ := withBus(t)
	got := e.runOnce(t.Context(), "login", "ann")
	if got.failed != nil || !strings.Contains(got.out, "requires no login") {
		t.Errorf("%+v", got)
	}
	if names, _ := (contexts{e.dir}).listNames(); len(names) > 0 {
		t.Errorf("%q", names)
	}
}

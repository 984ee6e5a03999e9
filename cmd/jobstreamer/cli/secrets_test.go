package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus/secrets"
	"github.com/job-streamer/job-streamer-control-bus/httpapi"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// recordedSecrets remembers the values that were set. Nothing else tells them.
type recordedSecrets struct {
	*secrets.Secrets
	values map[string]string // by application and name
}

func (s *recordedSecrets) Set(ctx context.Context, app, name, value, by string) (secrets.Info, bool, error) {
	i, created, err := s.Secrets.Set(ctx, app, name, value, by)
	if err == nil {
		s.values[app+"."+name] = value
	}
	return i, created, err
}

// withSecrets runs a control bus with a key for secrets.
func withSecrets(t *testing.T) (*env, *recordedSecrets) {
	t.Helper()
	s := &recordedSecrets{values: map[string]string{}}
	e, b := withBus(t, func(c *httpapi.Config) { c.Secrets = s })
	keys, err := secrets.CreateKeys(filepath.Join(t.TempDir(), "secret.keys"))
	if err != nil {
		t.Fatal(err)
	}
	s.Secrets = secrets.New(secrets.Config{Bus: b, Keys: keys})
	return e, s
}

func TestSecretCommands(t *testing.T) {
	e, s := withSecrets(t)
	run := func(in string, args ...string) outcome {
		e.in = in
		got := e.runOnce(t.Context(), args...)
		if strings.Contains(got.out+got.err, "hidden") {
			t.Errorf("%v shows the value: %s%s", args, got.out, got.err)
		}
		return got
	}
	file := filepath.Join(t.TempDir(), "value")
	if err := os.WriteFile(file, []byte("hidden one\nhidden two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := run("", "app", "create", "shop"); got.failed != nil {
		t.Fatalf("%+v", got)
	}
	if got := run("", "secret", "list"); !strings.Contains(got.out, "No secrets. Set one") {
		t.Errorf("%+v", got)
	}
	for name, c := range map[string]struct {
		in    string
		args  []string
		value string
	}{
		"FROM_INPUT": {"hidden\n", nil, "hidden"},
		"WINDOWS":    {"hidden\r\n", nil, "hidden"},
		"EXACT":      {" hidden \n\n", []string{"--file", "-"}, " hidden \n"},
		"FROM_FILE":  {"other", []string{"--file", file}, "hidden one\nhidden two"},
		"OF_SHOP":    {"hidden", []string{"--app", "shop"}, "hidden"},
	} {
		got := run(c.in, append([]string{"secret", "set", name}, c.args...)...)
		app := "default"
		if len(c.args) > 0 && c.args[0] == "--app" {
			app = "shop"
		}
		if got.failed != nil || got.out != "Secret "+name+" of the application "+app+" was set.\n" {
			t.Errorf("%s: %+v", name, got)
		}
		if value := s.values[app+"."+name]; value != c.value {
			t.Errorf("%s is %q, want %q", name, value, c.value)
		}
	}
	if got := run("", "secret", "list"); got.failed != nil || !strings.Contains(got.out, "FROM_FILE") || strings.Contains(got.out, "OF_SHOP") {
		t.Errorf("%+v", got)
	}
	if got := run("", "secret", "list", "-o", "json", "--app", "shop"); !strings.Contains(got.out, `"name": "OF_SHOP"`) || !strings.Contains(got.out, `"key_id"`) {
		t.Errorf("%+v", got)
	}
	for name, c := range map[string]struct {
		in, want string
		args     []string
	}{
		"a value on the command line": {"", "other users of the machine can read command lines", []string{"set", "A", "hidden"}},
		"a value in place of a name":  {"", "want the name of a secret", []string{"set", "hidden!"}},
		"no value":                    {"\n", "the value of A: want a value", []string{"set", "A"}},
		"NUL":                         {"hidden\x00", "want a value without NUL", []string{"set", "A"}},
		"a long value":                {strings.Repeat("hidden", 1<<20), "want at most 32768 bytes", []string{"set", "A"}},
		"no such file":                {"", "--file: open", []string{"set", "A", "--file", file + ".none"}},
		"a delete without a terminal": {"", "--yes", []string{"delete", "EXACT"}},
		"an unknown secret":           {"", "has no secret NONE", []string{"delete", "NONE", "--yes"}},
		"an unknown application":      {"hidden", "no application none", []string{"set", "A", "--app", "none"}},
	} {
		got := run(c.in, append([]string{"secret"}, c.args...)...)
		if got.failed == nil || !strings.Contains(got.err, c.want) {
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		}
	}
	longest := strings.Repeat("x", subjects.MaxSecret)
	if got := run(longest+"\r\n", "secret", "set", "LONGEST"); got.failed != nil || s.values["default.LONGEST"] != longest {
		t.Errorf("%+v, %d bytes", got, len(s.values["default.LONGEST"]))
	}
	if got := run("", "__complete", "secret", "delete", "FROM_"); !strings.HasPrefix(got.out, "FROM_FILE\nFROM_INPUT\n:4") {
		t.Errorf("%+v", got)
	}
	if got := run("", "secret", "delete", "EXACT", "--yes"); got.failed != nil || got.out != "Secret EXACT of the application default was deleted.\n" {
		t.Errorf("%+v", got)
	}
	if got := run("", "secret", "list"); strings.Contains(got.out, "EXACT") {
		t.Errorf("%+v", got)
	}
}

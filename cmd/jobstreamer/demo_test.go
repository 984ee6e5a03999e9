package main

import "testing"

// The command that the demo shows goes to the demo, wherever this user's
// commands go.
func TestDemoHint(t *testing.T) {
	home := t.TempDir()
	for _, c := range []struct {
		name, url string
		env       map[string]string
		login     bool
		want      string
	}{
		{name: "the usual port", url: "http://127.0.0.1:45102", want: ""},
		{name: "another port", url: "http://127.0.0.1:1", want: " --server http://127.0.0.1:1"},
		{name: "a login", url: "http://127.0.0.1:45102", login: true, want: " --token TOKEN"},
		{name: "commands go elsewhere", url: "http://127.0.0.1:45102", env: map[string]string{"JOBSTREAMER_SERVER": "http://h:1", "JOBSTREAMER_APP": "shop"},
			want: " --server http://127.0.0.1:45102 --app default"},
	} {
		p := &program{env: map[string]string{"HOME": home}}
		for k, v := range c.env {
			p.env[k] = v
		}
		if got, want := p.demoHint(c.url, c.login), "jobstreamer run three-steps -p to=you --follow"+c.want; got != want {
			t.Errorf("%s: %s, want %s", c.name, got, want)
		}
	}
	env := append(testEnv, "HOME="+home)
	if got := runCaptured(t.Context(), env, "context", "add", "prod", "--server", "http://prod:1"); got.code != exitOK {
		t.Fatalf("%+v", got)
	}
	p := &program{env: environmentMap(env)}
	if got, want := p.demoHint("http://127.0.0.1:45102", false), "jobstreamer run three-steps -p to=you --follow --server http://127.0.0.1:45102"; got != want {
		t.Errorf("with a selected context: %s, want %s", got, want)
	}
}

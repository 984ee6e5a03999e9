package main

import (
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// startProvider runs a real OpenID Connect provider in a process of its own:
// testdata/provider. Its users are ann (jobs-admins), bob (clerks) and eve
// (visitors).
func startProvider(t *testing.T, secret, redirectURI string) (issuer string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "provider")
	source, _ := filepath.Abs(filepath.Join("testdata", "provider"))
	load := exec.Command("go", "mod", "download")
	load.Dir = source
	if out, err := load.CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("the modules of the provider cannot be downloaded: %v\n%s", err, out)
		}
		t.Skipf("the modules of the provider cannot be downloaded: %v\n%s", err, out)
	}
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = source
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the provider: %v\n%s", err, out)
	}
	file := filepath.Join(t.TempDir(), "issuer")
	run := exec.Command(binary, file, secret, redirectURI)
	run.Stderr = os.Stderr
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = run.Process.Kill(); _ = run.Wait() })
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if text, err := os.ReadFile(file); err == nil && len(text) > 0 {
			return string(text)
		}
		if time.Now().After(end) {
			t.Fatal("the provider did not start within a minute")
		}
	}
}

// browser is a user's browser, which fills in the provider's login page.
type browser struct {
	*http.Client
	t *testing.T
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{&http.Client{Jar: jar, Timeout: time.Minute}, t}
}

func (b *browser) read(res *http.Response, err error) (status int, at *url.URL, body string) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res.StatusCode, res.Request.URL, string(text)
}

// logIn opens a page, which leads to the provider, and logs in there. It returns
// where that leads.
func (b *browser) logIn(page, user string) (status int, at *url.URL, body string) {
	b.t.Helper()
	status, at, body = b.read(b.Get(page))
	if form := regexp.MustCompile(`<form method="post" action="([^"]+)">`).FindStringSubmatch(body); form != nil {
		// The user has compared the codes and agrees.
		next, err := at.Parse(html.UnescapeString(form[1]))
		if err != nil {
			b.t.Fatal(err)
		}
		status, at, body = b.read(b.Post(next.String(), "application/x-www-form-urlencoded", nil))
	}
	id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(body)
	if status != 200 || id == nil {
		b.t.Fatalf("%s leads to %s, which is no login page: %d %s", page, at, status, body)
	}
	form := url.Values{"id": {id[1]}, "username": {user}, "password": {user + "'s password"}}
	return b.read(b.PostForm(at.Scheme+"://"+at.Host+"/login/username", form))
}

// get reads a page of the control bus as JSON.
func (b *browser) get(page string, into any) (status int) {
	b.t.Helper()
	r, _ := http.NewRequest("GET", page, nil)
	r.Header.Set("Accept", "application/json")
	status, _, body := b.read(b.Do(r))
	if into != nil {
		if err := json.Unmarshal([]byte(body), into); err != nil {
			b.t.Fatalf("%s = %d %s", page, status, body)
		}
	}
	return status
}

// oidcBus is a control bus whose users log in at a real provider.
func oidcBus(t *testing.T) *devBus {
	t.Helper()
	dir, address := t.TempDir(), freeAddress(t)
	files := map[string]string{"password": "correct horse\n", "secret": "the client's secret\n"}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	issuer := startProvider(t, "the client's secret", "http://"+address+"/oauth/sso/cb")
	d := startDev(t, t.TempDir(), "--http", address, "--login", "--admin-password-file", filepath.Join(dir, "password"),
		"--oidc-issuer", issuer, "--oidc-client-id", "jobstreamer", "--oidc-client-secret-file", filepath.Join(dir, "secret"),
		"--public-url", "http://"+address, "--oidc-roles", "jobs-admins=admin,clerks=operator@billing")
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		r, _ := http.NewRequestWithContext(ctx, "GET", d.rest+"/oauth/sso", nil)
		res, err := http.DefaultTransport.RoundTrip(r)
		cancel()
		if err == nil {
			res.Body.Close()
		}
		if err == nil && res.StatusCode == http.StatusFound {
			return d
		}
		if time.Now().After(end) {
			t.Fatalf("the control bus did not find the provider within a minute: %v", err)
		}
	}
}

// Users log in at a real provider: login page, callback, session, roles.
func TestLoginAtARealProvider(t *testing.T) {
	t.Parallel()
	d := oidcBus(t)
	var account struct {
		ID           string
		Applications map[string]struct{ Roles []string }
	}
	ann, bob, eve := newBrowser(t), newBrowser(t), newBrowser(t)
	if status, at, body := ann.logIn(d.rest+"/oauth/sso", "ann"); status != 200 || at.String() != d.rest+"/" {
		t.Fatalf("ann is at %s: %d %s", at, status, body)
	}
	ann.get(d.rest+"/account", &account)
	if account.ID != "sso.ann" || account.Applications["default"].Roles[0] != "admin" {
		t.Errorf("ann is %+v", account)
	}
	if status := ann.get(d.rest+"/users", nil); status != 200 {
		t.Errorf("ann reads the users: %d", status)
	}
	bob.logIn(d.rest+"/oauth/sso", "bob")
	bob.get(d.rest+"/account", &account)
	if account.ID != "sso.bob" || account.Applications["billing"].Roles[0] != "operator" || len(account.Applications["default"].Roles) != 0 {
		t.Errorf("bob is %+v", account)
	}
	if status := bob.get(d.rest+"/users", nil); status != 403 {
		t.Errorf("bob reads the users: %d", status)
	}
	if status, at, body := eve.logIn(d.rest+"/oauth/sso", "eve"); status != 403 || !strings.Contains(body, "no_role") {
		t.Errorf("eve is at %s: %d %s", at, status, body)
	}
	if status := eve.get(d.rest+"/account", nil); status != 401 {
		t.Errorf("eve is logged in: %d", status)
	}
	// The code of one browser in another.
	thief := newBrowser(t)
	victim := newBrowser(t)
	victim.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.Path, "/oauth/sso/cb") {
			return http.ErrUseLastResponse
		}
		return nil
	}
	status, at, body := victim.read(victim.Get(d.rest + "/oauth/sso"))
	id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(body)
	if id == nil {
		t.Fatal(status, at, body)
	}
	res, err := victim.PostForm(at.Scheme+"://"+at.Host+"/login/username", url.Values{"id": {id[1]}, "username": {"ann"}, "password": {"ann's password"}})
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	callback := res.Header.Get("Location")
	if status, _, body := thief.read(thief.Get(callback)); status != 400 || !strings.Contains(body, "login_not_completed") {
		t.Errorf("with a stolen code: %d %s", status, body)
	}
	victim.CheckRedirect = nil
	if status, _, body := victim.read(victim.Get(callback)); status != 200 {
		t.Errorf("the browser that began the login: %d %s", status, body)
	}
	if status, _, body := victim.read(victim.Get(callback)); status != 400 {
		t.Errorf("the same callback again: %d %s", status, body)
	}
}

// The command line logs in by a redirect to the loopback interface.
func TestLoginByBrowser(t *testing.T) {
	t.Parallel()
	d := oidcBus(t)
	env := append(testEnv, "HOME="+t.TempDir())
	logIn := func(user string) (code int, out, page string) {
		t.Helper()
		var printed, errs lockedBuffer
		ended := make(chan int, 1)
		go func() {
			ended <- runCommand(t.Context(), []string{"login", "--server", d.rest}, streams{strings.NewReader(""), &printed, &errs}, env)
		}()
		var at string
		for end := time.Now().Add(time.Minute); at == ""; time.Sleep(20 * time.Millisecond) {
			at = regexp.MustCompile(`http://\S+/oauth/sso\?\S+`).FindString(errs.String())
			if time.Now().After(end) {
				t.Fatalf("the command printed no URL: %s", errs.String())
			}
		}
		status, end, page := newBrowser(t).logIn(at, user)
		if status != 200 || end.Path != "/callback" {
			t.Errorf("the browser is at %s: %d %s", end, status, page)
		}
		select {
		case code = <-ended:
		case <-time.After(time.Minute):
			t.Fatalf("the command did not end: %s", errs.String())
		}
		return code, printed.String() + errs.String(), page
	}
	code, out, page := logIn("ann")
	if code != exitOK || !strings.Contains(out, "sso.ann is logged in at") || !strings.Contains(page, "you can close this page") {
		t.Fatalf("exit status %d, %s\npage: %s", code, out, page)
	}
	if got := runCaptured(t.Context(), env, "user", "list"); got.code != exitOK || !strings.Contains(got.out, "sso.ann") {
		t.Errorf("with the saved token: %+v", got)
	}
	code, out, page = logIn("eve")
	if code == exitOK || !strings.Contains(out, "none of your groups there has a role here") || !strings.Contains(page, "The login failed") {
		t.Errorf("eve: exit status %d, %s\npage: %s", code, out, page)
	}
}

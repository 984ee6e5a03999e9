package main

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/bus/login"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// The given password logs the admin in, also after a restart; other logins
// fail.
func TestDevWithLogin(t *testing.T) {
	t.Parallel()
	data, file := t.TempDir(), filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := startDev(t, data, "--demo", "--login", "--admin-password-file", file, "--session-timeout", "1h")
	token := logInto(t, d.rest)
	for range 2 {
		if _, err := d.Execution(t.Context(), "default", "three-steps", 1); client.Code(err) != "login_required" {
			t.Errorf("without a login: %v", err)
		}
		c, err := client.New(client.Config{URL: d.rest, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		// The demo was logged in too.
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			if _, err = c.Execution(t.Context(), "default", "three-steps", 1); err == nil || time.Now().After(end) {
				break
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := runCaptured(t.Context(), append(testEnv, "JOBSTREAMER_TOKEN="+token, "JOBSTREAMER_SERVER="+d.rest), "job", "list"); got.code != exitOK || !strings.Contains(got.out, "three-steps") {
			t.Errorf("job list: %+v", got)
		}
		d.endProcess(t)
		d = startDev(t, data, "--login") // no password is shown, so no terminal is needed
	}
}

// logInto logs in and returns the token.
func logInto(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Post(url+"/auth", "application/edn", strings.NewReader(`{:user/id "admin" :user/password "correct horse"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body := make([]byte, 100)
	n, _ := res.Body.Read(body)
	if res.StatusCode != 201 {
		t.Fatal(res.Status, string(body[:n]))
	}
	return string(body[9:45])
}

// loginCommands returns a login service on a bus of its own.
func loginCommands(t *testing.T) *login.Service {
	t.Helper()
	s := login.New(login.Config{Bus: bustest.Open(t, bustest.Server(t), bus.Config{})})
	bustest.RunBackground(t, s.Run)
	if err := s.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// A generated password is shown on the terminal, once, and is valid.
func TestFirstAdmin(t *testing.T) {
	s := loginCommands(t)
	var errs lockedBuffer
	var lines lockedBuffer
	log := slog.New(slog.NewTextHandler(&lines, nil))
	p := &program{streams: streams{err: &errs}}
	settings := &loginSettings{required: true}
	if _, err := p.firstAdmin(t.Context(), s, settings, log); err == nil || !strings.Contains(err.Error(), "--admin-password-file") || s.HasAdmin() {
		t.Errorf("no terminal shows it: %v", err)
	}
	p.terminal = true
	if _, err := p.firstAdmin(t.Context(), s, &loginSettings{}, log); err != nil || s.HasAdmin() {
		t.Errorf("no login is needed: %v", err)
	}
	for range 2 {
		if _, err := p.firstAdmin(t.Context(), s, settings, log); err != nil {
			t.Fatal(err)
		}
	}
	shown := regexp.MustCompile(`\n    (\S+)\n`).FindAllStringSubmatch(errs.String(), -1)
	if len(shown) != 1 {
		t.Fatalf("shown: %q", errs.String())
	}
	if _, err := s.Login(t.Context(), login.Attempt{ID: "admin", Password: shown[0][1]}); err != nil {
		t.Errorf("the password that was shown: %v", err)
	}
	// Each start that requires a login says which admins there are.
	if got := lines.String(); strings.Count(got, "admins=[admin]") != 2 || strings.Count(got, "first admin was created") != 1 || strings.Contains(got, shown[0][1]) {
		t.Errorf("in the log: %s", got)
	}
}

func TestPasswordFiles(t *testing.T) {
	s := loginCommands(t)
	file := filepath.Join(t.TempDir(), "password")
	p := &program{}
	for _, text := range []string{"", "short\n", "two\nlines of it\n", "password1\n"} {
		if text != "" {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := p.firstAdmin(t.Context(), s, &loginSettings{required: true, passwordFile: file}, slog.New(slog.DiscardHandler))
		if err == nil || s.HasAdmin() || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A file that all users of the machine can read is refused.
func TestPasswordFileOfOthers(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, refused := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: false, 0o644: true, 0o602: true, 0o604: true} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := readPassword(file); (err != nil) != refused {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}

// The bucket of sessions keeps each session as long as it can be valid.
func TestSessionsAreTakenAway(t *testing.T) {
	data := t.TempDir()
	d := startDev(t, data, "--session-timeout", "2h")
	nc, err := (&natsSettings{url: d.nats, keysDir: data}).dialNATS("test")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), jetio.BucketStream(subjects.SessionsBucket))
	if err != nil {
		t.Fatal(err)
	}
	if got := stream.CachedInfo().Config.MaxAge; got != login.KeepFor(2*time.Hour) || got < 2*time.Hour {
		t.Errorf("kept for %v", got)
	}
}

package main

import (
	"bytes"
	"context"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/cli"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
)

// shortDir is a folder with a path that is short enough for sockets.
func shortDir(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("sockets have other permissions there")
	}
	dir, err := os.MkdirTemp("", "js-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// A control bus on a Unix socket opens no port for its REST API. All commands
// reach it.
func TestUnixSocket(t *testing.T) {
	t.Parallel()
	dir, data := shortDir(t), t.TempDir()
	socket, ops := filepath.Join(dir, "bus.sock"), filepath.Join(dir, "ops.sock")
	args := []string{"dev", "--data", data, "--http", "unix:" + socket, "--ops", "unix:" + ops, "--nats", "127.0.0.1:0", "--sync", "interval"}
	c := startChild(t, args...)
	if c.rest != "unix:"+socket {
		t.Errorf("dev prints %s", c.rest)
	}
	for _, name := range []string{socket, ops} {
		if info, err := os.Lstat(name); err != nil || info.Mode() != fs.ModeSocket|0o600 {
			t.Errorf("%s: %v, %v, want a socket with mode 0600", name, info, err)
		}
	}
	contexts := "XDG_CONFIG_HOME=" + t.TempDir()
	file := filepath.Join(t.TempDir(), "hello.json")
	if err := os.WriteFile(file, []byte(helloJob), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(code int, want, line string) {
		t.Helper()
		o := runCaptured(t.Context(), append([]string{contexts}, testEnv...), strings.Fields(line)...)
		if o.code != code || !strings.Contains(o.out+o.err, want) {
			t.Errorf("%s: %+v, want %d and %q", line, o, code, want)
		}
	}
	run(exitOK, "hello created", "job apply --server unix:"+socket+" -f "+file)
	run(exitOK, "completed", "run hello --follow --server unix:"+socket)
	run(exitOK, "| hello", "logs hello --server unix:///"+socket)
	run(exitOK, "was added", "context add local --server unix:"+socket)
	run(exitOK, "unix:"+socket, "context show")
	run(exitOK, "hello", "job list")
	run(exitOK, "requires no login", "login ann")
	run(cli.ExitAway, "cannot reach the control bus at unix:"+dir+"/none: no such file or directory", "job list --server unix:"+dir+"/none")
	run(exitUsage, "or unix:/path/of/socket", "job list --server unix:bus.sock")

	over := func(socket string) *http.Client {
		return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}}}
	}
	for url, want := range map[string]int{"http://localhost/agents": 200, "http://evil.example/agents": 421} {
		if res, err := over(socket).Get(url); err != nil || res.StatusCode != want {
			t.Errorf("%s: %v, %v, want %d", url, res, err, want)
		}
	}
	for _, path := range []string{"/readyz", "/debug/pprof/"} {
		if res, err := over(ops).Get("http://localhost" + path); err != nil || res.StatusCode != 200 {
			t.Errorf("%s: %v, %v", path, res, err)
		}
	}

	second := childCommand(t, append(args, "--data", t.TempDir())...)
	if out, err := second.Output(); err == nil || !strings.Contains(second.err.String(), "another program answers on this socket") {
		t.Errorf("a second bus: %v, %s%s", err, out, second.err)
	}
	run(exitOK, "hello", "job list")

	_ = c.Process.Kill() // it leaves its sockets behind
	_ = c.Wait()
	if _, err := os.Lstat(socket); err != nil {
		t.Fatal(err)
	}
	c = startChild(t, append(args, "--socket-mode", "0660")...)
	run(exitOK, "hello", "job list")
	if info, err := os.Lstat(socket); err != nil || info.Mode() != fs.ModeSocket|0o660 {
		t.Errorf("%s: %v, %v, want a socket with mode 0660", socket, info, err)
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("it ended with %v: %s", err, c.err)
	}
	for _, name := range []string{socket, ops} {
		if _, err := os.Lstat(name); !os.IsNotExist(err) {
			t.Errorf("%s is there after the end: %v", name, err)
		}
	}
}

// A file that is no socket is never removed.
func TestSocketPathInUse(t *testing.T) {
	t.Parallel()
	file := filepath.Join(shortDir(t), "notes")
	if err := os.WriteFile(file, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel() // so that a bus that starts ends
	got := runCaptured(ended, testEnv, "serve", "--data", t.TempDir(), "--nats", "127.0.0.1:0", "--http", "unix:"+file)
	if got.code != exitError || !strings.Contains(got.err, "is not a socket") {
		t.Errorf("%+v", got)
	}
	if text, err := os.ReadFile(file); err != nil || !bytes.Equal(text, []byte("keep")) {
		t.Errorf("%q, %v", text, err)
	}
}

// Whoever connects to the socket has the role of their login.
func TestLoginOverUnixSocket(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte("correct horse"), 0o600); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(shortDir(t), "bus.sock")
	s := startServe(t, "--data", t.TempDir(), "--nats", "127.0.0.1:0", "--http", "unix:"+socket, "--login", "--admin-password-file", secret)
	c, err := client.New(client.Config{URL: s.rest})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := c.Login(ctx, "admin", "wrong"); client.Code(err) != "authentication_failed" {
		t.Errorf("a wrong password: %v", err)
	}
	if _, err := c.Login(ctx, "admin", "correct horse"); err != nil {
		t.Error(err)
	}
	if log := s.log.String(); !strings.Contains(log, `address="unix socket"`) {
		t.Errorf("the log does not tell where the failed login came from: %s", log)
	}
}

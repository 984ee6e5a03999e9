package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
)

// A server that is starting or stopping accepts a connection and resets it. The
// client then retries.
func TestAResetIsWaitedFor(t *testing.T) {
	t.Parallel()
	nats := bustest.Listening(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	resets := 2
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if resets > 0 {
				resets--
				_ = c.(*net.TCPConn).SetLinger(0) // so that Close resets the connection
				_ = c.Close()
				continue
			}
			go pipeConn(c, nats.Addr().String())
		}
	}()
	s := natsSettings{url: "nats://" + l.Addr().String()}
	nc, err := s.dialUntilUp(t.Context(), "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
}

func pipeConn(c net.Conn, to string) {
	defer func() { _ = c.Close() }()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	go io.Copy(server, c) //nolint:errcheck // the test checks the effect
	io.Copy(c, server)    //nolint:errcheck // likewise
}

func TestPasswordFile(t *testing.T) {
	write := func(text string) string {
		file := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	read, written, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	if _, err := written.WriteString("geheim"); err != nil {
		t.Fatal(err)
	}
	written.Close()
	for _, c := range []struct {
		name string
		is   natsSettings
		want string // part of the error; empty: none
	}{
		{"a file", natsSettings{user: "me", passwordFile: write("geheim\r\n")}, ""},
		{"a descriptor", natsSettings{user: "me", passwordFile: fmt.Sprintf("/dev/fd/%d", read.Fd())}, ""},
		{"no file", natsSettings{user: "me", passwordFile: "/none"}, "--nats-password-file: open /none"},
		{"an empty file", natsSettings{user: "me", passwordFile: write("\n")}, "the file contains no password"},
		{"without a user", natsSettings{passwordFile: write("geheim")}, "requires --nats-user"},
		{"two passwords", natsSettings{user: "me", password: "x", passwordFile: write("geheim")}, "cannot be combined with --nats-password"},
	} {
		if c.name == "a descriptor" && runtime.GOOS == "windows" {
			continue
		}
		for range 2 { // before each connection
			err := c.is.loadPassword()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %q", c.name, err, c.want)
			}
			if c.want == "" && c.is.password != "geheim" {
				t.Errorf("%s: the password is %q", c.name, c.is.password)
			}
		}
	}
}

// Half of a credential would leave the embedded NATS open, or without TLS.
func TestHalfGivenCredentials(t *testing.T) {
	t.Parallel()
	pem := filepath.Join(t.TempDir(), "some.pem")
	if err := os.WriteFile(pem, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel() // so that a bus that starts ends
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--nats-password", "geheim"}, "--nats-password requires --nats-user"},
		{[]string{"--nats-user", "me"}, "--nats-user requires --nats-password-file or --nats-password"},
		{[]string{"--nats-user", "me", "--nats-password-file", "/none"}, "--nats-password-file: open /none"},
		{[]string{"--nats-ca", pem}, "--nats-ca requires --nats-cert and --nats-key"},
		{[]string{"--nats-key", pem}, "--nats-cert and --nats-key must be set together"},
		{[]string{"--nats-cert", pem}, "--nats-cert and --nats-key must be set together"},
		{[]string{"--nats-cert", "/none", "--nats-key", pem}, "--nats-cert: open /none"},
		{[]string{"--nats-cert", pem, "--nats-key", pem, "--nats-ca", "/none"}, "--nats-ca: open /none"},
		{[]string{"--nats-url", "nats://127.0.0.1:1", "--nats-password", "geheim"}, "--nats-password requires --nats-user"},
		{[]string{"--nats-url", "nats://127.0.0.1:1", "--nats-creds", "/none"}, "--nats-creds: open /none"},
	} {
		got := runCaptured(ended, testEnv, append([]string{"serve", "--data", t.TempDir(), "--http", "127.0.0.1:0"}, c.args...)...)
		if got.code != exitUsage || !strings.Contains(got.err, c.want) || strings.Contains(got.err, "geheim") {
			t.Errorf("serve %q exits with %d and says %q, want %d and %q", c.args, got.code, got.err, exitUsage, c.want)
		}
	}
}

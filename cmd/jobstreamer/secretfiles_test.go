package main

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Files with secrets of NATS that all users can read are a warning; with
// --run-as, jobs could read them, so the agent refuses them.
func TestSecretFiles(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("files have no such permissions")
	}
	for mode, open := range map[os.FileMode]bool{0o600: false, 0o640: false, 0o644: true, 0o602: true} {
		file := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(file, []byte("geheim"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		for flag, is := range map[string]natsSettings{"--nats-creds": {creds: file}, "--nats-key": {key: file}, "--nats-password-file": {passwordFile: file}} {
			var lines bytes.Buffer
			log := slog.New(slog.NewTextHandler(&lines, nil))
			if err := is.checkSecretFiles("", log); err != nil {
				t.Errorf("%s, mode %04o: %v", flag, mode, err)
			}
			if got := lines.String(); strings.Contains(got, flag) != open || strings.Contains(got, "geheim") {
				t.Errorf("%s, mode %04o: log %q", flag, mode, got)
			}
			err := is.checkSecretFiles("nobody", log)
			if (err != nil) != open || open && !strings.Contains(err.Error(), flag+" "+file+": all users of the machine can use it") {
				t.Errorf("%s, mode %04o, with --run-as: %v", flag, mode, err)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "a1.creds")
	if err := os.WriteFile(file, []byte("geheim"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := runCaptured(t.Context(), testEnv, "agent", "--run-as", "nobody", "--nats-creds", file, "--data", t.TempDir())
	if o.code != exitUsage || !strings.Contains(o.err, "jobs that run as nobody could read it") {
		t.Errorf("an agent: exit code %d: %s", o.code, o.err)
	}
}

func TestProxyWarnings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		proxies string
		socket  bool
		want    string
	}{
		{"10.0.0.7", false, ""},
		{"10.0.0.0/24", false, ""},
		{"10.0.0.0/23", false, "wide network"},
		{"::ffff:10.0.0.0/119", false, "wide network"},
		{"::ffff:10.0.0.0/120", false, ""},
		{"2001:db8::/64", false, ""},
		{"2001:db8::/48", false, "wide network"},
		{"10.0.0.7,0.0.0.0/0", true, "wide network"},
		{"127.0.0.1", false, "loopback interface"},
		{"::1", false, "loopback interface"},
		{"127.0.0.1", true, ""},
		{"unix", true, ""},
	} {
		var lines bytes.Buffer
		s := accessSettings{proxies: strings.Split(c.proxies, ",")}
		var at net.Addr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
		if c.socket {
			at = &net.UnixAddr{Name: "/run/bus.sock", Net: "unix"}
		}
		s.warnOfProxies(at, slog.New(slog.NewTextHandler(&lines, nil)))
		if got := lines.String(); (got != "") != (c.want != "") || !strings.Contains(got, c.want) {
			t.Errorf("%+v: log %q", c, got)
		}
	}
}

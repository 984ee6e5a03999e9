package certfiles

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
)

// watched runs f in fake time while the files are watched.
func watched(t *testing.T, cfg Config, f func(t *testing.T, files *Files, log *bytes.Buffer)) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		cfg.Log, cfg.Listener = slog.New(slog.NewTextHandler(&log, nil)), "test"
		files, err := Load(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- files.Watch(ctx) }()
		f(t, files, &log)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// pool returns the certificates of a file.
func pool(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := parsePool(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// handshake returns the name of the server's certificate, and the error of the
// server.
func handshake(t *testing.T, server *tls.Config, client *tls.Config) (string, error) {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	for _, c := range []net.Conn{near, far} { // a pipe has no buffer: two alerts would block each other
		_ = c.SetDeadline(time.Now().Add(time.Second))
	}
	failed := make(chan error, 1)
	go func() {
		s := tls.Server(far, server)
		err := s.Handshake()
		if err == nil {
			_, err = s.Write([]byte("x"))
		}
		failed <- err
		_ = far.Close()
	}()
	client = client.Clone()
	client.ServerName = "localhost"
	c := tls.Client(near, client)
	name := ""
	if err := c.Handshake(); err == nil {
		name = c.ConnectionState().PeerCertificates[0].Subject.CommonName
		_, _ = c.Read(make([]byte, 1))
	}
	return name, <-failed
}

func moveFile(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAChangedCertificateIsUsed(t *testing.T) {
	a, dir := bustest.NewAuthority(t), t.TempDir()
	cert, key := a.Issue(t, dir, "old")
	client := &tls.Config{RootCAs: pool(t, a.File)}
	watched(t, Config{Cert: cert, Key: key}, func(t *testing.T, files *Files, log *bytes.Buffer) {
		server := files.ServerConfig()
		wants := func(name string) {
			t.Helper()
			synctest.Wait()
			if got, err := handshake(t, server, client); got != name || err != nil {
				t.Errorf("the certificate of %q, %v, want %s\n%s", got, err, name, log)
			}
		}
		wants("old")
		newCert, newKey := a.Issue(t, dir, "new")
		moveFile(t, newCert, cert)
		time.Sleep(checkInterval) // the certificate does not fit the key yet
		wants("old")
		moveFile(t, newKey, key)
		time.Sleep(checkInterval)
		wants("new")
		if strings.Contains(log.String(), "WARN") || strings.Count(log.String(), "the certificate was replaced") != 1 {
			t.Errorf("the log says\n%s", log)
		}
	})
}

func TestABrokenCertificateIsNotUsed(t *testing.T) {
	a, dir := bustest.NewAuthority(t), t.TempDir()
	cert, key := a.Issue(t, dir, "old")
	whole, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func(t *testing.T){
		"half written": func(t *testing.T) { writeFile(t, cert, string(whole[:len(whole)/2])) },
		"empty":        func(t *testing.T) { writeFile(t, cert, "") },
		"removed":      func(t *testing.T) { moveFile(t, cert, cert+".away") },
		"of another key": func(t *testing.T) {
			other, _ := a.Issue(t, t.TempDir(), "other")
			moveFile(t, other, cert)
		},
	} {
		t.Run(name, func(t *testing.T) {
			writeFile(t, cert, string(whole))
			watched(t, Config{Cert: cert, Key: key}, func(t *testing.T, files *Files, log *bytes.Buffer) {
				damage(t)
				time.Sleep(time.Hour)
				synctest.Wait()
				if n := strings.Count(log.String(), "WARN"); n != 1 || !strings.Contains(log.String(), cert) {
					t.Errorf("%d warnings, want 1 that names the file:\n%s", n, log)
				}
				got, err := handshake(t, files.ServerConfig(), &tls.Config{RootCAs: pool(t, a.File)})
				if got != "old" || err != nil {
					t.Errorf("the certificate of %q, %v, want the old one", got, err)
				}
				writeFile(t, cert, string(whole))
				time.Sleep(checkInterval)
				synctest.Wait()
				damage(t)
				time.Sleep(time.Hour)
				synctest.Wait()
				if n := strings.Count(log.String(), "WARN"); n != 2 {
					t.Errorf("%d warnings after a second fault, want 2:\n%s", n, log)
				}
			})
		})
	}
}

func TestCertificatesOfClients(t *testing.T) {
	a, b, dir := bustest.NewAuthority(t), bustest.NewAuthority(t), t.TempDir()
	cert, key := a.Issue(t, dir, "server")
	as := func(of *bustest.Authority) *tls.Config {
		cert, key := of.Issue(t, t.TempDir(), "client")
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		// The client sends the certificate even to a server that names other authorities.
		return &tls.Config{
			RootCAs: pool(t, a.File), ClientSessionCache: tls.NewLRUClientSessionCache(0),
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil },
		}
	}
	ofA, ofB, none := as(a), as(b), &tls.Config{RootCAs: pool(t, a.File)}
	ca := filepath.Join(dir, "ca.pem")
	first, err := os.ReadFile(a.File)
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(b.File)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, ca, string(first))
	watched(t, Config{Cert: cert, Key: key, CA: ca}, func(t *testing.T, files *Files, log *bytes.Buffer) {
		server := files.ServerConfig()
		wants := func(client *tls.Config, accepted bool) {
			t.Helper()
			synctest.Wait()
			if _, err := handshake(t, server, client); (err == nil) != accepted {
				t.Errorf("%v, want accepted: %v\n%s", err, accepted, log)
			}
		}
		wants(ofA, true)
		wants(ofB, false)
		wants(none, false)
		writeFile(t, ca, string(second))
		time.Sleep(checkInterval)
		wants(ofA, false)
		wants(ofB, true)
		wants(none, false)
		writeFile(t, ca, "no certificate")
		time.Sleep(time.Minute)
		wants(ofB, true)
		if !strings.Contains(log.String(), "contains no certificate") {
			t.Errorf("the log says\n%s", log)
		}
	})
}

func TestLoadNamesTheFault(t *testing.T) {
	a, dir := bustest.NewAuthority(t), t.TempDir()
	cert, key := a.Issue(t, dir, "one")
	_, other := a.Issue(t, dir, "two")
	none := filepath.Join(dir, "none.pem")
	for name, c := range map[string]struct {
		cfg  Config
		want string
	}{
		"no certificate":         {Config{Cert: none, Key: key}, "open " + none},
		"no key":                 {Config{Cert: cert, Key: none}, "open " + none},
		"a key of another":       {Config{Cert: cert, Key: other}, "private key does not match"},
		"the files are swapped":  {Config{Cert: key, Key: cert}, "certificate " + key},
		"authorities are a key":  {Config{Cert: cert, Key: key, CA: key}, "certificate authorities " + key},
		"authorities are absent": {Config{Cert: cert, Key: key, CA: none}, "open " + none},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Load(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

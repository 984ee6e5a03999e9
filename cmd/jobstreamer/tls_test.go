package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/cli"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// replaceWith replaces files by others, like a program that renews certificates.
func replaceWith(t *testing.T, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if err := os.Rename(pairs[i], pairs[i+1]); err != nil {
			t.Fatal(err)
		}
	}
}

// servedName returns the name in the certificate of a control bus. Each request
// has a connection of its own.
func servedName(url, ca string) (string, error) {
	roots, err := poolOf(ca)
	if err != nil {
		return "", err
	}
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}, Timeout: 20 * time.Second}
	res, err := c.Get(url + "/version")
	if err != nil {
		return "", err
	}
	res.Body.Close()
	return res.TLS.PeerCertificates[0].Subject.CommonName, nil
}

func poolOf(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, errors.New("no certificate")
	}
	return roots, nil
}

func TestRESTOverTLS(t *testing.T) {
	t.Parallel()
	a, dir := bustest.NewAuthority(t), t.TempDir()
	cert, key := a.Issue(t, dir, "first")
	d := startServe(t, "--data", t.TempDir(), "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0", "--http-cert", cert, "--http-key", key)
	if !strings.HasPrefix(d.rest, "https://127.0.0.1:") {
		t.Fatalf("serve prints %s", d.rest)
	}
	if name, err := servedName(d.rest, a.File); name != "first" || err != nil {
		t.Fatalf("%q, %v", name, err)
	}
	other := bustest.NewAuthority(t)
	port := strings.TrimPrefix(d.rest, "https://127.0.0.1:")
	contexts := "XDG_CONFIG_HOME=" + t.TempDir()
	for _, c := range []struct {
		env  []string
		args string
		code int
		want string
	}{
		{nil, "job list --server " + d.rest + " --server-ca " + a.File, exitOK, ""},
		{[]string{"JOBSTREAMER_SERVER_CA=" + a.File}, "app list --server " + d.rest, exitOK, "default"},
		{nil, "app list --server " + d.rest, cli.ExitAway, "set its PEM file with --server-ca"},
		{nil, "app list --server " + d.rest + " --server-ca " + other.File, cli.ExitAway, "an authority that this machine does not trust"},
		{nil, "app list --server " + d.rest + " --server-ca " + key, exitUsage, "contains no certificate"},
		{nil, "app list --server " + d.rest + " --server-ca /none.pem", exitUsage, "open /none.pem"},
		{nil, "app list --server http://127.0.0.1:" + port, exitError, "Use https:// in --server"},
		{[]string{contexts}, "context add own --server " + d.rest + " --server-ca " + a.File, exitOK, "added"},
		{[]string{contexts}, "app list", exitOK, "default"},
		{[]string{contexts}, "app list --server " + d.rest, exitOK, "default"},
		{[]string{contexts}, "context show", exitOK, a.File},
		{[]string{contexts}, "context add bad --server " + d.rest + " --server-ca " + key, exitUsage, "--server-ca: certificate authorities"},
	} {
		got := runCaptured(t.Context(), append(c.env, testEnv...), strings.Fields(c.args)...)
		if got.code != c.code || !strings.Contains(got.out+got.err, c.want) {
			t.Errorf("%v %s: %+v, want %d and %q", c.env, c.args, got, c.code, c.want)
		}
	}

	// New files are loaded while clients use the old ones.
	var good, bad atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	traffic := make(chan string, 1)
	go func() {
		failure := ""
		for ctx.Err() == nil {
			if _, err := servedName(d.rest, a.File); err != nil {
				bad.Add(1)
				failure = err.Error()
			} else {
				good.Add(1)
			}
		}
		traffic <- failure
	}()
	whole, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cert, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "the broken file is found", func() bool {
		return strings.Contains(d.log.String(), "the changed certificate cannot be used")
	})
	before := good.Load()
	waitUntil(t, "requests are answered", func() bool { return good.Load() > before+10 })
	newCert, newKey := a.Issue(t, dir, "second")
	replaceWith(t, newKey, key, newCert, cert)
	waitUntil(t, "the new certificate is used", func() bool {
		name, err := servedName(d.rest, a.File)
		return name == "second" && err == nil
	})
	stop()
	if failure := <-traffic; bad.Load() > 0 {
		t.Errorf("%d of %d requests failed: %s", bad.Load(), bad.Load()+good.Load(), failure)
	}
}

// The demo speaks to its own bus, whatever the certificate is for.
func TestDemoOverTLS(t *testing.T) {
	t.Parallel()
	a := bustest.NewAuthority(t)
	cert, key := a.Issue(t, t.TempDir(), "jobs.example.com")
	d := startDev(t, t.TempDir(), "--http-cert", cert, "--http-key", key, "--demo")
	api, err := client.New(client.Config{URL: d.rest, CAFile: a.File})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	waitUntil(t, "the demo has made its jobs", func() bool {
		_, _, err := api.Job(t.Context(), "default", demoJobs[len(demoJobs)-1].name)
		return err == nil
	})
}

// Servers whose certificates are refused.
func TestAdviceAboutCertificates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	answer := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	plain, named, expired := httptest.NewServer(answer), httptest.NewTLSServer(answer), httptest.NewUnstartedServer(answer)
	a := bustest.NewAuthority(t)
	pair, err := tls.LoadX509KeyPair(a.IssueUntil(t, dir, "old", time.Now().Add(-time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	expired.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	expired.StartTLS()
	for _, s := range []*httptest.Server{plain, named, expired} {
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		defer s.Close()
	}
	own := filepath.Join(dir, "named.pem")
	if err := os.WriteFile(own, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: named.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ server, ca, reason, advice string }{
		{strings.Replace(plain.URL, "http:", "https:", 1), a.File, "it does not speak TLS", "Use http:// in --server"},
		{strings.Replace(named.URL, "127.0.0.1", "localhost", 1), own, "its certificate is for example.com, *.example.com, 127.0.0.1, ::1, not for localhost", "Set --server to a name of the certificate"},
		{expired.URL, a.File, "its certificate is valid from 1999-01-01 00:00 UTC to ", "Renew the certificate"},
		{named.URL, a.File, "an authority that this machine does not trust", "--server-ca"},
	} {
		got := runCaptured(t.Context(), testEnv, "app", "list", "--server", c.server, "--server-ca", c.ca)
		if got.code != cli.ExitAway || !strings.Contains(got.err, c.reason) || !strings.Contains(got.err, c.advice) {
			t.Errorf("%s: %+v, want %q and %q", c.server, got, c.reason, c.advice)
		}
	}
}

func TestMistakesWithTLS(t *testing.T) {
	t.Parallel()
	a, dir := bustest.NewAuthority(t), t.TempDir()
	cert, key := a.Issue(t, dir, "one")
	_, other := a.Issue(t, dir, "two")
	ended, cancel := context.WithCancel(t.Context())
	cancel() // so that a bus that starts ends
	for _, c := range []struct {
		args string
		want string
	}{
		{"--http-cert " + cert, "--http-cert and --http-key must be set together"},
		{"--http-key " + key, "--http-cert and --http-key must be set together"},
		{"--http-cert " + cert + " --http-key /none", "--http-key: open /none"},
		{"--http-cert /none --http-key " + key, "--http-cert: open /none"},
		{"--http-cert " + cert + " --http-key " + other, "private key does not match"},
		{"--http-cert " + cert + " --http-key " + key + " --http unix:" + dir + "/bus.sock", "cannot be combined with a Unix socket"},
		{"--http unix:", "want the path of a socket"},
		{"--http unix:@abstract", "want the path of a socket"},
		{"--http unix:/tmp/" + strings.Repeat("x", 200), "the path of a socket may have at most"},
		{"--http 127.0.0.1:0 --socket-mode 0999", "--socket-mode 0999: want octal permissions"},
		{"--http 127.0.0.1:0 --socket-mode 01777", "--socket-mode 01777: want octal permissions"},
	} {
		for _, command := range []string{"serve", "dev"} {
			args := append([]string{command, "--data", t.TempDir(), "--nats", "127.0.0.1:0"}, strings.Fields(c.args)...)
			got := runCaptured(ended, testEnv, args...)
			if got.code != exitUsage || !strings.Contains(got.err, c.want) {
				t.Errorf("%q exits with %d and says %q, want %d and %q", args, got.code, got.err, exitUsage, c.want)
			}
		}
	}
}

// servedBus is a `jobstreamer serve` in this process.
type servedBus struct {
	rest, nats string
	stop       func()
	log        *lockedBuffer
}

// startServe starts a servedBus and waits until it is ready.
func startServe(t *testing.T, args ...string) *servedBus {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &servedBus{log: &lockedBuffer{}}
	ended := make(chan int, 1)
	args = append([]string{"serve", "--log-format", "text", "--sync", "interval"}, args...)
	go func() { ended <- runCommand(ctx, args, streams{strings.NewReader(""), s.log, s.log}, testEnv) }()
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if code := <-ended; code != exitOK {
			t.Errorf("serve ended with %d: %s", code, s.log)
		}
	}
	t.Cleanup(s.stop)
	ready := regexp.MustCompile(`control bus is ready.* http=(\S+) nats=(\S+)`)
	waitUntil(t, "serve is ready", func() bool {
		found := ready.FindStringSubmatch(s.log.String())
		if len(ended) > 0 {
			t.Fatalf("serve has ended: %s", s.log)
		}
		if found == nil {
			return false
		}
		s.rest, s.nats = found[1], found[2]
		return true
	})
	return s
}

// Agents with a certificate run jobs over TLS, others are refused. With agent
// accounts they need a token too. All sides load new files.
func TestNATSOverTLS(t *testing.T) {
	t.Parallel()
	servers, clients, dir := bustest.NewAuthority(t), bustest.NewAuthority(t), t.TempDir()
	cert, key := servers.Issue(t, dir, "bus")
	agentCert, agentKey := clients.Issue(t, dir, "agent")
	trusted := filepath.Join(dir, "clients.pem")
	copyFile(t, clients.File, trusted)
	data, address := t.TempDir(), freeAddress(t)
	flags := []string{
		"--data", data, "--http", "127.0.0.1:0", "--nats", address, "--agent-accounts",
		"--nats-cert", cert, "--nats-key", key, "--nats-ca", trusted,
	}
	s := startServe(t, flags...)
	creds := filepath.Join(dir, "a1.creds")
	if o := runCaptured(t.Context(), testEnv, "agent-token", "create", "a1", "--server", s.rest, "-o", creds); o.code != exitOK {
		t.Fatal(o)
	}
	api, err := client.New(client.Config{URL: s.rest})
	if err != nil {
		t.Fatal(err)
	}
	d := &devBus{Client: api}
	d.putJob(t, "hello", helloJob)

	as := func(more ...string) []string {
		return append([]string{"agent", "--name", "a1", "--nats-url", s.nats, "--data", t.TempDir(), "--heartbeat", "500ms"}, more...)
	}
	stranger, strangerKey := servers.Issue(t, dir, "stranger")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no authority":            {as("--nats-creds", creds, "--nats-cert", agentCert, "--nats-key", agentKey), "with --nats-ca"},
		"no certificate":          {as("--nats-creds", creds, "--nats-ca", servers.File), "with --nats-cert and --nats-key"},
		"another authority's":     {as("--nats-creds", creds, "--nats-ca", servers.File, "--nats-cert", stranger, "--nats-key", strangerKey), "with --nats-cert and --nats-key"},
		"a certificate, no token": {as("--nats-ca", servers.File, "--nats-cert", agentCert, "--nats-key", agentKey), "NATS refused the login"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		o := runCaptured(ctx, testEnv, c.args...)
		if ctx.Err() != nil || o.code == exitOK || !strings.Contains(o.err, c.want) {
			t.Errorf("%s: %+v, want %q", name, o, c.want)
		}
		cancel()
	}

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan outcome, 1)
	go func() {
		ended <- runCaptured(ctx, testEnv, as("--nats-creds", creds, "--nats-ca", servers.File, "--nats-cert", agentCert, "--nats-key", agentKey)...)
	}()
	defer func() { stop(); <-ended }()
	runsJob := func() {
		t.Helper()
		var e *rest.Execution
		waitUntil(t, "an execution was submitted", func() bool {
			var err error
			e, err = api.Submit(t.Context(), "default", "hello", client.Submission{Wait: 20 * time.Second})
			if err != nil && client.Code(err) != "unavailable" { // NATS is slow on a busy machine
				t.Fatalf("%v; the log of the bus:\n%s", err, s.log)
			}
			return err == nil
		})
		if e.BatchStatus != subjects.Completed {
			t.Fatalf("%+v; the log of the bus:\n%s", e, s.log)
		}
	}
	runsJob()

	// The server uses new files, and connections that exist go on.
	newCert, newKey := servers.Issue(t, dir, "new")
	replaceWith(t, newKey, key, newCert, cert)
	waitUntil(t, "NATS uses the new certificate", func() bool {
		name := ""
		nc, err := nats.Connect(s.nats, nats.RootCAs(servers.File), nats.ClientCert(agentCert, agentKey), nats.UserCredentials(creds), nats.CustomInboxPrefix(subjects.InboxPrefix("a1")))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if state, err := nc.TLSConnectionState(); err == nil {
			name = state.PeerCertificates[0].Subject.CommonName
		}
		return name == "new"
	})
	runsJob()

	// Another authority signs the certificates of clients. The agent reads its
	// own files again when it connects.
	others := bustest.NewAuthority(t)
	copyFile(t, others.File, trusted)
	newCert, newKey = others.Issue(t, dir, "renewed")
	replaceWith(t, newKey, agentKey, newCert, agentCert)
	s.stop()
	api.Close()
	s = startServe(t, flags...)
	if api, err = client.New(client.Config{URL: s.rest}); err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	runsJob()
	// The nats command gets a certificate too.
	home := t.TempDir()
	o := runCaptured(t.Context(), append([]string{"XDG_CONFIG_HOME=" + home}, testEnv...), "nats-context", "--data", data, "--nats-url", s.nats,
		"--nats-ca", servers.File, "--nats-cert", agentCert, "--nats-key", agentKey)
	if o.code != exitOK {
		t.Fatal(o)
	}
	text, err := os.ReadFile(filepath.Join(home, "nats", "context", "jobstreamer.json"))
	var is natsContext
	if err == nil {
		err = json.Unmarshal(text, &is)
	}
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(is.URL, nats.UserCredentials(is.Creds), nats.RootCAs(is.CA), nats.ClientCert(is.Cert, is.Key))
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	for flags, want := range map[string]string{
		"--nats-cert " + agentCert:                 "--nats-cert and --nats-key must be set together",
		"--nats-ca /none":                          "--nats-ca: open /none",
		"--nats-cert /none --nats-key " + agentKey: "--nats-cert: open /none",
	} {
		o := runCaptured(t.Context(), testEnv, append([]string{"nats-context", "--data", data}, strings.Fields(flags)...)...)
		if o.code != exitUsage || !strings.Contains(o.err, want) {
			t.Errorf("%s: %+v, want %q", flags, o, want)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A bus that asks for logins warns if passwords go over the network in the
// clear.
func TestWarningOfPlainText(t *testing.T) {
	t.Parallel()
	a := bustest.NewAuthority(t)
	cert, key := a.Issue(t, t.TempDir(), "bus")
	secret := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secret, []byte("correct horse"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, warns := range map[string]bool{
		"--http 0.0.0.0:0":                               true,
		"--http 127.0.0.1:0":                             false,
		"--http 0.0.0.0:0 --insecure":                    false,
		"--http 0.0.0.0:0 --trusted-proxy 10.0.0.1":      false,
		"--http 0.0.0.0:0 --http-cert C --http-key K":    false,
		"--http unix:" + filepath.Join(t.TempDir(), "s"): false,
	} {
		args = strings.NewReplacer(" C", " "+cert, " K", " "+key).Replace(args)
		s := startServe(t, append(strings.Fields(args), "--data", t.TempDir(), "--nats", "127.0.0.1:0", "--login", "--admin-password-file", secret)...)
		s.stop()
		if got := strings.Contains(s.log.String(), "without encryption"); got != warns {
			t.Errorf("%s warns: %v, want %v:\n%s", args, got, warns, s.log)
		}
	}
}

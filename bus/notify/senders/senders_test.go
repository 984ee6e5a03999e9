package senders

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// folder is a folder with a file of senders.
type folder struct {
	*testing.T
	dir string
}

func newFolder(t *testing.T) folder { return folder{t, t.TempDir()} }

func (f folder) write(name, text string) string {
	f.Helper()
	file := filepath.Join(f.dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		f.Fatal(err)
	}
	return file
}

// load loads a file with one sender, x.
func (f folder) load(settings string) (Sender, error) {
	f.Helper()
	set, _, err := Load(f.write("senders.yml", "x:\n  "+strings.ReplaceAll(settings, "\n", "\n  ")))
	return set["x"], err
}

func (f folder) mustLoad(settings string) Sender {
	f.Helper()
	s, err := f.load(settings)
	if err != nil {
		f.Fatal(err)
	}
	return s
}

// failed is a message about a failed execution.
func failed(kind string) *Message {
	return &Message{
		ID: "status-7-1", Kind: KindStatus, Type: kind, Time: 1_700_000_000_000, App: "shop", Job: "nächtlich", Key: "n-1",
		Execution: &subjects.Execution{
			ID: 17, App: "shop", Job: "n-1", BatchStatus: subjects.Failed, ExitStatus: "no <room> & more\nsecond line", Agent: "a1", StartTime: 1_700_000_000_000,
			Parameters:     map[string]string{"password": "parameter-secret"},
			StepExecutions: []subjects.StepExecution{{ID: 1, Step: "load", BatchStatus: subjects.Failed, ExitStatus: "1"}},
		},
	}
}

// receiver is an HTTP server that records what it gets.
type receiver struct {
	*httptest.Server
	status int
	got    []string
	header http.Header
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{status: 200}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.got, r.header = append(r.got, q.Method+" "+q.URL.String()+" "+string(body)), q.Header
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(r.status)
	}))
	t.Cleanup(r.Close)
	return r
}

func TestWebhook(t *testing.T) {
	f, r := newFolder(t), newReceiver(t)
	f.write("secret", "Bearer webhook-secret\n")
	s := f.mustLoad("kind: webhook\nurl: " + r.URL + "/hook?team=ops\nheader: Authorization\nsecret-file: secret")
	defer s.(*webhook).client.CloseIdleConnections()
	if err := s.Send(t.Context(), failed("x")); err != nil {
		t.Fatal(err)
	}
	want := `POST /hook?team=ops {"id":"status-7-1","kind":"status","type":"x","time":"2023-11-14T22:13:20.000Z",` +
		`"text":"shop/nächtlich: execution 17 is failed, exit status no \u003croom\u003e \u0026 more","app":"shop","job":"nächtlich",` +
		`"execution_id":17,"batch_status":"failed","exit_status":"no \u003croom\u003e \u0026 more\nsecond line","agent":"a1","start_time":"2023-11-14T22:13:20.000Z",` +
		`"steps":[{"step_name":"load","batch_status":"failed","exit_status":"1"}]}`
	if len(r.got) != 1 || r.got[0] != want || r.header.Get("Authorization") != "Bearer webhook-secret" || r.header.Get("Content-Type") != "application/json" {
		t.Errorf("got  %s\nwant %s\nheader %v", r.got, want, r.header)
	}
	f.write("secret", "Bearer other")
	if err := s.Send(t.Context(), failed("x")); err != nil || r.header.Get("Authorization") != "Bearer other" {
		t.Errorf("a changed secret: %v, %v", err, r.header)
	}
	for status, final := range map[int]bool{302: true, 307: true, 400: true, 404: true, 408: false, 429: false, 500: false, 503: false} {
		r.status = status
		if err := s.Send(t.Context(), failed("x")); err == nil || IsFinal(err) != final {
			t.Errorf("%d: %v", status, err)
		}
	}
	for _, got := range r.got {
		if !strings.HasPrefix(got, "POST /hook?") {
			t.Errorf("followed a redirect: %s", got)
		}
	}
	r.Close()
	err := s.Send(t.Context(), failed("x"))
	if err == nil || IsFinal(err) || strings.Contains(err.Error(), "hook") || strings.Contains(err.Error(), "other") {
		t.Errorf("without a receiver: %v", err)
	}
}

func TestWebhookTLS(t *testing.T) {
	f := newFolder(t)
	cert, key := f.writeCertificate()
	got := 0
	r := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got++ }))
	r.Config.ErrorLog = nil
	r.TLS = serverTLS(t, cert, key)
	r.StartTLS()
	defer r.Close()
	s := f.mustLoad("kind: webhook\nurl: " + r.URL + "\nca-file: " + cert)
	if err := s.Send(t.Context(), failed("x")); err != nil || got != 1 {
		t.Errorf("with the authority: %v, %d requests", err, got)
	}
	s.(*webhook).client.CloseIdleConnections()
	s = f.mustLoad("kind: webhook\nurl: " + r.URL)
	if err := s.Send(t.Context(), failed("x")); err == nil || got != 1 || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without the authority: %v, %d requests", err, got)
	}
	s.(*webhook).client.CloseIdleConnections()
}

func TestSlack(t *testing.T) {
	f, r := newFolder(t), newReceiver(t)
	f.write("url", r.URL+"/services/T0/B0/chat-secret\n")
	s := f.mustLoad("kind: slack\nurl-file: url")
	defer s.(*slack).client.CloseIdleConnections()
	if err := s.Send(t.Context(), failed("x")); err != nil {
		t.Fatal(err)
	}
	want := `POST /services/T0/B0/chat-secret {"text":"shop/nächtlich: execution 17 is failed, exit status no \u0026lt;room\u0026gt; \u0026amp; more"}`
	if len(r.got) != 1 || r.got[0] != want {
		t.Errorf("got  %s\nwant %s", r.got, want)
	}
	if kind, host := s.Target(); kind != "slack" || "http://"+host != r.URL {
		t.Errorf("target %s %s", kind, host)
	}
	r.Close()
	if err := s.Send(t.Context(), failed("x")); err == nil || strings.Contains(err.Error(), "chat-secret") {
		t.Errorf("without a receiver: %v", err)
	}
	f.write("url", "http://%zz/chat-secret")
	if err := s.Send(t.Context(), failed("x")); err == nil || strings.Contains(err.Error(), "chat-secret") {
		t.Errorf("with an invalid URL: %v", err)
	}
}

func TestMail(t *testing.T) {
	f := newFolder(t)
	cert, key := f.writeCertificate()
	f.write("password", "mail-secret\n")
	f.write("wrong", "other\n")
	for _, mode := range []string{tlsNone, tlsStart, tlsFull} {
		t.Run(mode, func(t *testing.T) {
			server := startMailServer(t, mode, cert, key)
			common := "kind: mail\nserver: " + server.address + "\ntls: " + mode + "\nca-file: " + cert + "\nuser: jobs\nfrom: JobStreamer <jobs@example.com>\n" +
				"to: [ops@example.com, Boss <boss@example.com>]\nallow-to: ['*@example.com', '*@later.example', '*@gone.example']\n"
			s := f.mustLoad(common + "password-file: password")
			if err := s.Send(t.Context(), failed("x")); err != nil {
				t.Fatal(err)
			}
			got := server.next()
			if got.From != "jobs@example.com" || strings.Join(got.To, " ") != "ops@example.com boss@example.com" || got.User != "jobs" || got.TLS != (mode != tlsNone) {
				t.Errorf("got %+v", got)
			}
			checkMail(t, got.Text)
			if err := s.Send(t.Context(), failed("x:ann@example.com")); err != nil {
				t.Fatal(err)
			}
			if got := server.next(); strings.Join(got.To, " ") != "ann@example.com" {
				t.Errorf("got %+v", got)
			}
			for kind, final := range map[string]bool{"x:a@later.example": false, "x:a@gone.example": true, "x:a@else.example": true, "x:a@example.com,b@example.com": true, "x:nobody": true} {
				if err := s.Send(t.Context(), failed(kind)); err == nil || IsFinal(err) != final {
					t.Errorf("%s: %v, final %v", kind, err, IsFinal(err))
				}
			}
			s = f.mustLoad(common + "password-file: wrong")
			if err := s.Send(t.Context(), failed("x")); err == nil || IsFinal(err) || strings.Contains(err.Error(), "other") {
				t.Errorf("with a wrong password: %v", err)
			}
		})
	}
	t.Run("a server without STARTTLS gets nothing", func(t *testing.T) {
		server := startMailServer(t, tlsNone, "", "")
		s := f.mustLoad("kind: mail\nserver: " + server.address + "\nto: [ops@example.com]\nfrom: jobs@example.com")
		if err := s.Send(t.Context(), failed("x")); err == nil {
			t.Error("sent without TLS")
		}
	})
	t.Run("an unknown authority gets nothing", func(t *testing.T) {
		server := startMailServer(t, tlsStart, cert, key)
		s := f.mustLoad("kind: mail\nserver: " + server.address + "\nto: [ops@example.com]\nfrom: jobs@example.com")
		if err := s.Send(t.Context(), failed("x")); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("error %v", err)
		}
	})
}

// checkMail checks the text of a mail about [failed].
func checkMail(t *testing.T, text string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"Auto-Submitted": "auto-generated", "Message-Id": "<status-7-1@jobstreamer.invalid>"} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	subject := m.Header.Get("Subject")
	if !strings.Contains(subject, "n=C3=A4chtlich") || !strings.Contains(text, "Execution:   17") || strings.Contains(text, "parameter-secret") {
		t.Errorf("mail:\n%s", text)
	}
}

// A message of a job with a strange name has no header of its own.
func TestMailHeaders(t *testing.T) {
	s := &mailer{from: "jobs@example.com"}
	m := failed("x")
	m.Job = "a\r\nBcc: victim@example.com\r\n\r\nbody"
	msg, err := s.compose(m, []string{"ops@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	parsed, err := mail.ReadMessage(&b)
	if err != nil || parsed.Header.Get("Bcc") != "" {
		t.Errorf("header %v, %v", parsed.Header, err)
	}
}

func TestFile(t *testing.T) {
	f := newFolder(t)
	f.write("secret", "s3cret")
	f.write("empty", "\n")
	f.write("lines", "a\nb\n")
	f.write("badurl", "ftp://h/s3cret")
	for text, want := range map[string]string{
		"kind: pigeon":                                                                    `x: kind: want webhook, slack or mail, not "pigeon"`,
		"kind: webhook":                                                                   "x: url: want a URL",
		"kind: webhook\nurl: ftp://h":                                                     "x: url: want a URL",
		"kind: webhook\nurl: http://me:pw@h":                                              "x: url: want no user and password",
		"kind: webhook\nurl: http://h\nto: [a]":                                           "x: to: a sender of kind webhook has url, header, secret-file, ca-file",
		"kind: webhook\nurl: http://h\nheader: Authorization":                             "x: header: want header and secret-file together",
		"kind: webhook\nurl: http://h\nheader: 'a b'\nsecret-file: secret":                "x: header: want a name",
		"kind: webhook\nurl: http://h\nheader: A\nsecret-file: none":                      "x: secret-file: stat",
		"kind: webhook\nurl: http://h\nheader: A\nsecret-file: empty":                     "want one line that is the secret",
		"kind: webhook\nurl: http://h\nheader: A\nsecret-file: lines":                     "want one line that is the secret",
		"kind: webhook\nurl: http://h\nca-file: secret":                                   "want certificates in PEM",
		"kind: webhook\nurll: http://h":                                                   "urll",
		"kind: slack":                                                                     "x: url-file: want the name of a file",
		"kind: slack\nurl-file: badurl":                                                   "x: url-file: want a URL",
		"kind: mail":                                                                      "x: server: want HOST",
		"kind: mail\nserver: h:x":                                                         "x: server: want a port",
		"kind: mail\nserver: h\ntls: maybe":                                               "x: tls: want starttls, tls or none",
		"kind: mail\nserver: mail.example.com\ntls: none":                                 "not to mail.example.com",
		"kind: mail\nserver: h\nuser: jobs":                                               "x: user: want user and password-file",
		"kind: mail\nserver: h\nfrom: nobody":                                             "x: from: want a mail address",
		"kind: mail\nserver: h\nfrom: a@b.c":                                              "x: to: want at least one",
		"kind: mail\nserver: h\nfrom: a@b.c\nto: [nobody]":                                "x: to: want mail addresses",
		"kind: mail\nserver: h\nfrom: a@b.c\nallow-to: ['*']":                             "x: allow-to: want patterns",
		"kind: mail\nserver: h\nfrom: a@b.c\nto: [a@b.c]\nuser: u\npassword-file: secret": "",
		"kind: mail\nserver: '[::1]:25'\ntls: none\nfrom: a@b.c\nto: [a@b.c]":             "",
		"kind: webhook\nurl: https://h/x?y\nheader: X-Token\nsecret-file: " + filepath.Join(f.dir, "secret"): "",
	} {
		_, err := f.load(text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) || err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, _, err := Load(f.write("name.yml", "healthcheck: {kind: slack, url-file: secret}")); err == nil || !strings.Contains(err.Error(), "want a name") {
		t.Errorf("a reserved name: %v", err)
	}
	if set, _, err := Load(f.write("none.yml", "# nothing yet\n")); err != nil || len(set) != 0 {
		t.Errorf("an empty file: %v, %v", set, err)
	}
	if _, secrets, err := Load(f.write("two.yml", "a: {kind: webhook, url: 'http://h', header: A, secret-file: secret}\nb: {kind: webhook, url: 'http://h', header: A, secret-file: secret}")); err != nil || len(secrets) != 1 {
		t.Errorf("secrets %v, %v", secrets, err)
	}
}

// writeCertificate writes a certificate for 127.0.0.1 that has signed itself.
func (f folder) writeCertificate() (cert, key string) {
	f.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		f.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		f.Fatal(err)
	}
	cert = f.write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	return cert, f.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})))
}

func serverTLS(t *testing.T, cert, key string) *tls.Config {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}
}

func TestRecipients(t *testing.T) {
	s := &mailer{to: []string{"ops@example.com"}, allowTo: []string{"*@example.com", "boss@other.example"}}
	for recipient, want := range map[string]bool{
		"": true, "ann@example.com": true, "ANN@Example.com": true, "boss@other.example": true,
		"ann@other.example": false, "ann@example.com.evil.example": false, "ann@evil.example, bob@example.com": false, "Ann <ann@example.com>": false, "example.com": false,
	} {
		if err := s.Accepts(recipient); (err == nil) != want || err != nil && !IsFinal(err) {
			t.Errorf("%q: %v", recipient, err)
		}
	}
	if s.to = nil; s.Accepts("") == nil {
		t.Error("a mail without a recipient is accepted")
	}
}

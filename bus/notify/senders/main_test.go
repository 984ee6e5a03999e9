package senders

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"
)

// smtpMode makes the test binary a mail server instead: it prints its address
// and then each mail, one JSON value a line, and ends with its standard input.
const smtpMode = "SMTP_SERVER_MODE"

func TestMain(m *testing.M) {
	if mode := os.Getenv(smtpMode); mode != "" {
		if err := serveSMTP(mode); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// receivedMail is what the mail server prints of a mail.
type receivedMail struct {
	From string
	To   []string
	User string // that logged in
	TLS  bool
	Text string
}

// serveSMTP is a mail server. It takes mails for example.com, and greylists
// later.example.
func serveSMTP(mode string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := smtp.NewServer(smtpBackend{})
	s.Domain, s.ReadTimeout, s.WriteTimeout = "mail.example.com", time.Minute, time.Minute
	s.AllowInsecureAuth = mode == tlsNone
	if mode != tlsNone {
		pair, err := tls.LoadX509KeyPair(os.Getenv("CERT_FILE"), os.Getenv("KEY_FILE"))
		if err != nil {
			return err
		}
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}}
	}
	fmt.Println(l.Addr())
	if mode == tlsFull {
		l = tls.NewListener(l, s.TLSConfig)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return s.Serve(l)
}

type smtpBackend struct{}

func (smtpBackend) NewSession(c *smtp.Conn) (smtp.Session, error) { return &smtpSession{conn: c}, nil }

type smtpSession struct {
	conn *smtp.Conn
	mail receivedMail
}

func (s *smtpSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *smtpSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "jobs" || password != "mail-secret" {
			return errors.New("invalid credentials")
		}
		s.mail.User = user
		return nil
	}), nil
}

func (s *smtpSession) Mail(from string, _ *smtp.MailOptions) error { s.mail.From = from; return nil }

func (s *smtpSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch {
	case strings.HasSuffix(to, "@later.example"):
		return &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 0}, Message: "greylisted"}
	case !strings.HasSuffix(to, "@example.com"):
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	}
	s.mail.To = append(s.mail.To, to)
	return nil
}

func (s *smtpSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.mail.Text = string(text)
	_, s.mail.TLS = s.conn.TLSConnectionState()
	return json.NewEncoder(os.Stdout).Encode(s.mail)
}

func (s *smtpSession) Reset()        { user := s.mail.User; s.mail = receivedMail{User: user} }
func (s *smtpSession) Logout() error { return nil }

// mailServer is a mail server in a process of its own.
type mailServer struct {
	t       *testing.T
	address string
	lines   *bufio.Scanner
}

func startMailServer(t *testing.T, mode, cert, key string) *mailServer {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), smtpMode+"="+mode, "CERT_FILE="+cert, "KEY_FILE="+key)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	s := &mailServer{t: t, lines: bufio.NewScanner(out)}
	if !s.lines.Scan() {
		t.Fatal("the mail server did not start")
	}
	s.address = s.lines.Text()
	return s
}

// next returns the next mail that the server has received.
func (s *mailServer) next() (m receivedMail) {
	s.t.Helper()
	if !s.lines.Scan() {
		s.t.Fatal("the mail server has ended")
	}
	if err := json.Unmarshal(s.lines.Bytes(), &m); err != nil {
		s.t.Fatal(err)
	}
	return m
}

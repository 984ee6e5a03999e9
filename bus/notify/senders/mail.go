package senders

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	netmail "net/mail"
	"path"
	"strings"
	"time"

	"github.com/wneessen/go-mail"
)

// mailTimeout bounds the sending of one message, from the connection on.
const mailTimeout = 25 * time.Second

// Values of tls of a sender of mail.
const (
	tlsStart = "starttls" // a plain connection that must switch to TLS
	tlsFull  = "tls"      // TLS from the first byte
	tlsNone  = "none"     // no TLS; only to loopback addresses
)

// mailer sends messages by SMTP.
type mailer struct {
	host, tls  string
	port       int
	user       string
	password   secretFile
	from       string
	to         []string
	allowTo    []string
	tlsConfig  *tls.Config
	clientName string // in HELO; empty: the host's
}

func (s *mailer) Target() (kind, host string) { return "mail", s.host }

// Accepts allows a recipient of its own if a pattern of allow-to matches.
func (s *mailer) Accepts(recipient string) error {
	if recipient == "" {
		if len(s.to) == 0 {
			return &Refusal{errors.New("the sender has no recipient (to): append one to the type, such as mail:ann@example.com")}
		}
		return nil
	}
	is, err := netmail.ParseAddress(recipient)
	if err != nil || is.Address != recipient {
		return &Refusal{fmt.Errorf("want a mail address, not %q", recipient)}
	}
	for _, pattern := range s.allowTo {
		if ok, _ := path.Match(strings.ToLower(pattern), strings.ToLower(recipient)); ok {
			return nil
		}
	}
	return &Refusal{fmt.Errorf("no pattern of allow-to matches the recipient %s", recipient)}
}

func (s *mailer) Send(ctx context.Context, m *Message) error {
	_, recipient := SplitType(m.Type)
	if err := s.Accepts(recipient); err != nil {
		return err
	}
	to := s.to
	if recipient != "" {
		to = []string{recipient}
	}
	msg, err := s.compose(m, to)
	if err != nil {
		return &Refusal{err}
	}
	client, err := s.newClient()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	return mailError(client.DialAndSendWithContext(ctx, msg))
}

// mailError marks what the mail server refused for good: a recipient or the
// text. A refused login is not final, since the operator can mend it.
func mailError(err error) error {
	var send *mail.SendError
	if errors.As(err, &send) && !send.IsTemp() && send.ErrorCode()/100 == 5 {
		return &Refusal{err}
	}
	return err
}

func (s *mailer) compose(m *Message, to []string) (*mail.Msg, error) {
	msg := mail.NewMsg()
	if err := msg.From(s.from); err != nil {
		return nil, err
	}
	if err := msg.To(to...); err != nil {
		return nil, err
	}
	msg.Subject("[jobstreamer] " + m.Subject())
	msg.SetDateWithValue(m.Time.Std())
	msg.SetMessageIDWithValue(m.ID + "@jobstreamer.invalid")
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no vacation notices, please
	msg.SetBodyString(mail.TypeTextPlain, m.body())
	return msg, nil
}

func (s *mailer) newClient() (*mail.Client, error) {
	opts := []mail.Option{mail.WithPort(s.port), mail.WithTimeout(mailTimeout), mail.WithTLSConfig(s.tlsConfig)}
	if s.clientName != "" {
		opts = append(opts, mail.WithHELO(s.clientName))
	}
	switch s.tls {
	case tlsFull:
		opts = append(opts, mail.WithSSL())
	case tlsStart:
		opts = append(opts, mail.WithTLSPolicy(mail.TLSMandatory))
	default:
		opts = append(opts, mail.WithTLSPolicy(mail.NoTLS))
	}
	if s.user != "" {
		password, err := s.password.read()
		if err != nil {
			return nil, err
		}
		auth := mail.SMTPAuthAutoDiscover
		if s.tls == tlsNone { // the library refuses passwords without TLS, unless it is told so
			auth = mail.SMTPAuthPlainNoEnc
		}
		opts = append(opts, mail.WithSMTPAuth(auth), mail.WithUsername(s.user), mail.WithPassword(password))
	}
	return mail.NewClient(s.host, opts...)
}

package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/bus/accounts"
	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/certfiles"
)

// natsSettings are the address of NATS and the credentials.
type natsSettings struct {
	url, creds, user, password, passwordFile, ca, cert, key string

	// keysDir is a folder with the keys of the accounts, for a command without
	// other credentials.
	keysDir string

	// advice says how to get credentials, for the error of a refused login.
	advice string
}

// addFlags defines the flags of a NATS client.
func (s *natsSettings) addFlags(f *pflag.FlagSet, url string) {
	f.StringVar(&s.url, "nats-url", url, "`URL` address of NATS, such as nats://127.0.0.1:4222; several addresses are separated by commas")
	s.addSecretFlags(f)
}

func (s *natsSettings) addSecretFlags(f *pflag.FlagSet) {
	f.StringVar(&s.creds, "nats-creds", "", "`FILE` NATS credentials file (JWT and key)")
	f.StringVar(&s.user, "nats-user", "", "`NAME` NATS user name")
	f.StringVar(&s.password, "nats-password", "", "`PASSWORD` NATS password; other users see it on a command line: better use "+envName("nats-password")+" or a file")
	f.StringVar(&s.passwordFile, "nats-password-file", "", "`FILE` file with the NATS password; /dev/fd/3 is file descriptor 3")
	f.StringVar(&s.ca, "nats-ca", "", "`FILE` PEM file with the trusted certificate authorities")
	f.StringVar(&s.cert, "nats-cert", "", "`FILE` PEM file with the certificate of this process")
	f.StringVar(&s.key, "nats-key", "", "`FILE` PEM file with the private key of --nats-cert")
}

// reconnectOptions returns the options of every connection. The client buffers
// nothing while it reconnects: a write that is sent late could pass a fence
// that was purged meanwhile.
func reconnectOptions(name string) []nats.Option {
	return []nats.Option{nats.Name(name), nats.ReconnectBufSize(-1), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond)}
}

// loadPassword reads the password from its file. It reads the file only once,
// because a file descriptor cannot be read again.
func (s *natsSettings) loadPassword() error {
	if s.passwordFile == "" {
		return nil
	}
	switch {
	case s.password != "":
		return usageError{errors.New("--nats-password-file cannot be combined with --nats-password")}
	case s.user == "":
		return usageError{errors.New("--nats-password-file requires --nats-user")}
	}
	text, err := os.ReadFile(s.passwordFile)
	if err != nil {
		return usageError{fmt.Errorf("--nats-password-file: %w", err)}
	}
	if s.password = strings.TrimRight(string(text), "\r\n"); s.password == "" {
		return usageError{fmt.Errorf("--nats-password-file %s: the file contains no password", s.passwordFile)}
	}
	s.passwordFile = ""
	return nil
}

// checkSecrets loads the password, and returns a usage error if a credential
// lacks its other half or a file cannot be read. The embedded NATS would go
// without what is half given: without logins, or without TLS.
func (s *natsSettings) checkSecrets() error {
	if err := s.loadPassword(); err != nil {
		return err
	}
	own := s.url == "" // embedded
	switch {
	case s.password != "" && s.user == "":
		return usageError{errors.New("--nats-password requires --nats-user")}
	case own && s.user != "" && s.password == "":
		return usageError{errors.New("--nats-user requires --nats-password-file or --nats-password")}
	case (s.cert == "") != (s.key == ""):
		return usageError{errors.New("--nats-cert and --nats-key must be set together")}
	case own && s.ca != "" && s.cert == "":
		return usageError{errors.New("--nats-ca requires --nats-cert and --nats-key; with it, the embedded NATS demands a certificate of each client")}
	}
	return cmp.Or(checkReadable("nats-creds", s.creds), checkReadable("nats-ca", s.ca),
		checkReadable("nats-cert", s.cert), checkReadable("nats-key", s.key))
}

// loadCertificate returns the certificate of the embedded NATS.
func (s *natsSettings) loadCertificate(log *slog.Logger) (*certfiles.Files, error) {
	files, err := certfiles.Load(certfiles.Config{Cert: s.cert, Key: s.key, CA: s.ca, Listener: "nats", Log: log})
	if err != nil {
		return nil, usageError{fmt.Errorf("--nats-cert, --nats-key, --nats-ca: %w", err)}
	}
	return files, nil
}

// connectOptions returns the options for the NATS that the settings name.
func (s *natsSettings) connectOptions(name string) ([]nats.Option, error) {
	if err := s.checkSecrets(); err != nil {
		return nil, err
	}
	opts := reconnectOptions(name)
	if s.creds != "" {
		opts = append(opts, nats.UserCredentials(s.creds))
	}
	if s.user != "" {
		opts = append(opts, nats.UserInfo(s.user, s.password))
	}
	if s.keysDir != "" && s.creds == "" && s.user == "" {
		asBus, err := connectAsBus(s.keysDir)
		if err != nil {
			return nil, err
		}
		opts = append(opts, asBus...)
	}
	if s.ca != "" {
		opts = append(opts, nats.RootCAs(s.ca))
	}
	if s.cert != "" {
		opts = append(opts, nats.ClientCert(s.cert, s.key))
	}
	return opts, nil
}

// connectAsBus returns the options of a connection to the bus's account, or
// none if the folder has no keys, or keys of another user.
func connectAsBus(dir string) ([]nats.Option, error) {
	keys, err := accounts.ReadKeys(dir)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	asBus, err := keys.ConnectBus()
	return []nats.Option{asBus}, err
}

// checkReadable returns a usage error if the file of a flag cannot be opened.
func checkReadable(flag, file string) error {
	if file == "" {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return usageError{fmt.Errorf("--%s: %w", flag, err)}
	}
	return f.Close()
}

// dialNATS connects once.
func (s *natsSettings) dialNATS(name string, more ...nats.Option) (*nats.Conn, error) {
	opts, err := s.connectOptions(name)
	if err != nil {
		return nil, err
	}
	nc, err := nats.Connect(s.url, append(opts, more...)...)
	if err != nil {
		return nil, fmt.Errorf("--nats-url %s: %w", agent.Redacted(s.url), explainDialError(err, s.advice))
	}
	return nc, nil
}

// dialOnce is dialNATS with a context. The client library itself ends only
// after two seconds for each address.
func (s *natsSettings) dialOnce(ctx context.Context, name string) (*nats.Conn, error) {
	type outcome struct {
		nc  *nats.Conn
		err error
	}
	done := make(chan outcome)
	go func() {
		nc, err := s.dialNATS(name)
		select {
		case done <- outcome{nc, err}:
		case <-ctx.Done():
			if err == nil {
				nc.Close()
			}
		}
	}()
	select {
	case o := <-done:
		return o.nc, o.err
	case <-ctx.Done():
		return nil, fmt.Errorf("--nats-url %s: %w", agent.Redacted(s.url), ctx.Err())
	}
}

// dialUntilUp retries until NATS accepts the connection, because machines start
// in any order.
func (s *natsSettings) dialUntilUp(ctx context.Context, name string, log *slog.Logger, more ...nats.Option) (*nats.Conn, error) {
	more = append(more,
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("lost the connection to NATS, reconnecting", "err", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { log.Info("reconnected to NATS", "url", nc.ConnectedUrlRedacted()) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { log.Error("NATS client error", "err", err) }),
	)
	for warned := false; ; {
		nc, err := s.dialNATS(name, more...)
		if err == nil || !isRetryable(err) {
			return nc, err
		}
		if !warned {
			log.Warn("cannot reach NATS, retrying", "url", agent.Redacted(s.url), "err", err)
			warned = true
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// isRetryable reports whether a later attempt can succeed: after any error of
// the network except an unknown host and a refused certificate. A server that
// is starting or stopping may accept a connection and reset it.
func isRetryable(err error) bool {
	var network *net.OpError
	var name *net.DNSError
	if tlsAlert(err) != nil {
		return false // a certificate is not accepted
	}
	return errors.Is(err, nats.ErrNoServers) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, io.EOF) ||
		errors.As(err, &network) && !errors.As(err, &name)
}

// tlsAlert returns why the server refused a TLS handshake, or nil.
func tlsAlert(err error) error {
	var network *net.OpError
	if errors.As(err, &network) && network.Op == "remote error" { // so crypto/tls marks an alert
		return network.Err
	}
	return nil
}

// explainDialError returns an error with a clearer text than the client
// library's. advice says how to get credentials.
func explainDialError(err error, advice string) error {
	var bad *url.Error
	switch {
	case errors.As(err, &bad): // it quotes the URL, which may contain a password
		return errors.New("invalid URL")
	case errors.Is(err, nats.ErrNoServers):
		return fmt.Errorf("no server answers at this address (%w)", err)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked), errors.Is(err, nats.ErrAccountAuthExpired):
		return fmt.Errorf("NATS refused the login: %s (%w)", cmp.Or(advice, "check --nats-creds or --nats-user"), err)
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return fmt.Errorf("an authority that this machine does not trust has signed the certificate of NATS; set the PEM file of the authority with --nats-ca (%w)", err)
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return fmt.Errorf("the certificate of NATS is refused: %w", err)
	case tlsAlert(err) != nil, errors.Is(err, nats.ErrTLS): // the connection may end before the alert is read
		return fmt.Errorf("NATS refused the TLS connection; if it demands a certificate from its clients, set one of its authority with --nats-cert and --nats-key (%w)", err)
	}
	return err
}

// Package certfiles serves TLS with a certificate in PEM files, and replaces the
// certificate when the files change, without a restart.
//
// It compares the content of the files every two seconds: modification times are
// too coarse, and a link to another folder, as in a secret of Kubernetes, changes
// them in its own way. New files count only as a whole. While the certificate
// does not fit the key, or a file is missing or half written, the old ones stay
// in use. Connections that exist keep what they have.
package certfiles

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// checkInterval is the interval between two checks whether the files have
// changed.
const checkInterval = 2 * time.Second

// Config names the files of one listener.
type Config struct {
	Cert, Key string
	CA        string       // authorities that sign the certificates of clients; empty: clients need none
	Listener  string       // name in the log
	Log       *slog.Logger // default: none
}

// Files are the certificate, the key and the authorities of a listener.
type Files struct {
	cfg     Config
	current atomic.Pointer[loaded]
	failure string // of the last check; empty: none
	warned  bool   // of failure
}

// loaded is a state of the files that can be used.
type loaded struct {
	text    [][]byte // of the files
	cert    *tls.Certificate
	clients *x509.CertPool // nil without Config.CA
}

// Load loads the files.
func Load(cfg Config) (*Files, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	f := &Files{cfg: cfg}
	l, err := f.load(nil)
	if err != nil {
		return nil, err
	}
	f.current.Store(l)
	return f, nil
}

// ServerConfig returns a configuration whose handshakes use the files that were
// loaded last. The versions and ciphers are Go's defaults.
func (f *Files) ServerConfig() *tls.Config {
	base := &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.current.Load().cert, nil },
	}
	if f.cfg.CA == "" {
		return base
	}
	base.ClientAuth = tls.RequireAndVerifyClientCert
	base.ClientCAs = f.current.Load().clients
	base.SessionTicketsDisabled = true // a resumed session would not ask the authorities again
	inner := base.Clone()
	base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		is := inner.Clone()
		is.ClientCAs = f.current.Load().clients
		return is, nil
	}
	return base
}

// ClientConfig returns a configuration for clients in this process. They accept
// no certificate but the one of the files, whatever names it is for.
func (f *Files) ClientConfig() *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true, // VerifyConnection is stricter
		VerifyConnection: func(s tls.ConnectionState) error {
			if !s.PeerCertificates[0].Equal(f.current.Load().cert.Leaf) {
				return errors.New("the server has another certificate than this process")
			}
			return nil
		},
	}
}

// Watch replaces the certificate when the files change, until ctx ends.
func (f *Files) Watch(ctx context.Context) error {
	tick := time.NewTicker(checkInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f.check()
		case <-ctx.Done():
			return nil
		}
	}
}

// check loads the files if they have changed. It warns of a failure once, and
// only if the next check fails in the same way: programs replace the files one
// after the other.
func (f *Files) check() {
	old := f.current.Load()
	l, err := f.load(old)
	switch {
	case err == nil:
		f.failure, f.warned = "", false
		if l != old {
			f.current.Store(l)
			f.cfg.Log.Info("the certificate was replaced", "listener", f.cfg.Listener, "file", f.cfg.Cert, "expires", l.cert.Leaf.NotAfter)
		}
	case err.Error() != f.failure:
		f.failure, f.warned = err.Error(), false
	case !f.warned:
		f.warned = true
		f.cfg.Log.Warn("the changed certificate cannot be used, the one before stays in use", "listener", f.cfg.Listener, "err", err)
	}
}

// load reads the files. It returns old if their content is the same.
func (f *Files) load(old *loaded) (*loaded, error) {
	l := &loaded{}
	names := []string{f.cfg.Cert, f.cfg.Key}
	if f.cfg.CA != "" {
		names = append(names, f.cfg.CA)
	}
	same := old != nil
	for i, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err // it names the file
		}
		same = same && bytes.Equal(text, old.text[i])
		l.text = append(l.text, text)
	}
	if same {
		return old, nil
	}
	cert, err := tls.X509KeyPair(l.text[0], l.text[1])
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", f.cfg.Cert, f.cfg.Key, err)
	}
	l.cert = &cert
	if f.cfg.CA != "" {
		if l.clients, err = parsePool(l.text[2]); err != nil {
			return nil, fmt.Errorf("certificate authorities %s: %w", f.cfg.CA, err)
		}
	}
	return l, nil
}

// parsePool returns the certificates of a PEM file.
func parsePool(text []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("the file contains no certificate in PEM form")
	}
	return pool, nil
}

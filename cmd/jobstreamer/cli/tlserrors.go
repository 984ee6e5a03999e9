package cli

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// tlsReason returns the reason why a certificate was refused, in fewer words
// than the library's.
func tlsReason(err error) error {
	var (
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return errors.New("an authority that this machine does not trust has signed its certificate")
	case errors.As(err, &host):
		return fmt.Errorf("its certificate is for %s, not for %s", namesIn(host.Certificate), host.Host)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("its certificate is valid from %s to %s", invalid.Cert.NotBefore.Format("2006-01-02 15:04 MST"), invalid.Cert.NotAfter.Format("2006-01-02 15:04 MST"))
	case isPlainAnswer(err):
		return errors.New("it does not speak TLS")
	}
	var verification *tls.CertificateVerificationError
	if errors.As(err, &verification) {
		return verification.Err
	}
	return err
}

// namesIn returns the names and addresses that a certificate is for.
func namesIn(c *x509.Certificate) string {
	names := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "no name"
	}
	return strings.Join(names, ", ")
}

// isPlainAnswer reports whether the server answered without TLS.
func isPlainAnswer(err error) bool {
	return errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, new(tls.RecordHeaderError))
}

// wantsTLS reports whether the server answered that it speaks TLS only. This is
// the answer of net/http to a request without TLS.
func wantsTLS(err error) bool {
	return strings.Contains(err.Error(), "Client sent an HTTP request to an HTTPS server")
}

// tlsAdvice returns what to do about a refused certificate, or "" if TLS is not
// the cause.
func (inv *invocation) tlsAdvice(err error) string {
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return "If the authority is your own, set its PEM file with --server-ca, JOBSTREAMER_SERVER_CA or `jobstreamer context add NAME --server URL --server-ca FILE`."
	case errors.As(err, new(x509.HostnameError)):
		return "Set --server to a name of the certificate, or give the control bus a certificate for this name (--http-cert)."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "Renew the certificate of the control bus, which loads the new file by itself, and check the clock of this machine."
	case isPlainAnswer(err):
		return "Use http:// in --server, or start the control bus with --http-cert and --http-key."
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return "Give the control bus another certificate (--http-cert)."
	}
	return ""
}

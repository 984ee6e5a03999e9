package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/certfiles"
)

// accessSettings define which browsers and networks may use the REST API.
type accessSettings struct {
	allowOrigin string
	hostNames   []string
	proxies     []string
	connections uint // of one address; 0: no limit
	insecure    bool
	ops         string // address of the listener for operators; empty: none
	cert, key   string // PEM files; empty: no TLS
	socketMode  string // octal
}

func (s *accessSettings) addFlags(f *pflag.FlagSet) {
	f.StringVar(&s.allowOrigin, "allow-origin", "", "`URL` origin whose pages may call the API from a browser (CORS), such as http://localhost:3000")
	f.StringSliceVar(&s.hostNames, "host-name", nil, "`NAMES` host names by which clients reach the API; without --login, only these, loopback names and the address of --http are accepted")
	f.StringSliceVar(&s.proxies, "trusted-proxy", nil, "`ADDRESSES` addresses or networks of proxies whose header X-Forwarded-For names the client; unix is whoever connects to a Unix socket")
	f.UintVar(&s.connections, "max-connections-per-address", 256, "`NUMBER` connections that one IP address may have to the API at once; further ones are closed; 0 means no limit; proxies of --trusted-proxy have none")
	f.StringVar(&s.ops, "ops", "", "`ADDRESS` address of a second listener for operators, such as 127.0.0.1:45103: health, readiness and metrics, without a login, and profiles for clients on this machine; port 0 picks a free port, unix:PATH is a Unix socket")
	f.StringVar(&s.cert, "http-cert", "", "`FILE` PEM file with the certificate of the REST API, followed by those of intermediate authorities; --http then speaks HTTPS only; a changed file is loaded without a restart")
	f.StringVar(&s.key, "http-key", "", "`FILE` PEM file with the private key of --http-cert")
	f.StringVar(&s.socketMode, "socket-mode", "0600", "`MODE` permissions of the Unix sockets of --http and --ops, in octal; with 0660 the group may connect")
	f.BoolVar(&s.insecure, "insecure", false, "allow --http beyond loopback without --login; everyone who can reach it can then run commands on all agents")
}

// checkFlags returns a usage error for flags that do not fit together.
func (s *accessSettings) checkFlags(http string) error {
	switch {
	case (s.cert == "") != (s.key == ""):
		return usageError{errors.New("--http-cert and --http-key must be set together")}
	case s.cert != "" && strings.HasPrefix(http, unixPrefix):
		return usageError{errors.New("--http-cert cannot be combined with a Unix socket, which no other machine can reach")}
	}
	_, err := s.socketPermissions()
	return cmp.Or(err, checkReadable("http-cert", s.cert), checkReadable("http-key", s.key))
}

// socketPermissions returns the mode of Unix sockets.
func (s *accessSettings) socketPermissions() (fs.FileMode, error) {
	mode, err := strconv.ParseUint(s.socketMode, 8, 32)
	if err != nil || mode > 0o777 {
		return 0, usageError{fmt.Errorf("--socket-mode %s: want octal permissions, such as 0660", s.socketMode)}
	}
	return fs.FileMode(mode), nil
}

// loadCertificate returns the certificate of the REST API, or nil without one.
func (s *accessSettings) loadCertificate(log *slog.Logger) (*certfiles.Files, error) {
	if s.cert == "" {
		return nil, nil
	}
	files, err := certfiles.Load(certfiles.Config{Cert: s.cert, Key: s.key, Listener: "http", Log: log})
	if err != nil {
		return nil, usageError{fmt.Errorf("--http-cert, --http-key: %w", err)}
	}
	return files, nil
}

// warnOfPlainText logs a warning if passwords and tokens go over a network
// without encryption. A trusted proxy is expected to have TLS.
func (s *accessSettings) warnOfPlainText(login bool, at net.Addr, log *slog.Logger) {
	if tcp, ok := at.(*net.TCPAddr); !login || s.insecure || s.cert != "" || len(s.proxies) > 0 || !ok || tcp.IP.IsLoopback() {
		return
	}
	log.Warn("passwords and tokens go over the network without encryption: set --http-cert and --http-key, or put a proxy with TLS in front and name it with --trusted-proxy", "http", at.String())
}

// warnOfProxies logs a warning for each trusted proxy behind whose name clients
// may hide: they could send the header X-Forwarded-For themselves.
func (s *accessSettings) warnOfProxies(at net.Addr, log *slog.Logger) {
	for _, text := range s.proxies {
		network, err := netip.ParsePrefix(text)
		if ip, err2 := netip.ParseAddr(text); err2 == nil {
			network, err = ip.Prefix(ip.BitLen())
		}
		if err != nil { // unix; the REST API refuses other texts
			continue
		}
		ip, bits, widest := network.Addr().Unmap(), network.Bits(), 64
		if ip.Is4() {
			widest = 24
			if network.Addr().Is4In6() {
				bits -= 96
			}
		}
		_, isTCP := at.(*net.TCPAddr)
		switch {
		case bits < widest:
			log.Warn("a trusted proxy is a wide network: each client in it can choose the address by which failed logins are counted; name single proxies",
				"trusted_proxy", text)
		case ip.IsLoopback() && isTCP:
			log.Warn("the loopback interface is a trusted proxy: each process of this machine can choose the address by which failed logins are counted; "+
				"on a machine with other users, let the proxy connect to a Unix socket (--http unix:PATH --trusted-proxy unix)", "trusted_proxy", text)
		}
	}
}

// checkExposed returns an error if everyone on the network could run commands
// and --insecure does not allow it.
func (s *accessSettings) checkExposed(login bool, http string, at net.Addr) error {
	tcp, ok := at.(*net.TCPAddr)
	if login || s.insecure || !ok || tcp.IP.IsLoopback() {
		return nil
	}
	return usageError{fmt.Errorf("--http %s: without --login, everyone who can reach this address can run commands on all agents; "+
		"add --login, listen on 127.0.0.1, or use --insecure if only trusted clients can reach it", http)}
}

// ownNames returns the names by which clients reach the control bus: those of
// --host-name, and the hosts of --http and of the listener's address.
func (s *accessSettings) ownNames(http string, at net.Addr) []string {
	names := slices.Clone(s.hostNames)
	if _, ok := at.(*net.TCPAddr); !ok {
		return names
	}
	for _, address := range []string{http, at.String()} {
		if host, _, err := net.SplitHostPort(address); err == nil && host != "" {
			names = append(names, host)
		}
	}
	return names
}

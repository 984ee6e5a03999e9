package main

import (
	"fmt"
	"net"
	"slices"

	"github.com/spf13/pflag"
)

// accessSettings define which browsers and networks may use the REST API.
type accessSettings struct {
	allowOrigin string
	hostNames   []string
	proxies     []string
	connections uint // of one address; 0: no limit
	insecure    bool
	ops         string // address of the listener for operators; empty: none
}

func (s *accessSettings) addFlags(f *pflag.FlagSet) {
	f.StringVar(&s.allowOrigin, "allow-origin", "", "`URL` origin whose pages may call the API from a browser (CORS), such as http://localhost:3000")
	f.StringSliceVar(&s.hostNames, "host-name", nil, "`NAMES` host names by which clients reach the API; without --login, only these, loopback names and the address of --http are accepted")
	f.StringSliceVar(&s.proxies, "trusted-proxy", nil, "`ADDRESSES` addresses or networks of proxies whose header X-Forwarded-For names the client")
	f.UintVar(&s.connections, "max-connections-per-address", 256, "`NUMBER` connections that one IP address may have to the API at once; further ones are closed; 0 means no limit; proxies of --trusted-proxy have none")
	f.StringVar(&s.ops, "ops", "", "`HOST:PORT` address of a second listener for operators, such as 127.0.0.1:45103: health, readiness and metrics, without a login, and profiles for clients on this machine; port 0 picks a free port")
	f.BoolVar(&s.insecure, "insecure", false, "allow --http beyond loopback without --login; everyone who can reach it can then run commands on all agents")
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
	for _, address := range []string{http, at.String()} {
		if host, _, err := net.SplitHostPort(address); err == nil && host != "" {
			names = append(names, host)
		}
	}
	return names
}

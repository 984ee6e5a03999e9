package main

import (
	"fmt"
	"net"
	"slices"

	"github.com/spf13/pflag"
)

// accessSettings say which browsers and networks may use the REST API.
type accessSettings struct {
	allowOrigin string
	hostNames   []string
	insecure    bool
}

func (s *accessSettings) addFlags(f *pflag.FlagSet) {
	f.StringVar(&s.allowOrigin, "allow-origin", "", "`URL` whose pages may use the API from a browser, such as http://localhost:3000 (CORS)")
	f.StringSliceVar(&s.hostNames, "host-name", nil, "`NAMES` by which clients reach it, needed without --login; loopback and its own address are known")
	f.BoolVar(&s.insecure, "insecure", false, "listen beyond loopback without --login: whoever reaches --http runs commands on all agents")
}

// checkExposed returns an error if the whole network could run commands, and
// nobody said that it may.
func (s *accessSettings) checkExposed(login bool, http string, at net.Addr) error {
	tcp, ok := at.(*net.TCPAddr)
	if login || s.insecure || !ok || tcp.IP.IsLoopback() {
		return nil
	}
	return usageError{fmt.Errorf("--http %s: whoever reaches this address could run commands on all agents; "+
		"add --login, listen on 127.0.0.1, or say --insecure if only friends reach it", http)}
}

// ownNames returns the names by which clients reach the control bus: those that
// were given, and those of the address as it was given and as it became.
func (s *accessSettings) ownNames(http string, at net.Addr) []string {
	names := slices.Clone(s.hostNames)
	for _, address := range []string{http, at.String()} {
		if host, _, err := net.SplitHostPort(address); err == nil && host != "" {
			names = append(names, host)
		}
	}
	return names
}

package httpapi

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// A browser sends requests for any page to any address that it reaches, the
// loopback interface included. Two checks tell such requests from those of
// programs:
//
//   - The origin check refuses a request that may change something if the
//     browser says that it comes from a page of another origin. That holds for
//     every request without a valid token or key, so a body without a
//     Content-Type can count as JSON.
//   - The host check refuses requests for hosts that are not this control bus.
//     It stops DNS rebinding, where the name of the page itself resolves to the
//     address of the control bus. It is needed only without a login: a page of
//     another name has neither cookie nor token.

// hostError refuses a request for a host that is not this control bus.
type hostError struct{ name string }

func (e *hostError) Error() string {
	return fmt.Sprintf("the header Host names %s, which is not this control bus; if it is, start the control bus with --host-name %[1]s", e.name)
}

// checkHost returns an error if the request is for another host, and no login
// is needed.
func (s *Server) checkHost(r *http.Request) error {
	name := hostName(r.Host)
	if s.cfg.RequireLogin || s.hosts[name] || isOwnAddress(r, name) {
		return nil
	}
	return &hostError{name}
}

// isOwnAddress reports whether a host is a loopback name or address, or the
// address at which the request arrived. No browser leaves the host out.
func isOwnAddress(r *http.Request, host string) bool {
	if host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Unmap().IsLoopback() {
		return err == nil
	}
	own, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && own.AddrPort().Addr().Unmap().WithZone("") == ip.Unmap()
}

// hostName returns the host of a header Host in lower case, without the port.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

var dnsName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?$`)

// trustHosts returns the set of the names, or an error if one is not a name or
// an address.
func trustHosts(names []string) (map[string]bool, error) {
	trusted := map[string]bool{}
	for _, name := range names {
		if _, err := netip.ParseAddr(name); err != nil && !dnsName.MatchString(name) {
			return nil, &bus.FieldError{Path: "host-name", Want: "a name or an address without scheme and port, such as jobs.example.com", Got: name}
		}
		trusted[hostName(name)] = true
	}
	return trusted, nil
}

// trustOrigin returns a check that lets pages of an origin pass besides our
// own, or an error if no browser sends that origin. An empty origin is none.
func trustOrigin(origin string) (*http.CrossOriginProtection, error) {
	check := http.NewCrossOriginProtection()
	if origin == "" {
		return check, nil
	}
	u, err := url.Parse(origin)
	usual := map[string]string{"http": ":80", "https": ":443"}
	if err != nil || u.Host == "" || origin != u.Scheme+"://"+strings.ToLower(u.Host) || strings.ContainsAny(u.Host, "*, ") ||
		strings.HasSuffix(u.Host, ":") || usual[u.Scheme] != "" && strings.HasSuffix(u.Host, usual[u.Scheme]) || check.AddTrustedOrigin(origin) != nil {
		return nil, &bus.FieldError{Path: "allow-origin", Want: "one origin as browsers send it, scheme://host[:port] in lower case, such as http://localhost:3000", Got: origin}
	}
	return check, nil
}

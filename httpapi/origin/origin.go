// Package origin tells the requests of pages in a browser from those of
// programs.
//
// A browser sends requests for any page to any address that it reaches, the
// loopback interface included. Two checks hold pages back:
//
//   - [Policy.CheckOrigin] refuses a request that may change something if the
//     browser says that it comes from a page of another origin. It applies to
//     every request without a valid token or key, so a body without a
//     Content-Type can count as JSON.
//   - [Policy.CheckHost] refuses requests for hosts that are not this control
//     bus. It stops DNS rebinding, where the name of the page itself resolves to
//     the address of the control bus. It is needed only without a login: a page
//     of another name has neither cookie nor token.
package origin

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// ErrForeign means that a page of another origin sends the request.
var ErrForeign = errors.New("the request comes from a page of another origin")

// HostError refuses a request for a host that is not this control bus.
type HostError struct{ Name string }

func (e *HostError) Error() string {
	return fmt.Sprintf("the header Host names %s, which is not this control bus; if it is, start the control bus with --host-name %[1]s", e.Name)
}

// Policy says which pages may use the API, and for which hosts it answers.
type Policy struct {
	allowed string // origin of pages that may use the API besides its own
	check   *http.CrossOriginProtection
	hosts   map[string]bool
}

// New returns a policy that lets pages of one origin pass besides the API's
// own, unless the origin is empty. hosts are names and addresses of the control
// bus besides loopback and its own addresses. The error is a [bus.FieldError]
// of allow-origin or host-name.
func New(allowed string, hosts []string) (*Policy, error) {
	check, err := trustOrigin(allowed)
	if err != nil {
		return nil, err
	}
	trusted, err := trustHosts(hosts)
	return &Policy{allowed, check, trusted}, err
}

// CheckOrigin returns [ErrForeign] for a request that may change something and
// comes from a page of another origin.
func (p *Policy) CheckOrigin(r *http.Request) error {
	if p.check.Check(r) != nil {
		return ErrForeign
	}
	return nil
}

// CheckHost returns a [HostError] if the request is for another host.
func (p *Policy) CheckHost(r *http.Request) error {
	if name := hostName(r.Host); !p.hosts[name] && !isOwnAddress(r, name) {
		return &HostError{name}
	}
	return nil
}

// AllowPages sets the headers of an answer with which pages of the allowed
// origin send cookies and read answers.
func (p *Policy) AllowPages(h http.Header) {
	if p.allowed == "" {
		return
	}
	h.Set("Access-Control-Allow-Origin", p.allowed)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Expose-Headers", "ETag, Location")
	h.Add("Vary", "Origin")
}

// preflightAge is how long a browser may cache the answer to a preflight
// request. Browsers accept no longer time.
const preflightAge = 2 * time.Hour

// AnswerPreflight sets the headers that tell a browser what pages of the
// allowed origin may send. It reports whether the request is a preflight
// request, which needs nothing more than the headers.
func (p *Policy) AnswerPreflight(r *http.Request, h http.Header) bool {
	if p.allowed == "" || r.Method != http.MethodOptions {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "POST,GET,PUT,DELETE,OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Content-Type,Authorization,If-Match,If-None-Match,Idempotency-Key,Last-Event-ID")
	h.Set("Access-Control-Max-Age", strconv.Itoa(int(preflightAge.Seconds())))
	return true
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

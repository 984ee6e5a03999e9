package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
)

// Only this file uses Echo's context.

func newEcho(s *Server) *echo.Echo {
	e := echo.New()
	e.IPExtractor = s.proxies.findClient()
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		if !c.Response().Committed {
			s.writeProblem(c.Response(), c.Request(), err)
		}
	}
	e.Pre(s.checkPages) // before the router, which knows no OPTIONS
	e.Use(s.auditRequests)
	e.Use(s.recoverPanic)
	e.Use(s.checkAccess)    // after the router, which knows the route
	e.Use(redirectSlash(e)) // after admit: who has no login shall not find out what there is
	return e
}

// trustedProxies are the proxies whose header X-Forwarded-For is believed.
type trustedProxies struct {
	networks []netip.Prefix
	socket   bool // whoever connects to a Unix socket
}

// parseProxies returns the trusted proxies. The error is a [bus.FieldError].
func parseProxies(proxies []string) (trusted trustedProxies, err error) {
	for _, text := range proxies {
		if text == "unix" {
			trusted.socket = true
			continue
		}
		network, err := netip.ParsePrefix(text)
		if ip, err2 := netip.ParseAddr(text); err2 == nil {
			network, err = ip.Prefix(ip.BitLen())
		}
		if err != nil {
			return trusted, &bus.FieldError{Path: "trusted-proxy", Want: "an address, a network such as 10.0.0.0/8, or unix", Got: text}
		}
		if a := network.Addr(); a.Is4In6() && network.Bits() >= 96 { // as the addresses compared with it
			network = netip.PrefixFrom(a.Unmap(), network.Bits()-96)
		}
		trusted.networks = append(trusted.networks, network.Masked())
	}
	return trusted, nil
}

// socketClient is the address of clients of a Unix socket, which have none.
const socketClient = "unix socket"

// findClient returns the function that finds the address of a client: of the
// connection, or the last in X-Forwarded-For that is not a trusted proxy's.
func (p *trustedProxies) findClient() echo.IPExtractor {
	direct := echo.ExtractIPDirect()
	return func(r *http.Request) string {
		peer := direct(r)
		switch isSocket := peer == ""; {
		case isSocket && p.socket:
			return p.findForwarded(r.Header, socketClient)
		case isSocket:
			return socketClient
		case len(p.networks) == 0 || !p.trust(parseHop(peer)):
			return peer
		}
		return p.findForwarded(r.Header, peer)
	}
}

// findForwarded returns the client in the headers of a trusted proxy, which has
// the address peer. Where an entry is no address, the header is not believed.
// If all entries are trusted proxies, the client is the first of them.
func (p *trustedProxies) findForwarded(h http.Header, peer string) string {
	all := h.Values("X-Forwarded-For")
	if len(all) == 0 {
		return peer
	}
	hops := strings.Split(strings.Join(all, ","), ",")
	var first netip.Addr
	for _, hop := range slices.Backward(hops) {
		if first = parseHop(hop); !first.IsValid() {
			return peer
		}
		if !p.trust(first) {
			break
		}
	}
	return first.String()
}

func (p *trustedProxies) trust(ip netip.Addr) bool {
	return slices.ContainsFunc(p.networks, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// parseHop returns the address in an entry of X-Forwarded-For, which may have a
// port: some proxies write 192.0.2.1:4711 or [2001:db8::1]:4711. The result of
// other text is not valid.
func parseHop(text string) netip.Addr {
	text = strings.TrimSpace(text)
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at.Addr().Unmap().WithZone("")
	}
	if inner, ok := strings.CutPrefix(text, "["); ok {
		text = strings.TrimSuffix(inner, "]")
	}
	ip, _ := netip.ParseAddr(text) // the zero value at an error
	return ip.Unmap().WithZone("")
}

// checkPages applies [origin.Policy], but for the origins, which matter only to
// requests without a token: see authorizeRequest.
func (s *Server) checkPages(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, h := c.Request(), c.Response().Header()
		s.pages.AllowPages(h) // on errors too
		if !s.cfg.RequireLogin {
			if err := s.pages.CheckHost(r); err != nil {
				return err
			}
		}
		if s.pages.AnswerPreflight(r, h) {
			return c.NoContent(http.StatusOK)
		}
		return next(c)
	}
}

// recoverPanic turns a panic into an answer.
func (s *Server) recoverPanic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch v := recover(); {
			case v == nil:
			case isAbort(v):
				panic(v)
			case c.Response().Committed: // most likely the client left while it was being answered
				s.log.Warn("answer not sent completely", "route", c.Path(), "err", fmt.Sprint(v))
			default:
				s.log.Error("panic", "route", c.Path(), "err", fmt.Sprint(v), "stack", string(debug.Stack()))
				err = errPanic
			}
		}()
		return next(c)
	}
}

// auditRequests gives each request that changes something a record for the
// audit. It appends the row of a request that was refused before a handler was
// called; else the handler's route has done so, see audited.
func (s *Server) auditRequests(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		a, changes := s.actions[place{r.Method, c.Path()}]
		if !changes {
			return next(c)
		}
		rec := newRecord(a, c.RealIP(), func(name string) string { return pathValue(r.URL, c.Param(name)) })
		c.SetRequest(r.WithContext(context.WithValue(r.Context(), auditKey{}, rec)))
		err := next(c)
		s.settleRefused(rec, c.Response().Status, err)
		return err
	}
}

// pathValue returns a value from a path, decoded. The router leaves it encoded
// if the path has an encoded slash: see canonicalPath.
func pathValue(u *url.URL, v string) string {
	if u.RawPath != "" {
		if plain, err := url.PathUnescape(v); err == nil {
			return plain
		}
	}
	return v
}

// checkAccess refuses a request without the permission that its route needs.
func (s *Server) checkAccess(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		user, err := s.authorizeRequest(r, c.Path(), c.Param)
		if err != nil {
			return err
		}
		ctx := withAddress(r.Context(), c.RealIP())
		if user != nil {
			ctx = s.withLoginCheck(withUser(ctx, user), r, c.Path(), c.Param)
		}
		c.SetRequest(r.WithContext(ctx))
		return next(c)
	}
}

// redirectSlash redirects a path with a slash at its end to the route without
// the slash. Status 308 keeps method and body (RFC 9110 section 15.4.9).
func redirectSlash(e *echo.Echo) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			u := c.Request().URL
			// "//x" would lead to the host x.
			if !strings.HasSuffix(u.EscapedPath(), "/") || strings.HasPrefix(u.Path, "//") {
				return next(c)
			}
			probe := e.NewContext(c.Request(), nil)
			e.Router().Find(c.Request().Method, strings.TrimRight(echo.GetPath(c.Request()), "/"), probe)
			if probe.Path() == "" {
				return next(c)
			}
			to := url.URL{Path: strings.TrimRight(u.Path, "/"), RawPath: strings.TrimRight(u.RawPath, "/"), RawQuery: u.RawQuery}
			return c.Redirect(http.StatusPermanentRedirect, to.String())
		}
	}
}

// pathOf returns a path in the router's notation.
func pathOf(path string) string { return strings.NewReplacer("{", ":", "}", "").Replace(path) }

// isAbort reports whether a panic is net/http's own way to abort an answer.
func isAbort(v any) bool {
	err, ok := v.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

var errPanic = errors.New("panic")

// writeProblem answers a request that failed before a handler got it.
func (s *Server) writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	f, _ := negotiate(r.Header.Get, r.URL.Path, false)
	p := s.problemFor(r.Context(), err)
	for name, values := range p.GetHeaders() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(f.Media))
	w.WriteHeader(statusIn(f, r.Method, p.Status))
	if err := f.Write(w, p); err != nil {
		s.log.Debug("error answer not sent", "err", err)
	}
}

func newAPI(e *echo.Echo, version string) huma.API { return humaecho.New(e, apiConfig(version)) }

// serveDocument serves the OpenAPI document.
func serveDocument(e *echo.Echo, api huma.API) {
	doc := document(api)
	e.GET("/openapi.json", func(c echo.Context) error {
		if err := faultyQuery(c.Request().URL.RawQuery, nil, false); err != nil {
			return err
		}
		return c.Blob(http.StatusOK, "application/openapi+json", doc)
	})
}

// serveFrontPage serves /, with or without a login: the page holds nothing that
// needs a permission.
func (s *Server) serveFrontPage(e *echo.Echo) {
	s.needs[place{http.MethodGet, "/"}] = open
	text, page, links := s.frontPage()
	e.GET("/", func(c echo.Context) error {
		if err := faultyQuery(c.Request().URL.RawQuery, nil, false); err != nil {
			return err
		}
		c.Response().Header().Add("Vary", "Accept")
		switch accept := c.Request().Header.Get("Accept"); {
		case strings.Contains(accept, "text/html"):
			return c.HTML(http.StatusOK, page)
		case codec.JSON.Liked(accept, true) > 0:
			return c.JSON(http.StatusOK, links)
		}
		return c.String(http.StatusOK, text)
	})
}

// writerOf returns the writer of the answer.
func writerOf(ctx huma.Context) http.ResponseWriter { return humaecho.Unwrap(ctx).Response() }

// peekBody returns the beginning of the body without consuming it.
func peekBody(ctx huma.Context, limit int64) []byte {
	r := humaecho.Unwrap(ctx).Request()
	head, _ := io.ReadAll(io.LimitReader(r.Body, limit)) // what fails here fails again where it is read
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), r.Body), r.Body}
	return head
}

// limitBody returns the body of a request. If the body is larger than the
// limit, reading fails and the connection closes.
func limitBody(ctx huma.Context, limit int64) io.ReadCloser {
	c := humaecho.Unwrap(ctx)
	return http.MaxBytesReader(c.Response().Writer, c.Request().Body, limit)
}

// canonicalPath returns u with the one spelling of its path that the router
// compares: %6f01 becomes o01 (RFC 3986 section 6.2.2.2). A slash within a name
// stays encoded; then the router uses the whole path in its encoded form.
func canonicalPath(u *url.URL) *url.URL {
	segments := strings.Split(u.EscapedPath(), "/")
	slash := false
	for i, s := range segments {
		name, err := url.PathUnescape(s)
		if err != nil { // net/url has parsed it before
			return u
		}
		slash = slash || strings.Contains(name, "/")
		segments[i] = url.PathEscape(name)
	}
	same := *u
	same.RawPath = ""
	if slash {
		same.RawPath = strings.Join(segments, "/")
	}
	return &same
}

// frontLinks are the links of the front page, for people who know only the
// address.
var frontLinks = [][2]string{
	{"/" + bus.DefaultApp + "/jobs", "jobs of the application " + bus.DefaultApp},
	{"/executions", "executions, newest first"},
	{"/agents", "agents"},
	{"/apps", "applications"},
	{"/healthcheck", "200 if the control bus works"},
	{"/version", "the version of this control bus"},
	{"/openapi.json", "all routes, as OpenAPI"},
}

// frontPage returns the page as text and as HTML, and its links as values.
func (s *Server) frontPage() (text, page string, links map[string]string) {
	title := strings.TrimSpace("JobStreamer control bus " + s.cfg.Version)
	var t, h strings.Builder
	fmt.Fprintf(&t, "%s\n\n", title)
	fmt.Fprintf(&h, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>%[1]s</title>\n<h1>%[1]s</h1>\n<ul>\n", html.EscapeString(title))
	links = map[string]string{}
	for _, l := range frontLinks {
		fmt.Fprintf(&t, "  %-16s %s\n", l[0], l[1])
		fmt.Fprintf(&h, "<li><a href=\"%[1]s\">%[1]s</a> %[2]s\n", html.EscapeString(l[0]), html.EscapeString(l[1]))
		links[l[0]] = l[1]
	}
	const more = "The program jobstreamer is also a client of this API: jobstreamer --help"
	fmt.Fprintf(&t, "\n%s\n", more)
	fmt.Fprintf(&h, "</ul>\n<p>%s\n", more)
	return t.String(), h.String(), links
}

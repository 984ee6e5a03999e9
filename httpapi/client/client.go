// Package client speaks to the REST API of a control bus.
//
//	c, err := client.New(client.Config{URL: "http://localhost:45102"})
//	...
//	e, err := c.Submit(ctx, "default", "JOB-1", client.Submission{
//		Parameters: map[string]string{"date": "2026-11-24"},
//		Wait:       time.Minute,
//	})
//
// What the control bus refuses is a [*Problem], whose Code says why. Nothing is
// sent twice by itself; a submission with an idempotency key may be.
package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// DefaultURL is the address of a control bus with default settings.
const DefaultURL = "http://localhost:45102"

// maxError is how much of an answer that is no problem is in the error.
const maxError = 300

// Problem is the error with which the control bus refuses a request.
type Problem = rest.Problem

// Code returns the code of the [Problem] in err, empty if there is none.
func Code(err error) string {
	var p *Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}

// Config of a [Client].
type Config struct {
	// URL of the control bus: http://host:port, https://host:port or
	// unix:/path/of/socket; default [DefaultURL].
	URL string

	// CAFile is a PEM file with the authorities that sign the certificate of the
	// control bus; default: those of the system.
	CAFile string

	// HTTP is the client to use; default: one of its own. It should have no
	// Timeout, which would end streams too. It needs a URL with http or https,
	// and no CAFile.
	HTTP      *http.Client
	UserAgent string // default "jobstreamer-client"
	// A token of a login, or a key of a user, if the control bus asks for one;
	// it is never shown.
	Token string
}

// Client calls one control bus. Several goroutines may use it.
type Client struct {
	address string // of the control bus
	base    string // of the URLs of requests
	http    *http.Client
	agent   string
	token   string
	media   string    // of answers, if they are to be copied
	to      io.Writer // where they are copied to; nil: they are read
}

// New returns a client. It sends nothing yet.
func New(cfg Config) (*Client, error) {
	address := strings.TrimRight(cmp.Or(cfg.URL, DefaultURL), "/")
	c := &Client{address: address, base: address, http: cfg.HTTP, agent: cmp.Or(cfg.UserAgent, "jobstreamer-client"), token: cfg.Token}
	socket, isSocket := strings.CutPrefix(address, "unix:")
	if isSocket {
		socket = strings.TrimPrefix(socket, "//")
		c.base = "http://localhost"
	}
	u, err := url.Parse(c.base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || isSocket && !filepath.IsAbs(socket) {
		return nil, fmt.Errorf("control bus URL %q: want http://host:port, https://host:port or unix:/path/of/socket", cfg.URL)
	}
	if strings.ContainsFunc(c.token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		// The error does not show them: the rest may be a valid token.
		return nil, errors.New("token: want visible ASCII characters without spaces")
	}
	if c.http != nil {
		if isSocket || cfg.CAFile != "" {
			return nil, errors.New("Config.HTTP cannot be combined with a Unix socket or with Config.CAFile")
		}
		return c, nil
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = t.MaxIdleConns // there is one host, and many may ask at a time
	t.ResponseHeaderTimeout = 0            // an answer may wait for the end of an execution
	if isSocket {
		t.Proxy = nil
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}
	}
	if cfg.CAFile != "" {
		if t.TLSClientConfig, err = trustAuthorities(cfg.CAFile); err != nil {
			return nil, err
		}
	}
	c.http = &http.Client{Transport: t}
	return c, nil
}

// trustAuthorities returns a configuration that accepts certificates of the
// authorities in a PEM file only.
func trustAuthorities(file string) (*tls.Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("certificate authorities: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("certificate authorities %s: the file contains no certificate in PEM form", file)
	}
	return &tls.Config{RootCAs: roots}, nil
}

// URL returns the address of the control bus.
func (c *Client) URL() string { return c.address }

// HasToken reports whether the client sends a token or key.
func (c *Client) HasToken() bool { return c.token != "" }

// WithToken returns a client of the same control bus that sends another token or
// key.
func (c *Client) WithToken(token string) *Client {
	as := *c
	as.token = token
	return &as
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// request is a request before it is sent.
type request struct {
	method, path string
	query        url.Values
	header       http.Header
	body         any    // nil, bytes as they are, a stream, or a value of package rest
	media        string // of the body; JSON if empty
	accept       string
}

// stream is a body that is too large for the memory.
type stream struct {
	io.Reader
	size int64
}

// joinPath returns a path with escaped segments.
func joinPath(segments ...string) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteString("/" + url.PathEscape(s))
	}
	return b.String()
}

// sendRequest sends a request. It returns the answer, whose body the caller
// must close, or the error that the answer stands for.
func (c *Client) sendRequest(ctx context.Context, r request) (*http.Response, error) {
	var body io.Reader
	switch b := r.body.(type) {
	case nil:
	case []byte:
		body = bytes.NewReader(b)
	case stream:
		body = io.NopCloser(b.Reader) // whose it is, it stays
	default:
		data, err := json.Marshal(b)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", r.method, r.path, err)
		}
		body = bytes.NewReader(data)
	}
	address := c.base + r.path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, body)
	if err != nil {
		return nil, err
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	req.Header.Set("Accept", cmp.Or(r.accept, "application/json"))
	req.Header.Set("User-Agent", c.agent)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != nil {
		req.Header.Set("Content-Type", cmp.Or(r.media, "application/json"))
	}
	if b, ok := r.body.(stream); ok {
		req.ContentLength = b.size
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err // it names method and address
	}
	if res.StatusCode/100 != 2 {
		defer res.Body.Close()
		return nil, fmt.Errorf("%s %s: %w", r.method, r.path, problemOf(res))
	}
	return res, nil
}

// call sends a request and reads the answer into v, if it has a body.
func (c *Client) call(ctx context.Context, r request, v any) (http.Header, error) {
	r.accept = cmp.Or(c.media, r.accept)
	res, err := c.sendRequest(ctx, r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if err := c.readAnswer(res, v); err != nil {
		return nil, fmt.Errorf("%s %s: read the answer: %w", r.method, r.path, err)
	}
	return res.Header, nil
}

// Version returns the version of the control bus.
func (c *Client) Version(ctx context.Context) (v string, err error) {
	_, err = c.call(ctx, request{method: "GET", path: "/version"}, &v)
	return v, err
}

// Healthy returns an error if the control bus cannot be reached, or cannot
// reach NATS.
func (c *Client) Healthy(ctx context.Context) error {
	_, err := c.call(ctx, request{method: "GET", path: "/healthcheck"}, nil)
	return err
}

// Page selects a part of a list, by number or by the entry next to it. Only the
// latter neither repeats nor misses an entry while others are added.
type Page struct {
	Offset int    // number of the first one, from 1; default 1
	Limit  int    // at most 1000; default 20
	After  string // the page behind this entry: Next of the list before
	Before string // the page in front of this entry: Previous of the list after it
}

func (p Page) query() url.Values {
	q := url.Values{}
	if p.Offset > 0 {
		q.Set("offset", fmt.Sprint(p.Offset))
	}
	if p.Limit > 0 {
		q.Set("limit", fmt.Sprint(p.Limit))
	}
	if p.After != "" {
		q.Set("after", p.After)
	}
	if p.Before != "" {
		q.Set("before", p.Before)
	}
	return q
}

// Condition is a precondition of a write.
type Condition struct {
	Create bool   // only if there is none: else a [Problem] with the code conflict
	ETag   string // only if it is still this one: else precondition_failed
}

func (k Condition) header() http.Header {
	h := http.Header{}
	if k.Create {
		h.Set("If-None-Match", "*")
	}
	if k.ETag != "" {
		h.Set("If-Match", k.ETag)
	}
	return h
}

// waitQuery returns the query with the time that an answer may wait.
func waitQuery(d time.Duration) url.Values {
	if d == 0 {
		return nil
	}
	return url.Values{"wait": {d.String()}}
}

package builtin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// statusRange is a range of HTTP statuses, both ends included.
type statusRange struct{ from, to int }

// newHTTPCall reads the properties of the step.
func (c *Config) newHTTPCall(ctx context.Context, s *agent.StepContext) (*httpCall, error) {
	p := newProperties(s)
	var secrets []string
	h := &httpCall{step: s, url: p.requiredText("url", "an http or https URL"), header: http.Header{}}
	c.readBodyProperties(ctx, p, h, &secrets)
	h.method = strings.ToUpper(p.text("method", map[bool]string{true: http.MethodPost, false: http.MethodGet}[h.body != nil]))
	if !httpguts.ValidHeaderFieldName(h.method) {
		p.fault("method", "an HTTP method such as GET or POST", h.method)
	}
	if u, err := url.Parse(h.url); h.url != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		p.fault("url", "an http or https URL", "something else") // it may hold a password
	} else if err == nil && u.User != nil {
		password, _ := u.User.Password()
		secrets = append(secrets, password)
	}
	c.readHeaders(ctx, p, h, &secrets)
	h.expected = readRanges(p, "expect", p.text("expect", "200-299"))
	h.outputFile = p.text("output_file", "")
	h.poll = readPoll(p)
	if h.outputFile != "" && h.poll != nil {
		p.fault("output_file", "no output_file together with poll_field", h.outputFile)
	}
	h.values = readPointers(p)
	if h.outputFile != "" && len(h.values) > 0 {
		p.fault("output_file", "no output_file together with value.NAME", h.outputFile)
	}
	h.log.most = p.number("log_bytes", 8<<10, 0, 1<<20)
	h.client = c.newHTTPClient(p)
	c.checkFiles(p, "body_file", "output_file", "ca_file", "cert_file", "key_file")
	if err := p.check(); err != nil {
		return nil, err
	}
	h.log.secrets = newRedactor(secrets)
	return h, nil
}

// readBodyProperties reads the body of the request, which is a property or a
// file.
func (c *Config) readBodyProperties(ctx context.Context, p *properties, h *httpCall, secrets *[]string) {
	if text := p.written("body"); p.has("body") {
		h.body = []byte(c.expandOperators(ctx, p, "body", text, secrets))
	}
	if file := p.text("body_file", ""); file != "" && c.NoFiles == "" {
		if p.has("body") {
			p.fault("body_file", "the property body or the property body_file, not both", file)
			return
		}
		body, err := os.ReadFile(file)
		if err != nil {
			p.faults = append(p.faults, "property body_file: "+err.Error())
		}
		h.body = body
	}
}

// readHeaders reads the properties header.NAME. The values of headers that may
// be secret are added to secrets.
func (c *Config) readHeaders(ctx context.Context, p *properties, h *httpCall, secrets *[]string) {
	for name, value := range p.writtenWithPrefix("header.") {
		property := "header." + name
		value = c.expandOperators(ctx, p, property, value, secrets)
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			p.faults = append(p.faults, fmt.Sprintf("property %.60s: want the name and value of an HTTP header", property))
			continue
		}
		h.header.Set(name, value)
		if !publicHeaders[http.CanonicalHeaderKey(name)] {
			*secrets = append(*secrets, value)
			if _, credentials, ok := strings.Cut(value, " "); ok { // Bearer ...
				*secrets = append(*secrets, credentials)
			}
		}
	}
	if h.body != nil && h.header.Get("Content-Type") == "" {
		h.header.Set("Content-Type", defaultContentType(h.body))
	}
	if h.header.Get("User-Agent") == "" {
		h.header.Set("User-Agent", "jobstreamer")
	}
}

// readRanges reads statuses such as 200, 201-204, 3xx.
func readRanges(p *properties, name, text string) []statusRange {
	var all []statusRange
	for one := range strings.SplitSeq(text, ",") {
		one = strings.TrimSpace(one)
		from, to, isRange := strings.Cut(one, "-")
		if !isRange {
			to = from
		}
		if strings.HasSuffix(from, "xx") && !isRange {
			from, to = strings.TrimSuffix(from, "xx")+"00", strings.TrimSuffix(from, "xx")+"99"
		}
		least, err1 := strconv.Atoi(from)
		most, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || least < 100 || most > 599 || least > most {
			p.fault(name, "statuses such as 200,201-204,3xx", one)
			return nil
		}
		all = append(all, statusRange{least, most})
	}
	return all
}

func describeRanges(all []statusRange) string {
	var words []string
	for _, r := range all {
		if r.from == r.to {
			words = append(words, strconv.Itoa(r.from))
		} else {
			words = append(words, fmt.Sprintf("%d-%d", r.from, r.to))
		}
	}
	return strings.Join(words, ", ")
}

// readPoll reads the properties poll_*. It returns nil if there is no
// poll_field.
func readPoll(p *properties) *httpPoll {
	poll := &httpPoll{
		url: p.text("poll_url", ""), field: p.text("poll_field", ""),
		done: splitList(p.text("poll_until", "")), failed: splitList(p.text("poll_fail", "")),
		interval: p.duration("poll_interval", 10*time.Second, false),
		timeout:  p.duration("poll_timeout", time.Hour, false),
	}
	if poll.field == "" {
		for _, name := range []string{"poll_url", "poll_until", "poll_fail", "poll_interval", "poll_timeout"} {
			if p.has(name) {
				p.fault("poll_field", "a JSON pointer such as /state, since there is "+name, "")
				break
			}
		}
		return nil
	}
	if !strings.HasPrefix(poll.field, "/") {
		p.fault("poll_field", "a JSON pointer such as /state", poll.field)
	}
	if len(poll.done) == 0 {
		p.fault("poll_until", "one or more values, such as SUCCEEDED,DONE", "")
	}
	for _, list := range [][]string{poll.done, poll.failed} {
		for _, pattern := range list {
			if _, err := path.Match(pattern, ""); err != nil {
				p.fault("poll_until, poll_fail", "values that may have * and ?", pattern)
			}
		}
	}
	return poll
}

// readPointers reads the properties value.NAME.
func readPointers(p *properties) map[string]string {
	all := p.withPrefix("value.")
	for name, pointer := range all {
		switch {
		case !subjects.ValidValueName(name):
			p.fault("value."+name, "a name of a-z, 0-9 and _ after value.", name)
		case pointer != "" && !strings.HasPrefix(pointer, "/"):
			p.fault("value."+name, "a JSON pointer such as /id, or nothing for the whole answer", pointer)
		}
	}
	return all
}

// newHTTPClient reads the properties of the connection.
func (c *Config) newHTTPClient(p *properties) *http.Client {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	ca, cert, key := p.text("ca_file", ""), p.text("cert_file", ""), p.text("key_file", "")
	if ca != "" && c.NoFiles == "" {
		pem, err := os.ReadFile(ca)
		config.RootCAs = x509.NewCertPool()
		if err != nil || !config.RootCAs.AppendCertsFromPEM(pem) {
			p.fault("ca_file", "a PEM file with certificates of authorities", ca)
		}
	}
	if (cert != "" || key != "") && c.NoFiles == "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			p.fault("cert_file, key_file", "PEM files of a certificate and its key", cert+", "+key)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = config
	if c.dial != nil {
		transport.DialContext, transport.Proxy = c.dial, nil
	}
	client := &http.Client{Transport: transport, Timeout: p.duration("timeout", 30*time.Second, false), CheckRedirect: checkRedirect}
	if p.choice("redirects", "follow", "return") == "return" {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return client
}

// newRedactor returns a replacer of secrets. Short texts would occur in words by
// chance.
func newRedactor(secrets []string) *strings.Replacer {
	const shortest = 4
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // the longest match first
	var pairs []string
	for _, s := range secrets {
		if len(s) >= shortest {
			pairs = append(pairs, s, "xxxxx")
		}
	}
	return strings.NewReplacer(pairs...)
}

// splitList splits a list at commas.
func splitList(text string) []string {
	var all []string
	for one := range strings.SplitSeq(text, ",") {
		if one = strings.TrimSpace(one); one != "" {
			all = append(all, one)
		}
	}
	return all
}

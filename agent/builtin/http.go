package builtin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// maxAnswer is how many bytes of an answer are kept in memory.
const maxAnswer = 8 << 20

// httpCall is one run of the batchlet [HTTP].
type httpCall struct {
	step   *agent.StepContext
	client *http.Client
	log    answerLog

	method, url string
	body        []byte
	header      http.Header
	expected    []statusRange
	outputFile  string
	poll        *httpPoll         // nil: no polling
	values      map[string]string // JSON pointers, by the name of a value
}

// answer is what a server has answered.
type answer struct {
	status    int
	header    http.Header
	body      []byte // up to maxAnswer
	truncated bool
	url       *url.URL // after redirects
}

// runHTTP runs the batchlet [HTTP].
func (c Config) runHTTP(ctx context.Context, s *agent.StepContext) (string, error) {
	h, err := c.newHTTPCall(ctx, s)
	if err != nil && ctx.Err() != nil {
		return "", context.Cause(ctx) // while it waited for a secret
	}
	if err != nil {
		return "", err
	}
	defer h.client.CloseIdleConnections()
	a, err := h.send(ctx, h.method, h.url, h.body)
	if err != nil {
		return "", h.log.redact(err)
	}
	exit := strconv.Itoa(a.status)
	if !h.isExpected(a.status) {
		return exit, fmt.Errorf("the server answered %d %s, want %s", a.status, http.StatusText(a.status), describeRanges(h.expected))
	}
	if h.poll != nil {
		if a, exit, err = h.pollUntilDone(ctx, a); err != nil {
			return exit, h.log.redact(err)
		}
	}
	return exit, h.handOver(a)
}

// send sends one request and reads its answer.
func (h *httpCall) send(ctx context.Context, method, target string, body []byte) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(string(body)))
	if err != nil {
		return nil, withoutURL(err)
	}
	req.Header = h.header.Clone()
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	if req.URL.Host != h.mainHost() {
		removePrivateHeaders(req.Header)
	}
	start := time.Now()
	resp, err := h.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, printableURL(req.URL), causeOf(ctx, err))
	}
	defer resp.Body.Close()
	a := &answer{status: resp.StatusCode, header: resp.Header, url: resp.Request.URL}
	if err := h.readBody(resp, a); err != nil {
		return nil, fmt.Errorf("%s %s: read the answer: %w", method, printableURL(req.URL), causeOf(ctx, err))
	}
	h.log.write(h.step, method, a, time.Since(start))
	return a, nil
}

// readBody reads the body of an answer, to a file if the answer is expected and
// there is one.
func (h *httpCall) readBody(resp *http.Response, a *answer) error {
	if h.outputFile != "" && h.poll == nil && h.isExpected(a.status) {
		return writeFileAtomically(h.outputFile, resp.Body)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return err
	}
	if len(body) > maxAnswer {
		body, a.truncated = body[:maxAnswer], true
	}
	a.body = body
	return nil
}

// writeFileAtomically writes a file that appears only when it is complete and on
// disk.
func writeFileAtomically(name string, from io.Reader) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = io.Copy(f, from)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// handOver sets the values for later steps.
func (h *httpCall) handOver(a *answer) error {
	for name, pointer := range h.values {
		text, err := h.field(a, pointer)
		if err != nil {
			return fmt.Errorf("property value.%s: %w", name, err)
		}
		if err := h.step.SetValue(name, text); err != nil {
			return err
		}
	}
	return nil
}

// field returns the value of a JSON pointer in an answer.
func (h *httpCall) field(a *answer, pointer string) (string, error) {
	if a.truncated {
		return "", fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	text, err := pointerText(a.body, pointer)
	if err != nil {
		return "", fmt.Errorf("%s in the answer: %w", pointer, err)
	}
	return text, nil
}

func (h *httpCall) isExpected(status int) bool {
	for _, r := range h.expected {
		if status >= r.from && status <= r.to {
			return true
		}
	}
	return false
}

func (h *httpCall) mainHost() string {
	u, err := url.Parse(h.url)
	if err != nil {
		return ""
	}
	return u.Host
}

// publicHeaders are the headers that any server may see, and the log too.
var publicHeaders = map[string]bool{"Accept": true, "Accept-Encoding": true, "Accept-Language": true, "Content-Type": true, "User-Agent": true}

// removePrivateHeaders removes the headers that are for one server only.
func removePrivateHeaders(h http.Header) {
	for name := range h {
		if !publicHeaders[name] {
			h.Del(name)
		}
	}
}

// checkRedirect is called before a redirect is followed. Credentials do not
// leave the server that they are for.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("stopped after 10 redirects")
	}
	if req.URL.Host != via[0].URL.Host || via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		removePrivateHeaders(req.Header)
	}
	return nil
}

// causeOf returns why a request failed: the cause of the end of ctx, or the
// error without the URL, which may hold secrets.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return withoutURL(err)
}

func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// printableURL returns a URL without its user, and without the values of its
// query.
func printableURL(u *url.URL) string {
	c := *u
	c.User = nil
	if c.RawQuery != "" {
		c.RawQuery = "..."
	}
	c.Fragment = ""
	return c.String()
}

// answerLog writes answers to the output of the step.
type answerLog struct {
	most    int // bytes of a body
	secrets *strings.Replacer
}

func (l *answerLog) write(s *agent.StepContext, method string, a *answer, took time.Duration) {
	s.Log.Info(l.secrets.Replace(fmt.Sprintf("%s %s: %d %s after %v", method, printableURL(a.url), a.status, http.StatusText(a.status), took.Round(time.Millisecond))))
	if l.most == 0 || len(a.body) == 0 {
		return
	}
	if strings.ContainsRune(string(a.body[:min(len(a.body), 1024)]), 0) {
		s.Log.Info(fmt.Sprintf("(%d bytes that are no text)", len(a.body)))
		return
	}
	text := l.secrets.Replace(string(a.body)) // first: a cut secret would not be found
	if len(text) > l.most {
		text = strings.ToValidUTF8(text[:l.most], "") + fmt.Sprintf("... (%d bytes in all)", len(a.body))
	}
	s.Log.Info(text)
}

// redact returns an error without secrets.
func (l *answerLog) redact(err error) error {
	if text := err.Error(); l.secrets.Replace(text) != text {
		return errors.New(l.secrets.Replace(text))
	}
	return err
}

// defaultContentType returns the content type of a body that has none.
func defaultContentType(body []byte) string {
	if json.Valid(body) {
		return "application/json"
	}
	return "text/plain; charset=utf-8"
}

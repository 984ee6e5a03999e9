package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

const (
	maxAttempts = 5                // of posting one message
	firstDelay  = time.Second      // after the first attempt; four times as long after each further one
	postTimeout = 10 * time.Second // of one attempt
	maxPosts    = 16               // at the same time
)

// ErrNotSent means that the notificator did not take a message. The log has the
// reason.
var ErrNotSent = errors.New("the notificator did not accept the message")

// message is one notification or alert.
type message struct {
	kind string // the last segment of the path
	body []byte
	log  *slog.Logger // has the job and the execution
}

// poster posts messages to a notificator.
type poster struct {
	url    *url.URL
	client *http.Client
	slots  chan struct{} // has an element for each running post
}

func newPoster(where string, through http.RoundTripper) (*poster, error) {
	u, err := url.Parse(where)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		// No Got: the URL may contain a password.
		return nil, &bus.FieldError{Path: "notificator-url", Want: "a URL such as http://localhost:2121, without a query"}
	}
	if through == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = maxPosts
		through = t
	}
	return &poster{url: u, slots: make(chan struct{}, maxPosts), client: &http.Client{
		Transport: through, Timeout: postTimeout,
		// A redirected POST would become a GET.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func (p *poster) closeIdle() { p.client.CloseIdleConnections() }

// postWithRetry posts a message until the notificator takes it, refuses
// it for good, or there are no attempts left. It returns false if ctx ended
// first.
func (p *poster) postWithRetry(ctx context.Context, m message) (settled bool) {
	for try := 1; ; try++ {
		err := p.postMessage(ctx, m)
		var refused refusal
		switch {
		case err == nil:
			m.log.Debug("notification sent")
			return true
		case ctx.Err() != nil:
			return false
		case try == maxAttempts, errors.As(err, &refused) && refused.isFinal():
			m.log.Error("notification not sent, gave up", "notificator", p.url.Host, "attempts", try, "err", err)
			return true
		case try == 1:
			m.log.Warn("notification not sent, retrying", "notificator", p.url.Host, "err", err)
		}
		select {
		case <-time.After(retryDelay(try)):
		case <-ctx.Done():
			return false
		}
	}
}

// retryDelay returns the delay after an attempt: 1 s, 4 s, 16 s, 64 s.
func retryDelay(try int) time.Duration { return firstDelay << (2 * (try - 1)) }

// postOnce posts a message without retries.
func (p *poster) postOnce(ctx context.Context, m message) error {
	err := p.postMessage(ctx, m)
	if err != nil {
		m.log.Warn("notification not sent", "notificator", p.url.Host, "err", err)
		return ErrNotSent
	}
	return nil
}

// postMessage sends one request. The end of ctx does not cancel a request that
// was sent: another bus would send the message a second time.
func (p *poster) postMessage(ctx context.Context, m message) error {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	where := p.url.JoinPath(url.PathEscape(m.kind)).String()
	r, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodPost, where, bytes.NewReader(m.body))
	if err != nil {
		return withoutURL(err)
	}
	r.Header.Set("Content-Type", "application/edn")
	res, err := p.client.Do(r)
	if err != nil {
		return withoutURL(err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // a longer answer is not worth reusing the connection
	if res.StatusCode/100 != 2 {
		return refusal(res.StatusCode)
	}
	return nil
}

// withoutURL removes the URL, which may have a password, from an error of the
// HTTP client.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// refusal is the HTTP status of an answer other than success.
type refusal int

func (r refusal) Error() string {
	return fmt.Sprintf("the notificator answered %d %s", int(r), http.StatusText(int(r)))
}

// isFinal reports whether a retry would get the same answer.
func (r refusal) isFinal() bool {
	return r < 500 && r != http.StatusRequestTimeout && r != http.StatusTooManyRequests
}

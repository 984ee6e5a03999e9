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
	tries       = 5                // how often a message is posted before it is given up
	firstPause  = time.Second      // after the first try; four times as long after each further one
	postTimeout = 10 * time.Second // for an answer
	atOnce      = 16               // posts under way
)

// ErrNotSent says that the notificator did not take a message; the log says
// why.
var ErrNotSent = errors.New("the notificator did not take it")

// message is what is posted once.
type message struct {
	kind string // the last segment of the path
	body []byte
	log  *slog.Logger // knows what it is about
}

// poster posts messages to a notificator.
type poster struct {
	url    *url.URL
	client *http.Client
	room   chan struct{} // has an element for each post under way
}

func newPoster(where string, through http.RoundTripper) (*poster, error) {
	u, err := url.Parse(where)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, &bus.FieldError{Path: "notificator-url", Want: "a URL such as http://localhost:2121, without a query"} // there may be a password in it
	}
	if through == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = atOnce
		through = t
	}
	return &poster{url: u, room: make(chan struct{}, atOnce), client: &http.Client{
		Transport: through, Timeout: postTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // it would become a GET
	}}, nil
}

func (p *poster) close() { p.client.CloseIdleConnections() }

// send posts a message until it is taken or given up. It returns false if ctx
// ended before.
func (p *poster) send(ctx context.Context, m message) (settled bool) {
	for try := 1; ; try++ {
		err := p.post(ctx, m)
		var refused refusal
		switch {
		case err == nil:
			m.log.Debug("notification sent")
			return true
		case ctx.Err() != nil:
			return false
		case try == tries, errors.As(err, &refused) && refused.final():
			m.log.Error("notification given up", "notificator", p.url.Host, "tries", try, "err", err)
			return true
		case try == 1:
			m.log.Warn("notification not sent, trying again", "notificator", p.url.Host, "err", err)
		}
		select {
		case <-time.After(pause(try)):
		case <-ctx.Done():
			return false
		}
	}
}

// pause is the time after a try: 1 s, 4 s, 16 s, 64 s.
func pause(try int) time.Duration { return firstPause << (2 * (try - 1)) }

// once posts a message without trying again.
func (p *poster) once(ctx context.Context, m message) error {
	err := p.post(ctx, m)
	if err != nil {
		m.log.Warn("notification not sent", "notificator", p.url.Host, "err", err)
		return ErrNotSent
	}
	return nil
}

// post asks once. A request that is under way is not broken off by the end of
// ctx: it would be sent again by somebody else.
func (p *poster) post(ctx context.Context, m message) error {
	select {
	case p.room <- struct{}{}:
		defer func() { <-p.room }()
	case <-ctx.Done():
		return ctx.Err()
	}
	where := p.url.JoinPath(url.PathEscape(m.kind)).String()
	r, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodPost, where, bytes.NewReader(m.body))
	if err != nil {
		return bare(err)
	}
	r.Header.Set("Content-Type", "application/edn")
	res, err := p.client.Do(r)
	if err != nil {
		return bare(err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // the rest is not worth the connection
	if res.StatusCode/100 != 2 {
		return refusal(res.StatusCode)
	}
	return nil
}

// bare is an error of the client without the URL, in which there may be a
// password.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// refusal is the status of an answer that does not say that the message was
// taken.
type refusal int

func (r refusal) Error() string {
	return fmt.Sprintf("it answered %d %s", int(r), http.StatusText(int(r)))
}

// final says whether asking again would bring the same.
func (r refusal) final() bool {
	return r < 500 && r != http.StatusRequestTimeout && r != http.StatusTooManyRequests
}

package notify

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/notify/senders"
)

const (
	postTimeout = 10 * time.Second // of one attempt
	maxPosts    = 16               // of one sender at the same time
)

// poster sends messages to a notificator.
type poster struct {
	url    *url.URL
	client *http.Client
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
	return &poster{url: u, client: &http.Client{
		Transport: through, Timeout: postTimeout,
		// A redirected POST would become a GET.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func (p *poster) closeIdle() { p.client.CloseIdleConnections() }

func (p *poster) Target() (kind, host string) { return "notificator", p.url.Host }

func (p *poster) Accepts(string) error { return nil }

func (p *poster) Send(ctx context.Context, m *senders.Message) error {
	where := p.url.JoinPath(url.PathEscape(m.Type)).String()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, where, bytes.NewReader(ednBody(m)))
	if err != nil {
		return senders.WithoutURL(err)
	}
	r.Header.Set("Content-Type", "application/edn")
	return senders.DoRequest(p.client, r)
}

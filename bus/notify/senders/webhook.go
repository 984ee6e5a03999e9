package senders

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	httpTimeout = 10 * time.Second // of one request with its answer
	maxAnswer   = 64 << 10         // bytes of an answer that are read
)

// webhook posts messages as JSON.
type webhook struct {
	url    string
	host   string
	header string // empty: no secret
	secret secretFile
	client *http.Client
}

// webhookBody is what a webhook receives.
type webhookBody struct {
	ID          string               `json:"id"`
	Kind        string               `json:"kind"`
	Type        string               `json:"type"`
	Time        subjects.Time        `json:"time"`
	Text        string               `json:"text"`
	App         string               `json:"app,omitempty"`
	Job         string               `json:"job,omitempty"`
	Execution   int64                `json:"execution_id,omitempty"`
	BatchStatus subjects.BatchStatus `json:"batch_status,omitempty"`
	ExitStatus  string               `json:"exit_status,omitempty"`
	Agent       string               `json:"agent,omitempty"`
	StartTime   subjects.Time        `json:"start_time,omitzero"`
	EndTime     subjects.Time        `json:"end_time,omitzero"`
	Steps       []webhookStep        `json:"steps,omitempty"`
}

type webhookStep struct {
	Step        string               `json:"step_name"`
	BatchStatus subjects.BatchStatus `json:"batch_status"`
	ExitStatus  string               `json:"exit_status,omitempty"`
	StartTime   subjects.Time        `json:"start_time,omitzero"`
	EndTime     subjects.Time        `json:"end_time,omitzero"`
}

func (w *webhook) Target() (kind, host string) { return "webhook", w.host }

func (w *webhook) Accepts(recipient string) error { return noRecipient(recipient) }

// noRecipient refuses a recipient where the sender has one target only.
func noRecipient(recipient string) error {
	if recipient != "" {
		return &Refusal{errors.New("only senders of mail have recipients")}
	}
	return nil
}

func (w *webhook) Send(ctx context.Context, m *Message) error {
	data, err := json.Marshal(webhookBodyOf(m))
	if err != nil {
		return &Refusal{err}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(data))
	if err != nil {
		return WithoutURL(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if w.header != "" {
		secret, err := w.secret.read()
		if err != nil {
			return err
		}
		r.Header.Set(w.header, secret)
	}
	return DoRequest(w.client, r)
}

func webhookBodyOf(m *Message) webhookBody {
	b := webhookBody{ID: m.ID, Kind: m.Kind, Type: m.Type, Time: m.Time, Text: m.Subject(), App: m.App, Job: m.Job}
	if e := m.Execution; e != nil {
		b.Execution, b.BatchStatus, b.ExitStatus, b.Agent = e.ID, e.BatchStatus, e.ExitStatus, e.Agent
		b.StartTime, b.EndTime = e.StartTime, e.EndTime
		for i := range e.StepExecutions {
			s := &e.StepExecutions[i]
			b.Steps = append(b.Steps, webhookStep{s.Step, s.BatchStatus, s.ExitStatus, s.StartTime, s.EndTime})
		}
	}
	return b
}

// slack posts messages to a chat, in the form that Slack's incoming webhooks
// introduced.
type slack struct {
	url    secretFile // whoever knows the URL can write to the channel
	host   string
	client *http.Client
}

func (s *slack) Target() (kind, host string) { return "slack", s.host }

func (s *slack) Accepts(recipient string) error { return noRecipient(recipient) }

func (s *slack) Send(ctx context.Context, m *Message) error {
	at, err := s.url.read()
	if err != nil {
		return err
	}
	u, err := parseTarget(at)
	if err != nil {
		return errors.New("url-file: " + err.Error())
	}
	data, err := json.Marshal(map[string]string{"text": slackText(m)})
	if err != nil {
		return &Refusal{err}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(data))
	if err != nil {
		return WithoutURL(err)
	}
	r.Header.Set("Content-Type", "application/json")
	return DoRequest(s.client, r)
}

// slackText returns the text of a message. Slack gives these three characters
// a meaning.
func slackText(m *Message) string {
	text := m.Subject()
	if m.Kind == KindTest {
		text += ": " + m.Text
	}
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

// DoRequest sends a request. Its error does not contain the URL, and is a
// [Refusal] if a retry would get the same answer.
func DoRequest(client *http.Client, r *http.Request) error {
	res, err := client.Do(r)
	if err != nil {
		return WithoutURL(err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, maxAnswer) // a longer answer is not worth reusing the connection
	return StatusError(res.StatusCode)
}

// WithoutURL removes the URL, which may be a secret, from an error of the HTTP
// client.
func WithoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		if u.Timeout() {
			return fmt.Errorf("no answer within %s", httpTimeout)
		}
		return u.Err
	}
	return err
}

// parseTarget parses the URL of a webhook. The error does not contain it.
func parseTarget(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Fragment != "" {
		return nil, errors.New("want a URL that begins with https:// or http://")
	}
	return u, nil
}

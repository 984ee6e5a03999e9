//go:build linux

package crashtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// client sends requests to any bus that is up.
type client struct {
	buses []*daemon
	http  *http.Client
	turn  int // index of the bus to try first
}

// refusal is an answer other than 2xx.
type refusal struct {
	status int
	code   string
	text   string
}

func (r *refusal) Error() string { return fmt.Sprintf("%d: %s", r.status, r.text) }

// sendOnce sends one request to one bus. After any error except a refusal, the
// outcome is unknown.
func (c *client) sendOnce(ctx context.Context, method, path, key string, body, answer any) error {
	url := c.buses[c.turn%len(c.buses)].restURL()
	if url == "" {
		return errors.New("no bus is up")
	}
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		var p rest.Problem
		_ = json.Unmarshal(text, &p) // an answer without a code is not an expected one
		return &refusal{resp.StatusCode, p.Code, string(text)}
	}
	if answer != nil {
		return json.Unmarshal(text, answer)
	}
	return nil
}

// sendUntilAnswered retries a request until the answer is something else than
// "not now".
func (c *client) sendUntilAnswered(ctx context.Context, method, path, key string, body, answer any) (tries int, err error) {
	for {
		tries++
		err := c.sendOnce(ctx, method, path, key, body, answer)
		var no *refusal
		if err == nil || errors.As(err, &no) && no.status < 500 {
			return tries, err
		}
		c.turn++
		select {
		case <-ctx.Done():
			return tries, fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// submission returns the body that starts an execution.
func submission(parameters map[string]string) any {
	return map[string]any{"parameters": parameters}
}

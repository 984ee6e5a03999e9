package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

const (
	eventStream = "text/event-stream"
	maxLine     = 8 << 20          // bytes of one event; a line of a log is far shorter
	silence     = 50 * time.Second // a stream says something every 15 s, or it is dead
)

// Log copies the output of an execution as text; job may be empty.
func (c *Client) Log(ctx context.Context, app, job string, id int64, to io.Writer) error {
	res, err := c.sendRequest(ctx, request{method: "GET", path: executionPath(app, job, id, "log"), accept: "text/plain"})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(to, res.Body); err != nil {
		return fmt.Errorf("log of execution %d: %w", id, err)
	}
	return nil
}

// LogLines returns the last lines of the output of an execution, and the number
// of all lines; job may be empty.
func (c *Client) LogLines(ctx context.Context, app, job string, id int64) (list rest.List[rest.LogLine], err error) {
	_, err = c.call(ctx, request{method: "GET", path: executionPath(app, job, id, "log"), accept: "application/json"}, &list)
	return list, err
}

// LogPage returns a part of the output of an execution; job may be empty.
// Without an offset and a cursor it returns the last lines.
func (c *Client) LogPage(ctx context.Context, app, job string, id int64, p Page) (part rest.LogPage, err error) {
	_, err = c.call(ctx, request{method: "GET", path: executionPath(app, job, id, "log"), query: p.query(), accept: "application/json"}, &part)
	return part, err
}

// FollowLog calls line for each line of an execution's output as it comes, and
// returns how the execution ended; job may be empty. It reconnects after a
// broken connection and resumes after the last line. It returns when ctx ends,
// or with the error of line.
func (c *Client) FollowLog(ctx context.Context, app, job string, id int64, line func(rest.LogLine) error) (end *rest.Event, err error) {
	r := request{method: "GET", path: executionPath(app, job, id, "log"), query: url.Values{"follow": {"1"}}}
	err = c.followStream(ctx, r, "", func(e event) error {
		if e.name == "end" {
			if err := json.Unmarshal(e.data, &end); err != nil {
				return err
			}
			return errEnd
		}
		var l rest.LogLine
		if err := json.Unmarshal(e.data, &l); err != nil {
			return err
		}
		return line(l)
	})
	return end, err
}

// EventFilter selects events. The zero value selects all.
type EventFilter struct {
	App, Job string
	After    string // the id of an event to go on after; empty: from now on
}

// Events calls on for each change of an execution, with the id of the event. It
// reconnects after a broken connection and resumes after the last event. It
// returns when ctx ends, or with the error of on.
func (c *Client) Events(ctx context.Context, f EventFilter, on func(id string, e rest.Event) error) error {
	q := url.Values{}
	if f.App != "" {
		q.Set("app", f.App)
	}
	if f.Job != "" {
		q.Set("job", f.Job)
	}
	return c.followStream(ctx, request{method: "GET", path: "/events", query: q}, f.After, func(e event) error {
		var v rest.Event
		if err := json.Unmarshal(e.data, &v); err != nil {
			return err
		}
		return on(e.id, v)
	})
}

// event is a server-sent event.
type event struct {
	id, name string
	data     []byte
}

var (
	errEnd    = errors.New("the stream ended")
	errBroken = errors.New("the stream broke")
)

// followStream reads events, and reconnects as often as needed.
func (c *Client) followStream(ctx context.Context, r request, last string, on func(event) error) error {
	r.accept = eventStream
	once := false // connected: until then an error is the caller's to judge
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		begun := time.Now()
		err := c.followOnce(ctx, r, &last, &once, on)
		switch {
		case errors.Is(err, errEnd):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !errors.Is(err, errBroken) || !once:
			return err
		}
		if time.Since(begun) > silence {
			pause = 100 * time.Millisecond
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *Client) followOnce(ctx context.Context, r request, last *string, connected *bool, on func(event) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	alive := time.AfterFunc(silence, cancel) // no news and no comment: nobody is there any more
	defer alive.Stop()
	r.header = http.Header{}
	if *last != "" {
		r.header.Set("Last-Event-ID", *last)
	}
	res, err := c.sendRequest(ctx, r)
	var p *Problem
	if errors.As(err, &p) && p.Status != http.StatusServiceUnavailable {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	defer res.Body.Close()
	*connected = true
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, maxLine)
	e := event{id: *last}
	for lines.Scan() {
		alive.Reset(silence)
		if lines.Text() != "" {
			e.addLine(lines.Text())
			continue
		}
		if e.data != nil {
			if err := on(e); err != nil {
				return err
			}
			*last = e.id
		}
		e = event{id: e.id}
	}
	return fmt.Errorf("%w: %w", errBroken, cmpErr(lines.Err(), io.ErrUnexpectedEOF))
}

// addLine adds a line of the stream to the event.
func (e *event) addLine(line string) {
	name, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	switch name {
	case "id":
		e.id = value
	case "event":
		e.name = value
	case "data":
		if e.data != nil {
			e.data = append(e.data, '\n')
		}
		e.data = append(e.data, value...)
	}
}

// cmpErr returns the first error that is not nil.
func cmpErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

package client

import (
	"context"
	"net/url"
	"strconv"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// Senders returns the senders of notifications that the control bus has.
func (c *Client) Senders(ctx context.Context) (all rest.Senders, err error) {
	_, err = c.call(ctx, request{method: "GET", path: "/notifications/senders"}, &all)
	return all, err
}

// TestNotification sends a test notification of a type, and returns what became
// of it.
func (c *Client) TestNotification(ctx context.Context, kind string) (is rest.TestNotification, err error) {
	_, err = c.call(ctx, request{method: "POST", path: "/notifications/test", body: rest.NewTestNotification{Type: kind}}, &is)
	return is, err
}

// DeadNotifications returns the last notifications that were not sent, newest
// first; at most 1000.
func (c *Client) DeadNotifications(ctx context.Context, limit int) (all rest.DeadNotifications, err error) {
	q := url.Values{}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	_, err = c.call(ctx, request{method: "GET", path: "/notifications/dead", query: q}, &all)
	return all, err
}

// ResendNotifications sends dead notifications again, and returns which were
// refused.
func (c *Client) ResendNotifications(ctx context.Context, sent rest.NewResend) (is rest.Resend, err error) {
	_, err = c.call(ctx, request{method: "POST", path: "/notifications/resend", body: sent}, &is)
	return is, err
}

// AlertFilter selects alerts.
type AlertFilter struct {
	App, Job string // empty: any
	Limit    int    // at most 1000; default 20
}

// Alerts returns the last alerts, newest first.
func (c *Client) Alerts(ctx context.Context, f AlertFilter) (all rest.Alerts, err error) {
	q := url.Values{}
	for name, value := range map[string]string{"app": f.App, "job": f.Job} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	_, err = c.call(ctx, request{method: "GET", path: "/alerts", query: q}, &all)
	return all, err
}

package client

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// AuditFilter selects rows of the audit that meet all given conditions.
type AuditFilter struct {
	User, Action, Kind, App, Name string    // empty: any
	Since, Until                  time.Time // Until is not included
	Oldest                        bool      // first; else the newest is
	Stored                        bool      // each row has the text that is stored
	Limit                         int       // at most 1000; default 20
	After                         string    // the page behind this row: Next of the page before
}

func (f *AuditFilter) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"user": f.User, "action": f.Action, "kind": f.Kind, "app": f.App, "name": f.Name, "after": f.After} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for name, at := range map[string]time.Time{"since": f.Since, "until": f.Until} {
		if !at.IsZero() {
			q.Set(name, at.Format(time.RFC3339Nano))
		}
	}
	if f.Oldest {
		q.Set("order", "oldest")
	}
	if f.Stored {
		q.Set("with", "stored")
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return q
}

// Audit returns a page of the audit: who changed what. The page may be short,
// or empty, and have a next one.
func (c *Client) Audit(ctx context.Context, f AuditFilter) (p rest.AuditPage, err error) {
	_, err = c.call(ctx, request{method: "GET", path: "/audit", query: f.query()}, &p)
	return p, err
}

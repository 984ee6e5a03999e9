package client

import (
	"context"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// Limits lists limits by name.
func (c *Client) Limits(ctx context.Context, p Page) (list rest.List[rest.Limit], err error) {
	_, err = c.call(ctx, request{method: "GET", path: "/limits", query: p.query()}, &list)
	return list, err
}

// PutLimit creates a limit or changes its capacity.
func (c *Client) PutLimit(ctx context.Context, name string, capacity int) (l *rest.Limit, err error) {
	_, err = c.call(ctx, request{method: "PUT", path: joinPath("limit", name), body: rest.NewLimit{Capacity: capacity}}, &l)
	return l, err
}

// DeleteLimit deletes a limit that no job and no execution uses.
func (c *Client) DeleteLimit(ctx context.Context, name string) error {
	_, err := c.call(ctx, request{method: "DELETE", path: joinPath("limit", name)}, nil)
	return err
}

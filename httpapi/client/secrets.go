package client

import (
	"context"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// Secrets lists the secrets of an application by name, without their values.
func (c *Client) Secrets(ctx context.Context, app string, p Page) (list rest.List[rest.Secret], err error) {
	_, err = c.call(ctx, request{method: "GET", path: joinPath(app, "secrets"), query: p.query()}, &list)
	return list, err
}

// PutSecret sets a secret of an application.
func (c *Client) PutSecret(ctx context.Context, app, name, value string) (s *rest.Secret, err error) {
	_, err = c.call(ctx, request{method: "PUT", path: joinPath(app, "secret", name), body: rest.NewSecret{Value: value}}, &s)
	return s, err
}

// DeleteSecret deletes a secret of an application.
func (c *Client) DeleteSecret(ctx context.Context, app, name string) error {
	_, err := c.call(ctx, request{method: "DELETE", path: joinPath(app, "secret", name)}, nil)
	return err
}

package client

import (
	"context"
	"net/url"
	"strconv"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// Calendars lists calendars by name.
func (c *Client) Calendars(ctx context.Context, p Page) (list rest.List[rest.Calendar], err error) {
	_, err = c.call(ctx, request{method: "GET", path: "/calendars", query: p.query()}, &list)
	return list, err
}

// Calendar returns a calendar with its entity tag.
func (c *Client) Calendar(ctx context.Context, name string) (v *rest.Calendar, etag string, err error) {
	h, err := c.call(ctx, request{method: "GET", path: joinPath("calendar", name)}, &v)
	return v, h.Get("ETag"), err
}

// PutCalendar creates, changes or renames a calendar.
func (c *Client) PutCalendar(ctx context.Context, name string, v rest.NewCalendar, k Condition) (is *rest.Calendar, etag string, err error) {
	h, err := c.call(ctx, request{method: "PUT", path: joinPath("calendar", name), header: k.header(), body: v}, &is)
	return is, h.Get("ETag"), err
}

// ApplyCalendar creates or overwrites a calendar by a definition in any format:
// application/json, application/yaml, application/edn or application/xml.
// Without a name it uses the name in the definition.
func (c *Client) ApplyCalendar(ctx context.Context, name, media string, definition []byte, k Condition) (is *rest.Calendar, etag string, err error) {
	r := request{method: "PUT", path: joinPath("calendar", name), header: k.header(), body: definition, media: media}
	if name == "" {
		r.method, r.path = "POST", "/calendars"
	}
	h, err := c.call(ctx, r, &is)
	return is, h.Get("ETag"), err
}

// DeleteCalendar deletes a calendar that nothing uses.
func (c *Client) DeleteCalendar(ctx context.Context, name string) error {
	_, err := c.call(ctx, request{method: "DELETE", path: joinPath("calendar", name)}, nil)
	return err
}

// CalendarPreview returns a year of a calendar, the present one if year is 0.
func (c *Client) CalendarPreview(ctx context.Context, name string, year int) (v rest.CalendarPreview, err error) {
	q := url.Values{}
	if year != 0 {
		q.Set("year", strconv.Itoa(year))
	}
	_, err = c.call(ctx, request{method: "GET", path: joinPath("calendar", name, "preview"), query: q}, &v)
	return v, err
}

package httpapi

import (
	"context"
	"fmt"
	"html"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// healthTimeout is how long NATS may take to answer a health check.
const healthTimeout = 2 * time.Second

// getVersion answers with a string, as the original control bus does.
func (s *Server) getVersion(context.Context, *struct{}) (*answer[string], error) {
	return &answer[string]{s.cfg.Version}, nil
}

// sickError is why the control bus cannot work now. Answers show it: operators
// and logs of load balancers need the reason.
type sickError struct{ reason error }

func (e *sickError) Error() string { return e.reason.Error() }

// healthcheck answers with no body if the control bus can work, or with a
// problem that says why it cannot.
func (s *Server) healthcheck(ctx context.Context, _ *struct{}) (*struct{}, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	if err := s.cfg.Health(ctx); err != nil {
		return nil, &sickError{err}
	}
	return nil, nil
}

// frontLinks are the links of the front page, for people who know only the
// address.
var frontLinks = [][2]string{
	{"/" + bus.DefaultApp + "/jobs", "jobs of the application " + bus.DefaultApp},
	{"/executions", "executions, the newest first"},
	{"/agents", "agents"},
	{"/apps", "applications"},
	{"/healthcheck", "200 if all is well"},
	{"/version", "the version of this control bus"},
	{"/openapi.json", "all routes, as OpenAPI"},
}

// frontPage returns the page as text and as HTML, and its links as values.
func (s *Server) frontPage() (text, page string, links map[string]string) {
	title := strings.TrimSpace("JobStreamer control bus " + s.cfg.Version)
	var t, h strings.Builder
	fmt.Fprintf(&t, "%s\n\n", title)
	fmt.Fprintf(&h, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>%[1]s</title>\n<h1>%[1]s</h1>\n<ul>\n", html.EscapeString(title))
	links = map[string]string{}
	for _, l := range frontLinks {
		fmt.Fprintf(&t, "  %-16s %s\n", l[0], l[1])
		fmt.Fprintf(&h, "<li><a href=\"%[1]s\">%[1]s</a> %[2]s\n", html.EscapeString(l[0]), html.EscapeString(l[1]))
		links[l[0]] = l[1]
	}
	const more = "The program is a client too: jobstreamer --help"
	fmt.Fprintf(&t, "\n%s\n", more)
	fmt.Fprintf(&h, "</ul>\n<p>%s\n", more)
	return t.String(), h.String(), links
}

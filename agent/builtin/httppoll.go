package builtin

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// httpPoll asks a server until a field of its answer says that the work is done.
type httpPoll struct {
	url               string // may hold ${answer/pointer}; empty: the Location, or the URL of the call
	field             string // JSON pointer
	done, failed      []string
	interval, timeout time.Duration
}

// answerOperator is ${answer/POINTER}: a value in the first answer.
var answerOperator = regexp.MustCompile(`\$\{answer(/[^}]*)\}`)

// pollUntilDone asks until the field has one of the final values. That value is
// the exit status of the step. Errors of the network, and answers that tell to
// try later, do not end it.
func (h *httpCall) pollUntilDone(ctx context.Context, first *answer) (*answer, string, error) {
	target, err := h.pollTarget(first)
	if err != nil {
		return nil, "", err
	}
	a, deadline := first, time.Now().Add(h.poll.timeout)
	if target != h.url || h.method != http.MethodGet {
		a = nil // the first answer is not about the state
	}
	for last := ""; ; {
		if a != nil {
			value, err := h.field(a, h.poll.field)
			if err != nil {
				return nil, "", fmt.Errorf("property poll_field: %w", err)
			}
			switch {
			case matchesAny(h.poll.failed, value):
				return nil, value, fmt.Errorf("%s is %q", h.poll.field, value)
			case matchesAny(h.poll.done, value):
				return a, value, nil
			case value != last:
				h.step.Log.Info(h.log.secrets.Replace(fmt.Sprintf("%s is %q", h.poll.field, value)))
				last = value
			}
		}
		left := time.Until(deadline)
		if left <= 0 {
			return nil, "TIMEOUT", fmt.Errorf("%w after %v: %s is %q, want %s", errTimeout, h.poll.timeout, h.poll.field, last, strings.Join(h.poll.done, ", "))
		}
		if err := wait(ctx, min(left, h.pollPause(a))); err != nil {
			return nil, "", err
		}
		if a, err = h.pollOnce(ctx, target); err != nil {
			return nil, "", err
		}
	}
}

// pollOnce asks once. It returns nil if the answer is missing but may come
// later.
func (h *httpCall) pollOnce(ctx context.Context, target string) (*answer, error) {
	a, err := h.send(ctx, http.MethodGet, target, nil)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		h.step.Log.Warn(h.log.redact(err).Error() + "; asking again")
		return nil, nil
	case a.status >= 500 || a.status == http.StatusTooManyRequests || a.status == http.StatusRequestTimeout:
		return nil, nil // send has logged it
	case !h.isExpected(a.status):
		return nil, fmt.Errorf("the server answered %d %s, want %s", a.status, http.StatusText(a.status), describeRanges(h.expected))
	}
	return a, nil
}

// pollPause returns how long to wait before the next request: the interval, or
// longer if the server says so in seconds.
func (h *httpCall) pollPause(a *answer) time.Duration {
	if a != nil {
		if n, err := strconv.ParseUint(a.header.Get("Retry-After"), 10, 31); err == nil {
			return max(h.poll.interval, time.Duration(n)*time.Second)
		}
	}
	return h.poll.interval
}

// pollTarget returns the URL to ask.
func (h *httpCall) pollTarget(first *answer) (string, error) {
	text := cmp.Or(h.poll.url, first.header.Get("Location"))
	if text == "" {
		return h.url, nil
	}
	var failed error
	text = answerOperator.ReplaceAllStringFunc(text, func(operator string) string {
		value, err := h.field(first, answerOperator.FindStringSubmatch(operator)[1])
		failed = cmp.Or(failed, err)
		return url.PathEscape(value)
	})
	if failed != nil {
		return "", fmt.Errorf("property poll_url: %w", failed)
	}
	u, err := first.url.Parse(text)
	if err != nil {
		return "", fmt.Errorf("property poll_url: %w", withoutURL(err))
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("property poll_url: want an http or https URL, got the scheme %.20q", u.Scheme)
	}
	return u.String(), nil
}

// matchesAny reports whether a value matches one of the patterns.
func matchesAny(patterns []string, value string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, _ := path.Match(p, value)
		return ok || p == value
	})
}

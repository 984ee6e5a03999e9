package jsl

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxRetryAttempts is the greatest number of attempts of a [Retry].
const maxRetryAttempts = 1000

// maxDelay is the greatest duration that a definition may have.
const maxDelay = 90 * 24 * time.Hour

var (
	wantRetryAttempts = fmt.Sprintf("a whole number from 2 to %d", maxRetryAttempts)
	wantDelay         = fmt.Sprintf("a duration such as 30s or 2h, at most %.0fh", maxDelay.Hours())
)

func (v *validator) checkRetry(j *Job) {
	r := j.Retry
	if r == nil {
		return
	}
	if j.Restartable == "false" {
		v.reportFault("/retry", "no retry in a job that is not restartable", "")
	}
	if r.Attempts < 2 || r.Attempts > maxRetryAttempts {
		got := ""
		if r.Attempts != 0 {
			got = strconv.Itoa(r.Attempts)
		}
		v.reportFault("/retry/attempts", wantRetryAttempts, got)
	}
	v.checkDelay("/retry/backoff", r.Backoff, 0)
	v.checkDelay("/retry/max_backoff", r.MaxBackoff, 0)
	if first, most := parseDelay(r.Backoff, 0), parseDelay(r.MaxBackoff, 0); most > 0 && most < first {
		v.reportFault("/retry/max_backoff", "at least the backoff, "+r.Backoff, shownText(r.MaxBackoff))
	}
	v.checkPatterns("/retry/on", r.On)
	v.checkPatterns("/retry/not_on", r.NotOn)
}

func (v *validator) checkPatterns(path string, patterns []string) {
	for i, p := range patterns {
		v.checkPresent(itemPath(path, i), "an exit status pattern", p)
	}
}

// MaxUnits is the greatest capacity of a limit.
const MaxUnits = 1_000_000

// maxLimits is how many limits a job may use.
const maxLimits = 16

var wantUnits = fmt.Sprintf("a whole number from 1 to %d", MaxUnits)

// WantLimitName says what the name of a limit has to be.
const WantLimitName = "a name of 1 to 64 characters from A-Z a-z 0-9 _ -"

var limitName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// ValidLimitName reports whether a limit may have this name.
func ValidLimitName(name string) bool { return limitName.MatchString(name) }

func (v *validator) checkLimits(all []LimitUse) {
	if len(all) > maxLimits {
		v.reportFault("/limits", fmt.Sprintf("at most %d limits", maxLimits), strconv.Itoa(len(all)))
	}
	for _, use := range all {
		if !ValidLimitName(use.Name) {
			v.reportFault(memberPath("/limits", use.Name), WantLimitName, quoteValue(use.Name))
		}
		if use.Units < 1 || use.Units > MaxUnits {
			v.reportFault(memberPath("/limits", use.Name), wantUnits, strconv.Itoa(use.Units))
		}
	}
}

// checkDelay checks a duration in which nothing is substituted.
func (v *validator) checkDelay(path, value string, least time.Duration) {
	if value == "" {
		return
	}
	want := wantDelay
	if least > 0 {
		want += ", and at least " + least.String()
	}
	if d, err := time.ParseDuration(value); err != nil || d < least || d > maxDelay {
		v.reportFault(path, want, shownText(value))
	}
}

// parseDelay returns a duration, or the default if value is empty or invalid.
func parseDelay(value string, otherwise time.Duration) time.Duration {
	d, err := time.ParseDuration(value)
	if err != nil {
		return otherwise
	}
	return d
}

// RunLimit returns how long an execution may run, 0 for any time, and how long
// it has to stop then.
func (j *Job) RunLimit() (timeout, grace time.Duration) {
	return parseDelay(j.Timeout, 0), parseDelay(j.TimeoutGrace, parseDelay(DefaultTimeoutGrace, 0))
}

// Delay returns the time between the end of the execution that was the number
// run of the job, from 1, and its restart.
func (r *Retry) Delay(run int) time.Duration {
	first := parseDelay(r.Backoff, parseDelay(DefaultBackoff, 0))
	most := parseDelay(r.MaxBackoff, max(first, parseDelay(DefaultMaxBackoff, 0)))
	d := first
	for i := 1; i < run && d < most; i++ {
		d *= 2
	}
	return min(d, most)
}

// Matches reports whether a failed execution is to be restarted. exits are its
// exit status and those of its steps that failed.
func (r *Retry) Matches(exits ...string) bool {
	is := func(on string) bool {
		return slices.ContainsFunc(exits, func(exit string) bool { return Match(on, exit) })
	}
	return (len(r.On) == 0 || slices.ContainsFunc(r.On, is)) && !slices.ContainsFunc(r.NotOn, is)
}

// dispatchPrefix is the prefix of the dispatch namespace in XML that is written.
const dispatchPrefix = "jobstreamer:"

// retryElement returns the element of a retry.
func retryElement(n *node) *element {
	e := &element{name: dispatchPrefix + "retry"}
	for _, m := range n.members {
		switch m.name {
		case "on", "not_on":
			for _, item := range m.value.items {
				e.children = append(e.children, &element{name: dispatchPrefix + withDashes(m.name), attributes: []Property{{"exit-status", item.text}}})
			}
		default:
			e.addAttribute(withDashes(m.name), m.value.text)
		}
	}
	return e
}

// limitElements returns an element for each limit.
func limitElements(n *node) []*element {
	var all []*element
	for _, m := range n.members {
		all = append(all, &element{name: dispatchPrefix + "limit", attributes: []Property{{"name", m.name}, {"units", m.value.text}}})
	}
	return all
}

// readLimit adds a limit to the limits of the job.
func (r *xmlReader) readLimit(job, n *node, path string) {
	name, units := n.memberValue("name"), n.memberValue("units")
	if name == nil || units == nil {
		r.addFault(r.faultHere(path+"/limits", "a limit with the attributes name and units", ""))
		return
	}
	limits := job.memberValue("limits")
	if limits == nil {
		limits = newObject(n.line, n.col)
		job.members = append(job.members, member{"limits", limits, n.line, n.col})
	}
	limits.members = append(limits.members, member{name.text, units, n.line, n.col})
}

// readDispatch reads an element in the dispatch namespace, which must be one of
// those allowed, and adds it to its parent.
func (r *xmlReader) readDispatch(parent *node, path string, start xml.StartElement, allowed []string) error {
	name := start.Name.Local
	if start.Name.Space != dispatchSpace || !slices.Contains(allowed, name) {
		r.addFault(r.faultHere(memberPath(path, name), oneOfNames(allowed), quoteValue(name)))
		return r.dec.Skip()
	}
	shape := dispatchShapes[name]
	key := strings.ReplaceAll(name, "-", "_")
	n := newObject(r.line, r.col)
	switch name {
	case "on", "not-on":
		list := r.listNamed(parent, key)
		path = itemPath(memberPath(path, key), len(list.items))
		r.readAttributes(n, path, start, shape)
		exit := n.memberValue("exit_status")
		if exit == nil {
			exit = &node{line: n.line, col: n.col} // the validator reports the empty pattern
		}
		list.items = append(list.items, exit)
	case "limit":
		r.readAttributes(n, path, start, shape)
		r.readLimit(parent, n, path)
	default:
		parent.members = append(parent.members, member{key, n, r.line, r.col})
		path = memberPath(path, key)
		r.readAttributes(n, path, start, shape)
	}
	for {
		t, err := r.nextTag(path)
		if err != nil {
			return err
		}
		child, ok := t.(xml.StartElement)
		if !ok {
			return nil // the end
		}
		if err := r.readDispatch(n, path, child, shape.children); err != nil {
			return err
		}
	}
}

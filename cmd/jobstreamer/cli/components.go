package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// components are what the jobs of an application can name. The zero value judges nothing.
type components struct {
	app      string
	known    []rest.Component
	deployed bool  // a class path is
	err      error // why they are not known
	asked    bool
}

func (s *session) components() *components {
	c := &components{app: s.app, asked: true}
	if c.known, c.err = s.client.Components(s.ctx, s.app); c.err != nil {
		return c
	}
	revisions, err := s.client.Deployments(s.ctx, s.app)
	c.deployed = slices.ContainsFunc(revisions.Results, func(d rest.Deployment) bool { return d.Current })
	c.err = err
	return c
}

// lacking says what a job names and the application does not have. A control bus that stores the job says it in the same words:
// those of the method Missing of package deploy.
func (c *components) lacking(job *jsl.Job) (warnings []string) {
	if !c.asked || c.err != nil {
		return nil
	}
	for _, named := range job.Components() {
		if named.Ref == "" || strings.Contains(named.Ref, "#{") {
			continue // known only when it runs
		}
		if why := c.judge(named.Kind, named.Ref); why != "" {
			warnings = append(warnings, named.Path+": "+why)
		}
	}
	return warnings
}

// judge says what is wrong with a reference. A name may be that of several components.
func (c *components) judge(kind, ref string) string {
	var other *rest.Component
	for i := range c.known {
		is := &c.known[i]
		switch {
		case is.Ref != ref && is.Class != ref && !slices.Contains(is.Aliases, ref):
		case isOf(is, kind):
			return ""
		case other == nil:
			other = is
		}
	}
	switch {
	case other != nil:
		return fmt.Sprintf("%s is %s, not %s", ref, kindsOf(other), article(words(kind)))
	case !c.deployed:
		return fmt.Sprintf("no class path is deployed to %s, and no built-in %s is named %s", c.app, words(kind), ref) +
			suggest("; built in: ", c.refs(kind, func(*rest.Component) bool { return true }))
	}
	return fmt.Sprintf("%s has no %s named %s", c.app, words(kind), ref) + suggest("; there is ", c.refs(kind, func(is *rest.Component) bool {
		return strings.EqualFold(is.Ref, ref) || strings.EqualFold(simple(is.Class), simple(ref))
	}))
}

// isOf says whether a component can be used so.
func isOf(c *rest.Component, kind string) bool {
	switch kind {
	case jsl.KindJobListener:
		return slices.Contains(c.Listens, "job")
	case jsl.KindStepListener:
		return slices.ContainsFunc(c.Listens, func(to string) bool { return to != "job" })
	}
	return slices.Contains(c.Kinds, kind)
}

// kindsOf says what a component is.
func kindsOf(c *rest.Component) string {
	var all []string
	for _, k := range c.Kinds {
		if k != "listener" {
			all = append(all, article(words(k)))
		} else if len(c.Listens) > 0 {
			all = append(all, "a listener to "+words(strings.Join(c.Listens, ", ")))
		}
	}
	if len(all) == 0 {
		return "something else"
	}
	return strings.Join(all, " and ")
}

func words(kind string) string { return strings.ReplaceAll(kind, "-", " ") }

func article(noun string) string {
	if strings.ContainsAny(noun[:1], "aeiou") {
		return "an " + noun
	}
	return "a " + noun
}

// refs are the names of the components of a kind for which also is true.
func (c *components) refs(kind string, also func(*rest.Component) bool) (refs []string) {
	for i := range c.known {
		if is := &c.known[i]; isOf(is, kind) && also(is) && !slices.Contains(refs, is.Ref) {
			refs = append(refs, is.Ref)
		}
	}
	return refs
}

const maxSuggested = 5

func suggest(text string, refs []string) string {
	switch n := len(refs); {
	case n == 0:
		return ""
	case n > maxSuggested:
		return text + strings.Join(refs[:maxSuggested], ", ") + fmt.Sprintf(" and %d more", n-maxSuggested)
	}
	return text + strings.Join(refs, ", ")
}

// simple is a class's name without its package.
func simple(class string) string { return class[strings.LastIndexByte(class, '.')+1:] }

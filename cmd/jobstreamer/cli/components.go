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
	app   string
	known []rest.Component
	err   error // why they are not known
	asked bool
}

func (s *session) components() *components {
	c := &components{app: s.app, asked: true}
	c.known, c.err = s.client.Components(s.ctx, s.app)
	return c
}

// lacking says what a job names and the application does not have. The control bus says the same of a job that it stores.
func (c *components) lacking(job *jsl.Job) (warnings []string) {
	if !c.asked || c.err != nil {
		return nil
	}
	for _, named := range job.Components() {
		if strings.Contains(named.Ref, "#{") {
			continue // known only when it runs
		}
		if why := c.judge(&named); why != "" {
			warnings = append(warnings, named.Path+": "+why)
		}
	}
	return warnings
}

// judge says what is wrong with a reference. A name may be that of several components.
func (c *components) judge(named *jsl.Component) string {
	kind := strings.ReplaceAll(named.Kind, "-", " ")
	why := fmt.Sprintf("%s has no %s named %s", c.app, kind, named.Ref)
	for i := range c.known {
		is := &c.known[i]
		switch {
		case is.Ref != named.Ref && is.Class != named.Ref && !slices.Contains(is.Aliases, named.Ref):
		case isOf(is, named.Kind):
			return ""
		default:
			why = fmt.Sprintf("%s is no %s, but %s", named.Ref, kind, strings.Join(is.Kinds, ", "))
		}
	}
	return why
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

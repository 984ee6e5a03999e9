package cli

import (
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/deploy"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// knownComponents are the components that the jobs of an application can use.
// The zero value reports no missing ones.
type knownComponents struct {
	app      string
	known    []deploy.Component
	deployed bool  // the application has a current revision
	err      error // the reason why the components are unknown
	asked    bool
}

func (inv *invocation) loadComponents() *knownComponents {
	c := &knownComponents{app: inv.app, asked: true}
	known, err := inv.client.Components(inv.ctx, inv.app)
	if c.err = err; err != nil {
		return c
	}
	for _, k := range known {
		c.known = append(c.known, deploy.Component{Class: k.Class, Ref: k.Ref, Aliases: k.Aliases, Kinds: k.Kinds, Listens: k.Listens, Origin: k.Origin})
	}
	revisions, err := inv.client.Deployments(inv.ctx, inv.app)
	c.deployed = slices.ContainsFunc(revisions.Results, func(d rest.Deployment) bool { return d.Current })
	c.err = err
	return c
}

// missingIn returns a warning for each component that the job refers to and the
// application lacks, with the text that a control bus uses.
func (c *knownComponents) missingIn(job *jsl.Job) []string {
	if !c.asked || c.err != nil {
		return nil
	}
	return deploy.MissingRefs(c.app, c.known, c.deployed, job)
}

package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

const javaArchive = "application/java-archive"

// Deploy creates a deployment of an application from stored jars. If some are
// not stored, [Missing] names them.
func (c *Client) Deploy(ctx context.Context, app string, d rest.NewDeployment) (is *rest.Deployment, err error) {
	_, err = c.call(ctx, request{method: "POST", path: joinPath(app, "deployments"), body: d}, &is)
	return is, err
}

// Missing returns the SHA-256 of the jars that a refused deployment lacks, none
// if err is something else.
func Missing(err error) (sums []string) {
	var p *Problem
	if !errors.As(err, &p) || p.Code != "artifacts_missing" {
		return nil
	}
	for _, f := range p.Errors {
		sums = append(sums, f.Got)
	}
	return sums
}

// PutArtifact stores a jar of this size by its SHA-256. Its name is for people.
// created is false if the jar was stored before.
func (c *Client) PutArtifact(ctx context.Context, a rest.ArtifactRef, jar io.Reader, size int64) (created bool, err error) {
	r := request{
		method: "PUT", path: joinPath("artifact", a.SHA256), query: url.Values{"name": {a.Name}},
		body: stream{jar, size}, media: javaArchive,
	}
	res, err := c.sendRequest(ctx, r)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode == http.StatusCreated, err
}

// Deployments lists the deployments of an application, newest first.
func (c *Client) Deployments(ctx context.Context, app string) (list rest.List[rest.Deployment], err error) {
	_, err = c.call(ctx, request{method: "GET", path: joinPath(app, "deployments")}, &list)
	return list, err
}

// UseDeployment makes a deployment of an application the current one.
func (c *Client) UseDeployment(ctx context.Context, app string, revision int) (is *rest.Deployment, err error) {
	_, err = c.call(ctx, request{method: "PUT", path: joinPath(app, "deployment", strconv.Itoa(revision), "current")}, &is)
	return is, err
}

// Components returns the components that jobs of an application can name.
func (c *Client) Components(ctx context.Context, app string) ([]rest.Component, error) {
	var all rest.Components
	_, err := c.call(ctx, request{method: "GET", path: joinPath(app, "batch-components")}, &all)
	return all.Results, err
}

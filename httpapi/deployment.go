package httpapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/deploy"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// DeploymentPath is a deployment in a path.
type DeploymentPath struct {
	AppPath
	Number string `path:"number" doc:"Revision of the deployment."`
}

func (p *DeploymentPath) revision() (int, error) {
	n, err := strconv.Atoi(p.Number)
	if err != nil || n < 1 {
		return 0, noDeployment(p.App, p.Number)
	}
	return n, nil
}

func noDeployment(app, number string) error {
	return bus.State(bus.CodeNoSuchRevision, "the application %s has no deployment %s", app, codec.Cut(number))
}

func (s *Server) listComponents(ctx context.Context, in *AppPath) (*answer[rest.Components], error) {
	if _, _, err := s.findApp(ctx, in.App); err != nil {
		return nil, err
	}
	out := &answer[rest.Components]{rest.Components{Results: []rest.Component{}}}
	for _, c := range s.cfg.Deployments.Components(in.App) {
		out.Body.Results = append(out.Body.Results, componentOf(&c))
	}
	return out, nil
}

func componentOf(c *deploy.Component) rest.Component {
	return rest.Component{Class: c.Class, Ref: c.Ref, Aliases: c.Aliases, Kinds: c.Kinds, Listens: c.Listens, Origin: c.Origin, Constructor: c.Constructor}
}

type listDeployments struct {
	AppPath
	Page
}

func (s *Server) listDeployments(ctx context.Context, in *listDeployments) (*answer[rest.List[rest.Deployment]], error) {
	for name, cursor := range map[string]string{"after": in.After, "before": in.Before} {
		if _, err := strconv.Atoi(cursor); cursor != "" && err != nil {
			return nil, codec.ParameterFault(name, "the number of a revision", cursor)
		}
	}
	if _, _, err := s.findApp(ctx, in.App); err != nil {
		return nil, err
	}
	all, err := s.cfg.Deployments.Revisions(ctx, in.App)
	if err != nil {
		return nil, err
	}
	shown := cutPage(in.Page, all, func(d *deploy.Deployment) string { return strconv.Itoa(d.Revision) }, newerRevision)
	results := make([]rest.Deployment, len(shown.items))
	for i := range shown.items {
		results[i] = deploymentOf(&shown.items[i])
	}
	return listOf(shown.part, results), nil
}

// newerRevision orders revisions from the newest to the oldest.
func newerRevision(a, b string) int {
	m, _ := strconv.Atoi(a) // checked before
	n, _ := strconv.Atoi(b)
	return cmp.Compare(n, m)
}

func (s *Server) getDeployment(ctx context.Context, in *DeploymentPath) (*answer[rest.Deployment], error) {
	return s.oneDeployment(ctx, in, s.cfg.Deployments.Revision)
}

func (s *Server) makeCurrent(ctx context.Context, in *DeploymentPath) (*answer[rest.Deployment], error) {
	return s.oneDeployment(ctx, in, s.cfg.Deployments.MakeCurrent)
}

func (s *Server) oneDeployment(ctx context.Context, in *DeploymentPath, do func(ctx context.Context, app string, n int) (*deploy.Deployment, error)) (*answer[rest.Deployment], error) {
	if _, _, err := s.findApp(ctx, in.App); err != nil {
		return nil, err
	}
	n, err := in.revision()
	if err != nil {
		return nil, err
	}
	d, err := do(ctx, in.App, n)
	if err != nil {
		return nil, err
	}
	return &answer[rest.Deployment]{deploymentOf(d)}, nil
}

func deploymentOf(d *deploy.Deployment) rest.Deployment {
	v := rest.Deployment{
		Revision: d.Revision, Current: d.Current, Components: d.Components, Classes: d.Classes, Warnings: d.Warnings, CreateTime: d.CreateTime,
	}
	for _, a := range d.Artifacts {
		v.Artifacts = append(v.Artifacts, rest.Artifact{
			ArtifactRef: rest.ArtifactRef{Name: a.Name, SHA256: a.SHA256},
			Size:        a.Size, Origin: a.Origin, Group: a.Group, ID: a.ID, Version: a.Version,
		})
	}
	return v
}

// newDeployment is a body that names the jars of a revision.
type newDeployment rest.NewDeployment

// Validate returns a fault if no jar is named.
func (sent *newDeployment) Validate() (wrong codec.Faults) {
	if len(sent.Artifacts) == 0 {
		wrong.Add("/artifacts", "at least one jar", "")
	}
	return wrong
}

type postDeployment struct {
	AppPath
	Sent body[newDeployment]
}

// deployed is the answer with a new revision.
type deployed struct {
	Location string `header:"Location"`
	Body     rest.Deployment
}

func (s *Server) postDeployment(ctx context.Context, in *postDeployment) (*deployed, error) {
	if _, _, err := s.findApp(ctx, in.App); err != nil {
		return nil, err
	}
	d, err := s.cfg.Deployments.Deploy(ctx, in.App, refsOf(in.Sent.value.Artifacts))
	return s.deployed(ctx, d, err)
}

func refsOf(sent []rest.ArtifactRef) []deploy.ArtifactRef {
	refs := make([]deploy.ArtifactRef, len(sent))
	for i, a := range sent {
		refs[i] = deploy.ArtifactRef{Name: a.Name, SHA256: a.SHA256}
	}
	return refs
}

func (s *Server) deployed(ctx context.Context, d *deploy.Deployment, err error) (*deployed, error) {
	if err != nil {
		return nil, err
	}
	noteObject(ctx, strconv.Itoa(d.Revision))
	s.cfg.Catalog.AnnounceDeployment(d.App)
	return &deployed{fmt.Sprintf("/%s/deployment/%d", d.App, d.Revision), deploymentOf(d)}, nil
}

// Upload is a body that the handler reads as a stream.
type Upload struct {
	reader    io.Reader
	mediaType string
}

// Resolve keeps the body for the handler.
func (u *Upload) Resolve(ctx huma.Context) []error {
	u.reader = &patient{Reader: limitBody(ctx, maxUpload), setDeadline: ctx.SetReadDeadline}
	u.mediaType = ctx.Header("Content-Type")
	return nil
}

// patient is a reader with a timeout for each read, and a least average rate,
// instead of one timeout for the whole body. Only the time in which it waits for
// the client counts, not the time in which the control bus stores what came.
type patient struct {
	io.Reader
	setDeadline func(time.Time) error // of the zero time: removes it
	waited      time.Duration         // for the client
	received    int64                 // bytes
}

func (p *patient) Read(b []byte) (int, error) {
	begun := time.Now()
	ahead := time.Duration(p.received/uploadRate)*time.Second - p.waited
	_ = p.setDeadline(begun.Add(transferTimeout + min(ahead, 0))) // tests have no connection
	n, err := p.Reader.Read(b)
	p.waited += time.Since(begun)
	p.received += int64(n)
	if err == nil {
		_ = p.setDeadline(time.Time{})
	}
	return n, err
}

type putArtifact struct {
	SHA256 string `path:"sha256" doc:"SHA-256 of the jar, as 64 hex digits."`
	Name   string `query:"name" doc:"File name of the jar. Only people who inspect the object store see it."`
	Upload
}

// stored is the answer to the upload of a jar.
type stored struct {
	Status int
	Body   rest.StoredArtifact
}

func (s *Server) putArtifact(ctx context.Context, in *putArtifact) (*stored, error) {
	a, created, err := s.cfg.Deployments.Store(ctx, deploy.ArtifactRef{Name: cmp.Or(in.Name, in.SHA256+".jar"), SHA256: in.SHA256}, in.reader)
	if err != nil {
		return nil, err
	}
	return &stored{putStatus(created), rest.StoredArtifact{SHA256: a.SHA256, Size: a.Size}}, nil
}

type getArtifact struct {
	SHA256 string `path:"sha256" doc:"SHA-256 of the jar, as 64 hex digits."`
}

func (s *Server) getArtifact(ctx context.Context, in *getArtifact) (*streamed, error) {
	r, size, err := s.cfg.Deployments.Open(ctx, in.SHA256)
	if errors.Is(err, bus.ErrNotFound) {
		err = bus.State(bus.CodeNoSuchArtifact, "there is no artifact %s", codec.Cut(in.SHA256))
	}
	if err != nil {
		return nil, err
	}
	return &streamed{func(hc huma.Context) {
		defer r.Close()
		hc.SetHeader("Content-Type", jarType)
		hc.SetHeader("Content-Length", strconv.FormatInt(size, 10))
		hc.SetHeader("ETag", `"`+in.SHA256+`"`)
		if _, err := io.Copy(hc.BodyWriter(), r); err != nil {
			s.log.Debug("artifact not sent completely", "sha256", in.SHA256, "err", err)
		}
	}}, nil
}

const jarType = "application/java-archive"

type postComponents struct {
	AppPath
	Upload
}

// postComponents adds the jars of a form, as browsers send it, to the current
// deployment. It adds all of them or none.
func (s *Server) postComponents(ctx context.Context, in *postComponents) (*deployed, error) {
	if _, _, err := s.findApp(ctx, in.App); err != nil {
		return nil, err
	}
	media, params, err := mime.ParseMediaType(in.mediaType)
	if err != nil || media != "multipart/form-data" || params["boundary"] == "" {
		return nil, &codec.MediaTypeError{Header: "Content-Type", Got: in.mediaType, Want: "multipart/form-data"}
	}
	refs, err := s.storeParts(ctx, multipart.NewReader(in.reader, params["boundary"]))
	if err != nil {
		return nil, err
	}
	d, err := s.cfg.Deployments.Add(ctx, in.App, refs)
	return s.deployed(ctx, d, err)
}

func (s *Server) storeParts(ctx context.Context, form *multipart.Reader) (refs []deploy.ArtifactRef, err error) {
	for {
		part, err := form.NextRawPart()
		switch {
		case errors.Is(err, io.EOF) && len(refs) > 0:
			return refs, nil
		case errors.Is(err, io.EOF):
			return nil, codec.ParameterFault("file", "a part that is named file and contains a jar", "none")
		case err != nil:
			return nil, formError(fmt.Errorf("read the form: %w", err))
		case part.FormName() != "file":
			continue
		}
		name := path.Base(strings.ReplaceAll(part.FileName(), `\`, "/"))
		if !strings.HasSuffix(name, ".jar") {
			return nil, codec.ParameterFault("file", "a file name that ends in .jar", name)
		}
		a, _, err := s.cfg.Deployments.Store(ctx, deploy.ArtifactRef{Name: name}, part)
		if err != nil {
			return nil, formError(err)
		}
		refs = append(refs, a.ArtifactRef)
	}
}

// formError turns an error about the form into a [codec.MalformedError].
func formError(err error) error {
	if errors.Is(err, errSlowBody) {
		return err
	}
	var header textproto.ProtocolError
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &header) || strings.Contains(err.Error(), "multipart:") {
		return &codec.MalformedError{Fault: rest.Fault{Detail: "want multipart/form-data", Got: codec.Cut(err.Error())}}
	}
	return err
}

package httpapi

import (
	"cmp"
	"context"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/agents"
	"github.com/job-streamer/job-streamer-control-bus/bus/catalog"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	v1 "github.com/job-streamer/job-streamer-control-bus/httpapi/v1"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// AppPath is an application in a path. Huma sees embedded fields only if their
// type is exported.
type AppPath struct {
	App string `path:"app" doc:"Name of the application."`
}

// Resolve refuses an invalid name before it becomes a part of a key.
func (p *AppPath) Resolve(huma.Context) []error {
	if !subjects.ValidName(p.App) {
		return []error{noApp(p.App)}
	}
	return nil
}

func noApp(name string) error { return bus.NoSuchApp(codec.Cut(name)) }

// listApps lists all applications: their names are no secret. It shows no more
// of those whose jobs the user may not read.
func (s *Server) listApps(ctx context.Context, in *Page) (*answer[rest.All[rest.AppInfo]], error) {
	shown := cutPage(*in, s.cfg.Index.Apps(), func(a *bus.App) string { return a.Name }, strings.Compare)
	mayRead := appReader(ctx)
	var results []rest.AppInfo
	for _, a := range shown.items {
		if !mayRead(a.Name) {
			results = append(results, rest.AppInfo{ClassLoaderID: agents.InstanceID("app/" + a.Name), Name: a.Name, Classpath: []string{}})
			continue
		}
		results = append(results, s.appInfo(&a))
	}
	return allOf(shown.part, results), nil
}

func (s *Server) appInfo(a *bus.App) rest.AppInfo {
	return rest.AppInfo{
		ClassLoaderID: agents.InstanceID("app/" + a.Name),
		Name:          a.Name, Description: a.Description, Classpath: s.cfg.Deployments.Classpath(a.Name),
		CreateTime: a.CreateTime, LastUpdatedTime: a.UpdateTime,
	}
}

// findApp returns an application. It asks the store if the read model does not
// know it yet: another bus may just have created it.
func (s *Server) findApp(ctx context.Context, name string) (*bus.App, uint64, error) {
	if a, revision, ok := s.cfg.Index.App(name); ok {
		return &a, revision, nil
	}
	a, revision, err := s.cfg.Catalog.App(ctx, name)
	return &a, revision, err
}

func (s *Server) getApp(ctx context.Context, in *AppPath) (*tagged[rest.AppInfo], error) {
	a, revision, err := s.findApp(ctx, in.App)
	if err != nil {
		return nil, err
	}
	return &tagged[rest.AppInfo]{entityTag(revision), s.appInfo(a)}, nil
}

// newApp is a body with an application.
type newApp rest.App

// ValidateFor returns what is wrong with the name. It accepts every name from a
// v1 client that sends a token: see [v1.SendsToken].
func (sent *newApp) ValidateFor(ctx huma.Context) (wrong codec.Faults) {
	if sent.Name != "" && !v1.SendsToken(ctx.Header("Authorization")) {
		checkAppName(&wrong, "/name", sent.Name)
	}
	return wrong
}

type postApp struct {
	Preconditions
	Authorization string `header:"Authorization" hidden:"true"`
	Sent          body[newApp]
}

func (s *Server) postApp(ctx context.Context, in *postApp) (*saved[rest.AppInfo], error) {
	sent := rest.App(in.Sent.value)
	if _, _, known := s.cfg.Index.App(sent.Name); !known && v1.SendsToken(in.Authorization) {
		sent.Name = bus.DefaultApp
	}
	if subjects.ValidName(sent.Name) {
		recordOf(ctx).row.App = sent.Name
	}
	if err := checkPermission(ctx, deployApp, sent.Name); err != nil {
		return nil, err
	}
	out, err := s.writeApp(ctx, sent, &in.Preconditions)
	if err == nil {
		out.Status = 201
	}
	return out, err
}

type putApp struct {
	App string `path:"app" doc:"Name of the application."` // any: what is wrong with it is said of the name
	Preconditions
	Sent body[newApp]
}

func (s *Server) putApp(ctx context.Context, in *putApp) (*saved[rest.AppInfo], error) {
	sent := rest.App(in.Sent.value)
	if sent.Name = cmp.Or(sent.Name, in.App); sent.Name != in.App {
		return nil, &bus.FieldError{Path: "/name", Want: "the application of the path, " + codec.Cut(in.App), Got: sent.Name}
	}
	return s.writeApp(ctx, sent, &in.Preconditions)
}

func (s *Server) writeApp(ctx context.Context, sent rest.App, p *Preconditions) (*saved[rest.AppInfo], error) {
	var wrong codec.Faults
	checkAppName(&wrong, "/name", sent.Name)
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	recordOf(ctx).row.App = sent.Name
	noteObject(ctx, sent.Name)
	if err := s.deployPath(ctx, &sent, p); err != nil {
		return nil, err
	}
	e, did, err := s.cfg.Catalog.SaveApp(ctx, sent.Name, sent.Description, p.checkRevision)
	if err != nil {
		return nil, err
	}
	return &saved[rest.AppInfo]{putStatus(did == catalog.Created), "/app/" + sent.Name, entityTag(e.Revision), s.appInfo(&e.Value)}, nil
}

// deployPath deploys a class path, if the request has one and the preconditions
// hold. Only an admin of all applications may name files outside the configured
// folders: whatever the bus can read could be downloaded afterwards. If the
// deployment fails, nothing has changed.
func (s *Server) deployPath(ctx context.Context, sent *rest.App, p *Preconditions) error {
	if len(sent.Classpath) == 0 {
		return nil
	}
	if userOf(ctx).Role("") != bus.RoleAdmin {
		if err := s.cfg.Deployments.CheckRoots(sent.Classpath); err != nil {
			return err
		}
	}
	if err := s.cfg.Catalog.CheckApp(ctx, sent.Name, p.checkRevision); err != nil {
		return err
	}
	d, err := s.cfg.Deployments.DeployPath(ctx, sent.Name, sent.Classpath)
	if err == nil {
		s.cfg.Catalog.AnnounceDeployment(d.App)
	}
	return err
}

func (s *Server) deleteApp(ctx context.Context, in *AppPath) (*struct{}, error) {
	// A repeated request deletes the class path, if the first one deleted only
	// the application.
	err := s.cfg.Catalog.DeleteApp(ctx, in.App)
	if err != nil && !bus.HasCode(err, bus.CodeNoSuchApp) {
		return nil, err
	}
	return nil, cmp.Or(s.cfg.Deployments.Remove(ctx, in.App), err)
}

func (s *Server) appStats(ctx context.Context, in *AppPath) (*answer[rest.AppStats], error) {
	if _, _, err := s.findApp(ctx, in.App); err != nil {
		return nil, err
	}
	return &answer[rest.AppStats]{rest.AppStats{Agents: s.agentsOf(in.App), Jobs: s.cfg.Index.CountJobs(in.App)}}, nil
}

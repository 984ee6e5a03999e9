package httpapi

import (
	"context"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// LimitPath is a limit in a path.
type LimitPath struct {
	Name string `path:"name" doc:"Name of the limit."`
}

// Resolve refuses a name that no limit can have.
func (p *LimitPath) Resolve(huma.Context) []error {
	if !jsl.ValidLimitName(p.Name) {
		return []error{codec.ParameterFault("name", jsl.WantLimitName, codec.Cut(p.Name))}
	}
	return nil
}

func (s *Server) listLimits(ctx context.Context, in *Page) (*answer[rest.All[rest.Limit]], error) {
	all, err := s.cfg.Executions.Limits(ctx)
	if err != nil {
		return nil, err
	}
	shown := cutPage(*in, all, func(l *execution.LimitInfo) string { return l.Name }, strings.Compare)
	var results []rest.Limit
	for i := range shown.items {
		results = append(results, limitOf(ctx, &shown.items[i]))
	}
	return allOf(shown.part, results), nil
}

func (s *Server) getLimit(ctx context.Context, in *LimitPath) (*answer[rest.Limit], error) {
	l, err := s.cfg.Executions.Limit(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &answer[rest.Limit]{limitOf(ctx, l)}, nil
}

// limitOf returns a limit as answers show it: with the executions of
// applications that the user may read.
func limitOf(ctx context.Context, l *execution.LimitInfo) rest.Limit {
	v := rest.Limit{
		Name: l.Name, Capacity: l.Capacity, Held: l.Used, Waiting: l.Waiting, Holders: []rest.LimitHolder{},
		CreateTime: l.CreateTime, LastUpdatedTime: l.UpdateTime,
	}
	mayRead := appReader(ctx)
	for _, h := range l.Holders {
		if h.App != "" && mayRead(h.App) {
			v.Holders = append(v.Holders, rest.LimitHolder{ExecutionID: h.ID, App: h.App, Job: h.Job, Units: h.Units})
		}
	}
	return v
}

// savedLimit is the answer to a PUT of a limit.
type savedLimit struct {
	Status   int
	Location string `header:"Location"`
	Body     rest.Limit
}

type putLimit struct {
	LimitPath
	Sent body[rest.NewLimit]
}

// Resolve refuses a name that no limit can have. The embedded Resolve alone
// would not be called: see checkResolvers.
func (in *putLimit) Resolve(ctx huma.Context) []error { return in.LimitPath.Resolve(ctx) }

func (s *Server) putLimit(ctx context.Context, in *putLimit) (*savedLimit, error) {
	created, err := s.cfg.Executions.SetLimit(ctx, in.Name, in.Sent.value.Capacity)
	if err != nil {
		return nil, err
	}
	if err := s.settleAudit(ctx, nil); err != nil {
		return nil, err
	}
	l, err := s.cfg.Executions.Limit(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &savedLimit{putStatus(created), "/limit/" + url.PathEscape(in.Name), limitOf(ctx, l)}, nil
}

func (s *Server) deleteLimit(ctx context.Context, in *LimitPath) (*struct{}, error) {
	return nil, s.cfg.Executions.DeleteLimit(ctx, in.Name)
}

package httpapi

import (
	"context"
	"time"
)

// healthTimeout is how long NATS may take to answer before it counts as away.
const healthTimeout = 2 * time.Second

// version answers with a string, as the original control bus did.
func (s *Server) version(context.Context, *struct{}) (*answer[string], error) {
	return &answer[string]{s.cfg.Version}, nil
}

// healthcheck answers with nothing if all is well.
func (s *Server) healthcheck(ctx context.Context, _ *struct{}) (*struct{}, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	return nil, s.cfg.Bus.Healthy(ctx)
}

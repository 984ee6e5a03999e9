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

// sickError is why the control bus cannot do its work now. It is shown: an
// operator, or a load balancer's log, needs the reason.
type sickError struct{ reason error }

func (e *sickError) Error() string { return e.reason.Error() }

// healthcheck answers with nothing if all is well, and else with a problem that
// says what is wrong.
func (s *Server) healthcheck(ctx context.Context, _ *struct{}) (*struct{}, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	if err := s.cfg.Bus.Healthy(ctx); err != nil {
		return nil, &sickError{err}
	}
	return nil, nil
}

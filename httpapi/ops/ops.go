// Package ops serves the operations listener of a control bus: what tells
// whether it works, and profiles of the process.
//
//	/healthcheck   as in the REST API: the bus can work
//	/livez         the process answers
//	/readyz        the bus serves the REST API, and can work
//	/metrics       figures for Prometheus
//	/debug/pprof/  profiles, as in net/http/pprof, for clients on loopback only
//
// It is a server of its own, so that it answers when clients of the REST API
// hold all the connections that they may have. It asks for no login: what it
// answers beyond loopback holds no secret. A profile may hold some.
package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/origin"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

const (
	healthTimeout   = 2 * time.Second  // for an answer of NATS
	readTimeout     = 10 * time.Second // for a request
	writeTimeout    = 5 * time.Minute  // for an answer: the longest profile
	idleTimeout     = 2 * time.Minute
	shutdownTimeout = time.Second
)

// Config configures a [Server].
type Config struct {
	Health  func(context.Context) error // nil error: the control bus can work
	Ready   func() error                // nil error: it serves the REST API
	Metrics http.Handler                // nil: none
	Log     *slog.Logger                // default: none
}

// Server answers operators and monitoring.
type Server struct {
	cfg   Config
	mux   *http.ServeMux
	pages *origin.Policy
}

// New returns a server.
func New(cfg Config) (*Server, error) {
	pages, err := origin.New("", nil)
	if err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg, http.NewServeMux(), pages}
	s.mux.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) {})
	s.mux.HandleFunc("GET /healthcheck", func(w http.ResponseWriter, r *http.Request) {
		answerWith(w, "unavailable", s.checkHealth(r.Context()))
	})
	s.mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := s.cfg.Ready(); err != nil {
			answerWith(w, "not_ready", err)
			return
		}
		answerWith(w, "unavailable", s.checkHealth(r.Context()))
	})
	if cfg.Metrics != nil {
		s.mux.Handle("GET /metrics", cfg.Metrics)
	}
	s.mux.HandleFunc("GET /debug/pprof/", s.onLoopback(pprof.Index)) // also heap, goroutine and the like
	s.mux.HandleFunc("GET /debug/pprof/cmdline", http.NotFound)      // the command line may hold secrets
	s.mux.HandleFunc("GET /debug/pprof/profile", s.onLoopback(pprof.Profile))
	s.mux.HandleFunc("GET /debug/pprof/symbol", s.onLoopback(pprof.Symbol))
	s.mux.HandleFunc("GET /debug/pprof/trace", s.onLoopback(pprof.Trace))
	return s, nil
}

func (s *Server) checkHealth(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	return s.cfg.Health(ctx)
}

// answerWith answers 200 without a body, or 503 with a problem.
func answerWith(w http.ResponseWriter, code string, err error) {
	if err == nil {
		return
	}
	writeProblem(w, http.StatusServiceUnavailable, code, err)
}

func writeProblem(w http.ResponseWriter, status int, code string, err error) {
	var p rest.Problem
	p.Title, p.Status, p.Code, p.Detail = http.StatusText(status), status, code, err.Error()
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(p) // the client has left
}

// Serve answers requests on l until ctx ends. On a loopback address it refuses
// other hosts (421), which stops DNS rebinding.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler: s.handlerFor(l.Addr()), ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve operators on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if srv.Shutdown(ctx) != nil { // a profile is running
		_ = srv.Close()
	}
	<-failed //nolint:errcheck // http.ErrServerClosed
	return nil
}

// errForeignPage refuses what a browser sends for a page of another origin: the
// page could make the bus profile itself. A GET is refused as well.
var errForeignPage = errors.New("the request comes from a page of another origin")

// handlerFor returns the handler of a listener at an address.
func (s *Server) handlerFor(at net.Addr) http.Handler {
	handle := s.mux.ServeHTTP
	if tcp, ok := at.(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		handle = s.onOwnHosts(handle)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin.ProtectAnswer(w.Header())
		if from := r.Header.Get("Sec-Fetch-Site"); from == "cross-site" || from == "same-site" {
			writeProblem(w, http.StatusForbidden, "foreign_page", errForeignPage)
			return
		}
		handle(w, r)
	})
}

// onOwnHosts refuses requests for hosts that are not this control bus.
func (s *Server) onOwnHosts(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := s.pages.CheckHost(r); err != nil {
			writeProblem(w, http.StatusMisdirectedRequest, "wrong_host", err)
			return
		}
		next(w, r)
	}
}

var errNotLoopback = errors.New("profiles are for clients on the machine of the control bus")

// onLoopback refuses requests that come neither over the loopback interface nor
// over a Unix socket, and those of pages in a browser on this machine whose name leads here.
func (s *Server) onLoopback(next http.HandlerFunc) http.HandlerFunc {
	next = s.onOwnHosts(next)
	return func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		_, isSocket := r.Context().Value(http.LocalAddrContextKey).(*net.UnixAddr)
		if !isSocket && (err != nil || !from.Addr().Unmap().IsLoopback()) {
			writeProblem(w, http.StatusForbidden, "not_loopback", errNotLoopback)
			return
		}
		next(w, r)
	}
}

// Package embedded runs the nats-server in our process. Only the program and tests import it: an agent
// that links it grows from 6.6 to 16.9 MB.
package embedded

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Config of an embedded server.
type Config struct {
	Dir      string        // where JetStream keeps its files; one process at a time
	Listen   string        // host:port for clients; empty: in process only
	Monitor  string        // host:port for HTTP monitoring; empty: none
	Name     string        // of the server; default "jobstreamer". In a cluster each has its own, and keeps it
	Sync     string        // always, interval or a duration; default always
	Username string        // of clients over the network; empty: none asked
	Password string        //
	TLS      *TLS          // for clients over the network
	Log      *slog.Logger  // warnings and errors of the server
	Ready    time.Duration // how long to wait for it; default 30 s
}

// TLS files, PEM.
type TLS struct{ Cert, Key, CA string }

// Server is a running nats-server.
type Server struct {
	srv  *server.Server
	lock *flock.Flock
	dir  string
	sync time.Duration
}

// ErrInUse means that another process has the directory.
var ErrInUse = errors.New("in use by another process")

// Start starts a server and waits until JetStream is ready.
func Start(cfg Config) (*Server, error) {
	opts := &server.Options{
		ServerName: cmp.Or(cfg.Name, "jobstreamer"),
		JetStream:  true, StoreDir: cfg.Dir, NoSigs: true, DisableJetStreamBanner: true,
		MaxPayload: 8 << 20, // a request carries a definition, which may be 4 MiB
		DontListen: cfg.Listen == "",
	}
	sync, err := syncOptions(cfg.Sync, opts)
	if err != nil {
		return nil, err
	}
	if cfg.Listen != "" {
		if opts.Host, opts.Port, err = split(cfg.Listen); err != nil {
			return nil, err
		}
	}
	if cfg.Monitor != "" {
		if opts.HTTPHost, opts.HTTPPort, err = split(cfg.Monitor); err != nil {
			return nil, err
		}
	}
	opts.Username, opts.Password = cfg.Username, cfg.Password
	if cfg.TLS != nil {
		if opts.TLSConfig, err = server.GenTLSConfig(&server.TLSConfigOpts{
			CertFile: cfg.TLS.Cert, KeyFile: cfg.TLS.Key, CaFile: cfg.TLS.CA, Verify: cfg.TLS.CA != "",
		}); err != nil {
			return nil, fmt.Errorf("TLS of the embedded NATS: %w", err)
		}
		opts.TLS = true
	}
	lock := flock.New(filepath.Join(cfg.Dir, "lock"))
	if err := mkdir(cfg.Dir); err != nil {
		return nil, err
	}
	if ok, err := lock.TryLock(); err != nil {
		return nil, fmt.Errorf("lock %s: %w", cfg.Dir, err)
	} else if !ok {
		return nil, fmt.Errorf("%s is %w", cfg.Dir, ErrInUse)
	}
	s := &Server{lock: lock, dir: cfg.Dir, sync: sync}
	if s.srv, err = server.NewServer(opts); err != nil {
		return nil, errors.Join(fmt.Errorf("NATS: %w", err), lock.Unlock())
	}
	var ready atomic.Bool
	if cfg.Log != nil {
		s.srv.SetLogger(logger{cfg.Log, &ready}, false, false)
	}
	go s.srv.Start()
	if !s.srv.ReadyForConnections(cmp.Or(cfg.Ready, 30*time.Second)) {
		s.Stop()
		return nil, fmt.Errorf("NATS on %s in %s did not get ready", cfg.Listen, cfg.Dir)
	}
	ready.Store(true)
	return s, nil
}

// syncOptions sets when files are synced. SyncInterval is the server's own name for both.
func syncOptions(mode string, opts *server.Options) (time.Duration, error) {
	switch mode {
	case "", "always":
		opts.SyncAlways = true
		return 0, nil
	case "interval":
		return 2 * time.Minute, nil // the server's default
	}
	d, err := time.ParseDuration(mode)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("--sync %q: want always, interval or a duration such as 1s", mode)
	}
	opts.SyncInterval = d
	return d, nil
}

func split(hostport string) (string, int, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err == nil {
		var n int
		if n, err = strconv.Atoi(port); err == nil {
			if n == 0 {
				n = server.RANDOM_PORT
			}
			return host, n, nil
		}
	}
	return "", 0, fmt.Errorf("%q is not host:port: %w", hostport, err)
}

// Connect returns a connection that never leaves the process.
func (s *Server) Connect(opts ...nats.Option) (*nats.Conn, error) {
	if o := s.srv; o != nil {
		opts = append(opts, nats.InProcessServer(o))
	}
	return nats.Connect("", opts...)
}

// URL is where clients connect; empty if the server does not listen.
func (s *Server) URL() string {
	if a := s.srv.Addr(); a != nil {
		return "nats://" + a.String()
	}
	return ""
}

// Stop ends the server and waits for it. What it acknowledged is written.
func (s *Server) Stop() {
	s.srv.Shutdown()
	s.srv.WaitForShutdown()
	_ = s.lock.Unlock() // the process's end would do it as well
}

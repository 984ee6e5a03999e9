// Package embedded runs the nats-server in our process. Only the program and tests import it: an agent
// that links it grows from 6.6 to 16.9 MB.
package embedded

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Config of an embedded server.
type Config struct {
	Dir      string       // where JetStream keeps its files; the caller sees to it that one process at a time has it
	Listen   string       // host:port for clients; empty: in process only
	Monitor  string       // host:port for HTTP monitoring; empty: none
	Name     string       // of the server; default "jobstreamer". In a cluster each has its own, and keeps it
	Sync     string       // always, interval or a duration; default always
	Username string       // of clients over the network; empty: none asked
	Password string       //
	TLS      *TLS         // for clients over the network
	Log      *slog.Logger // warnings and errors of the server
}

// TLS files, PEM.
type TLS struct{ Cert, Key, CA string }

// Server is a running nats-server.
type Server struct {
	cfg   Config
	ready atomic.Bool

	mu  sync.Mutex
	srv *server.Server // another one after a restart
}

// startTimeout is how long a server may take to read what it has.
const startTimeout = 30 * time.Second

// Start starts a server and waits until JetStream is ready. [Server.Watch] keeps its disk from running full.
func Start(cfg Config) (*Server, error) {
	opts, err := options(cfg)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	disk, err := spaceOf(cfg.Dir)
	if err != nil { // not every system says
		if cfg.Log != nil {
			cfg.Log.Warn("the disk cannot be watched: see that it does not run full", "data", cfg.Dir, "err", err)
		}
		disk = space{free: noLimit, size: noLimit}
	}
	if disk.free < leastFree {
		return nil, fmt.Errorf("the disk of %s has %d bytes free, and NATS needs %d to start: make room on that disk", cfg.Dir, disk.free, leastFree)
	}
	s := &Server{cfg: cfg}
	if err := s.launch(opts, disk); err != nil {
		return nil, err
	}
	return s, nil
}

// options are the server's settings.
func options(cfg Config) (opts *server.Options, err error) {
	opts = &server.Options{
		ServerName: cmp.Or(cfg.Name, "jobstreamer"),
		JetStream:  true, StoreDir: cfg.Dir, NoSigs: true, DisableJetStreamBanner: true,
		JetStreamMaxStore: noLimit,
		MaxPayload:        8 << 20, // a request carries a definition, which may be 4 MiB
		DontListen:        cfg.Listen == "",
		Username:          cfg.Username, Password: cfg.Password,
	}
	if opts.SyncAlways, opts.SyncInterval, err = parseSync(cfg.Sync); err != nil {
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
	if cfg.TLS != nil {
		if opts.TLSConfig, err = server.GenTLSConfig(&server.TLSConfigOpts{
			CertFile: cfg.TLS.Cert, KeyFile: cfg.TLS.Key, CaFile: cfg.TLS.CA, Verify: cfg.TLS.CA != "",
		}); err != nil {
			return nil, fmt.Errorf("TLS of the embedded NATS: %w", err)
		}
		opts.TLS = true
	}
	return opts, nil
}

// launch starts a server, limits it to its disk, and makes it the one that is connected to.
func (s *Server) launch(opts *server.Options, disk space) error {
	srv, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("NATS: %w", err)
	}
	s.ready.Store(false)
	if s.cfg.Log != nil {
		srv.SetLogger(logger{s.cfg.Log, &s.ready}, false, false)
	}
	go srv.Start()
	if !srv.ReadyForConnections(startTimeout) || !srv.JetStreamEnabled() {
		stop(srv)
		return fmt.Errorf("NATS on %s in %s did not get ready", s.cfg.Listen, s.cfg.Dir)
	}
	if err := limit(srv, disk); err != nil {
		stop(srv)
		return err
	}
	s.ready.Store(true)
	if a, ok := srv.Addr().(*net.TCPAddr); ok { // a restart takes the same ports
		s.cfg.Listen = samePort(s.cfg.Listen, a)
	}
	if a := srv.MonitorAddr(); a != nil {
		s.cfg.Monitor = samePort(s.cfg.Monitor, a)
	}
	s.mu.Lock()
	s.srv = srv
	s.mu.Unlock()
	return nil
}

// samePort is the address with the port that was taken for it.
func samePort(hostport string, taken *net.TCPAddr) string {
	host, _, _ := net.SplitHostPort(hostport) // it was good
	return net.JoinHostPort(host, strconv.Itoa(taken.Port))
}

// current is the server that runs.
func (s *Server) current() *server.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.srv
}

// CheckSync says before anything is started whether mode is one of [Config]'s.
func CheckSync(mode string) error {
	_, _, err := parseSync(mode)
	return err
}

// parseSync returns the server's two settings of when files are synced; an interval of 0 is its own default, two minutes.
func parseSync(mode string) (always bool, interval time.Duration, err error) {
	switch mode {
	case "", "always":
		return true, 0, nil
	case "interval":
		return false, 0, nil
	}
	if interval, err = time.ParseDuration(mode); err != nil || interval <= 0 {
		return false, 0, fmt.Errorf("--sync %s: want always, interval or a duration such as 1s", mode)
	}
	return false, interval, nil
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

// Connect returns a connection that never leaves the process. It survives a restart of the server, as one over the network does.
func (s *Server) Connect(opts ...nats.Option) (*nats.Conn, error) {
	return nats.Connect("", append(opts, nats.InProcessServer(s))...)
}

// InProcessConn is for the client library.
func (s *Server) InProcessConn() (net.Conn, error) { return s.current().InProcessConn() }

// URL is where clients connect; empty if the server does not listen.
func (s *Server) URL() string {
	if a := s.current().Addr(); a != nil {
		return "nats://" + a.String()
	}
	return ""
}

// Stop ends the server and waits for it. What it acknowledged is written.
func (s *Server) Stop() { stop(s.current()) }

func stop(srv *server.Server) {
	srv.Shutdown()
	srv.WaitForShutdown()
}

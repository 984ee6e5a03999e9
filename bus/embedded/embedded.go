// Package embedded runs the nats-server in this process. Only the program and
// tests import it: it would make an agent grow from 6.6 to 16.9 MB.
package embedded

import (
	"cmp"
	"crypto/tls"
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

// Config configures an embedded server.
type Config struct {
	Dir      string       // JetStream's files; the caller must ensure that only one process uses them
	Listen   string       // host:port for clients; empty: in process only
	Monitor  string       // host:port for HTTP monitoring; empty: none
	Name     string       // of the server; default "jobstreamer"; unique and constant in a cluster
	Sync     string       // always, interval or a duration; default always
	Username string       // for clients over the network; empty: no login, unless Trust is set
	Password string       //
	Trust    *Trust       // accounts for clients; nil: one account for all
	TLS      *tls.Config  // for clients over the network; nil: without TLS
	Log      *slog.Logger // warnings and errors of the server
}

// Trust makes the server accept the accounts that a NATS operator has signed.
type Trust struct {
	Operator  string            // signed token
	System    string            // public key of the system account
	JetStream string            // public key of the account that has JetStream
	Accounts  map[string]string // signed tokens of the accounts that always exist, by public key
}

// Server is a running nats-server.
type Server struct {
	cfg   Config
	ready atomic.Bool

	mu  sync.Mutex
	srv *server.Server // replaced by a restart
}

// startTimeout bounds the time in which a server reads its files at the start.
const startTimeout = 30 * time.Second

// Start starts a server and blocks until JetStream is ready. [Server.Watch]
// keeps its disk from running full.
func Start(cfg Config) (*Server, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the data directory: %w", err)
	}
	opts, err := serverOptions(cfg)
	if err != nil {
		return nil, err
	}
	if err := moveAccount(&cfg); err != nil {
		return nil, err
	}
	disk, err := readDiskSpace(cfg.Dir)
	if err != nil { // not every system tells
		if cfg.Log != nil {
			cfg.Log.Warn("cannot read the usage of the disk, which may become full without a warning", "data", cfg.Dir, "err", err)
		}
		disk = diskSpace{free: noLimit, size: noLimit}
	}
	if disk.free < minFree {
		return nil, fmt.Errorf("the disk of %s has %d bytes free, and NATS needs %d to start: free some space on that disk", cfg.Dir, disk.free, minFree)
	}
	s := &Server{cfg: cfg}
	if err := s.launchServer(opts, disk); err != nil {
		return nil, err
	}
	return s, nil
}

// serverOptions returns the server's options.
func serverOptions(cfg Config) (opts *server.Options, err error) {
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
	if cfg.Trust != nil {
		if err := cfg.Trust.addTo(opts); err != nil {
			return nil, err
		}
	}
	if cfg.Listen != "" {
		if opts.Host, opts.Port, err = splitAddress(cfg.Listen); err != nil {
			return nil, err
		}
	}
	if cfg.Monitor != "" {
		if opts.HTTPHost, opts.HTTPPort, err = splitAddress(cfg.Monitor); err != nil {
			return nil, err
		}
	}
	if cfg.TLS != nil {
		opts.TLS, opts.TLSConfig = true, cfg.TLS
	}
	return opts, nil
}

// launchServer starts a server, limits it to its disk, and directs new
// connections to it.
func (s *Server) launchServer(opts *server.Options, disk diskSpace) error {
	srv, err := server.NewServer(opts)
	if err != nil {
		return fmt.Errorf("NATS: %w", err)
	}
	s.ready.Store(false)
	if s.cfg.Log != nil {
		srv.SetLogger(serverLog{s.cfg.Log, &s.ready}, false, false)
	}
	go srv.Start()
	if !srv.ReadyForConnections(startTimeout) || !srv.JetStreamEnabled() {
		stopServer(srv)
		return fmt.Errorf("NATS on %s in %s did not become ready", s.cfg.Listen, s.cfg.Dir)
	}
	if err := s.setLimit(srv, disk); err != nil {
		stopServer(srv)
		return err
	}
	s.ready.Store(true)
	if a, ok := srv.Addr().(*net.TCPAddr); ok { // a restart uses the same ports
		s.cfg.Listen = withPort(s.cfg.Listen, a)
	}
	if a := srv.MonitorAddr(); a != nil {
		s.cfg.Monitor = withPort(s.cfg.Monitor, a)
	}
	s.mu.Lock()
	s.srv = srv
	s.mu.Unlock()
	return nil
}

// withPort returns hostport with the port that the server listens on.
func withPort(hostport string, taken *net.TCPAddr) string {
	host, _, _ := net.SplitHostPort(hostport) // checked before
	return net.JoinHostPort(host, strconv.Itoa(taken.Port))
}

// currentServer returns the server that runs now.
func (s *Server) currentServer() *server.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.srv
}

// CheckSync reports, before anything is started, whether mode is a valid
// Config.Sync.
func CheckSync(mode string) error {
	_, _, err := parseSync(mode)
	return err
}

// parseSync returns the server's two sync settings. An interval of 0 is the
// server's own default, two minutes.
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

func splitAddress(hostport string) (string, int, error) {
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

// Connect returns a connection within the process. Like a network connection,
// it survives a restart of the server.
func (s *Server) Connect(opts ...nats.Option) (*nats.Conn, error) {
	return nats.Connect("", append(opts, nats.InProcessServer(s))...)
}

// InProcessConn implements [nats.InProcessConnProvider].
func (s *Server) InProcessConn() (net.Conn, error) { return s.currentServer().InProcessConn() }

// URL returns the address for clients, or an empty string if the server does
// not listen.
func (s *Server) URL() string {
	if a := s.currentServer().Addr(); a != nil {
		return "nats://" + a.String()
	}
	return ""
}

// Stop ends the server and waits for it. Everything that it acknowledged is
// written.
func (s *Server) Stop() { stopServer(s.currentServer()) }

func stopServer(srv *server.Server) {
	srv.Shutdown()
	srv.WaitForShutdown()
}

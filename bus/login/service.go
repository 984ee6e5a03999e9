package login

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

const (
	TokenLife      = 30 * time.Minute // of a token, from its creation
	DefaultTimeout = 30 * time.Minute // of an unused session
	MinTimeout     = 2 * time.Minute  // a session's use is written once a minute

	recordUseEvery = time.Minute
)

// KeepFor returns the age limit that the bucket of sessions needs.
func KeepFor(timeout time.Duration) time.Duration { return max(timeout, TokenLife) + 2*recordUseEvery }

// Config of a [Service].
type Config struct {
	Bus     *bus.Bus
	Timeout time.Duration // of an unused session; default [DefaultTimeout]
	Issuer  string        // of the login provider; empty: none
}

// Service has all users and sessions in memory, so that a request can be
// authenticated without asking NATS.
type Service struct {
	b       *bus.Bus
	timeout time.Duration
	issuer  string
	log     *slog.Logger
	ready   chan struct{}
	hashing chan struct{}
	waiting atomic.Int32
	lookups chan struct{}

	throttle *throttle

	mu       sync.RWMutex
	users    map[string]*userEntry
	keys     map[digest]string // user ids, by key
	usersRev uint64            // the watch has delivered all changes up to this revision
	sessions map[digest]*session
	round    int // counts watches; a watch removes entries that it did not see
}

// New returns a service without users; Run reads them.
func New(cfg Config) *Service {
	return &Service{
		b: cfg.Bus, timeout: cmp.Or(cfg.Timeout, DefaultTimeout), issuer: cfg.Issuer, log: cfg.Bus.Log, ready: make(chan struct{}),
		hashing: make(chan struct{}, maxHashing), lookups: make(chan struct{}, maxLookups), throttle: newThrottle(freeNew),
		users: map[string]*userEntry{}, keys: map[digest]string{}, sessions: map[digest]*session{},
	}
}

// Run watches the buckets until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	var left atomic.Int32
	left.Store(2)
	filled := func() {
		if left.Add(-1) == 0 {
			close(s.ready)
		}
	}
	watchStore(ctx, g, s, s.b.Users, s.putUser, s.forgetUsers, filled)
	watchStore(ctx, g, s, s.b.Sessions, s.putSession, s.forgetSessions, filled)
	return g.Wait()
}

// watchStore starts a goroutine that calls put for each value of store and for
// each change. After a lost connection it reads all values again and calls
// forget for the entries that it did not see: their deletion markers may have
// expired meanwhile.
func watchStore[T any](ctx context.Context, g *errgroup.Group, s *Service, store *bus.Store[T], put func(string, *T, uint64), forget func(round int), filled func()) {
	filled = sync.OnceFunc(filled)
	g.Go(func() error {
		return bus.RetryWatch(ctx, func() error {
			s.mu.Lock()
			s.round++
			round := s.round
			s.mu.Unlock()
			return store.Tolerant(s.log).Watch(ctx, put, func() { forget(round); filled() })
		})
	})
}

// WaitReady blocks until the service has read all users and sessions.
func (s *Service) WaitReady(ctx context.Context) error {
	select {
	case <-s.ready:
		return nil
	case <-time.After(time.Minute):
		return errors.New("users and sessions were not read within a minute")
	case <-ctx.Done():
		return ctx.Err()
	}
}

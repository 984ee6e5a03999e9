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
	TokenLife      = 30 * time.Minute // from its issue
	DefaultTimeout = 30 * time.Minute // of a session that nobody uses
	MinTimeout     = 2 * time.Minute  // its use is noted once a minute

	noteEvery = time.Minute
)

// KeepFor is how long the bucket of sessions has to keep them.
func KeepFor(timeout time.Duration) time.Duration { return max(timeout, TokenLife) + 2*noteEvery }

// Config of a [Service].
type Config struct {
	Bus     *bus.Bus
	Timeout time.Duration // of a session that nobody uses; default [DefaultTimeout]
}

// Service knows users and sessions. All of them are in memory: who asks for
// each request does not ask NATS.
type Service struct {
	b       *bus.Bus
	timeout time.Duration
	log     *slog.Logger
	ready   chan struct{}
	hashing chan struct{}
	waiting atomic.Int32
	asking  chan struct{}

	mu       sync.RWMutex
	users    map[string]*userEntry
	keys     map[digest]string // of users, by key
	usersRev uint64            // all changes of the bucket up to this one were seen
	sessions map[digest]*session
	round    int // of watching; what a round did not see is gone
}

// New returns a service that knows nobody yet; Run fills it.
func New(cfg Config) *Service {
	return &Service{
		b: cfg.Bus, timeout: cmp.Or(cfg.Timeout, DefaultTimeout), log: cfg.Bus.Log, ready: make(chan struct{}),
		hashing: make(chan struct{}, maxHashing), asking: make(chan struct{}, maxAsking),
		users: map[string]*userEntry{}, keys: map[digest]string{}, sessions: map[digest]*session{},
	}
}

// Run follows the buckets until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	var left atomic.Int32
	left.Store(2)
	filled := func() {
		if left.Add(-1) == 0 {
			close(s.ready)
		}
	}
	follow(ctx, g, s, s.b.Users, s.putUser, s.forgetUsers, filled)
	follow(ctx, g, s, s.b.Sessions, s.putSession, s.forgetSessions, filled)
	return g.Wait()
}

// follow puts what there is and what changes. After the connection was lost all
// is read anew, and what is gone then is forgotten: the marker of its end may
// be gone too.
func follow[T any](ctx context.Context, g *errgroup.Group, s *Service, store *bus.Store[T], put func(string, *T, uint64), forget func(round int), filled func()) {
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

// WaitReady waits until the service knows all that was there when it began to
// run.
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

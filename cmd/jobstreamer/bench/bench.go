// Package bench measures a running control bus from the outside: executions of
// a job that does nothing, from POST to their recorded end.
//
//	saturated   C connections, each POSTs again when its execution ends: executions per second
//	at a rate   one POST every 1/R s, without waiting for earlier ones: duration of an execution
//
// At a rate, the time of an execution runs from the moment when it was due and
// not from its POST. Otherwise a bus that hangs for a second would look good,
// because nothing is sent in that second.
//
// The answer to a POST with ?wait comes when the end of the execution has been
// recorded, so one request is one measurement. The load generator must not be
// the bottleneck: it implements HTTP/1.1 itself (see conn.go), because
// net/http's client uses about as much CPU as the bus does for HTTP.
package bench

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Config has the settings of a measurement.
type Config struct {
	URL         string // of the REST API
	Token       string // login token or key, if the control bus requires one
	App, Job    string // the job must exist
	Executions  int    // of the saturated phase; 0: none
	Concurrency int    // connections of the saturated phase
	Rate        int    // executions a second of the other phase; 0: none
	Time        time.Duration
	Progress    func(phase string, done, all int) // called a few times a second; may be nil
}

// Report has the results of a measurement.
type Report struct {
	PerSecond float64 `json:"executions_per_second"` // saturated
	P50       float64 `json:"p50_ms"`                // at the rate; saturated if there was no rate
	P99       float64 `json:"p99_ms"`
	Failed    int     `json:"failed"` // executions that did not complete, in both phases
	Saturated *Phase  `json:"saturated,omitempty"`
	AtRate    *Phase  `json:"at_rate,omitempty"`
}

// Phase has the results of one phase.
type Phase struct {
	Executions int     `json:"executions"`
	Failed     int     `json:"failed"`
	Rate       int     `json:"rate,omitempty"`
	Conns      int     `json:"connections"`
	Seconds    float64 `json:"seconds"`
	PerSecond  float64 `json:"executions_per_second"`
	P50        float64 `json:"p50_ms"`
	P90        float64 `json:"p90_ms"`
	P99        float64 `json:"p99_ms"`
	Max        float64 `json:"max_ms"`
	FirstFault string  `json:"first_fault,omitempty"`
}

const (
	warmUp        = 200 // number of executions that are not counted
	progressEvery = 250 * time.Millisecond
)

// Run measures. If ctx ends early, it returns the results so far.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("URL: want http://host:port, got %q", cfg.URL)
	}
	if cfg.Progress == nil {
		cfg.Progress = func(string, int, int) {}
	}
	target := newTarget(u, cfg.Token, cfg.App, cfg.Job)
	r := &Report{}
	if _, err := saturateBus(ctx, target, warmUp, 4, func(int) {}); err != nil {
		return nil, err
	}
	if cfg.Executions > 0 && ctx.Err() == nil {
		if r.Saturated, err = saturateBus(ctx, target, cfg.Executions, cfg.Concurrency, func(n int) { cfg.Progress("saturated", n, cfg.Executions) }); err != nil {
			return nil, err
		}
		r.PerSecond, r.P50, r.P99, r.Failed = r.Saturated.PerSecond, r.Saturated.P50, r.Saturated.P99, r.Saturated.Failed
	}
	if cfg.Rate > 0 && ctx.Err() == nil {
		all := int(float64(cfg.Rate) * cfg.Time.Seconds())
		if r.AtRate, err = atRate(ctx, target, cfg.Rate, all, func(n int) { cfg.Progress("at a fixed rate", n, all) }); err != nil {
			return nil, err
		}
		r.P50, r.P99 = r.AtRate.P50, r.AtRate.P99
		r.Failed += r.AtRate.Failed
		if r.Saturated == nil {
			r.PerSecond = r.AtRate.PerSecond
		}
	}
	return r, nil
}

// saturateBus keeps all connections busy until all executions have ended.
func saturateBus(ctx context.Context, target *target, all, connections int, progress func(int)) (*Phase, error) {
	var next atomic.Int64
	m := newMeter(all, progress)
	defer m.stopProgress()
	g, gctx := errgroup.WithContext(ctx)
	for range connections {
		g.Go(func() error {
			c, err := target.dialBus(gctx)
			if err != nil {
				return err
			}
			defer c.closeConn()
			for gctx.Err() == nil && next.Add(1) <= int64(all) {
				from := time.Now()
				if err := m.addExecution(from, c.executeJob()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil && ctx.Err() == nil {
		return nil, err
	}
	p := m.phaseResult()
	p.Conns = connections
	return p, nil
}

// atRate starts executions at a fixed rate, each on an idle connection or on a
// new one.
func atRate(ctx context.Context, target *target, rate, all int, progress func(int)) (*Phase, error) {
	var mu sync.Mutex
	var free []*conn
	dialed := 0
	m := newMeter(all, progress)
	defer m.stopProgress()
	g, gctx := errgroup.WithContext(ctx)
	start := time.Now()
	for i := range all {
		due := start.Add(time.Duration(i) * time.Second / time.Duration(rate))
		select {
		case <-time.After(time.Until(due)):
		case <-gctx.Done():
		}
		if gctx.Err() != nil {
			break
		}
		g.Go(func() (err error) {
			mu.Lock()
			var c *conn
			if n := len(free); n > 0 {
				c, free = free[n-1], free[:n-1]
			} else {
				dialed++
			}
			mu.Unlock()
			if c == nil {
				if c, err = target.dialBus(gctx); err != nil {
					return err
				}
			}
			err = m.addExecution(due, c.executeJob())
			mu.Lock()
			free = append(free, c)
			mu.Unlock()
			return err
		})
	}
	err := g.Wait()
	for _, c := range free {
		c.closeConn()
	}
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	p := m.phaseResult()
	p.Rate, p.Conns = rate, dialed
	return p, nil
}

// meter collects the durations of executions.
type meter struct {
	mu        sync.Mutex
	times     []time.Duration
	failed    int
	fault     string
	start     time.Time
	ended     chan struct{}
	reporting sync.WaitGroup
}

func newMeter(all int, progress func(int)) *meter {
	m := &meter{times: make([]time.Duration, 0, all), start: time.Now(), ended: make(chan struct{})}
	m.reporting.Go(func() {
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				m.mu.Lock()
				n := len(m.times)
				m.mu.Unlock()
				progress(n)
			case <-m.ended:
				return
			}
		}
	})
	return m
}

// addExecution counts one execution. A refused one counts as failed; only a
// broken connection is an error.
func (m *meter) addExecution(from time.Time, err error) error {
	took := time.Since(from)
	var refused *refusedError
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.times = append(m.times, took)
	if err != nil {
		m.failed++
		if m.fault == "" {
			m.fault = err.Error()
		}
	}
	return nil
}

func (m *meter) stopProgress() {
	close(m.ended)
	m.reporting.Wait()
}

func (m *meter) phaseResult() *Phase {
	took := time.Since(m.start)
	slices.Sort(m.times)
	return &Phase{
		Executions: len(m.times), Failed: m.failed, FirstFault: m.fault,
		Seconds: took.Seconds(), PerSecond: float64(len(m.times)) / took.Seconds(),
		P50: m.quantileMS(0.5), P90: m.quantileMS(0.9), P99: m.quantileMS(0.99), Max: m.quantileMS(1),
	}
}

// quantileMS returns a quantile in milliseconds, by the nearest-rank method.
func (m *meter) quantileMS(q float64) float64 {
	if len(m.times) == 0 {
		return 0
	}
	i := min(len(m.times)-1, int(q*float64(len(m.times))))
	return float64(m.times[i]) / float64(time.Millisecond)
}

package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	// leastLogs is the least room for the output of jobs that a bus starts with.
	leastLogs = 1 << 20
	// fitEvery is how often the limit of the output is compared with the room that there is.
	fitEvery = 10 * time.Second
)

// ensureLogs makes the stream of jobs' output. It is the only stream that reserves room, and gets three quarters of what there is if
// that is less than Retention.LogBytes, but never less than it holds: nothing is dropped.
func (b *Bus) ensureLogs(ctx context.Context, cfg jetstream.StreamConfig) error {
	want := cfg.MaxBytes
	if want <= 0 {
		return b.ensureStream(ctx, cfg)
	}
	limit, least, err := b.logLimit(ctx, want)
	if err != nil {
		return err
	}
	for {
		cfg.MaxBytes = limit
		err := b.makeStream(ctx, cfg)
		if err == nil {
			break
		}
		if !errors.Is(err, ErrFull) {
			return err
		}
		if limit == least && b.usable(ctx, cfg.Name) {
			return b.ensureStream(ctx, cfg)
		}
		if limit == least {
			return fmt.Errorf("no room for the output of jobs, not even for %s (wanted: %s); give JetStream a larger disk, or its account a larger limit: %w",
				Size(least), Size(want), err)
		}
		// A server's own limit is not told: ask for less until it fits. Room is left for what others reserve.
		limit = max(limit/2, least)
	}
	b.logBytes = limit
	if limit < want {
		b.Log.Warn("there is less room for the output of jobs than asked for; what is older goes earlier",
			"max_log_bytes", Size(want), "room", Size(limit))
	}
	return nil
}

// logLimit is how much output is kept, of the bytes that are wanted, and the least that can be.
func (b *Bus) logLimit(ctx context.Context, want int64) (limit, least int64, err error) {
	var info *jetstream.AccountInfo
	for try := 1; ; try++ {
		if info, err = b.JS.AccountInfo(ctx); err == nil {
			break
		}
		if try == 20 {
			b.Log.Warn("waiting for JetStream", "err", err)
		}
		if !away(err) {
			return 0, 0, fmt.Errorf("read JetStream's limits: %w", err)
		}
		select { // as for streams, see ensureStream
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return 0, 0, fmt.Errorf("read JetStream's limits: %w: %w", ErrAway, err)
		}
	}
	reserved, least := int64(0), int64(leastLogs)
	if s, err := b.JS.Stream(ctx, subjects.LogsStream); err == nil {
		reserved, least = max(0, s.CachedInfo().Config.MaxBytes), max(least, int64(s.CachedInfo().State.Bytes))
	}
	t := b.tier(info)
	if t.Limits.MaxStore < 0 || t.Limits.MaxStore == 0 && t.Store == 0 {
		return max(want, least), least, nil
	}
	replicas := int64(b.cfg.Replicas)
	others := max(0, int64(t.ReservedStore)-reserved*replicas)
	return max(min(want, (t.Limits.MaxStore-others)/replicas/4*3), least), least, nil
}

// KeepLogsFitting compares the limit of the output with the room that there is, until ctx ends, so that it gets back what it gave up
// when the disk was fuller. A limit that somebody else set stays.
func (b *Bus) KeepLogsFitting(ctx context.Context) error {
	tick := time.NewTicker(fitEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if err := b.fitLogs(ctx); err != nil && ctx.Err() == nil {
			b.Log.Debug("limit of the output not compared", "err", err)
		}
	}
}

// fitLogs changes the limit if it is an eighth from what it should be.
func (b *Bus) fitLogs(ctx context.Context) error {
	b.fitting.Lock()
	defer b.fitting.Unlock()
	if b.logBytes == 0 {
		return nil
	}
	s, err := b.JS.Stream(ctx, subjects.LogsStream)
	if err != nil {
		return err
	}
	cfg := s.CachedInfo().Config
	if cfg.MaxBytes != b.logBytes {
		return nil
	}
	limit, _, err := b.logLimit(ctx, b.cfg.Retention.LogBytes)
	if err != nil {
		return err
	}
	if d := limit - cfg.MaxBytes; max(d, -d) <= cfg.MaxBytes/8 && limit != b.cfg.Retention.LogBytes || d == 0 {
		return nil
	}
	cfg.MaxBytes = limit
	if _, err := b.JS.UpdateStream(ctx, cfg); err != nil {
		return err
	}
	b.Log.Info("room for the output of jobs", "max_log_bytes", Size(b.cfg.Retention.LogBytes), "was", Size(b.logBytes), "room", Size(limit))
	b.logBytes = limit
	return nil
}

package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	// minLogBytes is the minimum size of the stream of logs when a bus starts.
	minLogBytes = 1 << 20
	// fitInterval is the interval between two comparisons of the stream's limit
	// with the available room.
	fitInterval = 10 * time.Second
)

// ensureLogs creates or updates the stream of jobs' output. It is the only
// stream that reserves room. If three quarters of the available room are less
// than Retention.LogBytes, they become the limit. The limit is never less than
// the stream holds: nothing is dropped.
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
		err := b.createOrUpdateStream(ctx, cfg)
		if err == nil {
			break
		}
		if !errors.Is(err, ErrFull) {
			return err
		}
		if limit == least && b.streamExists(ctx, cfg.Name) {
			return b.ensureStream(ctx, cfg)
		}
		if limit == least {
			return fmt.Errorf("JetStream has no space for the output of jobs, not even for %s (configured: %s); give JetStream a larger disk or a larger limit: %w",
				Size(least), Size(want), err)
		}
		// A server does not tell its own limit. Ask for less until it fits;
		// that leaves room for other reservations.
		limit = max(limit/2, least)
	}
	b.logBytes = limit
	if limit < want {
		b.Log.Warn("less space for the output of jobs than configured, old output is deleted earlier",
			"max_log_bytes", Size(want), "limit", Size(limit))
	}
	return nil
}

// logLimit returns the limit to set when want bytes are wanted, and the lowest
// limit that drops nothing.
func (b *Bus) logLimit(ctx context.Context, want int64) (limit, least int64, err error) {
	var info *jetstream.AccountInfo
	for try := 1; ; try++ {
		if info, err = b.JS.AccountInfo(ctx); err == nil {
			break
		}
		if try == 20 {
			b.Log.Warn("waiting for JetStream", "err", err)
		}
		if !jetio.IsAway(err) {
			return 0, 0, fmt.Errorf("read JetStream's limits: %w", err)
		}
		select { // as for streams, see ensureStream
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return 0, 0, fmt.Errorf("read JetStream's limits: %w: %w", ErrAway, err)
		}
	}
	reserved, least := int64(0), int64(minLogBytes)
	if s, err := b.JS.Stream(ctx, subjects.LogsStream); err == nil {
		reserved, least = max(0, s.CachedInfo().Config.MaxBytes), max(least, int64(s.CachedInfo().State.Bytes))
	}
	t := b.accountTier(info)
	if t.Limits.MaxStore < 0 || t.Limits.MaxStore == 0 && t.Store == 0 {
		return max(want, least), least, nil
	}
	replicas := int64(b.cfg.Replicas)
	others := max(0, int64(t.ReservedStore)-reserved*replicas)
	return max(min(want, (t.Limits.MaxStore-others)/replicas/4*3), least), least, nil
}

// KeepLogsFitting adapts the limit of the stream of logs to the available room
// until ctx ends, so that the stream grows again when the disk has more room.
// It does not touch a limit that somebody else has set.
func (b *Bus) KeepLogsFitting(ctx context.Context) error {
	tick := time.NewTicker(fitInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if err := b.fitLogs(ctx); err != nil && ctx.Err() == nil {
			b.Log.Debug("limit of the output of jobs not checked", "err", err)
		}
	}
}

// fitLogs changes the limit if it differs by an eighth from what it should be.
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
	b.Log.Info("limit of the output of jobs changed", "max_log_bytes", Size(b.cfg.Retention.LogBytes), "was", Size(b.logBytes), "limit", Size(limit))
	b.logBytes = limit
	return nil
}

// PurgeLogs deletes the output of an execution.
func (b *Bus) PurgeLogs(ctx context.Context, app, job string, id int64) error {
	s, err := b.JS.Stream(ctx, subjects.LogsStream)
	if err == nil {
		err = s.Purge(ctx, jetstream.WithPurgeSubject(subjects.LogFilter(app, job, id)))
	}
	if err != nil {
		return fmt.Errorf("purge output of %d: %w", id, err)
	}
	return nil
}

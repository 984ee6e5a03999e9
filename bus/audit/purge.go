package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	purgeInterval = time.Hour      // between two looks at the oldest row
	purgeDelay    = 24 * time.Hour // so much older is the oldest row before a purge: each purge adds a row
)

// runPurge purges old rows until ctx ends, if the retention limits their age.
func (l *Log) runPurge(ctx context.Context) error {
	keep := l.b.Retention().Audit
	if keep == 0 {
		return nil
	}
	return l.b.RunLeasedTask(ctx, "audit", purgeInterval, func(ctx context.Context) error {
		first, err := jetio.ReadNext(ctx, l.b.NC, subjects.AuditStream, subjects.AllAudit, 1)
		switch {
		case errors.Is(err, bus.ErrNotFound):
			return nil
		case err != nil:
			return fmt.Errorf("read the audit: %w", err)
		case time.Since(first.Time) < keep+purgeDelay:
			return nil
		}
		return l.purgeBefore(ctx, time.Now().Add(-keep))
	})
}

// purgeBefore removes the rows that were stored before a moment. It first
// appends a row that states the anchor.
func (l *Log) purgeBefore(ctx context.Context, before time.Time) error {
	s, err := l.b.JS.Stream(ctx, subjects.AuditStream)
	if err != nil {
		return fmt.Errorf("purge the audit: %w", err)
	}
	state := s.CachedInfo().State
	keep, err := l.sequenceAt(ctx, state, before)
	if err != nil || keep <= state.FirstSeq {
		return err
	}
	gone, err := jetio.ReadNext(ctx, l.b.NC, subjects.AuditStream, subjects.AllAudit, keep-1)
	if err != nil {
		return fmt.Errorf("read the audit: %w", err)
	}
	if err := l.Reserve(ctx, true); err != nil {
		return err
	}
	if err := l.Append(ctx, Row{User: Bus, Action: purgedRows, Kind: "audit", Anchor: &Mark{gone.Sequence, Hash(gone.Data)}}); err != nil {
		return err
	}
	if err := s.Purge(ctx, jetstream.WithPurgeSequence(gone.Sequence+1)); err != nil {
		return fmt.Errorf("purge the audit: %w", err)
	}
	l.b.Log.Info("old audit rows purged", "up_to", gone.Sequence, "hash", Hash(gone.Data))
	return nil
}

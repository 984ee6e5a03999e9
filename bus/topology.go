package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Retention defines for how long the bus keeps what it stores.
type Retention struct {
	Results time.Duration // results of an ended execution except the terminal one; at least an hour
	// Records of ended executions and their terminal results; at least an hour;
	// 0: for ever.
	Executions time.Duration
	Logs       time.Duration // output of jobs; 0: for ever
	LogBytes   int64         // output of jobs, of which the oldest is dropped first; 0: no limit
	Fires      time.Duration // decisions of schedules without an execution
	Sessions   time.Duration // unused logins; 0: for ever
	Audit      time.Duration // rows of the audit; at least a day; 0: for ever
}

// markerTTL is the lifetime of the marker of a deleted key, which informs
// watchers that were away.
const markerTTL = time.Hour

// IdempotencyTTL is the lifetime of an Idempotency-Key. It is shorter than any
// retention, so that a key never names an execution whose record is gone.
const IdempotencyTTL = 30 * time.Minute

// samplesTTL is the lifetime of the averages of an agent that is gone. The
// averages of a live agent are written again and again.
const samplesTTL = 366 * 24 * time.Hour

// maxChunks is more than any object has. With a limit on the messages per
// subject, the server uses files of 4 MB instead of 8 MB, and it holds the
// whole of a file that it reads in memory.
const maxChunks = 1 << 20

// How long the broker recognizes a repeated notification, and keeps those that
// were not sent, and alerts.
const (
	notificationWindow = time.Hour
	deadLetterAge      = 30 * 24 * time.Hour
	alertAge           = 30 * 24 * time.Hour
	maxDeadLetters     = 100_000
)

// Streams returns the configurations of all streams that do not belong to one
// application.
func Streams(replicas int, r Retention) []jetstream.StreamConfig {
	kv := func(bucket string, history int64) jetstream.StreamConfig {
		return jetstream.StreamConfig{
			Name: jetio.BucketStream(bucket), Subjects: []string{jetio.KeySubject(bucket, ">")},
			MaxMsgsPerSubject: history, MaxBytes: -1, MaxMsgs: -1, MaxMsgSize: -1, MaxConsumers: -1,
			Discard: jetstream.DiscardNew, AllowRollup: true, DenyDelete: true, Storage: jetstream.FileStorage,
			AllowMsgTTL: true, SubjectDeleteMarkerTTL: markerTTL, AllowAtomicPublish: true,
			Replicas: replicas,
		}
	}
	sessions := kv(subjects.SessionsBucket, 1)
	sessions.MaxAge = r.Sessions
	samples := kv(subjects.SamplesBucket, 1)
	samples.MaxAge = samplesTTL
	alerts := kv(subjects.AlertsBucket, 1)
	alerts.MaxAge = alertAge
	return []jetstream.StreamConfig{
		kv(subjects.AppsBucket, 10),
		kv(subjects.JobsBucket, 64), // the history of a definition
		kv(subjects.SchedulesBucket, 10),
		kv(subjects.CalendarsBucket, 10),
		kv(subjects.PausesBucket, 1),
		kv(subjects.AgentsBucket, 1),
		kv(subjects.ExecutionsBucket, 1),
		kv(subjects.StepDataBucket, 1),
		kv(subjects.FiresBucket, 1),
		kv(subjects.LocksBucket, 1),
		kv(subjects.LimitsBucket, 1),
		kv(subjects.IdempotencyBucket, 1),
		kv(subjects.CountersBucket, 1),
		kv(subjects.LeasesBucket, 1),
		kv(subjects.DeploymentsBucket, 1),
		kv(subjects.UsersBucket, 1), // without history: an old password must not stay
		kv(subjects.TokensBucket, 1),
		kv(subjects.SecretsBucket, 1), // without history: a replaced value must not stay
		sessions,
		samples,
		alerts,
		{
			Name: jetio.ObjectStream(subjects.ArtifactsStore), Subjects: []string{jetio.ChunkSubject(subjects.ArtifactsStore, ">"), jetio.AllMeta(subjects.ArtifactsStore)},
			Description: "jars of applications, by SHA-256", Storage: jetstream.FileStorage,
			MaxBytes: -1, MaxMsgs: -1, MaxMsgSize: -1, MaxConsumers: -1, MaxMsgsPerSubject: maxChunks,
			Discard: jetstream.DiscardNew, AllowRollup: true, AllowDirect: true, Replicas: replicas,
		},
		{
			Name: subjects.ResultsStream, Subjects: []string{subjects.AllResults}, Storage: jetstream.FileStorage,
			Description: "results of executions; purged by the janitor of the control bus",
			MaxBytes:    -1, MaxMsgs: -1, MaxMsgSize: -1, MaxConsumers: -1, MaxMsgsPerSubject: -1,
			AllowDirect: true, // agents read it: a direct read can be confined to an application
			Replicas:    replicas,
		},
		{
			Name: subjects.LogsStream, Subjects: []string{subjects.AllLogs}, Storage: jetstream.FileStorage,
			Description: "output of jobs",
			MaxBytes:    cmp.Or(r.LogBytes, -1), MaxMsgs: -1, MaxMsgSize: -1, MaxConsumers: -1, MaxMsgsPerSubject: -1,
			MaxAge: r.Logs, Discard: jetstream.DiscardOld, Compression: jetstream.S2Compression,
			AllowDirect: true, Replicas: replicas,
		},
		{
			Name: subjects.NotificationsStream, Subjects: []string{subjects.AllNotifications}, Storage: jetstream.FileStorage,
			Description: "notifications that wait to be sent", Retention: jetstream.WorkQueuePolicy, Duplicates: notificationWindow,
			MaxBytes: -1, MaxMsgs: -1, MaxMsgSize: -1, MaxConsumers: -1, MaxMsgsPerSubject: -1, Replicas: replicas,
		},
		{
			Name: subjects.DeadLettersStream, Subjects: []string{subjects.AllDeadLetters}, Storage: jetstream.FileStorage,
			Description: "notifications that were not sent, and why", Duplicates: notificationWindow, MaxAge: deadLetterAge,
			MaxBytes: -1, MaxMsgs: maxDeadLetters, MaxMsgSize: -1, MaxConsumers: -1, MaxMsgsPerSubject: -1, Replicas: replicas,
		},
		{
			// No direct reads, which are what permissions confine agents to.
			// The broker deletes nothing by itself: a purge states an anchor
			// first.
			Name: subjects.AuditStream, Subjects: []string{subjects.AllAudit}, Storage: jetstream.FileStorage,
			Description: "who changed what; each row has the SHA-256 of the row before",
			MaxBytes:    -1, MaxMsgs: -1, MaxMsgSize: -1, MaxConsumers: -1, MaxMsgsPerSubject: -1,
			Discard: jetstream.DiscardNew, DenyDelete: true, AllowAtomicPublish: true, Compression: jetstream.S2Compression,
			Replicas: replicas,
		},
	}
}

// RequestStreamConfig returns the configuration of an application's work queue.
// Each application has its own, so that permissions can confine an agent to it
// and queues are synced to disk in parallel.
func RequestStreamConfig(app string, replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: subjects.RequestStream(app), Subjects: []string{subjects.AllRequests(app)}, Storage: jetstream.FileStorage,
		Description: "executions of " + app + " that wait for an agent", Retention: jetstream.WorkQueuePolicy,
		MaxBytes: -1, MaxMsgs: -1, MaxMsgSize: -1, MaxConsumers: -1, MaxMsgsPerSubject: -1,
		AllowAtomicPublish: true, Replicas: replicas,
	}
}

// RequestConsumerConfig returns the configuration of the consumer for one pool
// and priority of an application's work queue.
func RequestConsumerConfig(app, pool, priority string) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Durable:       subjects.RequestConsumer(pool, priority),
		FilterSubject: subjects.RequestsOf(app, pool, priority),
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       subjects.MaxHold * time.Second,
		// Agents fetch no more than they have slots; this does not limit
		// running executions.
		MaxAckPending: 10_000,
		MaxWaiting:    4_096, // one pull for each agent
	}
}

// ensureStreams creates missing streams and updates those that differ. The
// stream that reserves room comes first: while it reserves more than there is,
// JetStream refuses all others.
func (b *Bus) ensureStreams(ctx context.Context, want []jetstream.StreamConfig) error {
	for _, cfg := range want {
		if cfg.Name == subjects.LogsStream {
			if err := b.ensureLogs(ctx, cfg); err != nil {
				return err
			}
		}
	}
	for _, cfg := range want {
		if cfg.Name == subjects.LogsStream {
			continue
		}
		if err := b.ensureStream(ctx, cfg); err != nil {
			return err
		}
	}
	return nil
}

// noPeers is the broker's error code while a cluster has fewer servers than the
// stream has replicas.
const noPeers jetstream.ErrorCode = 10005

// peersTries bounds the retries while a cluster answers that no server has the
// room: a cluster that has just started does not know yet.
const peersTries = 15

// ensureStream creates the stream or updates it to cfg. If the stream cannot be
// changed, the error says so; nothing is deleted. While JetStream has more room
// reserved than it has, it refuses any change to a stream; the bus then uses an
// existing stream as it is.
func (b *Bus) ensureStream(ctx context.Context, cfg jetstream.StreamConfig) error {
	err := b.createOrUpdateStream(ctx, cfg)
	if errors.Is(err, ErrFull) && b.streamExists(ctx, cfg.Name) {
		b.Log.Warn("JetStream has no space left: the settings of the stream are not updated", "stream", cfg.Name, "err", err)
		return nil
	}
	return err
}

// streamExists reports whether a stream exists.
func (b *Bus) streamExists(ctx context.Context, stream string) bool {
	_, err := b.JS.Stream(ctx, stream)
	return err == nil
}

// createOrUpdateStream creates the stream or updates it to cfg. If there is no
// room, the error is an [ErrFull].
func (b *Bus) createOrUpdateStream(ctx context.Context, cfg jetstream.StreamConfig) error {
	for try := 1; ; try++ {
		_, err := b.JS.CreateOrUpdateStream(ctx, cfg)
		if err == nil {
			return nil
		}
		var api *jetstream.APIError
		errors.As(err, &api)
		switch {
		case jetio.IsFull(err) && (api.ErrorCode != noPeers || try > peersTries):
			return fmt.Errorf("create stream %s: %w: %w", cfg.Name, ErrFull, err)
		case api != nil && api.Code != 503 && api.ErrorCode != noPeers:
			return b.refusedStream(ctx, cfg.Name, err)
		}
		if !jetio.IsAway(err) && api == nil {
			return fmt.Errorf("create stream %s: %w", cfg.Name, err)
		}
		if try == 20 {
			b.Log.Warn("waiting for NATS servers", "stream", cfg.Name, "err", err)
		}
		select { // for about a second after its start, a cluster has no leader and not all servers
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("create stream %s: %w: %w", cfg.Name, ErrAway, err)
		}
	}
}

// refusedStream explains a change to a stream that JetStream has refused.
func (b *Bus) refusedStream(ctx context.Context, name string, err error) error {
	if !b.streamExists(ctx, name) {
		return fmt.Errorf("create stream %s: %w", name, err)
	}
	return fmt.Errorf("JetStream cannot change the settings of the stream %s to those that this version needs; nothing was changed; "+
		"`jobstreamer doctor` lists the differences, `nats stream info %s` shows all settings: %w", name, name, err)
}

// EnsurePool creates the application's work queue and the pool's three
// consumers. It does nothing if this bus has created them before.
func (b *Bus) EnsurePool(ctx context.Context, app, pool string) error {
	key := subjects.RequestStream(app) + "=" + pool
	if _, ok := b.pools.Load(key); ok {
		return nil
	}
	b.poolsMu.Lock() // one creation at a time; calls are rare
	defer b.poolsMu.Unlock()
	if _, ok := b.pools.Load(key); ok {
		return nil
	}
	err := b.ensureStream(ctx, RequestStreamConfig(app, b.cfg.Replicas))
	// There is room, but too much is reserved.
	if errors.Is(err, ErrFull) && b.Room(ctx) == nil && b.fitLogs(ctx) == nil {
		err = b.ensureStream(ctx, RequestStreamConfig(app, b.cfg.Replicas))
	}
	if err != nil {
		return err
	}
	for _, prio := range subjects.Priorities() {
		if _, err := b.JS.CreateOrUpdateConsumer(ctx, subjects.RequestStream(app), RequestConsumerConfig(app, pool, prio)); err != nil {
			return fmt.Errorf("create consumer for pool %s of %s: %w", pool, app, err)
		}
	}
	b.pools.Store(key, true)
	return nil
}

// RemoveQueue deletes the application's work queue with all requests in it.
func (b *Bus) RemoveQueue(ctx context.Context, app string) error {
	b.poolsMu.Lock()
	defer b.poolsMu.Unlock()
	prefix := subjects.RequestStream(app) + "="
	b.pools.Range(func(k, _ any) bool {
		if strings.HasPrefix(k.(string), prefix) {
			b.pools.Delete(k)
		}
		return true
	})
	if err := b.JS.DeleteStream(ctx, subjects.RequestStream(app)); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("delete the work queue of %s: %w", app, err)
	}
	return nil
}

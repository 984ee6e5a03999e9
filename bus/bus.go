package bus

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// AckTimeout is the timeout of a write to JetStream. The broker may still store
// the write after it: [ErrUnknown].
const AckTimeout = jetio.AckTimeout

// Config configures a [Bus].
type Config struct {
	Name      string // name of this bus in leases and logs; default a random one
	Replicas  int    // of every stream and bucket; 1, 3 or 5; default 1
	Retention Retention
	Group     bool         // batch waiting writes: for a server that syncs each message to disk
	Embedded  bool         // the broker runs in this process, the only one with its data directory
	Log       *slog.Logger // default: none
}

// Bus is a connection to the control bus's buckets and streams.
type Bus struct {
	NC  *nats.Conn
	JS  jetstream.JetStream
	Pub *jetio.Publisher
	Log *slog.Logger

	Apps        *Store[App]
	Jobs        *Store[Job]
	Schedules   *Store[Schedule]
	Calendars   *Store[Calendar]
	Pauses      *Store[Pauses] // keys of PausesKey
	Agents      *Store[Agent]
	Executions  *Store[Execution]
	StepData    *Store[StepData]
	Fires       *Store[Fire]
	Locks       *Store[int64]
	Ledger      *Store[Ledger] // one key, LedgerKey
	Idempotency *Store[Idempotency]
	Leases      *Leases
	Deployed    *Store[Deployed] // keys without a dot, of the bucket deployments
	Revisions   *Store[Revision] // keys with a dot, of the same bucket
	Samples     *Store[Samples]
	Users       *Store[User]
	Sessions    *Store[Session]
	Tokens      *Store[AgentToken]
	Secrets     *Store[Secret] // keys of SecretKey, and SecretKeyMark
	Alerts      *Store[Alert]

	cfg      Config
	ids      ids
	poolsMu  sync.Mutex
	pools    sync.Map // set of stream=pool known to exist
	batchers sync.Map // *jetio.Batcher of each work queue, by application

	room     roomCache
	fitting  sync.Mutex
	logBytes int64 // size limit that this bus last set on the stream of logs; 0: none
}

// Open creates or updates the streams and buckets that this version needs, and
// returns a Bus on them. Close does not close the connection.
func Open(ctx context.Context, nc *nats.Conn, cfg Config) (*Bus, error) {
	cfg.Name = cmp.Or(cfg.Name, "bus-"+strings.ToLower(rand.Text()[:8]))
	cfg.Replicas = cmp.Or(cfg.Replicas, 1)
	cfg.Retention.Results = cmp.Or(cfg.Retention.Results, 24*time.Hour)
	cfg.Retention.Fires = cmp.Or(cfg.Retention.Fires, 90*24*time.Hour)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	// A paused bus may still hold idempotency keys and unfinished steps. They
	// must have expired before the janitor purges anything.
	if cfg.Retention.Results < time.Hour {
		return nil, &FieldError{Path: "retain-results", Want: "at least 1h", Got: cfg.Retention.Results.String()}
	}
	if cfg.Retention.Executions != 0 && cfg.Retention.Executions < time.Hour {
		return nil, &FieldError{Path: "retain-executions", Want: "at least 1h, or 0 for no limit", Got: cfg.Retention.Executions.String()}
	}
	if cfg.Retention.Audit != 0 && cfg.Retention.Audit < 24*time.Hour {
		return nil, &FieldError{Path: "retain-audit", Want: "at least 24h, or 0 for no limit", Got: cfg.Retention.Audit.String()}
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(AckTimeout))
	if err != nil {
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	b := &Bus{NC: nc, JS: js, Log: cfg.Log, cfg: cfg}
	if err := b.ensureStreams(ctx, Streams(cfg.Replicas, cfg.Retention)); err != nil {
		return nil, err
	}
	if b.Pub, err = jetio.NewPublisher(nc); err != nil {
		return nil, err
	}
	err = errors.Join(
		openStore(ctx, b, subjects.AppsBucket, &b.Apps),
		openStore(ctx, b, subjects.JobsBucket, &b.Jobs),
		openStore(ctx, b, subjects.SchedulesBucket, &b.Schedules),
		openStore(ctx, b, subjects.CalendarsBucket, &b.Calendars),
		openStore(ctx, b, subjects.PausesBucket, &b.Pauses),
		openStore(ctx, b, subjects.AgentsBucket, &b.Agents),
		openStore(ctx, b, subjects.ExecutionsBucket, &b.Executions),
		openStore(ctx, b, subjects.StepDataBucket, &b.StepData),
		openStore(ctx, b, subjects.FiresBucket, &b.Fires),
		openStore(ctx, b, subjects.LocksBucket, &b.Locks),
		openStore(ctx, b, subjects.LimitsBucket, &b.Ledger),
		openStore(ctx, b, subjects.IdempotencyBucket, &b.Idempotency),
		openStore(ctx, b, subjects.CountersBucket, &b.ids.store),
		openStore(ctx, b, subjects.DeploymentsBucket, &b.Deployed),
		openStore(ctx, b, subjects.DeploymentsBucket, &b.Revisions),
		openStore(ctx, b, subjects.UsersBucket, &b.Users),
		openStore(ctx, b, subjects.SessionsBucket, &b.Sessions),
		openStore(ctx, b, subjects.TokensBucket, &b.Tokens),
		openStore(ctx, b, subjects.SecretsBucket, &b.Secrets),
		openStore(ctx, b, subjects.AlertsBucket, &b.Alerts),
		openStore(ctx, b, subjects.SamplesBucket, &b.Samples),
	)
	var leases *Store[Lease]
	if err = errors.Join(err, openStore(ctx, b, subjects.LeasesBucket, &leases)); err != nil {
		b.Pub.Close()
		return nil, err
	}
	if cfg.Group {
		b.Executions.pub, b.Fires.pub = jetio.NewBatcher(b.Pub), jetio.NewBatcher(b.Pub)
	}
	now := subjects.Now()
	app := App{Name: DefaultApp, CreateTime: now, UpdateTime: now}
	_, err = b.Apps.Create(ctx, app.Name, app)
	if errors.Is(err, ErrFull) { // a full bus still serves reads, if the application exists
		_, err = b.Apps.Get(ctx, app.Name)
	}
	if err != nil && !errors.Is(err, ErrExists) {
		b.Pub.Close()
		return nil, err
	}
	b.Leases = &Leases{store: leases, inside: cfg.Embedded, log: cfg.Log, seen: map[string]sighting{}}
	return b, nil
}

func openStore[T any](ctx context.Context, b *Bus, bucket string, to **Store[T]) error {
	kv, err := b.JS.KeyValue(ctx, bucket)
	if err != nil {
		return fmt.Errorf("open bucket %s: %w", bucket, err)
	}
	*to = &Store[T]{kv: kv, pub: b.Pub}
	return nil
}

// Close ends what Open started. The connection stays open.
func (b *Bus) Close() { b.Pub.Close() }

// Name returns the name of this bus in leases and logs.
func (b *Bus) Name() string { return b.cfg.Name }

// Retention returns the retention that this bus was opened with.
func (b *Bus) Retention() Retention { return b.cfg.Retention }

// Healthy returns an error if JetStream does not answer, has no room left
// ([ErrFull]), or does not answer writes.
func (b *Bus) Healthy(ctx context.Context) error {
	if !b.NC.IsConnected() {
		return fmt.Errorf("no connection to NATS: %w", ErrAway)
	}
	info, err := b.JS.AccountInfo(ctx)
	if err != nil {
		return fmt.Errorf("read JetStream's usage: %w: %w", ErrAway, err)
	}
	if err := b.checkRoom(info); err != nil {
		return err
	}
	return b.Pub.Unanswered()
}

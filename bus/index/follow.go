package index

import (
	"context"
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/go-json-experiment/json"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/jetio"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// recordFields are the fields of a record that the index keeps.
type recordFields struct {
	ID            int64                `json:"execution_id"`
	Instance      int64                `json:"instance_id"`
	Status        subjects.BatchStatus `json:"batch_status"`
	Exit          string               `json:"exit_status"`
	Agent         string               `json:"agent"`
	Pool          string               `json:"pool"`
	Priority      string               `json:"priority"`
	Attempt       int                  `json:"attempt"`
	Create        subjects.Time        `json:"create_time"`
	Start         subjects.Time        `json:"start_time"`
	End           subjects.Time        `json:"end_time"`
	ScheduledFor  subjects.Time        `json:"scheduled_for"`
	ScheduledDate string               `json:"scheduled_date"`
	RestartOf     int64                `json:"restart_of"`
	RestartedBy   int64                `json:"restarted_by"`
	StopRequest   string               `json:"wish"`
	Deleted       subjects.Time        `json:"delete_time"`
	JobName       string               `json:"job_name"`
	Rebuilt       bool                 `json:"rebuilt"`
	RetryDue      subjects.Time        `json:"retry_due"`
	Timeout       int64                `json:"timeout_ms"`
	TimedOut      subjects.Time        `json:"timed_out"`
	Schedule      string               `json:"schedule"`
	FireKey       string               `json:"fire_key"`
	Limits        bus.Needs            `json:"limits"`
	Backfill      int64                `json:"backfill"`
}

const decoders = 2

// decoderQueue feeds one decoder. A nil batch means that the decoder has
// received everything that existed at the start.
type decoderQueue chan []jetstream.Msg

// followExecutions reads the stream of the bucket executions from its beginning
// and follows it. Most of a start is decoding, so two decoders work in
// parallel. Messages of one key stay in order.
func (x *Index) followExecutions(ctx context.Context, filled func()) error {
	g, ctx := errgroup.WithContext(ctx)
	var queues [decoders]decoderQueue
	var left atomic.Int32
	left.Store(decoders)
	for i := range queues {
		queues[i] = make(decoderQueue, 16)
		g.Go(func() error {
			for msgs := range queues[i] {
				if msgs == nil && left.Add(-1) == 0 {
					filled()
				}
				for _, m := range msgs {
					x.applyMessage(m)
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		defer func() {
			for _, q := range queues {
				close(q)
			}
		}()
		return x.distributeMessages(ctx, &queues)
	})
	return g.Wait()
}

// distributeMessages passes messages to the decoders, in batches while there
// are many. It sends the nil batch after everything that existed at the start.
func (x *Index) distributeMessages(ctx context.Context, queues *[decoders]decoderQueue) error {
	stream := jetio.BucketStream(subjects.ExecutionsBucket)
	cons, err := x.b.JS.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		return fmt.Errorf("consume the records of executions: %w", err)
	}
	info, err := cons.Info(ctx)
	if err != nil {
		return fmt.Errorf("consume the records of executions: %w", err)
	}
	msgs := make(chan jetstream.Msg, 4096)
	cc, err := cons.Consume(func(m jetstream.Msg) {
		select {
		case msgs <- m:
		case <-ctx.Done():
		}
	}, jetstream.PullMaxMessages(2000))
	if err != nil {
		return fmt.Errorf("consume the records of executions: %w", err)
	}
	defer cc.Stop()
	filling := info.NumPending > 0 || info.Delivered.Consumer > 0
	if !filling {
		for _, q := range queues {
			q <- nil
		}
	}
	seed := maphash.MakeSeed()
	for ctx.Err() == nil {
		batches, last := gatherBatches(ctx, msgs, seed, filling)
		for i, q := range queues {
			if len(batches[i]) > 0 {
				q.send(ctx, batches[i])
			}
			if last {
				q.send(ctx, nil)
			}
		}
		filling = filling && !last
	}
	return nil
}

func (q decoderQueue) send(ctx context.Context, msgs []jetstream.Msg) {
	select {
	case q <- msgs:
	case <-ctx.Done():
	}
}

// gatherBatches blocks until there is a message, then collects all available
// messages until one decoder has enough. While the index is being filled, last
// reports whether the batches hold the last message that existed at the start.
func gatherBatches(ctx context.Context, msgs <-chan jetstream.Msg, seed maphash.Seed, filling bool) (batches [decoders][]jetstream.Msg, last bool) {
	var m jetstream.Msg
	select {
	case m = <-msgs:
	case <-ctx.Done():
		return batches, false
	}
	for {
		if filling && !last {
			meta, err := m.Metadata()
			last = err == nil && meta.NumPending == 0
		}
		i := maphash.String(seed, m.Subject()) % decoders
		batches[i] = append(batches[i], m)
		if len(batches[i]) == 256 {
			return batches, last
		}
		select {
		case m = <-msgs:
		default:
			return batches, last
		}
	}
}

// applyMessage applies one message of the bucket's stream to the index.
func (x *Index) applyMessage(m jetstream.Msg) {
	app, job, id, ok := splitSubject(m.Subject())
	if !ok {
		return
	}
	if op := m.Headers().Get("KV-Operation"); op != "" || m.Headers().Get("Nats-Marker-Reason") != "" {
		x.Remove(app, job, id)
		return
	}
	meta, err := m.Metadata()
	if err != nil {
		return
	}
	if x.isKnown(id, meta.Sequence.Stream) { // this bus wrote it
		return
	}
	var r recordFields
	err = json.Unmarshal(m.Data(), &r)
	if err == nil && r.ID != id {
		err = fmt.Errorf("want execution %d, got %d", id, r.ID)
	}
	if err != nil {
		x.b.Log.Error("unreadable record skipped", "execution", id, "err", err)
		return
	}
	x.putRecord(&r, app, job, meta.Sequence.Stream, nil)
}

func (x *Index) isKnown(id int64, rev uint64) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	h, ok := x.table.findHandle(id)
	return ok && x.table.entryAt(h).rev >= rev
}

// splitSubject splits the subject of the key <app>.<job>.<id> in its bucket.
func splitSubject(subject string) (app, job string, id int64, ok bool) {
	t := strings.Split(subject, ".")
	if len(t) != 5 {
		return "", "", 0, false
	}
	id, err := strconv.ParseInt(t[4], 10, 64)
	return t[2], t[3], id, err == nil && id > 0
}

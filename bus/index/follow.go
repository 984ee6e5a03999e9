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

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// record is the part of a record that an entry is made of.
type record struct {
	ID           int64                `json:"execution_id"`
	Instance     int64                `json:"instance_id"`
	Status       subjects.BatchStatus `json:"batch_status"`
	Exit         string               `json:"exit_status"`
	Agent        string               `json:"agent"`
	Pool         string               `json:"pool"`
	Priority     string               `json:"priority"`
	Attempt      int                  `json:"attempt"`
	Create       subjects.Time        `json:"create_time"`
	Start        subjects.Time        `json:"start_time"`
	End          subjects.Time        `json:"end_time"`
	ScheduledFor subjects.Time        `json:"scheduled_for"`
	RestartOf    int64                `json:"restart_of"`
	RestartedBy  int64                `json:"restarted_by"`
	Wish         string               `json:"wish"`
	Deleted      subjects.Time        `json:"delete_time"`
	JobName      string               `json:"job_name"`
}

const decoders = 2

// lane is the way to one decoder. A nil batch says that all that was there at the start went before it.
type lane chan []jetstream.Msg

// followExecutions reads the stream of the bucket executions from its beginning and on. Decoding is most of the work
// of a start, so it is done side by side; messages of one key stay in order.
func (x *Index) followExecutions(ctx context.Context, filled func()) error {
	g, ctx := errgroup.WithContext(ctx)
	var lanes [decoders]lane
	var left atomic.Int32
	left.Store(decoders)
	for i := range lanes {
		lanes[i] = make(lane, 16)
		g.Go(func() error {
			for msgs := range lanes[i] {
				if msgs == nil && left.Add(-1) == 0 {
					filled()
				}
				for _, m := range msgs {
					x.take(m)
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		defer func() {
			for _, l := range lanes {
				close(l)
			}
		}()
		return x.hand(ctx, &lanes)
	})
	return g.Wait()
}

// hand gives messages to the decoders, in batches while there are many, and the nil batch when all that was there is handed out.
func (x *Index) hand(ctx context.Context, lanes *[decoders]lane) error {
	stream := subjects.BucketStream(subjects.ExecutionsBucket)
	cons, err := x.b.JS.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		return fmt.Errorf("follow executions: %w", err)
	}
	info, err := cons.Info(ctx)
	if err != nil {
		return fmt.Errorf("follow executions: %w", err)
	}
	msgs := make(chan jetstream.Msg, 4096)
	cc, err := cons.Consume(func(m jetstream.Msg) {
		select {
		case msgs <- m:
		case <-ctx.Done():
		}
	}, jetstream.PullMaxMessages(2000))
	if err != nil {
		return fmt.Errorf("follow executions: %w", err)
	}
	defer cc.Stop()
	filling := info.NumPending > 0 || info.Delivered.Consumer > 0
	if !filling {
		for _, l := range lanes {
			l <- nil
		}
	}
	seed := maphash.MakeSeed()
	for ctx.Err() == nil {
		batches, last := gather(ctx, msgs, seed, filling)
		for i, l := range lanes {
			if len(batches[i]) > 0 {
				l.send(ctx, batches[i])
			}
			if last {
				l.send(ctx, nil)
			}
		}
		filling = filling && !last
	}
	return nil
}

func (l lane) send(ctx context.Context, msgs []jetstream.Msg) {
	select {
	case l <- msgs:
	case <-ctx.Done():
	}
}

// gather waits for a message and takes what else is there, until it is enough for one decoder. last says, while the index is
// being filled, that all that was there is taken.
func gather(ctx context.Context, msgs <-chan jetstream.Msg, seed maphash.Seed, filling bool) (batches [decoders][]jetstream.Msg, last bool) {
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

// take puts one message of the bucket's stream into the index.
func (x *Index) take(m jetstream.Msg) {
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
	if x.knows(id, meta.Sequence.Stream) { // our own write
		return
	}
	var r record
	if err := json.Unmarshal(m.Data(), &r); err != nil || r.ID != id {
		x.b.Log.Error("record cannot be read", "execution", id, "err", err)
		return
	}
	x.put(&r, app, job, meta.Sequence.Stream, nil)
}

func (x *Index) knows(id int64, rev uint64) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	h, ok := x.table.find(id)
	return ok && x.table.at(h).rev >= rev
}

// splitSubject takes $KV.<bucket>.<app>.<job>.<id> apart.
func splitSubject(subject string) (app, job string, id int64, ok bool) {
	t := strings.Split(subject, ".")
	if len(t) != 5 {
		return "", "", 0, false
	}
	id, err := strconv.ParseInt(t[4], 10, 64)
	return t[2], t[3], id, err == nil && id > 0
}

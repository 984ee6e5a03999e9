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
	Attempt      int                  `json:"attempt"`
	Create       subjects.Time        `json:"create_time"`
	Start        subjects.Time        `json:"start_time"`
	End          subjects.Time        `json:"end_time"`
	ScheduledFor subjects.Time        `json:"scheduled_for"`
	RestartOf    int64                `json:"restart_of"`
	RestartedBy  int64                `json:"restarted_by"`
	Wish         string               `json:"wish"`
	Deleted      subjects.Time        `json:"delete_time"`
}

const decoders = 2

// followExecutions reads the stream of the bucket executions from its beginning and on. Decoding is most of the work
// of a start, so it is done side by side; messages of one key stay in order.
func (x *Index) followExecutions(ctx context.Context, filled func()) error {
	g, ctx := errgroup.WithContext(ctx)
	var lanes [decoders]chan []jetstream.Msg
	var open atomic.Int64 // messages of the filling that are not decoded
	var all atomic.Bool   // the filling was handed out
	done := func(n int) {
		if open.Add(-int64(n)) == 0 && all.CompareAndSwap(true, false) {
			filled()
		}
	}
	for i := range lanes {
		lanes[i] = make(chan []jetstream.Msg, 16)
		g.Go(func() error {
			for msgs := range lanes[i] {
				for _, m := range msgs {
					x.take(m)
				}
				done(len(msgs))
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
		return x.hand(ctx, &lanes, &open, func() {
			open.Add(1) // so that done cannot pass zero before all is set
			all.Store(true)
			done(1)
		})
	})
	return g.Wait()
}

// hand gives messages to the decoders, in batches while there are many. It calls handed when all that was there is handed out.
func (x *Index) hand(ctx context.Context, lanes *[decoders]chan []jetstream.Msg, open *atomic.Int64, handed func()) error {
	stream := "KV_" + subjects.ExecutionsBucket
	cons, err := x.b.JS.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy})
	if err != nil {
		return fmt.Errorf("follow executions: %w", err)
	}
	info, err := cons.Info(ctx)
	if err != nil {
		return fmt.Errorf("follow executions: %w", err)
	}
	filling := info.NumPending > 0 || info.Delivered.Consumer > 0
	if !filling {
		handed()
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
	seed := maphash.MakeSeed()
	var batch [decoders][]jetstream.Msg
	for {
		var m jetstream.Msg
		select {
		case m = <-msgs:
		case <-ctx.Done():
			return nil
		}
		last := false
		for more := true; more; {
			if filling && !last {
				if meta, err := m.Metadata(); err == nil && meta.NumPending == 0 {
					last = true
				}
			}
			i := maphash.String(seed, m.Subject()) % decoders
			batch[i] = append(batch[i], m)
			more = len(batch[i]) < 256
			if more {
				select {
				case m = <-msgs:
				default:
					more = false
				}
			}
		}
		for i, b := range batch {
			if len(b) == 0 {
				continue
			}
			open.Add(int64(len(b)))
			select {
			case lanes[i] <- b:
			case <-ctx.Done():
				return nil
			}
			batch[i] = nil
		}
		if last && filling {
			filling = false
			handed()
		}
	}
}

// take puts one message of the bucket's stream into the index.
func (x *Index) take(m jetstream.Msg) {
	app, job, id, ok := splitKey(m.Subject())
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

// splitKey takes $KV.<bucket>.<app>.<job>.<id> apart.
func splitKey(subject string) (app, job string, id int64, ok bool) {
	t := strings.Split(subject, ".")
	if len(t) != 5 {
		return "", "", 0, false
	}
	id, err := strconv.ParseInt(t[4], 10, 64)
	return t[2], t[3], id, err == nil && id > 0
}

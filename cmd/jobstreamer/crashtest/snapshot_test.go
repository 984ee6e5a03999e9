//go:build linux

package crashtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// snapshot is the content of the evidence, of RESULTS and of the records at one
// moment.
type snapshot struct {
	records  map[int64]bus.Execution
	results  map[int64][]*bus.StoredResult // of each execution, oldest first
	queued   uint64                        // number of unacknowledged requests
	evidence map[int64][]trace
}

// trace is a line of the evidence.
type trace struct {
	id, attempt int
	step        string
}

func (tr trace) String() string { return fmt.Sprintf("%d %d %s", tr.id, tr.attempt, tr.step) }

// readSnapshot reads NATS itself and the evidence file.
func readSnapshot(ctx context.Context, js jetstream.JetStream, file string) (*snapshot, error) {
	records, err := readRecords(ctx, js)
	if err != nil {
		return nil, fmt.Errorf("records: %w", err)
	}
	results, err := readResults(ctx, js)
	if err != nil {
		return nil, fmt.Errorf("results: %w", err)
	}
	queued, err := readQueue(ctx, js)
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	evidence, err := readEvidence(file)
	return &snapshot{records, results, queued, evidence}, err
}

func readRecords(ctx context.Context, js jetstream.JetStream) (map[int64]bus.Execution, error) {
	kv, err := js.KeyValue(ctx, subjects.ExecutionsBucket)
	if err != nil {
		return nil, err
	}
	w, err := kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, err
	}
	defer w.Stop() //nolint:errcheck // the test's connection is closed next
	all := map[int64]bus.Execution{}
	for e := range w.Updates() {
		if e == nil {
			return all, nil
		}
		var r bus.Execution
		if err := json.Unmarshal(e.Value(), &r); err != nil {
			return nil, err
		}
		all[r.ID] = r
	}
	return nil, errors.New("not read to the end")
}

func readResults(ctx context.Context, js jetstream.JetStream) (map[int64][]*bus.StoredResult, error) {
	s, err := js.Stream(ctx, subjects.ResultsStream)
	if err != nil {
		return nil, err
	}
	all := map[int64][]*bus.StoredResult{}
	left := s.CachedInfo().State.Msgs
	if left == 0 {
		return all, nil
	}
	cons, err := js.OrderedConsumer(ctx, subjects.ResultsStream, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return nil, err
	}
	defer func() { // a test reads often, and a stream has a maximum of consumers
		if info := cons.CachedInfo(); info != nil {
			_ = s.DeleteConsumer(ctx, info.Name)
		}
	}()
	for left > 0 {
		batch, err := cons.Fetch(int(min(left, 1000)), jetstream.FetchMaxWait(10*time.Second))
		if err != nil {
			return nil, err
		}
		got := uint64(0)
		for m := range batch.Messages() {
			got++
			meta, err := m.Metadata()
			if err != nil {
				return nil, err
			}
			r, err := bus.DecodeResult(m.Subject(), meta.Sequence.Stream, m.Headers(), m.Data())
			if err != nil {
				return nil, err
			}
			all[r.ID] = append(all[r.ID], r)
		}
		if got == 0 {
			return nil, errors.Join(errors.New("not read to the end"), batch.Error())
		}
		left -= got
	}
	return all, nil
}

func readQueue(ctx context.Context, js jetstream.JetStream) (uint64, error) {
	s, err := js.Stream(ctx, subjects.RequestStream(app))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return s.CachedInfo().State.Msgs, nil
}

func readEvidence(file string) (map[int64][]trace, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all := map[int64][]trace{}
	for l := range strings.Lines(string(data)) {
		var tr trace
		if n, err := fmt.Sscanf(l, "%d %d %s\n", &tr.id, &tr.attempt, &tr.step); n != 3 || err != nil {
			return nil, fmt.Errorf("evidence %q: %w", l, err)
		}
		all[int64(tr.id)] = append(all[int64(tr.id)], tr)
	}
	return all, nil
}

// openItems lists the executions and requests that have not ended.
func (tr *snapshot) openItems(accepted []int64) (open []string) {
	for _, id := range accepted {
		if _, ok := tr.records[id]; !ok {
			open = append(open, fmt.Sprintf("execution %d was accepted and has no record", id))
		}
	}
	for id, r := range tr.records {
		switch {
		case !r.BatchStatus.Ended():
			open = append(open, fmt.Sprintf("execution %d of %s is %s", id, r.Job, r.BatchStatus))
		case r.RestartedBy != 0 && tr.records[r.RestartedBy].ID == 0:
			open = append(open, fmt.Sprintf("execution %d was restarted as %d, which has no record", id, r.RestartedBy))
		case tr.lastResult(id) == nil || tr.lastResult(id).Sequence != r.LastSequence:
			open = append(open, fmt.Sprintf("the record of execution %d is not what RESULTS says", id))
		}
	}
	for id := range tr.results {
		if _, ok := tr.records[id]; !ok {
			open = append(open, fmt.Sprintf("execution %d has results and no record", id))
		}
	}
	if tr.queued > 0 {
		open = append(open, fmt.Sprintf("%d requests are in the queue", tr.queued))
	}
	slices.Sort(open)
	return open
}

// firstExecution returns the oldest execution, or 0 if there is none.
func (tr *snapshot) firstExecution() int64 {
	first := int64(0)
	for id := range tr.records {
		if first == 0 || id < first {
			first = id
		}
	}
	return first
}

// lastResult returns the latest result of an execution, or nil if there is
// none.
func (tr *snapshot) lastResult(id int64) *bus.StoredResult {
	if all := tr.results[id]; len(all) > 0 {
		return all[len(all)-1]
	}
	return nil
}

// describeExecution returns everything that is known about an execution.
func (tr *snapshot) describeExecution(id int64) string {
	var s strings.Builder
	r := tr.records[id]
	fmt.Fprintf(&s, "execution %d of %s: %s, attempt %d, last result %d, wish %q, restarted by %d, rebuilt %v\n",
		id, r.Job, r.BatchStatus, r.Attempt, r.LastSequence, r.StopRequest, r.RestartedBy, r.Rebuilt)
	for _, res := range tr.results[id] {
		fmt.Fprintf(&s, "  result %d after %d: %s, attempt %d, by %s, number %d, at %s %s\n",
			res.Sequence, res.Expected, res.BatchStatus, res.Attempt, res.Agent, res.Number, res.Time, res.Exception)
	}
	fmt.Fprintf(&s, "  evidence %v", tr.evidence[id])
	return s.String()
}

// checkInvariants checks what must hold after any crash.
func (tr *snapshot) checkInvariants(t *testing.T) {
	t.Helper()
	for id, results := range tr.results {
		checkResultChain(t, id, results)
	}
	type work struct { // a restart skips completed steps
		instance int64
		step     string
	}
	ran := map[work]bool{}
	for id, traces := range tr.evidence {
		for _, one := range traces {
			ran[work{tr.records[id].InstanceID, one.step}] = true
		}
	}
	for id, r := range tr.records {
		if last := tr.lastResult(id); last != nil && last.BatchStatus != r.BatchStatus {
			t.Errorf("execution %d: its record says %s, RESULTS says %s", id, r.BatchStatus, last.BatchStatus)
		}
		if r.OnAgentLost != subjects.LostRequeue && r.Attempt > 1 {
			t.Errorf("execution %d of %s has attempt %d", id, r.Job, r.Attempt)
		}
		if r.BatchStatus != subjects.Completed {
			continue
		}
		for _, step := range stepsOf(r.Job) {
			if !ran[work{r.InstanceID, step}] {
				t.Errorf("execution %d of %s completed, but its step %s never ran", id, r.Job, step)
			}
		}
	}
	for id, traces := range tr.evidence {
		seen := map[trace]bool{}
		for _, one := range traces {
			if seen[one] {
				t.Errorf("the evidence has %q twice", one)
			}
			seen[one] = true
			if !slices.ContainsFunc(tr.results[id], func(r *bus.StoredResult) bool {
				return r.Attempt == one.attempt && r.BatchStatus.Running() && r.Agent != subjects.Bus
			}) {
				t.Errorf("the evidence has %q, without a claim", one)
			}
		}
	}
}

// checkResultChain checks the sequence of an execution's results.
func checkResultChain(t *testing.T, id int64, results []*bus.StoredResult) {
	t.Helper()
	var before uint64
	last := subjects.Undispatched
	attempt, handling := 0, ""
	for _, r := range results {
		if r.Expected != before {
			t.Errorf("execution %d: result %d follows %d instead of %d", id, r.Sequence, r.Expected, before)
		}
		if last.Ended() {
			t.Errorf("execution %d: %s by %s came after %s", id, r.BatchStatus, r.Agent, last)
		}
		if r.Agent != subjects.Bus {
			switch {
			case r.Attempt != attempt && !(last.Waiting() && r.Attempt == attempt+1):
				t.Errorf("execution %d: attempt %d began when attempt %d was %s", id, r.Attempt, attempt, last)
			case r.Attempt == attempt && (r.Handling != handling || last == subjects.Unknown):
				t.Errorf("execution %d: attempt %d was claimed twice", id, attempt)
			}
			attempt, handling = r.Attempt, r.Handling
		}
		before, last = r.Sequence, r.BatchStatus
	}
}

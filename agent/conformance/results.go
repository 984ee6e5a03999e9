package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// storedResult is one message of a stream, decoded if it is a result.
type storedResult struct {
	seq     uint64
	subject string
	header  nats.Header
	data    []byte
	subjects.Result
}

// readStored returns the messages that are stored under a filter now.
func (r *room) readStored(filter string) []storedResult {
	// A failing test calls this too, when its own context may have ended.
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	name := subjects.ResultsStream
	if strings.HasPrefix(filter, "jobstreamer.log.") {
		name = subjects.LogsStream
	}
	stream, err := r.js.Stream(ctx, name)
	if err != nil {
		return nil
	}
	var all []storedResult
	for seq := uint64(1); ; seq++ {
		m, err := stream.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(filter))
		if err != nil {
			return all
		}
		s := storedResult{seq: m.Sequence, subject: m.Subject, header: m.Header, data: m.Data}
		_ = json.Unmarshal(m.Data, &s.Result)
		all, seq = append(all, s), m.Sequence
	}
}

// resultsOf returns the stored results of an execution.
func (r *room) resultsOf(id int64) []storedResult {
	return r.readStored(subjects.ResultFilter(r.app, "job", id))
}

// awaitResult waits for a stored result with the status, and returns the first.
func (r *room) awaitResult(id int64, status subjects.BatchStatus) storedResult {
	r.Helper()
	var found storedResult
	r.waitUntil(fmt.Sprintf("the result %s of execution %d", status, id), func() bool {
		all := r.resultsOf(id)
		i := slices.IndexFunc(all, func(s storedResult) bool { return s.BatchStatus == status })
		if i >= 0 {
			found = all[i]
		}
		return i >= 0
	})
	return found
}

// awaitEnd waits until an execution has ended with the status, and checks all
// its results. There must be one attempt, by one agent.
func (r *room) awaitEnd(id int64, status subjects.BatchStatus) storedResult {
	r.Helper()
	end := r.awaitResult(id, status)
	r.awaitUnnamed(id)
	all := r.resultsOf(id)
	for i, s := range all {
		if s.BatchStatus.Ended() != (i == len(all)-1) {
			r.Errorf("result %d of %d is %s: want one end, and as the last result\n%s", i+1, len(all), s.BatchStatus, r.describeState())
		}
	}
	r.checkChain(all)
	return end
}

// checkChain checks the results of one attempt against the contract: each must
// expect the one before it.
func (r *room) checkChain(all []storedResult) {
	r.Helper()
	for i, s := range all {
		if i > 0 {
			if got, want := s.header.Get(subjects.ExpectedSequenceHeader), strconv.FormatUint(all[i-1].seq, 10); got != want {
				r.Errorf("result %d expects sequence %s, want %s", i+1, got, want)
			}
			if s.Handling != all[0].Handling {
				r.Errorf("result %d is of handling %s, the claim of %s", i+1, s.Handling, all[0].Handling)
			}
			if s.Number <= all[i-1].Number {
				r.Errorf("result %d has number %d after %d", i+1, s.Number, all[i-1].Number)
			}
			if s.Execution != nil {
				r.Errorf("result %d carries the execution: a claim alone does", i+1)
			}
		}
		if got, want := s.header.Get(subjects.ExpectedFilterHeader), subjects.ResultFilter(r.app, "job", s.ID); got != want {
			r.Errorf("result %d expects by filter %q, want %q", i+1, got, want)
		}
		if id := s.header.Get(nats.MsgIdHdr); id != "" {
			r.Errorf("result %d has a %s: the broker would acknowledge a repeat as a duplicate, even after a fence", i+1, nats.MsgIdHdr)
		}
		if want := subjects.ResultSubject(r.app, "job", s.ID, s.Agent); s.subject != want || s.App != r.app || s.Job != "job" {
			r.Errorf("result %d is at %s, of %s.%s by %s", i+1, s.subject, s.App, s.Job, s.Agent)
		}
		if s.Handling == "" || s.Number < 1 || s.Attempt < 1 || s.Time.IsZero() {
			r.Errorf("result %d lacks its handling, number, attempt or time: %s", i+1, s.data)
		}
	}
}

// publishFence publishes a result of the bus that expects the last stored
// result. It retries until the broker stores it, and returns its sequence.
func (r *room) publishFence(id int64, attempt int, status subjects.BatchStatus) (seq uint64) {
	r.Helper()
	r.waitUntil("a fence", func() bool {
		last := uint64(0)
		if all := r.resultsOf(id); len(all) > 0 {
			last = all[len(all)-1].seq
		}
		res := subjects.Result{
			ID: id, App: r.app, Job: "job", Attempt: attempt, BatchStatus: status, Agent: subjects.Bus,
			Handling: "bus-" + strconv.FormatUint(last, 10), Number: 1, Time: subjects.Now(),
		}
		ack, err := r.publishResult(res, last)
		if err == nil {
			seq = ack.Sequence
		}
		return err == nil
	})
	return seq
}

// publishResult publishes a result that expects the given last sequence.
func (r *room) publishResult(res subjects.Result, expected uint64) (*jetstream.PubAck, error) {
	b, err := json.Marshal(res)
	if err != nil {
		return nil, err
	}
	m := nats.NewMsg(subjects.ResultSubject(r.app, res.Job, res.ID, res.Agent))
	m.Data = b
	m.Header.Set(subjects.ExpectedSequenceHeader, strconv.FormatUint(expected, 10))
	m.Header.Set(subjects.ExpectedFilterHeader, subjects.ResultFilter(r.app, res.Job, res.ID))
	return r.js.PublishMsg(r.Context(), m)
}

// publishedByAgents returns the results that agents have published so far. The
// broker may have stored or refused them.
func (r *room) publishedByAgents() []subjects.Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.published)
}

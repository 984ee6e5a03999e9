package bus_test

import (
	"errors"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func resultOf(id int64, status subjects.BatchStatus) *subjects.Result {
	return &subjects.Result{ID: id, App: "a", Job: "j", BatchStatus: status}
}

// A result is stored only if the bus knew the last one.
func TestResultsAreFenced(t *testing.T) {
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	ctx := t.Context()
	if _, err := b.LastResult(ctx, "a", "j", 1); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("the last result of none: %v, want %v", err, bus.ErrNotFound)
	}
	first, err := b.PublishResult(ctx, resultOf(1, subjects.Unknown), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.PublishResult(ctx, resultOf(2, subjects.Failed), 0); err != nil { // another execution
		t.Fatal(err)
	}
	if _, err := b.PublishResult(ctx, resultOf(1, subjects.Stopped), 0); !errors.Is(err, bus.ErrChanged) {
		t.Errorf("a result that expects none: %v, want %v", err, bus.ErrChanged)
	}
	second, err := b.PublishResult(ctx, resultOf(1, subjects.Failed), first)
	if err != nil {
		t.Fatal(err)
	}
	last, err := b.LastResult(ctx, "a", "j", 1)
	if err != nil || last.Sequence != second || last.Expected != first || last.BatchStatus != subjects.Failed || last.Agent != subjects.Bus {
		t.Errorf("last result %+v, %v", last, err)
	}
	if at, err := b.ResultAt(ctx, "a", "j", 1, 0); err != nil || at.Sequence != first {
		t.Errorf("first result %+v, %v", at, err)
	}
	if at, err := b.ResultAt(ctx, "a", "j", 1, first+1); err != nil || at.Sequence != second {
		t.Errorf("the result after %d: %+v, %v", first, at, err)
	}
	if err := b.PurgeResults(ctx, "a", "j", 1, 1); err != nil {
		t.Fatal(err)
	}
	if at, err := b.ResultAt(ctx, "a", "j", 1, 0); err != nil || at.Sequence != second {
		t.Errorf("after a purge down to one: %+v, %v", at, err)
	}
	if err := b.PurgeResults(ctx, "a", "j", 1, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := b.LastResult(ctx, "a", "j", 1); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("after the purge of all: %v", err)
	}
	if _, err := b.LastResult(ctx, "a", "j", 2); err != nil {
		t.Errorf("the other execution's result is gone: %v", err)
	}
}

// Permissions confine the subject of a message, so its payload must say the
// same.
func TestResultsAgreeWithTheirSubject(t *testing.T) {
	subject := subjects.ResultSubject("a", "j", 1, "agent-1")
	good := `{"execution_id":1,"app":"a","job":"j","agent":"agent-1","batch_status":"failed"}`
	header := nats.Header{
		subjects.ExpectedSequenceHeader: {"12"},
		subjects.ExpectedFilterHeader:   {subjects.ResultFilter("a", "j", 1)},
	}
	r, err := bus.DecodeResult(subject, 13, header, []byte(good))
	if err != nil || r.Sequence != 13 || r.Expected != 12 || r.BatchStatus != subjects.Failed {
		t.Fatalf("DecodeResult = %+v, %v", r, err)
	}
	// The broker did not check a place in the results of this execution.
	for _, h := range []nats.Header{nil, {subjects.ExpectedSequenceHeader: {"0"}, subjects.ExpectedFilterHeader: {subjects.ResultFilter("a", "j", 2)}}} {
		if r, err := bus.DecodeResult(subject, 13, h, []byte(good)); err != nil || r.Expected <= 13 {
			t.Errorf("DecodeResult with the header %v = %+v, %v", h, r, err)
		}
	}
	for _, tt := range []struct{ name, subject, expected, data string }{
		{"another execution", subject, "12", `{"execution_id":2,"app":"a","job":"j","agent":"agent-1"}`},
		{"another application", subject, "12", `{"execution_id":1,"app":"b","job":"j","agent":"agent-1"}`},
		{"another job", subject, "12", `{"execution_id":1,"app":"a","job":"k","agent":"agent-1"}`},
		{"another agent", subject, "12", `{"execution_id":1,"app":"a","job":"j","agent":"bus"}`},
		{"no JSON", subject, "12", `{`},
		{"an expected sequence that is no number", subject, "-1", good},
		{"a subject of something else", "jobstreamer.heartbeat.agent-1", "12", good},
		{"a subject with no number", "jobstreamer.result.a.j.x.agent-1", "12", good},
	} {
		t.Run(tt.name, func(t *testing.T) {
			header.Set(subjects.ExpectedSequenceHeader, tt.expected)
			if r, err := bus.DecodeResult(tt.subject, 13, header, []byte(tt.data)); err == nil {
				t.Errorf("DecodeResult = %+v, want an error", r)
			}
		})
	}
}

package bus_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// A decision that nobody acknowledges is not sent for ever: what it was judged
// on may be purged meanwhile.
func TestResultInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bustest.Open(t, bustest.Server(t), bus.Config{})
		if err := b.JS.DeleteStream(t.Context(), subjects.ResultsStream); err != nil {
			t.Fatal(err)
		}
		silent, err := b.NC.SubscribeSync(subjects.AllResults) // takes every result and answers none
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		begin := time.Now()
		_, err = b.PublishResult(ctx, &subjects.Result{ID: 1, App: "a", Job: "j", BatchStatus: subjects.Failed}, 0)
		if took := time.Since(begin); !errors.Is(err, bus.ErrUnknown) || took > 30*time.Second {
			t.Errorf("after %v: %v, want it unknown within 30 s", took, err)
		}
		if n, _, _ := silent.Pending(); n < 3 {
			t.Errorf("sent %d times, want it sent again", n)
		}
	})
}

package bus_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestEvents(t *testing.T) {
	b := bustest.Open(t, bustest.Server(t), bus.Config{})
	all, err := b.NC.SubscribeSync("jobstreamer.event.>")
	if err != nil {
		t.Fatal(err)
	}
	b.Event("job", "deleted", []string{"shop", "nightly"}, map[string]int{"executions": 3})
	b.Event("job", "cannot be encoded", []string{"shop"}, func() {})
	b.Event("agent", "joined", []string{"linux-1"}, nil)
	if err := b.NC.Flush(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for range 2 {
		m, err := all.NextMsg(10 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var e subjects.Event
		if err := json.Unmarshal(m.Data, &e); err != nil || e.Time == 0 {
			t.Errorf("event %s: %v", m.Data, err)
		}
		got = append(got, strings.Join([]string{m.Subject, e.Kind, e.Subject, e.What, string(e.Detail)}, " "))
	}
	want := []string{
		`jobstreamer.event.job.shop.nightly job shop.nightly deleted {"executions":3}`,
		`jobstreamer.event.agent.linux-1 agent linux-1 joined `,
	}
	if !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
}

// Open refuses a retention that would let an old decision pass.
func TestShortRetentionIsRefused(t *testing.T) {
	s := bustest.Server(t)
	for field, retention := range map[string]bus.Retention{
		"retain-results":    {Results: time.Minute},
		"retain-executions": {Executions: time.Minute},
	} {
		_, err := bus.Open(t.Context(), bustest.Conn(t, s), bus.Config{Retention: retention})
		var wrong *bus.FieldError
		if !errors.As(err, &wrong) || wrong.Path != field {
			t.Errorf("%s of a minute: %v", field, err)
		}
	}
}

// Several buses that start at once on an empty broker all come up, with the
// same default application.
func TestBusesStartTogether(t *testing.T) {
	s := bustest.Server(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			b, err := bus.Open(t.Context(), bustest.Conn(t, s), bus.Config{})
			if err != nil {
				t.Error(err)
				return
			}
			defer b.Close()
			if _, err := b.Apps.Get(t.Context(), bus.DefaultApp); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

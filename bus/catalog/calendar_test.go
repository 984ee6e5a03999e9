package catalog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func newCalendars(t *testing.T, s *server.Server, cfg bus.Config) *Catalog {
	b := bustest.Open(t, s, cfg)
	return New(Config{Bus: b, Index: index.New(b), Schedules: noSchedules{}})
}

// noSchedules is a scheduler without schedules.
type noSchedules struct{ ScheduleCloser }

func (noSchedules) DecideBefore(context.Context, map[string]bool) (subjects.Time, error) {
	return subjects.Now(), nil
}

// Whatever several buses do at once, no two calendars have one name, and none is
// made of itself or of one that does not exist.
func TestCalendarsInARace(t *testing.T) {
	t.Run("with one server", func(t *testing.T) {
		t.Parallel()
		server := bustest.Server(t)
		raceForCalendars(t, 15, func() *Catalog { return newCalendars(t, server, bus.Config{}) })
	})
	t.Run("with three", func(t *testing.T) {
		t.Parallel()
		servers, next := bustest.Cluster(t), 0
		raceForCalendars(t, 5, func() *Catalog {
			next++
			return newCalendars(t, servers[next%len(servers)], bus.Config{Replicas: 3})
		})
	})
}

// raceForCalendars lets two buses make changes at once of which each is right
// alone, and both together are wrong.
func raceForCalendars(t *testing.T, n int, open func() *Catalog) {
	one, two, third := open(), open(), open()
	save := func(c *Catalog, name string, is calendar.Calendar) error {
		_, _, err := c.SaveCalendar(t.Context(), name, nil, func(*calendar.Calendar) (calendar.Calendar, error) { return is, nil })
		return err
	}
	including := func(name, other string) calendar.Calendar {
		return calendar.Calendar{Name: name, Include: []string{other}}
	}
	for _, race := range []struct {
		name string
		a, b func() error
	}{
		{"a cycle", func() error { return save(one, "A", including("A", "夜")) }, func() error { return save(two, "夜", including("夜", "A")) }},
		{"one name for two", func() error { return save(one, "A", calendar.Calendar{Name: "N"}) }, func() error { return save(two, "夜", calendar.Calendar{Name: "N"}) }},
		{"one name for two new ones", func() error { return save(one, "A", calendar.Calendar{Name: "N"}) }, func() error { return save(two, "N", calendar.Calendar{Name: "N"}) }},
		{"a part that is deleted", func() error { return save(one, "A", including("A", "夜")) }, func() error { return two.DeleteCalendar(t.Context(), "夜", nil) }},
	} {
		for range n {
			for _, e := range []error{save(third, "A", calendar.Calendar{Name: "A"}), save(third, "夜", calendar.Calendar{Name: "夜"})} {
				if e != nil {
					t.Fatal(e)
				}
			}
			var both sync.WaitGroup
			for _, do := range []func() error{race.a, race.b} {
				both.Go(func() {
					var state *bus.StateError
					var field calendar.FieldError
					if err := do(); err != nil && !errors.As(err, &state) && !errors.As(err, &field) {
						t.Errorf("%s: %v", race.name, err)
					}
				})
			}
			both.Wait()
			third.checkCalendars(t, race.name)
		}
	}
}

// checkCalendars checks the stored calendars, then deletes them.
func (c *Catalog) checkCalendars(t *testing.T, race string) {
	t.Helper()
	set, _, err := c.loadCalendars(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stored, _, err := bus.Snapshot(t.Context(), c.b, c.b.Calendars)
	if err != nil {
		t.Fatal(err)
	}
	if len(stored) != len(set.All()) {
		t.Errorf("%s: %d calendars are stored, %d have a name of their own", race, len(stored), len(set.All()))
	}
	for _, e := range set.All() {
		if _, err := set.Compile(e.Key); err != nil {
			t.Errorf("%s: calendar %s: %v", race, e.Value.Name, err)
		}
	}
	for _, e := range stored {
		if err := c.b.Calendars.Delete(t.Context(), e.Key, e.Revision); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKeysOfCalendars(t *testing.T) {
	c := newCalendars(t, bustest.Server(t), bus.Config{})
	save := func(name, is string) (key string, did Change) {
		t.Helper()
		e, did, err := c.SaveCalendar(t.Context(), name, nil, func(*calendar.Calendar) (calendar.Calendar, error) { return calendar.Calendar{Name: is}, nil })
		if err != nil {
			t.Fatal(err)
		}
		return e.Key, did
	}
	first, did := save("a", "a")
	if first != "a" || did != Created {
		t.Errorf("%s %s", first, did)
	}
	since := c.Calendars().All()[0].Value.Since
	if key, did := save("a", "b"); key != "a" || did != Renamed || c.Calendars().All()[0].Value.Since != since {
		t.Errorf("%s %s, want the same key, and days since %v", key, did, since)
	}
	if key, did := save("a", "a"); key == "a" || did != Created {
		t.Errorf("%s %s, want another key", key, did)
	}
	if _, did := save("a", "a"); did != "" {
		t.Errorf("%s, want no change", did)
	}
	if err := c.DeleteCalendar(t.Context(), "b", func(revision uint64) error { return fmt.Errorf("at %d", revision) }); err == nil || err.Error() != "at 2" {
		t.Error(err)
	}
}

package httpapi

import (
	"context"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/scheduler"
)

// calendarNames are the schedules as clients see them: a schedule is stored with
// the key of its calendar, and shown with its name. Only the read model has
// stored schedules too: see withNames.
type calendarNames struct {
	Schedules
	catalog Catalog
}

// storedForm puts the key of the calendar in place of its name.
func (n calendarNames) storedForm(ctx context.Context, sc bus.Schedule) (bus.Schedule, error) {
	if sc.Calendar == "" {
		return sc, nil
	}
	_, e, err := n.catalog.CalendarsNow(ctx, sc.Calendar)
	if bus.HasCode(err, bus.CodeNoSuchCalendar) {
		err = &bus.FieldError{Path: "/calendar", Want: "the name of a calendar that exists", Got: sc.Calendar}
	}
	sc.Calendar = e.Key
	return sc, err
}

// shownForm puts the name of the calendar in place of its key.
func shownForm(c Catalog, sc *bus.Schedule) *bus.Schedule {
	if sc == nil || sc.Calendar == "" {
		return sc
	}
	shown := *sc
	shown.Calendar = c.Calendars().NameOf(sc.Calendar)
	return &shown
}

// withNames returns a schedule of the read model with the name of its calendar.
func (s *Server) withNames(sc *bus.Schedule) *bus.Schedule { return shownForm(s.cfg.Catalog, sc) }

func (n calendarNames) ValidateSchedule(ctx context.Context, sc bus.Schedule) error {
	sc, err := n.storedForm(ctx, sc)
	if err != nil {
		return err
	}
	return n.Schedules.ValidateSchedule(ctx, sc)
}

func (n calendarNames) Set(ctx context.Context, sc bus.Schedule) (uint64, error) {
	sc, err := n.storedForm(ctx, sc)
	if err != nil {
		return 0, err
	}
	return n.Schedules.Set(ctx, sc)
}

func (n calendarNames) SetIf(ctx context.Context, sc bus.Schedule, allow func(was *bus.Schedule) error) (uint64, error) {
	sc, err := n.storedForm(ctx, sc)
	if err != nil {
		return 0, err
	}
	return n.Schedules.SetIf(ctx, sc, allow)
}

func (n calendarNames) Create(ctx context.Context, sc bus.Schedule) (uint64, error) {
	sc, err := n.storedForm(ctx, sc)
	if err != nil {
		return 0, err
	}
	return n.Schedules.Create(ctx, sc)
}

func (n calendarNames) Preview(ctx context.Context, sc bus.Schedule, from time.Time, count int) (scheduler.Previewed, error) {
	sc, err := n.storedForm(ctx, sc)
	if err != nil {
		return scheduler.Previewed{}, err
	}
	return n.Schedules.Preview(ctx, sc, from, count)
}

func (n calendarNames) Stored(ctx context.Context, key bus.ScheduleKey) (*bus.Schedule, error) {
	sc, err := n.Schedules.Stored(ctx, key)
	return shownForm(n.catalog, sc), err
}

func (n calendarNames) StoredAll(ctx context.Context, app, job string) ([]bus.Schedule, error) {
	all, err := n.Schedules.StoredAll(ctx, app, job)
	for i := range all {
		all[i] = *shownForm(n.catalog, &all[i])
	}
	return all, err
}

package catalog

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/calendars"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar/ical"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Calendars may refer to each other, and their names are unique. So whether a
// calendar is right depends on all the others. The catalog reads all of them
// and writes one on the condition that nothing in the bucket has changed since.

// maxCalendars is how many calendars there may be: each change reads all.
const maxCalendars = 1000

// Calendars returns all calendars, as the read model knows them.
func (c *Catalog) Calendars() *calendars.Set { return c.x.Calendars() }

// CalendarsNow returns all calendars. It reads them from the store if the read
// model does not know the one with this name yet: another bus may just have
// created it. The error is a StateError no_such_calendar if there is none.
func (c *Catalog) CalendarsNow(ctx context.Context, name string) (*calendars.Set, calendars.Entry, error) {
	set := c.x.Calendars()
	e, ok := set.Named(name)
	if ok {
		return set, e, nil
	}
	set, _, err := c.loadCalendars(ctx)
	if err != nil {
		return nil, e, err
	}
	if e, ok = set.Named(name); !ok {
		err = bus.NoSuchCalendar(name)
	}
	return set, e, err
}

// loadCalendars reads all calendars. A write on the condition of the revision
// fails if anything has changed since.
func (c *Catalog) loadCalendars(ctx context.Context) (set *calendars.Set, revision uint64, err error) {
	all, revision, err := bus.Snapshot(ctx, c.b, c.b.Calendars)
	for i := range all {
		set = set.With(all[i].Key, &all[i].Value, all[i].Revision)
	}
	return set, revision, err
}

// SaveCalendar stores the calendar that change returns for the calendar with
// this name, nil for none. If change gives it another name, the calendar is
// renamed. In the calendars that change gets and returns, Include, Intersect and
// Exclude contain names. Nothing is written if nothing changes.
//
// The error is a [calendar.FieldError] or a [calendar.Errors] if the calendar is
// wrong, refers to one that does not exist or to itself, or has no business
// days. StateErrors: no_such_calendar if there is no calendar to rename,
// calendar_exists if another calendar has the new name, calendar_in_use if a
// calendar that is made of this one would be wrong, too_many_calendars.
func (c *Catalog) SaveCalendar(ctx context.Context, name string, allowed Condition, change func(was *calendar.Calendar) (calendar.Calendar, error)) (e calendars.Entry, did Change, err error) {
	for {
		e, did, err = c.trySaveCalendar(ctx, name, allowed, change)
		if !errors.Is(err, bus.ErrChanged) {
			break
		}
	}
	if err != nil || did == "" {
		return e, did, err
	}
	c.x.PutCalendar(e.Key, &e.Value, e.Revision)
	var names any
	if did == Renamed {
		names = map[string]string{"was": name, "name": e.Value.Name}
	}
	c.b.Event("calendar", string(did), []string{e.Key}, names)
	return e, did, nil
}

func (c *Catalog) trySaveCalendar(ctx context.Context, name string, allowed Condition, change func(was *calendar.Calendar) (calendar.Calendar, error)) (e calendars.Entry, did Change, err error) {
	set, newest, err := c.loadCalendars(ctx)
	if err != nil {
		return e, "", err
	}
	was, found := set.Named(name)
	if err := allowed.check(was.Revision); err != nil {
		return e, "", err
	}
	var shown *calendar.Calendar
	if found {
		shown = new(set.Shown(&was.Value))
	}
	is, err := change(shown)
	if err != nil {
		return e, "", err
	}
	if err := is.Validate(ical.Dates); err != nil {
		return e, "", err
	}
	did = Changed
	switch {
	case !found && is.Name != name:
		return e, "", bus.NoSuchCalendar(name)
	case !found:
		did = Created
		if len(set.All()) >= maxCalendars {
			return e, "", bus.State(bus.CodeTooManyCalendars, "there are %d calendars, which is the limit", maxCalendars)
		}
	case is.Name != name:
		did = Renamed
		if _, taken := set.Named(is.Name); taken {
			return e, "", bus.State(bus.CodeCalendarExists, "a calendar %.80q already exists: %.80q cannot be renamed to it", is.Name, name)
		}
	}
	now := subjects.Now()
	e = calendars.Entry{Key: was.Key, Value: was.Value}
	if !found {
		e.Key, e.Value.CreateTime = freeKey(set, is.Name), now
	}
	e.Value.UpdateTime = now
	next, err := replaceCalendar(set, &e, is, newest+1, now)
	if err != nil {
		return e, "", err
	}
	if found && reflect.DeepEqual(was.Value.Calendar, e.Value.Calendar) {
		return was, "", nil
	}
	if err := checkCompiled(next, e.Key); err != nil {
		return e, "", err
	}
	if found && e.Value.Since != was.Value.Since {
		// As at an edit of a schedule, the old days decide what is due.
		if e.Value.Since, err = c.cfg.Schedules.DecideBefore(ctx, set.MadeOf(e.Key)); err != nil {
			return e, "", err
		}
	}
	e.Revision, err = c.b.Calendars.UpdateAt(ctx, e.Key, e.Value, newest)
	return e, did, err
}

// replaceCalendar sets the definition of an entry, whose other fields are set,
// and returns the set with it.
func replaceCalendar(set *calendars.Set, e *calendars.Entry, is calendar.Calendar, revision uint64, now subjects.Time) (*calendars.Set, error) {
	// A calendar that refers to itself is a cycle, not an unknown name.
	named := bus.Calendar{Calendar: calendar.Calendar{Name: is.Name}}
	stored, err := set.With(e.Key, &named, revision).Stored(is)
	if err != nil {
		return nil, err
	}
	was := e.Value.Calendar
	was.Name = stored.Name
	if !reflect.DeepEqual(was, stored) { // not only its name
		e.Value.Since = now
	}
	e.Value.Calendar = stored
	return set.With(e.Key, &e.Value, revision), nil
}

// checkCompiled compiles a calendar and all that are made of it.
func checkCompiled(set *calendars.Set, key string) error {
	if _, err := set.Compile(key); err != nil {
		return err
	}
	for of := range set.MadeOf(key) {
		if _, err := set.Compile(of); err != nil {
			return bus.State(bus.CodeCalendarInUse, "the calendar %.80q, which is made of this one, would be wrong: %v", set.NameOf(of), err)
		}
	}
	return nil
}

// freeKey returns a key for a calendar with this name. If a calendar that was
// renamed has the key of the name, it is another one.
func freeKey(set *calendars.Set, name string) string {
	key := bus.NameKey(name)
	if _, taken := set.Get(key); taken {
		key = key[:min(len(key), subjects.MaxName-9)] + "-" + strings.ToLower(rand.Text()[:8])
	}
	return key
}

// DeleteCalendar deletes a calendar. StateErrors: no_such_calendar,
// calendar_in_use if a schedule or another calendar refers to it.
func (c *Catalog) DeleteCalendar(ctx context.Context, name string, allowed Condition) error {
	for {
		err := c.tryDeleteCalendar(ctx, name, allowed)
		if !errors.Is(err, bus.ErrChanged) {
			return err
		}
	}
}

func (c *Catalog) tryDeleteCalendar(ctx context.Context, name string, allowed Condition) error {
	set, newest, err := c.loadCalendars(ctx)
	if err != nil {
		return err
	}
	e, found := set.Named(name)
	if err := allowed.check(e.Revision); err != nil {
		return err
	}
	if !found {
		return bus.NoSuchCalendar(name)
	}
	if err := c.checkUnused(ctx, set, e.Key); err != nil {
		return err
	}
	rev, err := c.b.Calendars.DeleteAt(ctx, e.Key, newest)
	if err != nil {
		return err
	}
	if err := c.checkUnused(ctx, set, e.Key); err != nil {
		// Somebody has saved a schedule meanwhile, and may not have seen the
		// deletion: see package scheduler.
		return cmp.Or(c.restoreCalendar(ctx, &e), err)
	}
	c.x.PutCalendar(e.Key, nil, rev)
	c.b.Event("calendar", "deleted", []string{e.Key}, nil)
	return nil
}

// restoreCalendar writes a calendar that was just deleted. If there is one with
// its key already, somebody has created it with the same name.
func (c *Catalog) restoreCalendar(ctx context.Context, e *calendars.Entry) error {
	rev, err := c.b.Calendars.Create(ctx, e.Key, e.Value)
	if errors.Is(err, bus.ErrExists) {
		return nil
	}
	if err == nil {
		c.x.PutCalendar(e.Key, &e.Value, rev)
	}
	return err
}

// checkUnused returns an error if a schedule or another calendar refers to a
// calendar.
func (c *Catalog) checkUnused(ctx context.Context, set *calendars.Set, key string) error {
	schedules, _, err := bus.Snapshot(ctx, c.b, c.b.Schedules)
	if err != nil {
		return err
	}
	var jobs []string
	for i := range schedules {
		if s := &schedules[i].Value; s.Calendar == key {
			jobs = append(jobs, s.App+"/"+c.x.JobName(s.App, s.Job))
		}
	}
	slices.Sort(jobs)
	jobs = slices.Compact(jobs)
	if len(jobs) > 0 {
		return bus.State(bus.CodeCalendarInUse, "the calendar %.80q is already used by some job: %s", set.NameOf(key), listNames(jobs))
	}
	var names []string
	for _, user := range set.UsersOf(key) {
		names = append(names, fmt.Sprintf("%.80q", user.Value.Name))
	}
	if len(names) > 0 {
		return bus.State(bus.CodeCalendarInUse, "the calendar %.80q is used by other calendars: %s", set.NameOf(key), listNames(names))
	}
	return nil
}

// maxListed is how many names an error lists.
const maxListed = 10

func listNames(names []string) string {
	if n := len(names) - maxListed; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxListed], ", "), n)
	}
	return strings.Join(names, ", ")
}

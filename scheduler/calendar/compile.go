package calendar

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxClosedYears is the longest time without a business day.
	maxClosedYears = 10
	// maxCalendars is how many calendars a calendar may be made of.
	maxCalendars = 1000

	wantNoCycle = "calendars that are not made of each other"
)

// Sources provides what a calendar refers to.
type Sources struct {
	// Calendar returns the calendar with a name, or nil if there is none. It
	// may be nil if no calendar refers to another.
	Calendar func(name string) (*Calendar, error)
	// Recurrence expands RRULEs. Without it a calendar must not have any.
	Recurrence Recurrence
}

// Compile returns the business days of a calendar. The error is an [Errors] or
// a [FieldError] if the calendar is wrong, refers to a calendar that is wrong
// or does not exist, refers to itself, or has no business day for ten years.
// Any other error is one of from.Calendar.
func Compile(c *Calendar, from Sources) (*Days, error) {
	co := compiler{from: from, done: map[string]*Days{}}
	d, err := co.compile(c)
	if err != nil {
		return nil, err
	}
	d.start = c.startOfDay()
	d.open = slices.Clone(d.closed)
	d.open.invert()
	return d, d.checkOpen()
}

// compiler compiles each calendar once.
type compiler struct {
	from  Sources
	done  map[string]*Days
	path  []string // names of the calendars that are being compiled
	dates int      // of rules
}

// compile returns the days of a calendar, without those parts that only the
// outermost calendar has.
func (co *compiler) compile(c *Calendar) (*Days, error) {
	if err := c.Validate(nil); err != nil {
		return nil, err
	}
	if len(co.done)+len(co.path) >= maxCalendars {
		return nil, FieldError{"/include", fmt.Sprintf("a calendar that is made of at most %d others", maxCalendars), "more"}
	}
	co.path = append(co.path, c.Name)
	defer func() { co.path = co.path[:len(co.path)-1] }()
	d := &Days{name: c.Name, weekly: c.WeeklyHoliday, closed: newDateSet()}
	d.addWeekly()
	d.addNamed(listedDates(c.Holidays))
	for i := range c.Rules {
		n, err := co.expandRule(&c.Rules[i])
		if err != nil {
			return nil, FieldError{fmt.Sprintf("/rules/%d", i), "a rule for dates: " + err.Error(), shownText(c.Rules[i].RRule)}
		}
		d.addNamed(n)
	}
	if err := co.combine(d, c); err != nil {
		return nil, err
	}
	co.done[c.Name] = d
	return d, nil
}

func (co *compiler) expandRule(r *Rule) (namedDates, error) {
	n, err := r.expand(co.from.Recurrence, maxRuleDates-co.dates)
	if err != nil {
		return n, err
	}
	if co.dates += len(n.dates) + len(n.dates)*(n.days-1)/16; co.dates > maxRuleDates {
		return n, fmt.Errorf("the rules of the calendar have more than %d dates", maxRuleDates)
	}
	return n, nil
}

// combine adds and removes the holidays of other calendars.
func (co *compiler) combine(d *Days, c *Calendar) error {
	for _, list := range []struct {
		path  string
		names []string
		apply func(other *Days)
	}{
		{"/include", c.Include, d.include},
		{"/intersect", c.Intersect, func(o *Days) { d.closed.keep(o.closed) }},
		{"/exclude", c.Exclude, func(o *Days) { d.closed.remove(o.closed) }},
	} {
		for i, name := range list.names {
			other, err := co.compileNamed(list.path+"/"+strconv.Itoa(i), name)
			if err != nil {
				return err
			}
			list.apply(other)
		}
	}
	return nil
}

// compileNamed returns the days of the calendar to which the field at path
// refers.
func (co *compiler) compileNamed(path, name string) (*Days, error) {
	if i := slices.Index(co.path, name); i >= 0 {
		return nil, FieldError{path, wantNoCycle, cycleText(co.path[i:])}
	}
	if d := co.done[name]; d != nil {
		return d, nil
	}
	var c *Calendar
	var err error
	if co.from.Calendar != nil {
		if c, err = co.from.Calendar(name); err != nil {
			return nil, fmt.Errorf("calendar %s: %w", quoteValue(name), err)
		}
	}
	if c == nil {
		return nil, FieldError{path, "the name of a calendar that exists", quoteValue(name)}
	}
	d, err := co.compile(c)
	if err != nil && isFault(err) && len(co.path) == 1 {
		// Fields of another calendar would name the wrong place.
		var cycle FieldError
		if errors.As(err, &cycle) && cycle.Want == wantNoCycle {
			return nil, FieldError{path, cycle.Want, cycle.Got}
		}
		return nil, FieldError{path, "a calendar without faults", quoteValue(name) + " with: " + err.Error()}
	}
	return d, err
}

func isFault(err error) bool {
	var one FieldError
	var all Errors
	return errors.As(err, &one) || errors.As(err, &all)
}

// cycleText returns "a" -> "b" -> "a".
func cycleText(names []string) string {
	var b strings.Builder
	for _, name := range names {
		b.WriteString(quoteValue(name) + " -> ")
	}
	return b.String() + quoteValue(names[0])
}

// listedDates sorts the holidays of a calendar's own list.
func listedDates(holidays []Holiday) namedDates {
	sorted := slices.Clone(holidays)
	slices.SortStableFunc(sorted, func(a, b Holiday) int { return int(a.Date - b.Date) })
	sorted = slices.CompactFunc(sorted, func(a, b Holiday) bool { return a.Date == b.Date })
	n := namedDates{days: 1, names: make([]string, 0, len(sorted))}
	for _, h := range sorted {
		n.dates, n.names = append(n.dates, h.Date), append(n.names, h.Name)
	}
	return n
}

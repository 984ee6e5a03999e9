package calendar

import "fmt"

// Reason tells why a date is a holiday.
type Reason struct {
	Date Date `json:"date"`
	// The calendar that has the holiday: the one asked, or one that it includes.
	Calendar string `json:"calendar"`
	// The name of the holiday, or the weekday of a weekly holiday.
	Name   string `json:"name,omitempty"`
	Weekly bool   `json:"weekly,omitempty"`
}

// String returns a text such as: 2026-12-26 is Boxing Day (calendar "uk").
func (r Reason) String() string {
	switch {
	case r.Weekly:
		return fmt.Sprintf("%v is a %s, a weekly holiday (calendar %q)", r.Date, r.Name, r.Calendar)
	case r.Name == "":
		return fmt.Sprintf("%v is a holiday (calendar %q)", r.Date, r.Calendar)
	}
	return fmt.Sprintf("%v is %s (calendar %q)", r.Date, r.Name, r.Calendar)
}

// Holiday returns the reason why a date is a holiday. It prefers a holiday with
// a date over a weekly one, and the calendar itself over those that it
// includes. ok is false for a business day.
func (d *Days) Holiday(day Date) (why Reason, ok bool) {
	if !d.closed.has(day) {
		return Reason{}, false
	}
	if why, ok = d.findNamed(day); !ok {
		why, ok = d.findWeekly(day)
	}
	return why, ok
}

// findNamed returns the reason for a holiday that a list or a rule names.
func (d *Days) findNamed(day Date) (Reason, bool) {
	for i := range d.named {
		if name, found := d.named[i].nameOf(day); found {
			return Reason{Date: day, Calendar: d.name, Name: name}, true
		}
	}
	for _, other := range d.included {
		if other.closed.has(day) {
			if why, found := other.findNamed(day); found {
				return why, true
			}
		}
	}
	return Reason{}, false
}

// findWeekly returns the reason for a weekly holiday.
func (d *Days) findWeekly(day Date) (Reason, bool) {
	if d.weekly[day.Weekday()] {
		return Reason{Date: day, Calendar: d.name, Name: day.Weekday().String(), Weekly: true}, true
	}
	for _, other := range d.included {
		if other.closed.has(day) {
			if why, found := other.findWeekly(day); found {
				return why, true
			}
		}
	}
	return Reason{}, false
}

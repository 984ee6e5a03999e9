package calendar

// Calendar says which days are holidays. Its set of holidays is
//
//	(own + include) ∩ intersect − exclude
//
// where own are the weekly holidays, the dates and the rules of the calendar.
type Calendar struct {
	Name          string    `json:"name"`           // any text
	WeeklyHoliday [7]bool   `json:"weekly_holiday"` // from Sunday
	Holidays      []Holiday `json:"holidays,omitempty"`
	Rules         []Rule    `json:"rules,omitempty"`
	// The holidays of these calendars are holidays here too.
	Include []string `json:"include,omitempty"`
	// A day is a holiday only if it is a holiday in each of these calendars.
	Intersect []string `json:"intersect,omitempty"`
	// The holidays of these calendars are business days here.
	Exclude []string `json:"exclude,omitempty"`
	// The clock time at which a business day begins, from 00:00 (the default)
	// to 23:59. That of other calendars in the lists above has no effect.
	DayStart string `json:"day_start,omitempty"`
}

// Holiday is a date on which nothing should fire.
type Holiday struct {
	Date Date   `json:"date"`
	Name string `json:"name,omitempty"`
}

// Rule is a holiday that repeats. Exactly one of Yearly, Easter,
// OrthodoxEaster and RRule is set.
type Rule struct {
	Name string `json:"name,omitempty"`
	// Month and day, such as 12-25. 02-29 is a holiday in leap years only.
	Yearly string `json:"yearly,omitempty"`
	// Days after Easter Sunday: -2 is Good Friday.
	Easter *int `json:"easter,omitempty"`
	// Days after the Easter Sunday of the Orthodox churches.
	OrthodoxEaster *int `json:"orthodox_easter,omitempty"`
	// The value of an RRULE (RFC 5545 section 3.3.10), such as
	// FREQ=MONTHLY;BYDAY=-1FR. It repeats from Start, which it requires.
	RRule string `json:"rrule,omitempty"`
	// The first and the last date of the rule. Without Start and End it covers
	// all years.
	Start Date `json:"start,omitzero"`
	End   Date `json:"end,omitzero"`
	// How many days each holiday lasts, from 1 (the default) to 366.
	Length int `json:"days,omitempty"`
	// Dates on which the rule makes no holiday begin.
	Except []Date `json:"except,omitempty"`
}

// Recurrence returns the dates of an RRULE that begins at start, in order, up
// to last. It returns an error if the rule is wrong or has more than limit
// dates.
type Recurrence func(rule string, start, last Date, limit int) ([]Date, error)

// startOfDay returns the DayStart of a valid calendar in seconds.
func (c *Calendar) startOfDay() int {
	sec, _ := parseTimeOfDay(c.DayStart, 24)
	return sec
}

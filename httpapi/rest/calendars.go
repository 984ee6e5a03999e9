package rest

import "github.com/job-streamer/job-streamer-control-bus/subjects"

// NewCalendar is the body that creates or changes a calendar. Its holidays are
// (own + include) ∩ intersect − exclude, where own are the weekly holidays, the
// dates and the rules.
type NewCalendar struct {
	Name          string         `json:"name,omitempty" edn:"calendar/name" doc:"Any text of 1 to 256 bytes. Optional in PUT, where another name renames the calendar."`
	WeeklyHoliday []bool         `json:"weekly_holiday,omitempty" edn:"calendar/weekly-holiday" doc:"Seven values from Sunday: whether nothing fires on that weekday. Default: false for each." example:"[true,false,false,false,false,false,true]"`
	Holidays      []Holiday      `json:"holidays,omitempty" edn:"calendar/holidays" doc:"Dates on which nothing fires. A date may also be sent as a string alone."`
	HolidayNames  []Holiday      `json:"-" edn:"calendar/holiday-names"`
	Rules         []CalendarRule `json:"rules,omitempty" edn:"calendar/rules" doc:"Holidays that repeat."`
	Include       []string       `json:"include,omitempty" edn:"calendar/include" doc:"Names of calendars whose holidays are holidays here too."`
	Intersect     []string       `json:"intersect,omitempty" edn:"calendar/intersect" doc:"Names of calendars: a day is a holiday here only if it is one in each of them."`
	Exclude       []string       `json:"exclude,omitempty" edn:"calendar/exclude" doc:"Names of calendars whose holidays are business days here."`
	DayStart      string         `json:"day_start,omitempty" edn:"calendar/day-start" doc:"Clock time from 00:00 to 23:59 at which a business day begins. Default 00:00." example:"02:00"`

	CreateTime      string `json:"create_time,omitempty" edn:"calendar/create-time" doc:"Without effect: an answer can be sent back."`
	LastUpdatedTime string `json:"last_updated_time,omitempty" edn:"calendar/last-updated-time" doc:"Without effect: an answer can be sent back."`
}

// Calendar is a calendar as answers show it.
type Calendar struct {
	DBID            int64            `json:"-" edn:"db/id,id"` // made from the key
	Name            string           `json:"name" edn:"calendar/name"`
	WeeklyHoliday   []bool           `json:"weekly_holiday" edn:"calendar/weekly-holiday" doc:"Seven values from Sunday."`
	Holidays        []Holiday        `json:"holidays" edn:"-"`
	HolidayTimes    *[]subjects.Time `json:"-" edn:"calendar/holidays"` // midnights of the bus's zone
	HolidayNames    *[]Holiday       `json:"-" edn:"calendar/holiday-names"`
	Rules           []CalendarRule   `json:"rules" edn:"calendar/rules"`
	Include         []string         `json:"include" edn:"calendar/include"`
	Intersect       []string         `json:"intersect" edn:"calendar/intersect"`
	Exclude         []string         `json:"exclude" edn:"calendar/exclude"`
	DayStart        string           `json:"day_start" edn:"calendar/day-start"`
	CreateTime      subjects.Time    `json:"create_time" edn:"calendar/create-time"`
	LastUpdatedTime subjects.Time    `json:"last_updated_time" edn:"calendar/last-updated-time"`
}

// Holiday is a date on which nothing fires.
type Holiday struct {
	Date string `json:"date" edn:"date,alone" example:"2026-12-25"`
	Name string `json:"name,omitempty"`
}

// CalendarRule is a holiday that repeats. It has exactly one of yearly, easter,
// orthodox_easter and rrule.
type CalendarRule struct {
	Name           string   `json:"name,omitempty"`
	Yearly         string   `json:"yearly,omitempty" doc:"Month and day. 02-29 is a holiday in leap years only." example:"12-25"`
	Easter         *int     `json:"easter,omitempty" doc:"Days after Easter Sunday: -2 is Good Friday."`
	OrthodoxEaster *int     `json:"orthodox_easter,omitempty" doc:"Days after the Easter Sunday of the Orthodox churches."`
	RRule          string   `json:"rrule,omitempty" doc:"The value of an RRULE (RFC 5545). It repeats from start, which it requires." example:"FREQ=MONTHLY;BYDAY=-1FR"`
	Start          string   `json:"start,omitempty" doc:"First date of the rule. Default: all years." example:"2026-01-01"`
	End            string   `json:"end,omitempty" doc:"Last date on which the rule may make a holiday begin."`
	Days           int      `json:"days,omitzero" doc:"How many days each holiday lasts, from 1 (the default) to 366."`
	Except         []string `json:"except,omitempty" doc:"Dates on which the rule makes no holiday begin."`
}

// Calendars is a list of calendars in a file. Each can be sent again.
type Calendars []Calendar

// CalendarPreview is a year of a calendar.
type CalendarPreview struct {
	Name         string           `json:"name" edn:"calendar/name"`
	Year         int              `json:"year"`
	BusinessDays int              `json:"business_days" doc:"Number of business days in the year."`
	Holidays     []PreviewHoliday `json:"holidays" doc:"All holidays of the year, by date."`
}

// PreviewHoliday is a date on which nothing fires, and why.
type PreviewHoliday struct {
	Date     string `json:"date" example:"2026-12-25"`
	Name     string `json:"name" doc:"Name of the holiday, or the weekday of a weekly holiday."`
	Weekly   bool   `json:"weekly" doc:"Whether it is a weekly holiday."`
	Calendar string `json:"calendar" doc:"Name of the calendar that has the holiday: this one, or one that it is made of."`
}

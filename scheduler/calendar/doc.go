// Package calendar answers which days are business days, and moves the fires of
// a schedule off holidays.
//
//	Calendar --Compile--> Days --+
//	  own holidays, rules,       +--> Plan.Next: which times fire, and why
//	  other calendars            |
//	schedule (cron: Next) -------+
//
// # Calendars
//
// A [Calendar] lists days on which nothing should fire: weekdays, dates, and
// rules that repeat. It may be made of other calendars. Every day that is not a
// holiday is a business day. [Compile] combines all of this into [Days], an
// immutable bit set of the years 1970 to 2299. A query visits at most the 1,884
// words of that set, so no query can loop without end. Compile refuses a
// calendar that has no business day for ten years.
//
// The package knows no RRULE of RFC 5545. A caller that allows them passes a
// [Recurrence], such as that of package calendar/ical.
//
// # Business days that begin after midnight
//
// A business day begins at the calendar's day_start and ends 24 hours of the
// clock later. With a day_start of 02:00, half past one on Saturday morning
// belongs to the business day of Friday: the clock time 25:30 of Friday.
// [Days.BusinessDate] returns the date of the business day of an instant. A
// business day begins at the first instant at which the clocks show its start
// or a later time, so it begins once, even when the clocks change at that hour.
// The holidays of a calendar are business dates.
//
// # Substitution
//
// A [Plan] combines a schedule with the days of a calendar. A nominal time on a
// holiday does not fire. What happens instead is the plan's [Substitution]:
//
//	none      nothing
//	next      it fires on the next business day
//	previous  it fires on the previous business day
//	true      as next, unless the schedule's following time on a business day
//	          comes first and so stands in for it
//
// A moved time keeps the clock time that the schedule names: 02:30 on a Sunday
// becomes 02:30 on Monday, even if the clocks of that Sunday show no 02:30.
// Moved times that meet at one instant, or meet a time of the schedule itself,
// fire once together.
//
// [Plan.Next] returns fires. [Plan.Decisions] returns fires and the times that
// do not fire, each with the reason. Both are pure functions of schedule,
// calendar and time.
//
// # Business days of a month
//
// [BusinessDays] is a schedule without cron: the nth or nth-last business day
// of a month, or the nth business day before or after a date.
package calendar

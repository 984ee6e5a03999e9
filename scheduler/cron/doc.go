// Package cron parses Quartz cron expressions and computes when they fire.
//
//	second minute hour day-of-month month day-of-week [year]
//	0      15     10   ?            *     6#3                 10:15 on each third Friday
//
// # Expressions
//
// The language is the one that Quartz documents:
//
//	field         values                     besides lists, ranges and steps
//	second        0-59
//	minute        0-59
//	hour          0-23
//	day of month  1-31                       ? L L-3 LW L-3W 15W
//	month         1-12, JAN-DEC
//	day of week   1-7 (1 is SUN), SUN-SAT    ? L 6L 6#3
//	year          1970-2299
//
// Exactly one of the two day fields must be ?. Names may be written in upper or
// lower case. A range may wrap around (22-2, FRI-MON), except in the year
// field. A step counts from its first value to the end of the field (5/20) or
// of its range (20-4/3), and /5 means */5. The forms *, ? and those with L, W
// or # must be the whole field: they cannot be part of a list. A day that a
// month does not have (31, 31W, L-30, 6#5) does not fire in that month. 15W is
// the weekday nearest to the 15th within the month.
//
// Quartz accepts some expressions that it does not document, and then fires at
// other times than the ones written: 99 in the second field, 1a, MONDAY, 1-0 as
// days, JUN/2 (which Quartz reads as June only), lists with # or W. This
// package refuses all of these with an [Error] that gives the column and the
// allowed values.
//
// # Daylight saving time
//
// When clocks are set forward, some local times do not exist: a gap. When
// clocks are set back, some local times occur twice: an overlap. Quartz skips a
// fire in a gap, fires in the second pass of an overlap, and leaves an hour
// without fires in repeating expressions. This package treats two kinds of
// expressions differently:
//
//   - A fixed hour is an hour field with a value or a list of values (2 or
//     1,13). The expression then names times of the day. Each of these times
//     fires once, as soon as the clocks of the location show it or a later
//     time. A time in a gap fires at the first instant after the gap. A time in
//     an overlap fires in the first pass. Minutes and seconds do not change
//     this rule: when the hour of two is missing, 0 0/20 2 * * ? has three
//     times that move to 03:00:00. Times that move to the same instant, or to
//     an instant that fires anyway, fire once together. A day that a location
//     never had (Apia, 30 December 2011) does not fire. A time in a gap across
//     midnight fires after the gap if its day had begun before the gap.
//   - Any other hour field (*, a range, a step, or a list with one of these)
//     follows real time. The expression fires at every instant at which the
//     clocks show a matching time: in both passes of an overlap, and not in a
//     gap. 0 0/30 * * * ? always fires every half hour.
//
// As a result a daily job never loses a day and never fires twice on one, an
// hourly job never waits for two hours, and a job at 02:30 runs at 03:00 once a
// year.
//
// # How it works
//
// [Parse] turns each field into a bit set. The days of a month depend only on
// its length and on the weekday of its first day, so an expression has 28 bit
// masks of days. [Schedule.Next] searches in civil time, the seconds that a
// wall clock counts, because a [Schedule] has no time zone. It then maps the
// civil time to an instant by walking the spans between changes of the clocks.
// A search visits at most the 3,960 months from 1970 to 2299.
package cron

// Package cron reads Quartz cron expressions and says when they fire.
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
// Exactly one of the two day fields is ?. Names are read in any case. A range
// may wrap (22-2, FRI-MON), except of years. A step goes from its first value
// to the end of the field (5/20) or of its range (20-4/3), and /5 is */5. What
// stands alone in its field is *, ?, and everything with L, W or #. A day that
// a month does not have (31, 31W, L-30, 6#5) does not fire in that month. 15W
// is the weekday nearest to the 15th within the month.
//
// Quartz accepts more than it documents and then does something else than was
// written: 99 in the field of seconds, 1a, MONDAY, 1-0 as days, JUN/2 (which is
// June only), lists with # or W. All of these are refused, with an [Error] that
// says where and what is allowed.
//
// # Changes of clocks
//
// Quartz skips a fire that falls into a gap, fires in the second pass of an
// overlap, and has a hole of an hour in repeating expressions. Here people get
// what they wrote, of two kinds:
//
//   - A fixed hour (the hour field has values or a list of values: 2 or 1,13) names times of
//     the day. Each fires once, when the clocks of the location first show it or a later time:
//     in a gap at the first instant after the gap, in an overlap at the first pass. Minutes
//     and seconds do not matter for this: 0 0/20 2 * * ? on a day without the hour of two is
//     three times moved to 03:00:00, and times moved to the same instant, or onto a time that
//     fires anyhow, fire once. A day that a location never had (Apia, 30 December 2011) does
//     not fire; a time in a gap that spans midnight fires after the gap if its day has begun
//     before it.
//   - Any other hour (*, a range, a step, or a list with one of them) goes by real time: it
//     fires at every instant at which the clocks show a time that matches, so in both passes
//     of an overlap and not in a gap. 0 0/30 * * * ? fires every half hour, always.
//
// Consequence: a daily job never loses a day and never gets two fires, and an
// hourly one never waits for two hours; a job at 02:30 runs at 03:00 once a
// year.
//
// # How it works
//
// Parse makes bit sets of the fields. The days of a month depend on its length
// and the weekday of its first day only, so there are 28 masks of days for an
// expression. Next searches in civil time, the seconds that a wall clock counts
// ([Schedule] knows no zone), and maps what it finds to an instant by walking
// the spans between changes of clocks. The search visits no more than the 3,960
// months from 1970 to 2299.
package cron

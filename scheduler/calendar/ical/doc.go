// Package ical converts between iCalendar (RFC 5545) and the calendars of this
// program: it expands RRULEs for dates, and reads holidays from files.
//
// It is a package of its own because it needs libraries, and package calendar
// has none. A program that only previews calendars without RRULEs can do
// without it.
//
// Only whole days matter. A file's events with a time of day are skipped and
// reported, and so are time zones: a holiday is a date, wherever one is.
package ical

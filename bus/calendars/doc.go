// Package calendars resolves the references between stored calendars and
// compiles them.
//
// Stored calendars refer to each other by key, so that a calendar can be
// renamed. People refer to them by name. A [Set] translates between the two. It
// is a snapshot of all calendars: the read model makes one after each change,
// and package catalog makes one from the store, with the change that somebody
// asks for, to see whether the calendars would still be right.
package calendars

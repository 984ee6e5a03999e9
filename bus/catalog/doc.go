// Package catalog creates, changes, renames and deletes applications, calendars,
// and jobs with their settings. It decides what the domain allows; a transport
// such as the REST API only translates.
//
// Each change is a compare-and-set on what it was decided on. If another writer
// comes first, the catalog reads again and decides again, so callers never see
// [bus.ErrChanged]. A caller that wants to change only what it has seen gives a
// [Condition].
package catalog

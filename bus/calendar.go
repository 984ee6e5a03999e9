package bus

import (
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Calendar is a stored calendar. Its key in the bucket calendars is made from
// its first name, by [NameKey], and stays the same when it is renamed. Include,
// Intersect and Exclude contain keys of other calendars, not names.
type Calendar struct {
	calendar.Calendar
	Since      subjects.Time `json:"since"` // when its days last changed
	CreateTime subjects.Time `json:"create_time"`
	UpdateTime subjects.Time `json:"last_updated_time"`
}

// NoSuchCalendar returns the [StateError] for a calendar that does not exist.
func NoSuchCalendar(name string) error {
	return State(CodeNoSuchCalendar, "there is no calendar %.80q", name)
}

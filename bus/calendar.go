package bus

import (
	"cmp"
	"encoding/json"

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

// Substitution is what happens to a time of a schedule on a holiday. The empty
// one is none.
type Substitution string

// UnmarshalJSON also reads what earlier versions stored: true or false.
func (s *Substitution) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case "true":
		*s = Substitution(calendar.NextUnlessDue)
		return nil
	case "false", "null":
		*s = ""
		return nil
	}
	return json.Unmarshal(data, (*string)(s))
}

// Or returns s, or none if s is empty.
func (s Substitution) Or() calendar.Substitution {
	return cmp.Or(calendar.Substitution(s), calendar.NoSubstitution)
}

// NoSuchCalendar returns the [StateError] for a calendar that does not exist.
func NoSuchCalendar(name string) error {
	return State(CodeNoSuchCalendar, "there is no calendar %.80q", name)
}

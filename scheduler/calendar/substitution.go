package calendar

// Substitution is what happens to a time of a schedule on a holiday.
type Substitution string

// The substitutions.
const (
	// The time does not fire.
	NoSubstitution Substitution = "none"
	// It fires on the next business day.
	NextDay Substitution = "next"
	// It fires on the previous business day.
	PreviousDay Substitution = "previous"
	// It fires on the next business day, unless the schedule's following time
	// on a business day comes first. That time then stands in for it.
	NextUnlessDue Substitution = "true"
)

// moves reports whether s moves times. An unknown substitution does not.
func (s Substitution) moves() bool {
	return s == NextDay || s == PreviousDay || s == NextUnlessDue
}

// Substitutions returns all substitutions.
func Substitutions() []Substitution {
	return []Substitution{NoSubstitution, NextDay, PreviousDay, NextUnlessDue}
}

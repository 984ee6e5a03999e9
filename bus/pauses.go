package bus

import (
	"maps"
	"slices"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Pauses are the pauses of a group of schedules: of those of an application, or
// of all. Its key in the bucket is that of [PausesKey].
type Pauses struct {
	Periods []PausePeriod `json:"pauses"` // by time; they do not overlap
}

// PausePeriod is one pause of a group. It concerns the fires that are due after
// From, up to and including To.
type PausePeriod struct {
	From    subjects.Time `json:"from"`
	To      subjects.Time `json:"to,omitzero"`  // zero: the pause is on
	By      string        `json:"by,omitempty"` // id of the user; empty: no login was required
	Reason  string        `json:"reason,omitempty"`
	EndedBy string        `json:"ended_by,omitempty"`
	CatchUp bool          `json:"catch_up,omitempty"` // what was due meanwhile is a misfire, and not skipped
}

// IsOn reports whether the pause has not ended.
func (p *PausePeriod) IsOn() bool { return p.To == 0 }

// Current returns the pause that is on, or nil. p may be nil.
func (p *Pauses) Current() *PausePeriod {
	if p == nil || len(p.Periods) == 0 {
		return nil
	}
	if last := &p.Periods[len(p.Periods)-1]; last.IsOn() {
		return last
	}
	return nil
}

const (
	pausesOfAll = "all"
	pausesOfApp = "app."
)

// PausesKey returns the key of the pauses of an application, or of those of all
// schedules if app is empty.
func PausesKey(app string) string {
	if app == "" {
		return pausesOfAll
	}
	return pausesOfApp + app
}

// GroupPause is a pause with the application that it is about; none if it is
// about all schedules.
type GroupPause struct {
	App string
	PausePeriod
}

// PauseSet has the pauses of all groups at one moment. It is immutable. A nil
// PauseSet has none.
type PauseSet struct {
	byKey    map[string]storedPauses
	revision uint64 // the newest one of a value or of a deletion
}

type storedPauses struct {
	pauses   *Pauses // nil: deleted at the revision
	revision uint64
}

// With returns a set in which the pauses under a key are replaced, or removed if
// v is nil. It returns s itself if s has this revision of them, or a newer one.
func (s *PauseSet) With(key string, v *Pauses, revision uint64) *PauseSet {
	n := &PauseSet{byKey: map[string]storedPauses{}, revision: revision}
	if s != nil {
		if s.byKey[key].revision >= revision {
			return s
		}
		maps.Copy(n.byKey, s.byKey)
		n.revision = max(s.revision, revision)
	}
	n.byKey[key] = storedPauses{v, revision}
	return n
}

// Revision returns the newest revision that the set has seen.
func (s *PauseSet) Revision() uint64 {
	if s == nil {
		return 0
	}
	return s.revision
}

// Of returns the pauses of an application, or of all schedules if app is empty,
// nil if there never were any. The caller must not change them.
func (s *PauseSet) Of(app string) *Pauses {
	if s == nil {
		return nil
	}
	return s.byKey[PausesKey(app)].pauses
}

// On returns the pauses that are on and concern the schedules of an application:
// that of all schedules first.
func (s *PauseSet) On(app string) (on []GroupPause) {
	if p := s.Of("").Current(); p != nil {
		on = append(on, GroupPause{"", *p})
	}
	if p := s.Of(app).Current(); p != nil && app != "" {
		on = append(on, GroupPause{app, *p})
	}
	return on
}

// AllOn returns all pauses that are on: that of all schedules first, the others
// by application.
func (s *PauseSet) AllOn() (on []GroupPause) {
	on = s.On("")
	if s == nil {
		return on
	}
	for _, key := range slices.Sorted(maps.Keys(s.byKey)) {
		app, ok := strings.CutPrefix(key, pausesOfApp)
		if p := s.byKey[key].pauses.Current(); ok && p != nil {
			on = append(on, GroupPause{app, *p})
		}
	}
	return on
}

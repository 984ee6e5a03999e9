package calendars

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
)

// Entry is a stored calendar with its key and its revision.
type Entry = bus.Entry[bus.Calendar]

// Set is all calendars at one moment. It is immutable, and several goroutines
// may use it. A nil Set has no calendars.
type Set struct {
	byKey    map[string]stored
	byName   map[string]string // keys
	revision uint64            // the newest one of a calendar or of a deletion

	mu       sync.Mutex
	compiled map[string]*Compiled // by key
}

// stored is a calendar, or nil if it was deleted at the revision.
type stored struct {
	calendar *bus.Calendar
	revision uint64
}

// With returns a set in which a calendar is replaced, or removed if v is nil. It
// returns s itself if s has this revision of the calendar, or a newer one. What
// was compiled and does not depend on the calendar stays compiled.
func (s *Set) With(key string, v *bus.Calendar, revision uint64) *Set {
	n := &Set{byKey: map[string]stored{}, byName: map[string]string{}, revision: revision, compiled: map[string]*Compiled{}}
	if s != nil {
		if s.byKey[key].revision >= revision {
			return s
		}
		maps.Copy(n.byKey, s.byKey)
		maps.Copy(n.byName, s.byName)
		n.revision = max(s.revision, revision)
		s.mu.Lock()
		for of, c := range s.compiled {
			if !c.parts[key] {
				n.compiled[of] = c
			}
		}
		s.mu.Unlock()
	}
	if was := n.byKey[key].calendar; was != nil && n.byName[was.Name] == key {
		delete(n.byName, was.Name)
	}
	n.byKey[key] = stored{v, revision}
	if v != nil {
		n.byName[v.Name] = key
	}
	return n
}

// Revision returns the newest revision that the set has seen.
func (s *Set) Revision() uint64 {
	if s == nil {
		return 0
	}
	return s.revision
}

// Get returns the calendar with a key.
func (s *Set) Get(key string) (e Entry, ok bool) {
	if s == nil || s.byKey[key].calendar == nil {
		return Entry{}, false
	}
	at := s.byKey[key]
	return Entry{Key: key, Value: *at.calendar, Revision: at.revision}, true
}

// Named returns the calendar with a name.
func (s *Set) Named(name string) (e Entry, ok bool) {
	if s == nil {
		return Entry{}, false
	}
	key, ok := s.byName[name]
	if !ok {
		return Entry{}, false
	}
	return s.Get(key)
}

// NameOf returns the name of the calendar with a key, or the key itself if there
// is no such calendar.
func (s *Set) NameOf(key string) string {
	if e, ok := s.Get(key); ok {
		return e.Value.Name
	}
	return key
}

// All returns all calendars, by name.
func (s *Set) All() []Entry {
	all := []Entry{}
	if s == nil {
		return all
	}
	for _, key := range s.byName {
		if e, ok := s.Get(key); ok {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b Entry) int { return cmp.Compare(a.Value.Name, b.Value.Name) })
	return all
}

// Shown returns the definition of a stored calendar, in which names stand for
// keys.
func (s *Set) Shown(c *bus.Calendar) calendar.Calendar {
	shown := c.Calendar
	for _, list := range links(&shown) {
		*list.keys = slices.Clone(*list.keys)
		for i, key := range *list.keys {
			(*list.keys)[i] = s.NameOf(key)
		}
	}
	return shown
}

// Stored returns a definition in which keys stand for names. The error is a
// [calendar.FieldError] for a name that no calendar has.
func (s *Set) Stored(c calendar.Calendar) (calendar.Calendar, error) {
	for _, list := range links(&c) {
		*list.keys = slices.Clone(*list.keys)
		for i, name := range *list.keys {
			e, ok := s.Named(name)
			if !ok {
				return c, calendar.FieldError{Path: list.path + "/" + strconv.Itoa(i), Want: "the name of a calendar that exists", Got: strconv.Quote(name)}
			}
			(*list.keys)[i] = e.Key
		}
	}
	return c, nil
}

// link is a list of other calendars in a definition.
type link struct {
	path string
	keys *[]string
}

func links(c *calendar.Calendar) []link {
	return []link{{"/include", &c.Include}, {"/intersect", &c.Intersect}, {"/exclude", &c.Exclude}}
}

// UsersOf returns the calendars that are directly made of another one, by name.
func (s *Set) UsersOf(key string) []Entry {
	return slices.DeleteFunc(s.All(), func(e Entry) bool {
		return !slices.Contains(e.Value.Include, key) && !slices.Contains(e.Value.Intersect, key) && !slices.Contains(e.Value.Exclude, key)
	})
}

// MadeOf returns the keys of a calendar and of all calendars that are made of
// it, directly or not.
func (s *Set) MadeOf(key string) map[string]bool {
	found := map[string]bool{key: true}
	for next := []string{key}; len(next) > 0; next = next[1:] {
		for _, e := range s.UsersOf(next[0]) {
			if !found[e.Key] {
				found[e.Key] = true
				next = append(next, e.Key)
			}
		}
	}
	return found
}

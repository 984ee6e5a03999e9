package index

import "github.com/job-streamer/job-streamer-control-bus/bus"

// groupPauses are the pauses of applications and of all schedules.
type groupPauses struct {
	set     *bus.PauseSet
	changed chan struct{} // closed at the next change
}

func newGroupPauses() groupPauses { return groupPauses{changed: make(chan struct{})} }

// PutPauses sets the pauses with a key, or removes them if v is nil.
func (x *Index) PutPauses(key string, v *bus.Pauses, rev uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	set := x.pauses.set.With(key, v, rev)
	if set == x.pauses.set {
		return
	}
	x.pauses.set = set
	close(x.pauses.changed)
	x.pauses.changed = make(chan struct{})
}

// Pauses returns the pauses of all applications, and of all schedules.
func (x *Index) Pauses() *bus.PauseSet {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.pauses.set
}

// PausesChanged returns a channel that is closed at the next change of any
// pauses.
func (x *Index) PausesChanged() <-chan struct{} {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.pauses.changed
}

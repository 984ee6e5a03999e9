package native

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// handover holds the values that the steps of a job instance have set for later
// steps. Steps of a split use it concurrently.
type handover struct {
	mu    sync.Mutex
	steps []stepValues // the step that ended last is the last one
}

type stepValues struct {
	step   string
	values map[string]string
}

// newHandover returns the values that earlier attempts and executions have
// left. They count whether their steps are skipped, run again or are not
// reached.
func newHandover(before []subjects.StepState) *handover {
	h, ends := &handover{}, map[string]subjects.Time{}
	for _, s := range before {
		if len(s.Values) > 0 {
			h.steps = append(h.steps, stepValues{s.Step, s.Values})
			ends[s.Step] = s.EndTime
		}
	}
	slices.SortStableFunc(h.steps, func(a, b stepValues) int { return cmp.Compare(ends[a.step], ends[b.step]) })
	return h
}

// forget removes the values of a step that begins again.
func (h *handover) forget(step string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.steps = slices.DeleteFunc(h.steps, func(s stepValues) bool { return s.step == step })
}

// add adds the values of a step that has ended.
func (h *handover) add(step string, values map[string]string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	size := valuesSize(values)
	for _, s := range h.steps {
		size += valuesSize(s.values)
	}
	if size > subjects.MaxValues {
		return fmt.Errorf("want values of at most %d bytes in all steps of the job together, got %d", subjects.MaxValues, size)
	}
	h.steps = append(h.steps, stepValues{step, values})
	return nil
}

// current returns the values that a step gets which begins now.
func (h *handover) current() map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := map[string]string{}
	for _, s := range h.steps {
		maps.Copy(all, s.values)
	}
	return all
}

func valuesSize(values map[string]string) (size int) {
	for name, value := range values {
		size += len(name) + len(value)
	}
	return size
}

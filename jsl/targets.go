package jsl

import (
	"slices"
	"strings"
)

// This file checks ids and the attributes that refer to them.

// checkIDs collects the ids of the whole document. Each must be unique (xs:ID).
func (v *validator) checkIDs(j *Job) {
	j.Walk(func(path string, e Element) {
		id := e.ElementID()
		_, taken := v.ids[id]
		switch {
		case id == "":
			v.reportFault(path+"/id", "an id", "")
		case taken || id == j.ID:
			v.reportFault(path+"/id", "an id that is unique in the job", shownText(id))
		default:
			v.ids[id] = path
		}
	})
}

// checkTargets checks the targets of the elements in one scope. They must be
// elements of the same scope. Attributes "next" must not lead back. A loop of
// transitions is left to the run, since its patterns may never match (8.9.3,
// 13.1).
func (v *validator) checkTargets(path string, elements []Element) {
	siblings := make(map[string]int, len(elements))
	for i, e := range elements {
		siblings[e.ElementID()] = i
	}
	delete(siblings, "")
	follow := make([]int, len(elements)) // the target of next, or -1
	find := func(place, target string) int {
		to, ok := siblings[target]
		if ok {
			return to
		}
		if !v.isOpen(target) {
			v.reportStray(place, target)
		}
		return -1
	}
	for i, e := range elements {
		place := itemPath(path, i)
		next, transitions := exitsOf(e)
		if follow[i] = -1; next != "" {
			follow[i] = find(place+"/next", next)
		}
		for k, t := range transitions {
			if t.Action == Next {
				find(itemPath(place+"/transitions", k)+"/next/to", t.To)
			}
		}
	}
	v.checkLoops(path, elements, follow)
}

// exitsOf returns the attribute next and the transitions of an element.
func exitsOf(e Element) (next string, transitions []Transition) {
	switch e := e.(type) {
	case *Step:
		return e.Next, e.Transitions
	case *Flow:
		return e.Next, e.Transitions
	case *Split:
		return e.Next, nil
	case *Decision:
		return "", e.Transitions
	}
	return "", nil
}

// reportStray reports a target outside the scope.
func (v *validator) reportStray(path, target string) {
	if _, elsewhere := v.ids[target]; elsewhere {
		v.reportFault(path, "the id of an element of the same flow, split or job", shownText(target)+", which is in another")
		return
	}
	v.reportFault(path, "the id of an element", shownText(target))
}

// checkLoops reports each attribute "next" that leads back, because no element
// may be the target of two transitions in one execution. follow has the target
// of each element, or -1.
func (v *validator) checkLoops(path string, elements []Element, follow []int) {
	seenFrom := make([]int, len(elements)) // the start of the walk that came by, plus 1
	for start := range elements {
		var trail []int
		for at := start; at >= 0 && seenFrom[at] == 0; at = follow[at] {
			seenFrom[at] = start + 1
			trail = append(trail, at)
			to := follow[at]
			if to >= 0 && seenFrom[to] == start+1 {
				v.reportFault(itemPath(path, at)+"/next", "a target that does not cause a loop", pathOfLoop(elements, trail[slices.Index(trail, to):]))
			}
		}
	}
}

func pathOfLoop(elements []Element, trail []int) string {
	var names []string
	for _, i := range append(trail[:min(len(trail), maxGot):min(len(trail), maxGot)], trail[0]) {
		names = append(names, elements[i].ElementID())
	}
	return quoteValue(strings.Join(names, " > "))
}

// checkRestarts checks the restart targets of stop, which must be elements of
// the job itself.
func (v *validator) checkRestarts(j *Job) {
	top := make(map[string]bool, len(j.Elements))
	for _, e := range j.Elements {
		top[e.ElementID()] = true
	}
	j.Walk(func(path string, e Element) {
		_, transitions := exitsOf(e)
		for i, t := range transitions {
			if t.Action == Stop && t.Restart != "" && !top[t.Restart] && !v.isOpen(t.Restart) {
				v.reportFault(itemPath(path+"/transitions", i)+"/stop/restart", "the id of an element of the job itself", shownText(t.Restart))
			}
		}
	})
}

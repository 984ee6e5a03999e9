package jsl

import "strings"

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

// edge is a way to another element of the same scope.
type edge struct {
	to   int
	path string // of the attribute that has the target
}

// checkTargets checks the targets of the elements in one scope. They must be
// elements of the same scope, and must not lead back.
func (v *validator) checkTargets(path string, elements []Element) {
	siblings := make(map[string]int, len(elements))
	for i, e := range elements {
		siblings[e.ElementID()] = i
	}
	delete(siblings, "")
	edges := make([][]edge, len(elements))
	lead := func(i int, place, target string) {
		if to, ok := siblings[target]; ok {
			edges[i] = append(edges[i], edge{to, place})
		} else if !v.isOpen(target) {
			v.reportStray(place, target)
		}
	}
	for i, e := range elements {
		place := itemPath(path, i)
		next, transitions := exitsOf(e)
		if next != "" {
			lead(i, place+"/next", next)
		}
		for k, t := range transitions {
			if t.Action == Next {
				lead(i, itemPath(place+"/transitions", k)+"/next/to", t.To)
			}
		}
	}
	v.checkLoops(elements, edges)
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

// checkLoops reports each attribute that leads back, because no element may be
// the target of two transitions in one execution.
func (v *validator) checkLoops(elements []Element, edges [][]edge) {
	const unseen, open, done = 0, 1, 2
	state := make([]int, len(elements))
	position := make([]int, len(elements)) // index in the trail while open
	for start := range elements {
		if state[start] != unseen {
			continue
		}
		trail := []int{start}
		taken := []int{0} // edges already followed from each element of the trail
		state[start], position[start] = open, 0
		for len(trail) > 0 {
			last := len(trail) - 1
			from := trail[last]
			if taken[last] == len(edges[from]) {
				state[from] = done
				trail, taken = trail[:last], taken[:last]
				continue
			}
			e := edges[from][taken[last]]
			taken[last]++
			switch state[e.to] {
			case open:
				v.reportFault(e.path, "a target that does not cause a loop", pathOfLoop(elements, trail[position[e.to]:]))
			case unseen:
				state[e.to], position[e.to] = open, len(trail)
				trail, taken = append(trail, e.to), append(taken, 0)
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

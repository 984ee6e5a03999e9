package jsl

import "strings"

// Ids, and the attributes that name elements by them.

// identify collects the ids of the whole document; each must be there once
// (xs:ID).
func (v *validator) identify(j *Job) {
	j.Walk(func(path string, e Element) {
		id := e.ElementID()
		_, taken := v.ids[id]
		switch {
		case id == "":
			v.fault(path+"/id", "an id", "")
		case taken || id == j.ID:
			v.fault(path+"/id", "an id that nothing else in the job has", shown(id))
		default:
			v.ids[id] = path
		}
	})
}

// edge leads to another element of the same scope.
type edge struct {
	to   int
	path string // of the attribute that says so
}

// targets judges where the elements of one scope lead: to each other, and never
// back.
func (v *validator) targets(path string, elements []Element) {
	siblings := make(map[string]int, len(elements))
	for i, e := range elements {
		siblings[e.ElementID()] = i
	}
	delete(siblings, "")
	edges := make([][]edge, len(elements))
	lead := func(i int, place, target string) {
		if to, ok := siblings[target]; ok {
			edges[i] = append(edges[i], edge{to, place})
		} else if !v.open(target) {
			v.stray(place, target)
		}
	}
	for i, e := range elements {
		place := atIndex(path, i)
		next, transitions := exits(e)
		if next != "" {
			lead(i, place+"/next", next)
		}
		for k, t := range transitions {
			if t.Action == Next {
				lead(i, atIndex(place+"/transitions", k)+"/next/to", t.To)
			}
		}
	}
	v.loops(elements, edges)
}

// exits returns what says where an element leads.
func exits(e Element) (next string, transitions []Transition) {
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

// stray reports a target that is not in the scope.
func (v *validator) stray(path, target string) {
	if _, elsewhere := v.ids[target]; elsewhere {
		v.fault(path, "the id of an element of the same flow, split or job", shown(target)+", which is in another")
		return
	}
	v.fault(path, "the id of an element", shown(target))
}

// loops reports each attribute that leads back: no element may be transitioned
// to twice in an execution.
func (v *validator) loops(elements []Element, edges [][]edge) {
	const unseen, open, done = 0, 1, 2
	state := make([]int, len(elements))
	position := make([]int, len(elements)) // on the trail, while open
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
				v.fault(e.path, "a target that does not lead back here", loop(elements, trail[position[e.to]:]))
			case unseen:
				state[e.to], position[e.to] = open, len(trail)
				trail, taken = append(trail, e.to), append(taken, 0)
			}
		}
	}
}

func loop(elements []Element, trail []int) string {
	var names []string
	for _, i := range append(trail[:min(len(trail), maxGot):min(len(trail), maxGot)], trail[0]) {
		names = append(names, elements[i].ElementID())
	}
	return quote(strings.Join(names, " > "))
}

// restarts judges the targets of stop: they are elements of the job itself.
func (v *validator) restarts(j *Job) {
	top := make(map[string]bool, len(j.Elements))
	for _, e := range j.Elements {
		top[e.ElementID()] = true
	}
	j.Walk(func(path string, e Element) {
		_, transitions := exits(e)
		for i, t := range transitions {
			if t.Action == Stop && t.Restart != "" && !top[t.Restart] && !v.open(t.Restart) {
				v.fault(atIndex(path+"/transitions", i)+"/stop/restart", "the id of an element of the job itself", shown(t.Restart))
			}
		}
	})
}

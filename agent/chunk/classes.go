package chunk

import (
	"errors"
	"fmt"
	"slices"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// The classes that exist without registration.
const (
	errorClass = "error" // every error
	panicClass = "panic" // of an artifact
)

// builtinParents makes the lists of jobs from Java work.
var builtinParents = map[string]string{
	errorClass:            "java.lang.Exception",
	panicClass:            "java.lang.Error",
	"java.lang.Exception": "java.lang.Throwable",
	"java.lang.Error":     "java.lang.Throwable",
	"java.lang.Throwable": "",
}

// PanicError is the panic of an artifact.
type PanicError struct {
	Value any
	Stack []byte
}

func (p *PanicError) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// Classes knows the classes of errors and their parents.
type Classes struct {
	registered []agent.ErrorClass
	parents    map[string]string
}

// NewClasses returns the classes that were registered, with the built-in ones. It
// returns an error for a parent that no class is, and for parents that form a
// cycle.
func NewClasses(registered []agent.ErrorClass) (*Classes, error) {
	c := &Classes{registered: registered, parents: map[string]string{}}
	for name, parent := range builtinParents {
		c.parents[name] = parent
	}
	for _, r := range registered {
		if _, twice := c.parents[r.Name]; twice {
			return nil, fmt.Errorf("the class of errors %s is registered twice", r.Name)
		}
		c.parents[r.Name] = r.Parent
		if r.Parent == "" {
			c.parents[r.Name] = errorClass
		}
	}
	for _, r := range registered {
		// Without it, the class would not be an "error" (8.2.1.4.1).
		if _, known := c.parents[r.Parent]; r.Parent != "" && !known {
			return nil, fmt.Errorf("class of errors %s: want a registered class as its parent, got %q", r.Name, r.Parent)
		}
	}
	for _, r := range registered {
		steps := 0
		for at := r.Name; at != ""; at = c.parents[at] {
			if steps++; steps > len(c.parents) {
				return nil, fmt.Errorf("the parents of the class of errors %s form a cycle", r.Name)
			}
		}
	}
	return c, nil
}

// Unknown returns the names in the lists of a chunk that no class has, sorted.
// They match no error.
func (c *Classes) Unknown(k *jsl.Chunk) []string {
	var names []string
	for _, list := range []*jsl.ExceptionClasses{k.Skippable, k.Retryable, k.NoRollback} {
		if list == nil {
			continue
		}
		for _, name := range slices.Concat(list.Include, list.Exclude) {
			if _, known := c.parents[name]; !known {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// selects reports whether the list selects an error: the nearest of its classes
// is included and not excluded (8.2.1.4.1).
func (c *Classes) selects(list *jsl.ExceptionClasses, err error) bool {
	if list == nil || len(list.Include) == 0 {
		return false
	}
	distances := c.distancesTo(err)
	include, excluded := nearest(distances, list.Include), nearest(distances, list.Exclude)
	return include >= 0 && (excluded < 0 || include < excluded)
}

// distancesTo returns how many classes each class of err is away from the most
// special classes that match err.
func (c *Classes) distancesTo(err error) map[string]int {
	var matching []string
	var p *PanicError
	if errors.As(err, &p) {
		matching = []string{panicClass}
	} else {
		for _, r := range c.registered {
			if r.Matches(err) {
				matching = append(matching, r.Name)
			}
		}
	}
	if len(matching) == 0 {
		matching = []string{errorClass}
	}
	distances := map[string]int{}
	for _, class := range matching {
		if slices.ContainsFunc(matching, func(m string) bool { return c.isAncestor(class, m) }) {
			continue // err matches a more special class too
		}
		for d := 0; class != ""; class, d = c.parents[class], d+1 {
			if old, ok := distances[class]; !ok || d < old {
				distances[class] = d
			}
		}
	}
	return distances
}

// isAncestor reports whether ancestor is above class.
func (c *Classes) isAncestor(ancestor, class string) bool {
	for class = c.parents[class]; class != ""; class = c.parents[class] {
		if class == ancestor {
			return true
		}
	}
	return false
}

// nearest returns the smallest distance of the named classes, or -1.
func nearest(distances map[string]int, names []string) int {
	least := -1
	for _, name := range names {
		if d, ok := distances[name]; ok && (least < 0 || d < least) {
			least = d
		}
	}
	return least
}

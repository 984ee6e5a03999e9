package classfile

import "fmt"

// checkRefs warns of ids in META-INF/batch.xml that refer to no component.
func (s *scanner) checkRefs(components []Component) {
	if s.refs == nil {
		return
	}
	known := map[string]bool{}
	for _, c := range components {
		known[c.Class] = true
	}
	for _, id := range s.refs.ids {
		if class := s.refs.class[id]; !known[class] {
			s.warn.addWarning(s.refs.jar, s.refs.entry, fmt.Sprintf("the id %[2]s refers to %[1]s, which is not a loadable component", class, id))
		}
	}
}

// checkNamespaces warns of an application that needs two runtimes.
func (s *scanner) checkNamespaces(components []Component) {
	first := map[string]Component{}
	for _, c := range components {
		if _, ok := first[c.Namespace]; !ok {
			first[c.Namespace] = c
		}
	}
	javax, one := first["javax"]
	jakarta, two := first["jakarta"]
	if one && two {
		s.warn.addWarning(jakarta.Origin, entryOf(jakarta), fmt.Sprintf("uses jakarta.batch, but %s in %s uses javax.batch: "+
			"an application cannot use both", javax.Class, javax.Origin))
	}
}

// checkNames warns of names that two components have.
func (s *scanner) checkNames(components []Component) {
	owner := map[string]string{}
	for _, c := range components {
		if c.Namespace == "" {
			continue
		}
		for _, name := range append([]string{c.Ref}, c.Aliases...) {
			if first, ok := owner[name]; ok && first != c.Class {
				s.warn.addWarning(c.Origin, entryOf(c), fmt.Sprintf("has the same name, %s, as %s", name, first))
			}
			owner[name] = c.Class
		}
	}
}

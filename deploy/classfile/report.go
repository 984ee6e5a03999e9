package classfile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// makeReport returns the components in the index, with all warnings.
func (s *scanner) makeReport() *Report {
	r := &Report{Classes: len(s.index.classes)}
	aliases := s.aliasesByClass()
	for i := range s.index.classes {
		c, ok := s.toComponent(int32(i))
		if ok {
			c.Aliases = append(aliases[c.Class], c.Aliases...)
			r.Components = append(r.Components, c)
		}
		if len(r.Components) == maxFound {
			s.warn.addWarning(c.Origin, "", fmt.Sprintf("reaches the limit of %d components: the rest are skipped", maxFound))
			break
		}
	}
	slices.SortFunc(r.Components, func(a, b Component) int { return cmp.Compare(a.Class, b.Class) })
	s.warn.extra = 3 * (maxWarnings + 1)
	s.checkRefs(r.Components)
	s.checkNames(r.Components)
	s.checkNamespaces(r.Components)
	s.warn.endJar()
	r.Warnings, r.Unresolved = s.warn.all, s.index.unresolved()
	return r
}

func (s *scanner) toComponent(i int32) (c Component, ok bool) {
	in := s.index.classes[i]
	name := s.index.names[in.name]
	m := s.index.maskOf(in.name)
	if !in.concrete || m&(anyRole|isThrowable) == 0 || hasPrefix(name, foreignPackages) {
		return c, false
	}
	c = Component{Class: javaName(name), Namespace: m.apiNamespace(), Origin: s.index.origins[in.origin]}
	c.Ref = c.Class
	c.Kinds, c.Listens = m.kindsAndEvents()
	if m&anyRole != 0 {
		c.Constructor = constructors[in.constructor]
	}
	if n, ok := s.index.named[i]; ok {
		c.Ref = cmp.Or(n.value, c.Class)
		if n.value == "" {
			c.Aliases = []string{defaultName(c.Class, n.simple)}
		}
	}
	switch {
	case m&ancestorMissing != 0:
		s.warnMissing(c, in.name)
		return c, false
	case strings.ContainsFunc(c.Class+c.Ref, unicode.IsControl):
		s.warn.addWarning(c.Origin, entryOf(c), "is skipped: its name contains control characters")
		return c, false
	case m&javaxRoles != 0 && m&jakartaRoles != 0:
		s.warn.addWarning(c.Origin, entryOf(c), "uses javax.batch and jakarta.batch: no runtime supports both")
	}
	return c, true
}

// warnMissing warns of a component that no JVM can load. It ignores exception
// classes, since many libraries have some that need another library.
func (s *scanner) warnMissing(c Component, id uint32) {
	if c.Namespace == "" || !s.warn.hasRoom(c.Origin) {
		return
	}
	reason := "cannot be loaded: it extends itself"
	if absent := s.index.missingAncestor(id); absent != "" {
		reason = "cannot be loaded: " + absent + " is not on the class path"
	}
	s.warn.addWarning(c.Origin, entryOf(c), reason)
}

// defaultName returns the name that CDI gives to a bean with a bare @Named: the
// simple name with its first letter in lower case, unless it begins with two
// capitals (java.beans.Introspector).
func defaultName(class, simple string) string {
	simple = cmp.Or(simple, class[strings.LastIndexByte(class, '.')+1:])
	first, n := utf8.DecodeRuneInString(simple)
	if second, _ := utf8.DecodeRuneInString(simple[n:]); unicode.IsUpper(first) && unicode.IsUpper(second) {
		return simple
	}
	return string(unicode.ToLower(first)) + simple[n:]
}

// aliasesByClass returns the ids of META-INF/batch.xml by class.
func (s *scanner) aliasesByClass() map[string][]string {
	ids := map[string][]string{}
	if s.refs != nil {
		for _, id := range s.refs.ids {
			class := s.refs.class[id]
			ids[class] = append(ids[class], id)
		}
	}
	return ids
}

func entryOf(c Component) string { return strings.ReplaceAll(c.Class, ".", "/") + classSuffix }

// unresolved lists the super classes and interfaces that are not on the class
// path.
func (x *classIndex) unresolved() []Missing {
	found := map[uint32]*Missing{}
	for _, c := range x.classes {
		for _, p := range x.parentsOf(c.name) {
			if x.at[p] >= 0 || x.sumParents(p)&ancestorMissing == 0 {
				continue
			}
			if found[p] == nil {
				found[p] = &Missing{Class: javaName(x.names[p]), By: javaName(x.names[c.name])}
			}
			found[p].Classes++
		}
	}
	all := make([]Missing, 0, len(found))
	for _, m := range found {
		all = append(all, *m)
	}
	slices.SortFunc(all, func(a, b Missing) int { return cmp.Compare(a.Class, b.Class) })
	return all[:min(len(all), maxUnresolved)]
}

package classfile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// report says what the index has.
func (s *scanner) report() *Report {
	r := &Report{Classes: len(s.index.classes)}
	aliases := s.aliases()
	for i := range s.index.classes {
		c, ok := s.component(int32(i))
		if ok {
			c.Aliases = append(aliases[c.Class], c.Aliases...)
			r.Components = append(r.Components, c)
		}
		if len(r.Components) == maxFound {
			s.warn.add(c.Origin, "", fmt.Sprintf("has the last of %d components: the others are left out", maxFound))
			break
		}
	}
	slices.SortFunc(r.Components, func(a, b Component) int { return cmp.Compare(a.Class, b.Class) })
	s.warn.over = 3 * (maxWarnings + 1)
	s.checkRefs(r.Components)
	s.checkNames(r.Components)
	s.checkNamespaces(r.Components)
	s.warn.flush()
	r.Warnings, r.Unresolved = s.warn.all, s.index.unresolved()
	return r
}

func (s *scanner) component(i int32) (c Component, ok bool) {
	in := s.index.classes[i]
	name := s.index.names[in.name]
	m := s.index.reach(in.name)
	if !in.concrete || m&(anyRole|throwable) == 0 || hasPrefix(name, foreign) {
		return c, false
	}
	c = Component{Class: javaName(name), Namespace: m.namespace(), Origin: s.index.origins[in.origin]}
	c.Ref = c.Class
	c.Kinds, c.Listens = m.kinds()
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
	case m&missing != 0:
		s.warnMissing(c, in.name)
		return c, false
	case strings.ContainsFunc(c.Class+c.Ref, unicode.IsControl):
		s.warn.add(c.Origin, entryOf(c), "is left out: there are control characters in its name")
		return c, false
	case m&javaxRoles != 0 && m&jakartaRoles != 0:
		s.warn.add(c.Origin, entryOf(c), "is of javax.batch and of jakarta.batch: no runtime has both")
	}
	return c, true
}

// warnMissing tells of a component that no JVM could load; of exceptions it
// does not, since libraries are full of what needs another library.
func (s *scanner) warnMissing(c Component, id uint32) {
	if c.Namespace == "" || !s.warn.room(c.Origin) {
		return
	}
	reason := "cannot be loaded: it extends itself"
	if absent := s.index.absent(id); absent != "" {
		reason = "cannot be loaded: " + absent + " is not on the class path"
	}
	s.warn.add(c.Origin, entryOf(c), reason)
}

// defaultName is the name that CDI gives to a bean with a bare @Named: the
// simple name with a small first letter, unless it begins with two capitals, as
// java.beans.Introspector has it.
func defaultName(class, simple string) string {
	simple = cmp.Or(simple, class[strings.LastIndexByte(class, '.')+1:])
	first, n := utf8.DecodeRuneInString(simple)
	if second, _ := utf8.DecodeRuneInString(simple[n:]); unicode.IsUpper(first) && unicode.IsUpper(second) {
		return simple
	}
	return string(unicode.ToLower(first)) + simple[n:]
}

// aliases are the ids of META-INF/batch.xml by class.
func (s *scanner) aliases() map[string][]string {
	ids := map[string][]string{}
	if s.refs != nil {
		for _, id := range s.refs.ids {
			class := s.refs.class[id]
			ids[class] = append(ids[class], id)
		}
	}
	return ids
}

func entryOf(c Component) string { return strings.ReplaceAll(c.Class, ".", "/") + suffix }

// unresolved lists the names that classes extend and that nobody has.
func (x *index) unresolved() []Missing {
	found := map[uint32]*Missing{}
	for _, c := range x.classes {
		for _, p := range x.parents(c.name) {
			if x.at[p] >= 0 || x.sum(p)&missing == 0 {
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

package deploy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/deploy/classfile"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// Missing returns a sentence for each reference of a job that names no suitable
// component of its application, with the reference's path in the job. It skips
// references that contain parameters. Before the current class paths are loaded
// (see [Deployer.WaitReady]) it returns nothing.
func (d *Deployer) Missing(app string, j *jsl.Job) []string {
	all, deployed := d.cache.componentsOf(app)
	if !deployed && !d.cache.isReady() {
		return nil
	}
	return MissingRefs(app, all, deployed, j)
}

// MissingRefs returns the sentences of [Deployer.Missing] for an application
// with these components. Deployed reports whether it has a class path.
func MissingRefs(app string, all []Component, deployed bool, j *jsl.Job) []string {
	m := refMatcher{app: app, all: all, deployed: deployed, names: map[string][]int{}}
	for i, c := range all {
		for _, name := range append([]string{c.Ref, c.Class}, c.Aliases...) {
			if name != "" && !slices.Contains(m.names[name], i) {
				m.names[name] = append(m.names[name], i)
			}
		}
	}
	var sentences []string
	for _, c := range j.Components() {
		if c.Ref == "" || strings.Contains(c.Ref, "#{") {
			continue
		}
		if why := m.checkRef(c.Kind, c.Ref); why != "" {
			sentences = append(sentences, c.Path+": "+why)
		}
	}
	return sentences
}

func (k *componentCache) isReady() bool {
	select {
	case <-k.ready:
		return true
	default:
		return false
	}
}

// refMatcher compares references with the components of one application.
type refMatcher struct {
	app      string
	all      []Component
	deployed bool
	names    map[string][]int // by name, in all
}

// checkRef returns what is wrong with a reference, "" if nothing is.
func (m *refMatcher) checkRef(kind, ref string) string {
	found := m.names[ref]
	for _, i := range found {
		if usableAs(&m.all[i], kind) {
			return ""
		}
	}
	switch {
	case len(found) > 0:
		return fmt.Sprintf("%s is %s, not %s", ref, describeKinds(&m.all[found[0]]), withArticle(kindWords(kind)))
	case !m.deployed:
		return fmt.Sprintf("no class path is deployed to %s, and no built-in %s is named %s", m.app, kindWords(kind), ref) + m.suggestBuiltIn(kind)
	}
	return fmt.Sprintf("%s has no %s named %s", m.app, kindWords(kind), ref) + m.suggestSimilar(kind, ref)
}

// usableAs reports whether a job can use a component as the given kind.
func usableAs(c *Component, kind string) bool {
	switch kind {
	case jsl.KindJobListener:
		return slices.Contains(c.Listens, "job")
	case jsl.KindStepListener:
		return slices.ContainsFunc(c.Listens, func(to string) bool { return to != "job" })
	}
	return slices.Contains(c.Kinds, kind)
}

// kindWords returns the name of a kind in plain words.
func kindWords(kind string) string { return strings.ReplaceAll(kind, "-", " ") }

// describeKinds returns what a component can be used as, in words.
func describeKinds(c *Component) string {
	var all []string
	for _, k := range c.Kinds {
		if w := kindWords(k); k != string(classfile.Listener) {
			all = append(all, withArticle(w))
		} else if len(c.Listens) > 0 {
			all = append(all, "a listener to "+kindWords(strings.Join(c.Listens, ", ")))
		}
	}
	if len(all) == 0 {
		return "something else"
	}
	return strings.Join(all, " and ")
}

func withArticle(noun string) string {
	if strings.ContainsAny(noun[:1], "aeiou") {
		return "an " + noun
	}
	return "a " + noun
}

// maxOthers limits the names that a sentence suggests.
const maxOthers = 5

// suggestBuiltIn lists the built-in components of a kind.
func (m *refMatcher) suggestBuiltIn(kind string) string {
	return formatSuggestions("; built in: ", m.refsWhere(func(c *Component) bool { return usableAs(c, kind) }))
}

// suggestSimilar lists components of a kind whose name differs only in case or
// in its package.
func (m *refMatcher) suggestSimilar(kind, ref string) string {
	return formatSuggestions("; there is ", m.refsWhere(func(c *Component) bool {
		return usableAs(c, kind) && (strings.EqualFold(c.Ref, ref) || strings.EqualFold(simpleName(c.Class), simpleName(ref)))
	}))
}

func (m *refMatcher) refsWhere(which func(*Component) bool) (refs []string) {
	for i := range m.all {
		if c := &m.all[i]; which(c) && !slices.Contains(refs, c.Ref) {
			refs = append(refs, c.Ref)
		}
	}
	return refs
}

func formatSuggestions(text string, refs []string) string {
	switch n := len(refs); {
	case n == 0:
		return ""
	case n > maxOthers:
		return text + strings.Join(refs[:maxOthers], ", ") + fmt.Sprintf(" and %d more", n-maxOthers)
	}
	return text + strings.Join(refs, ", ")
}

// simpleName returns the name of a class without its package.
func simpleName(class string) string { return class[strings.LastIndexByte(class, '.')+1:] }

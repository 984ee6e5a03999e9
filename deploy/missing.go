package deploy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/deploy/classfile"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// Missing says in sentences which references of a job its application has
// nothing for, each with its place in the job. What is put together of
// parameters is not judged, and nothing is before the current class paths are
// known: see [Deployer.WaitReady].
func (d *Deployer) Missing(app string, j *jsl.Job) []string {
	all, deployed := d.known.of(app)
	if !deployed && !d.known.isReady() {
		return nil
	}
	return Lacking(app, all, deployed, j)
}

// Lacking is what [Deployer.Missing] says of an application with these
// components; deployed says that it has a class path.
func Lacking(app string, all []Component, deployed bool, j *jsl.Job) []string {
	m := matcher{app: app, all: all, deployed: deployed, names: map[string][]int{}}
	for i, c := range all {
		for _, name := range append([]string{c.Ref, c.Class}, c.Aliases...) {
			if name != "" && !slices.Contains(m.names[name], i) {
				m.names[name] = append(m.names[name], i)
			}
		}
	}
	var told []string
	for _, c := range j.Components() {
		if c.Ref == "" || strings.Contains(c.Ref, "#{") {
			continue
		}
		if why := m.judge(c.Kind, c.Ref); why != "" {
			told = append(told, c.Path+": "+why)
		}
	}
	return told
}

func (k *known) isReady() bool {
	select {
	case <-k.ready:
		return true
	default:
		return false
	}
}

// matcher compares references with the components of one application.
type matcher struct {
	app      string
	all      []Component
	deployed bool
	names    map[string][]int // by name, in all
}

// judge says what is wrong with a reference.
func (m *matcher) judge(kind, ref string) string {
	found := m.names[ref]
	for _, i := range found {
		if is(&m.all[i], kind) {
			return ""
		}
	}
	switch {
	case len(found) > 0:
		return fmt.Sprintf("%s is %s, not %s", ref, what(&m.all[found[0]]), article(words(kind)))
	case !m.deployed:
		return fmt.Sprintf("no class path is deployed to %s, and no built-in %s is named %s", m.app, words(kind), ref) + m.others(kind)
	}
	return fmt.Sprintf("%s has no %s named %s", m.app, words(kind), ref) + m.near(kind, ref)
}

// is says whether a component can be used as a job uses it.
func is(c *Component, kind string) bool {
	switch kind {
	case jsl.KindJobListener:
		return slices.Contains(c.Listens, "job")
	case jsl.KindStepListener:
		return slices.ContainsFunc(c.Listens, func(to string) bool { return to != "job" })
	}
	return slices.Contains(c.Kinds, kind)
}

// words are what people call a kind.
func words(kind string) string { return strings.ReplaceAll(kind, "-", " ") }

// what says what a component is instead.
func what(c *Component) string {
	var all []string
	for _, k := range c.Kinds {
		if w := words(k); k != string(classfile.Listener) {
			all = append(all, article(w))
		} else if len(c.Listens) > 0 {
			all = append(all, "a listener to "+words(strings.Join(c.Listens, ", ")))
		}
	}
	if len(all) == 0 {
		return "something else"
	}
	return strings.Join(all, " and ")
}

func article(noun string) string {
	if strings.ContainsAny(noun[:1], "aeiou") {
		return "an " + noun
	}
	return "a " + noun
}

// maxOthers is how many names an answer may suggest.
const maxOthers = 5

// others are the built-in components of a kind.
func (m *matcher) others(kind string) string {
	return suggest("; built in: ", m.refs(func(c *Component) bool { return is(c, kind) }))
}

// near are the components of a kind that are written otherwise, or have the
// name in another package.
func (m *matcher) near(kind, ref string) string {
	return suggest("; there is ", m.refs(func(c *Component) bool {
		return is(c, kind) && (strings.EqualFold(c.Ref, ref) || strings.EqualFold(simple(c.Class), simple(ref)))
	}))
}

func (m *matcher) refs(which func(*Component) bool) (refs []string) {
	for i := range m.all {
		if c := &m.all[i]; which(c) && !slices.Contains(refs, c.Ref) {
			refs = append(refs, c.Ref)
		}
	}
	return refs
}

func suggest(text string, refs []string) string {
	switch n := len(refs); {
	case n == 0:
		return ""
	case n > maxOthers:
		return text + strings.Join(refs[:maxOthers], ", ") + fmt.Sprintf(" and %d more", n-maxOthers)
	}
	return text + strings.Join(refs, ", ")
}

// simple is a class's name without its package.
func simple(class string) string { return class[strings.LastIndexByte(class, '.')+1:] }

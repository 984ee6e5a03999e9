package jsl

import (
	"slices"
	"strings"
)

// translateJob applies translateNames to a whole job. An answer of the control
// bus has the definition in a member of its own, beside what became of the job.
func translateJob(n *node) {
	if d := n.memberValue("job/definition"); d != nil && d.kind == object {
		n.members, n.line, n.col = d.members, d.line, d.col
	}
	beside := takeBeside(n, withoutDashes) // of which nil says something too
	translateNames(n)
	for _, m := range beside {
		translateNames(m.value)
	}
	n.members = append(n.members, beside...)
}

// translateNames turns the names that EDN uses into those of the model:
// :item-count, and :job/name and its like, by which v1 clients know a job. What
// they say besides (:db/id, :job/schedule) is left out, as is what is nil.
// Names of properties stay as they are.
func translateNames(n *node) {
	for _, item := range n.items {
		translateNames(item)
	}
	if n.kind != object {
		return
	}
	members := n.members
	n.members = nil
	for _, m := range members {
		action, name, known := modelName(m.name)
		if !known || m.value.kind == null {
			continue
		}
		m.name = name
		if name != "properties" || m.value.kind != object {
			translateNames(m.value)
		}
		into := n
		if action != "" {
			into = transitionOf(n, action, m)
		}
		into.members = append(into.members, m)
	}
}

// transitionOf returns the object of the action in n: {:next/on "A" :next/to
// "B"} is {:next {:on "A" :to "B"}}.
func transitionOf(n *node, action string, m member) *node {
	if t := n.memberValue(action); t != nil {
		return t
	}
	t := newObject(m.line, m.col)
	n.members = append(n.members, member{action, t, m.line, m.col})
	return t
}

// namespaces are those of v1 clients, with the names that each has.
var namespaces = map[string][]field{
	"job": (&Job{}).writtenFields(), "step": (&Step{}).writtenFields(), "flow": (&Flow{}).writtenFields(), "split": (&Split{}).writtenFields(),
	"chunk": (&Chunk{}).writtenFields(), "partition": (&Partition{}).writtenFields(), "plan": (&Plan{}).writtenFields(),
	"batchlet": artifact, "reader": artifact, "processor": artifact, "writer": artifact, "listener": artifact,
	"next": transitionFields(Next), "end": transitionFields(End), "fail": transitionFields(Fail), "stop": transitionFields(Stop),
	"db": nil,
}

var artifact = (&Artifact{}).writtenFields()

func transitionFields(a Action) []field { return (&Transition{Action: a}).attributeFields() }

// modelName returns the model's name for one of EDN, and the action whose
// attribute it is. It is not known if the namespace is, but has no such name.
func modelName(name string) (action, model string, known bool) {
	namespace, local, found := strings.Cut(name, "/")
	if !found {
		return "", withoutDashes(name), true
	}
	fields, ours := namespaces[namespace]
	if !ours {
		return "", name, true // the decoder will refuse it
	}
	model = withoutDashes(local)
	switch {
	case model == "name":
		model = "id"
	case model == "components" && namespace == "split":
		model = "flows"
	case model == "components":
		model = "steps"
	}
	known = slices.ContainsFunc(fields, func(f field) bool { return f.name == model })
	switch Action(namespace) {
	case Next, End, Fail, Stop:
		action = namespace
	}
	return action, model, known
}

func withoutDashes(name string) string {
	return strings.ReplaceAll(strings.TrimSuffix(name, "?"), "-", "_")
}

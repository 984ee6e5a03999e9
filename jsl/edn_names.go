package jsl

import (
	"slices"
	"strings"
)

// translateJob applies translateNames to a whole job. In an answer of the
// control bus the definition is a member of its own, beside the state of the
// job.
func translateJob(n *node) {
	if d := n.memberValue("job/definition"); d != nil && d.kind == object {
		n.members, n.line, n.col = d.members, d.line, d.col
	}
	beside := splitBeside(n, withoutDashes) // not translated yet: nil has a meaning in them
	translateNames(n)
	for _, m := range beside {
		translateNames(m.value)
	}
	n.members = append(n.members, beside...)
}

// translateNames replaces EDN names with those of the model: :item-count, and
// the names of v1 clients such as :job/name. It drops members that have a
// namespace of v1 clients but are not part of a job (:db/id, :job/schedule),
// and members whose value is nil. Names of properties and limits stay
// unchanged.
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
		if name != "properties" && name != "limits" || m.value.kind != object {
			translateNames(m.value)
		}
		into := n
		if action != "" {
			into = transitionOf(n, action, m)
		}
		into.members = append(into.members, m)
	}
}

// transitionOf returns the object of the action in n, and adds it if it is
// missing: {:next/on "A" :next/to "B"} becomes {:next {:on "A" :to "B"}}.
func transitionOf(n *node, action string, m member) *node {
	if t := n.memberValue(action); t != nil {
		return t
	}
	t := newObject(m.line, m.col)
	n.members = append(n.members, member{action, t, m.line, m.col})
	return t
}

// namespaces maps the namespaces of v1 clients to the fields that each may
// have.
var namespaces = map[string][]field{
	"job": (&Job{}).writtenFields(), "step": (&Step{}).writtenFields(), "flow": (&Flow{}).writtenFields(), "split": (&Split{}).writtenFields(),
	"chunk": (&Chunk{}).writtenFields(), "partition": (&Partition{}).writtenFields(), "plan": (&Plan{}).writtenFields(),
	"batchlet": artifact, "reader": artifact, "processor": artifact, "writer": artifact, "listener": artifact,
	"next": transitionFields(Next), "end": transitionFields(End), "fail": transitionFields(Fail), "stop": transitionFields(Stop),
	"db": nil,
}

var artifact = (&Artifact{}).writtenFields()

func transitionFields(a Action) []field { return (&Transition{Action: a}).attributeFields() }

// modelName returns the model's name for an EDN name, and the action to which
// the attribute belongs, if any. known is false if the namespace is one of v1
// clients but has no such name.
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

package jsl

import (
	"slices"
	"strings"
)

// The namespaces of JSL: version 1.0 (JSR-352) and version 2.0 (Jakarta Batch).
// Many definitions have none.
const (
	javaee    = "http://xmlns.jcp.org/xml/ns/javaee"
	jakartaee = "https://jakarta.ee/xml/ns/jakartaee"
)

// xmlRoot returns the first attributes of a job in that namespace.
func xmlRoot(namespace string) []Property {
	if namespace == JakartaEE {
		return []Property{{"xmlns", jakartaee}, {"version", "2.0"}}
	}
	return []Property{{"xmlns", javaee}, {"version", "1.0"}}
}

// dispatchSpace is the namespace of the dispatch attributes of a job.
const dispatchSpace = "https://github.com/job-streamer/dispatch"

var dispatchNames = []string{"exclusive", "pool", "priority", "on-agent-lost", "max-attempts", "timeout", "timeout-grace", "log", "unsafe-substitution"}

// dispatchShapes lists the elements in that namespace: the children of a job,
// and their children.
var dispatchShapes = map[string]xmlShape{
	"retry":  shapeOf("attempts backoff max-backoff", "on not-on"),
	"limit":  shapeOf("name units", ""),
	"on":     shapeOf("exit-status", ""),
	"not-on": shapeOf("exit-status", ""),
}

// dispatchChildren are the dispatch elements that a job may have.
var dispatchChildren = []string{"retry", "limit"}

// xmlShape lists the attributes and children that an element of JSL may have.
// The order of the children does not matter, because editors write them in any
// order.
type xmlShape struct{ attributes, children []string }

const (
	transitionElements = " next end fail stop"
	executionElements  = " decision flow split step"
)

var xmlShapes = map[string]xmlShape{
	"job":        shapeOf("id restartable version", "properties listeners"+executionElements),
	"step":       shapeOf("id start-limit allow-start-if-complete next", "properties listeners batchlet chunk partition"+transitionElements),
	"flow":       shapeOf("id next", executionElements+transitionElements),
	"split":      shapeOf("id next", "flow"),
	"decision":   shapeOf("id ref", "properties"+transitionElements),
	"properties": shapeOf("", "property"),
	"property":   shapeOf("name value", ""),
	"listeners":  shapeOf("", "listener"),
	"chunk": shapeOf("checkpoint-policy item-count time-limit skip-limit retry-limit",
		"reader processor writer checkpoint-algorithm skippable-exception-classes retryable-exception-classes no-rollback-exception-classes"),
	"skippable-exception-classes":   exceptionShape,
	"retryable-exception-classes":   exceptionShape,
	"no-rollback-exception-classes": exceptionShape,
	"include":                       shapeOf("class", ""),
	"exclude":                       shapeOf("class", ""),
	"partition":                     shapeOf("", "mapper plan collector analyzer reducer"),
	"plan":                          shapeOf("partitions threads", "properties"),
	"next":                          shapeOf("on to", ""),
	"end":                           shapeOf("on exit-status", ""),
	"fail":                          shapeOf("on exit-status", ""),
	"stop":                          shapeOf("on exit-status restart", ""),
	"listener":                      artifactShape,
	"batchlet":                      artifactShape,
	"reader":                        artifactShape,
	"processor":                     artifactShape,
	"writer":                        artifactShape,
	"checkpoint-algorithm":          artifactShape,
	"mapper":                        artifactShape,
	"collector":                     artifactShape,
	"analyzer":                      artifactShape,
	"reducer":                       artifactShape,
}

var (
	artifactShape  = shapeOf("ref", "properties")
	exceptionShape = shapeOf("", "include exclude")
)

// planPropertiesShape is the shape of the properties in a plan.
var planPropertiesShape = shapeOf("partition", "property")

func shapeOf(attributes, children string) xmlShape {
	return xmlShape{strings.Fields(attributes), strings.Fields(children)}
}

// oneOfNames lists the allowed names for a message.
func oneOfNames(names []string) string {
	switch len(names) {
	case 0:
		return "nothing"
	case 1:
		return "only " + names[0]
	}
	return "one of " + strings.Join(names, ", ")
}

func withDashes(name string) string { return strings.ReplaceAll(name, "_", "-") }

// isTransition reports whether elements of that name are transitions.
func isTransition(name string) bool {
	return slices.Contains(strings.Fields(transitionElements), name)
}

// Package jsl holds job definitions: the model of JSR-352's job language
// (Jakarta Batch 2.1 is the same language), its written forms, validation and
// substitution.
//
//	JSON --+                                 +--> Validate: all faults at once
//	YAML --+--> tree (with places) --> Job --+--> tree --> JSON, YAML, EDN, XML
//	EDN ---+                                 +--> Resolve: a job that can run
//	XML ---+                                        ^
//	BPMN --+                         jobParameters, systemProperties
//
// The smallest job, and one of everything, in JSON:
//
//	{"id": "JOB-1", "steps": [{"id": "STEP-1", "batchlet": {"ref": "example.Batchlet"}}]}
//
//	{"id": "JOB-2", "restartable": true, "properties": {"dir": "/in"},
//	 "listeners": [{"ref": "example.Mail"}],
//	 "steps": [
//	   {"id": "load", "next": "check",
//	    "chunk": {"item_count": "#{jobParameters['count']}?:100;",
//	              "reader": {"ref": "example.Reader"}, "writer": {"ref": "example.Writer"}},
//	    "partition": {"plan": {"partitions": 2,
//	                           "properties": [{"partition": 0, "properties": {"in": "a"}}]}}},
//	   {"id": "check", "decision": {"ref": "example.Decider"},
//	    "transitions": [{"next": {"on": "GO*", "to": "both"}},
//	                    {"stop": {"on": "WAIT", "restart": "load"}},
//	                    {"end": {"on": "EMPTY", "exit_status": "NOTHING"}}, {"fail": {"on": "*"}}]},
//	   {"id": "both", "next": "rest", "flows": [{"id": "left", "steps": [...]},
//	                                            {"id": "right", "steps": [...]}]},
//	   {"id": "rest", "steps": [...]}]}
//
// An entry of "steps" is what it contains: "steps" make a flow, "flows" a
// split, "decision" a decision; anything else is a step, with a "batchlet", a
// "chunk" or neither. All names are those of the XML with _ for -. Any
// attribute may hold #{...}; numbers and truth values are then written as
// strings. A property's value may be a number or a truth value, and is its
// text.
//
// A step that runs a command in a shell has a short form, in JSON, YAML and
// EDN:
//
//	{"id": "greet", "command": "echo hello"}
//
// It is read as the batchlet [ShellBatchlet] with the property command, which
// is also what is written.
//
// An id of a job is any XML NCName: see [ValidID].
//
// # The other forms
//
// YAML has the same names. Its comments, anchors and tags are not kept: a job
// is written anew from the model.
//
// EDN has them as keywords with - for _, and {:job/name "J" :job/components
// [{:step/name "S"}]} of v1 clients as well (in JSON too: "job/name"). Of
// these clients' namespaces, what is not part of a job is ignored; nil is
// nothing.
//
// XML is the job XML of JSR-352, of either namespace or none, with children in
// any order. The attributes that dispatch a job are not part of that language,
// and have a namespace of their own: https://github.com/job-streamer/dispatch.
// A job that came in the namespace of Jakarta Batch is written in it again; in
// the other forms it has "namespace": "jakartaee". A tab or a line break in an
// attribute is a space, as XML 1.0 section 3.3.3 has it, unless it is written
// as a reference: a command of several lines has &#10; between them.
//
// XML may have any encoding that golang.org/x/text knows, such as UTF-16,
// Shift_JIS, Windows-31J, EUC-JP and ISO-8859-1. It is written in UTF-8. A byte
// order mark says which one it is, else the charset of a Content-Type, else the
// XML declaration (RFC 7303 section 3). A declaration that the bytes contradict
// is refused, unless a charset was given: a text may have been converted on its
// way.
//
// # Diagrams
//
// BPMN is what the diagram editor of the v1 console saves: a job in the
// language http://jsr352/ with the properties of
// http://camunda.org/schema/1.0/bpmn, and where all of it is drawn, which is
// ignored. It is read as the original control bus read it: an
// element's id is its name if it has one; where a start leads to is first, and
// so is what nothing leads to in a flow; the diagram's restartable, restart,
// and the listeners of flows and splits mean nothing. Some of it was not meant
// so, and is different here:
//
//   - A start leads to an element by its id, even if that has a name.
//   - A transition for any exit status comes after those for a certain one,
//     which it would hide.
//   - A split has the attribute next instead of transitions, so it needs one
//     for any exit status. A transition to an end of the job without an exit
//     status changes nothing and is left out; others to an end are refused.
//   - An element with a transition to an element that does not exist is
//     refused, and so is an element in a place where the language has none for
//     it: it would be lost.
//
// # Places
//
// Whatever the form that was read, a fault's place is a JSON pointer into the
// JSON form, and the line and column (from 1, in characters) where it was
// written. All faults of a text are reported at once, because whoever wrote it
// would otherwise mend them one request at a time.
//
// # Limits
//
// A job has at most 100,000 values, counted as in its JSON: each object, array
// and scalar is one. It is counted once, when it is read, whatever form it came
// in. What was stored is read by [Restore], without limits and rules, so
// nothing that was accepted once becomes unreadable.
//
// # Substitution works on the tree
//
// [Job.Resolve] writes the job into the tree, substitutes there, and reads it
// back by the decoder that reads all forms. So a number that came from a
// parameter is judged by the same rule, and in the same words, as one that was
// written in the definition.
//
// # Where JSR-352 leaves a choice
//
// A way back is refused in the definition: the element would be transitioned to
// twice, which fails any execution that takes it. A flow or split without
// content is refused, and so is a decision at the beginning of a flow. A job's
// id is no element's id. Flows of a split lead nowhere.
package jsl

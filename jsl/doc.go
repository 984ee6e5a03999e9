// Package jsl holds job definitions: the model of JSR-352's job language
// (Jakarta Batch 2.1 has the same language), its written forms, validation and
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
// The members of an entry of "steps" decide what it is: "steps" make it a flow,
// "flows" a split, "decision" a decision. Any other entry is a step, with a
// "batchlet", a "chunk" or neither. All names are those of the XML with _
// instead of -. Any attribute may contain #{...}; numbers and truth values are
// then written as strings. The value of a property may be a number or a truth
// value. The property then has its text.
//
// A step that runs a shell command has a short form in JSON, YAML and EDN:
//
//	{"id": "greet", "command": "echo hello"}
//
// The package reads it as the batchlet [ShellBatchlet] with the property
// command, and writes that batchlet.
//
// The id of a job may be any XML NCName: see [ValidID].
//
// # Parameters in shell commands
//
// A job must not substitute job parameters in the command or the script of a
// [ShellBatchlet], neither directly nor through properties and partition plans:
// the shell would run their text as code. [Job.Validate] and the readers refuse
// it unless the job has the member unsafe_substitution with the value true.
// [Restore] and [Job.Resolve] do not, so stored jobs still run. A diagram
// cannot have the member. Its reader does not refuse anything for that reason,
// and its caller calls [Job.Validate].
//
// # Secrets of a shell command
//
// The property secrets of a [ShellBatchlet] names secrets of the application,
// which agents put into the environment of the process: see [ParseSecrets]. It
// has no substitutions, so that only the author of a job chooses secrets.
// [Job.CheckSecrets] is the check for agents.
//
// # The other forms
//
// YAML has the same names. Comments, anchors and tags are lost, because a job
// is written from the model.
//
// EDN has the names as keywords with - instead of _. It also accepts the names
// of v1 clients, {:job/name "J" :job/components [{:step/name "S"}]}, and so
// does JSON ("job/name"). Members in the namespaces of v1 clients that are not
// part of a job are ignored, and so are members whose value is nil.
//
// XML is the job XML of JSR-352, in either namespace or none, with children in
// any order. The dispatch attributes of a job, and its elements retry and
// limit, are not part of that language, so they have their own namespace:
// https://github.com/job-streamer/dispatch. A job read in the namespace of
// Jakarta Batch is written in it again; the other forms show it as "namespace":
// "jakartaee". A tab or a line break in an attribute is read as a space (XML
// 1.0 section 3.3.3), unless it is written as a character reference. A command
// of several lines therefore has &#10; between them.
//
// XML may have any encoding that golang.org/x/text knows, such as UTF-16,
// Shift_JIS, Windows-31J, EUC-JP and ISO-8859-1. It is always written in UTF-8.
// The encoding comes from a byte order mark, otherwise from the charset of a
// Content-Type, otherwise from the XML declaration (RFC 7303 section 3). A
// declaration that contradicts the bytes is refused, unless a charset was
// given: the text may have been converted on its way.
//
// # Diagrams
//
// BPMN is what the diagram editor of the v1 console saves. It holds a job in
// the language http://jsr352/, with properties of
// http://camunda.org/schema/1.0/bpmn. It also holds the layout of the drawing,
// which is ignored. The job is read as the original control bus read it. The id
// of an element is its name, if it has one. The elements to which a start leads
// come first, and in a flow so do those to which nothing leads. The diagram's
// restartable and restart, and the listeners of flows and splits, have no
// effect. A few rules differ from the original, where its behavior was a
// mistake:
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
// A fault's place is the same for all forms: a JSON pointer into the JSON form,
// and the line and column (from 1, in characters) in the text. All faults of a
// text are reported together, so that its author need not fix them one request
// at a time.
//
// # Limits
//
// A job has at most 100,000 values, counted as in its JSON: each object, array
// and scalar is one. They are counted once, when the job is read, in the same
// way for every form. [Restore] reads stored jobs without limits and rules, so
// a job that was accepted once stays readable.
//
// # Substitution works on the tree
//
// [Job.Resolve] writes the job into the tree, substitutes there, and reads it
// back with the decoder of all forms. So a number from a parameter is checked
// by the same rule, with the same message, as a number in the definition.
//
// # Where JSR-352 leaves a choice
//
// An element that leads back is refused in the definition: a second transition
// to the same element would fail any execution that takes it. A flow or split
// without content is refused, and so is a decision at the beginning of a flow.
// No element may have the id of its job. Flows of a split must not have a next
// element.
package jsl

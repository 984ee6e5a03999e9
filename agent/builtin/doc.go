// Package builtin has artifacts that jobs use without code of their own. The
// program jobstreamer registers them; so can any agent in Go, by [Options].
// docs/builtin.md lists the properties of each.
//
//	properties --> read and check all --> ${value.NAME} --> the artifact
//	                     |
//	            one error that names every property that is wrong or unknown
//
// An artifact runs in the agent's process, with the rights of the agent. An
// agent that runs processes as another user would give jobs its own rights to
// files. It sets [Config.NoFiles], and the artifacts refuse to touch files.
//
// # Files
//
// The readers and writers of files share fileReader and fileWriter, and differ
// in their format:
//
//	file --> lineReader --> lineFormat --> Record --> itemFormat --> fileWriter
//	         offset, line   CSV, JSON, fixed width    the same       size, sync
//
// A reader is at the beginning of a line between two items, so its checkpoint is
// an offset. Each call of ReadItem reads at least one line, also if it returns
// an error that is skipped. A writer formats all items of a chunk before it
// writes the first one, so an item that it cannot write leaves nothing behind.
//
// # Values and secrets
//
// The properties are resolved before the job starts (section 8.8 of the
// specification), and values of earlier steps do not exist then. So they are not
// part of substitution: ${value.NAME} is text for the job language, and the
// artifact reads it when its step begins. A value that no step has set is empty.
//
// ${secret.NAME} is a secret of the application, or else one of the agent, from
// its environment. It works only in properties that go to one server and not to
// a log. The artifact replaces secrets in what it logs. A parameter of an
// execution cannot choose a secret.
//
// # Readers and writers of databases
//
// A reader finds its place by a key, page by page, and a writer counts its items
// in a table of the target, in the transaction that writes them. Together they
// write each item once, whenever an agent dies: the count in the table may be
// ahead of the broker, and then the writer leaves items out. Locks of the
// database and the order of attempts keep an agent that was taken for dead from
// writing. See the types checkpointTable and sqlWriter.
package builtin

package jsl

import "strings"

// ShellBatchlet is the batchlet that runs its property command in a shell.
const ShellBatchlet = "org.jobstreamer.batch.ShellBatchlet"

// SQLBatchlet is the batchlet that runs its property sql in a database.
const SQLBatchlet = "org.jobstreamer.batch.SqlBatchlet"

// SQLReader and SQLWriter run their property sql in a database.
const (
	SQLReader = "org.jobstreamer.batch.SqlReader"
	SQLWriter = "org.jobstreamer.batch.SqlWriter"
)

const wantCommand = "a shell command"

// commandField is the short form of a step whose batchlet is a [ShellBatchlet]
// with only a command. It is read, but never written: every agent and client
// knows the batchlet.
func commandField(p **Artifact) field {
	return field{"command",
		func(d *decoder, n *node, path string) {
			switch {
			case *p != nil:
				d.reportMismatch(n, path, "a command or a batchlet, not both")
			case n.kind != text && n.kind != number && n.kind != truth || n.text == "" || !isXMLText(n.text):
				d.reportMismatch(n, path, wantCommand)
			default:
				*p = &Artifact{Ref: ShellBatchlet, Properties: Properties{{"command", n.text}}}
			}
		},
		func() *node { return nil }}
}

// writtenPath returns the path of the short form for one of the command in the
// long form, if the text has the short form.
func (n *node) writtenPath(path string) string {
	step, isCommand := strings.CutSuffix(path, "/batchlet/properties/command")
	if isCommand && n.valueAt(step+"/command") != nil && n.valueAt(step+"/batchlet") == nil {
		return step + "/command"
	}
	return path
}

// batchletField is the long form, the batchlet.
func batchletField(p **Artifact) field {
	f := objectField("batchlet", p)
	read := f.read
	f.read = func(d *decoder, n *node, path string) {
		if *p != nil { // no name is read twice
			d.reportMismatch(n, path, "a command or a batchlet, not both")
			return
		}
		read(d, n, path)
	}
	return f
}

package jsl

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// The members that a file may have beside the definition of its job.
const (
	BesideSchedule      = "schedule"  // the default one
	BesideSchedules     = "schedules" // the others, by name
	BesideTimeMonitor   = "time_monitor"
	BesideNotifications = "status_notifications"
	BesideTriggers      = "triggers"
	BesideSLA           = "sla"
)

// besideNames are these members in the order in which they are written.
var besideNames = []string{BesideSchedule, BesideSchedules, BesideTriggers, BesideTimeMonitor, BesideNotifications, BesideSLA}

// BesideNames returns the names of all members that a file may have beside the
// definition.
func BesideNames() []string { return slices.Clone(besideNames) }

// File is a job with its schedules, its triggers, its time monitor and its
// notifications. The
// control bus stores and checks those apart from the definition. This package
// only carries them, as JSON. XML cannot hold them.
type File struct {
	Job    *Job
	Beside []Member
	tree   *node
}

// Member is a member of a file beside the job. The value null removes the
// stored one. Leaving the member out keeps it.
type Member struct {
	Name  string
	Value jsontext.Value
}

// Get returns the value of a member, or nil if the file does not have it.
func (f *File) Get(name string) jsontext.Value {
	for _, m := range f.Beside {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

// Locate returns the position of the value at a JSON pointer, or of the
// innermost value around it that exists.
func (f *File) Locate(pointer string) (line, column int) { return f.tree.placeOf(pointer) }

// ParseFile reads a job and the members that its file has beside it. Its error
// is that of [Parse]. If the text is well formed, ParseFile returns the file
// even with an error, so that the caller can check the other members, too.
func ParseFile(f Format, data []byte) (*File, error) {
	t, err := ParseText(f, data, "")
	if err != nil {
		return nil, err
	}
	return t.File()
}

// File reads the job and the members beside it, as [ParseFile] does. Call it at
// most once, because it renames the members of the text.
func (t *Text) File() (*File, error) {
	n, faults := t.jobTree()
	file := &File{tree: &node{kind: object, members: slices.Clone(n.members), line: n.line, col: n.col}}
	for _, m := range splitBeside(n, func(name string) string { return name }) {
		if file.Get(m.name) != nil {
			faults = append(faults, FieldError{memberPath("", m.name), "each name only once", quoteValue(m.name) + " again", m.line, m.col})
			continue
		}
		onlyJSON(m.value)
		value, err := appendJSON(nil, m.value)
		if err != nil {
			return nil, err
		}
		file.Beside = append(file.Beside, Member{m.name, value})
	}
	if file.Job, faults = decodeJob(t.form, n, faults); len(faults) == 0 {
		faults = checkValueCount(file.Job, n)
	}
	if len(faults) > 0 {
		return file, faults
	}
	return file, nil
}

// splitBeside removes the members that are not part of the job from an object
// and returns them. spelled maps a written name to the name of the member.
func splitBeside(n *node, spelled func(name string) string) (beside []member) {
	is := func(m member) bool { return slices.Contains(besideNames, spelled(m.name)) }
	if n.kind != object || !slices.ContainsFunc(n.members, is) {
		return nil
	}
	for _, m := range n.members {
		if is(m) {
			m.name = spelled(m.name)
			beside = append(beside, m)
		}
	}
	n.members = slices.DeleteFunc(slices.Clone(n.members), is)
	return beside
}

// FormatFile writes the job as [Job.Format] does, followed by the members
// beside it in a fixed order. XML leaves them out.
func (j *Job) FormatFile(f Format, beside []Member) ([]byte, error) {
	n := objectFrom(j.writtenFields())
	if f != XML {
		for _, name := range besideNames {
			i := slices.IndexFunc(beside, func(m Member) bool { return m.Name == name })
			if i < 0 {
				continue
			}
			value, faults := parseJSON(beside[i].Value)
			if len(faults) > 0 {
				return nil, faults
			}
			n.addMember(name, value)
		}
	}
	return formatTree(f, n)
}

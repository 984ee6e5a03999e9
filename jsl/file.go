package jsl

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Names of the members of a file that stand beside the definition of its job.
const (
	BesideSchedule      = "schedule"
	BesideTimeMonitor   = "time_monitor"
	BesideNotifications = "status_notifications"
)

// besideNames in the order in which they are written.
var besideNames = []string{BesideSchedule, BesideTimeMonitor, BesideNotifications}

// File is a job with what its file says of when it runs and who is told. The
// control bus keeps that beside the definition, and judges it; for this package
// it is JSON. XML has no place for it.
type File struct {
	Job    *Job
	Beside []Member
	tree   *node
}

// Member is what a file has beside the job. A value of null says that there is
// to be none; what is not in the file is not a member.
type Member struct {
	Name  string
	Value jsontext.Value
}

// Get returns the value of a member, nil if the file does not have it.
func (f *File) Get(name string) jsontext.Value {
	for _, m := range f.Beside {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

// Locate returns the place of what a JSON pointer leads to, or of what is
// around it.
func (f *File) Locate(pointer string) (line, column int) { return f.tree.placeOf(pointer) }

// ParseFile reads a job and what its file has beside it. The error is that of
// [Parse]; if the text can be read at all, the file is returned with it, so
// that the rest can be judged too.
func ParseFile(f Format, data []byte) (*File, error) {
	t, err := ParseText(f, data, "")
	if err != nil {
		return nil, err
	}
	return t.File()
}

// File reads a job and what the text has beside it, as [ParseFile] does. It may
// be called once: the members of the text have other names then.
func (t *Text) File() (*File, error) {
	n, faults := t.jobTree()
	file := &File{tree: &node{kind: object, members: slices.Clone(n.members), line: n.line, col: n.col}}
	for _, m := range takeBeside(n, func(name string) string { return name }) {
		if file.Get(m.name) != nil {
			faults = append(faults, FieldError{memberPath("", m.name), "a name once", quoteValue(m.name), m.line, m.col})
			continue
		}
		onlyJSON(m.value)
		value, err := appendJSON(nil, m.value)
		if err != nil {
			return nil, err
		}
		file.Beside = append(file.Beside, Member{m.name, value})
	}
	if file.Job, faults = decodeJob(n, faults); len(faults) == 0 {
		faults = checkValueCount(file.Job, n)
	}
	if len(faults) > 0 {
		return file, faults
	}
	return file, nil
}

// takeBeside takes the members of an object that are no part of the job;
// spelled gives a member's name.
func takeBeside(n *node, spelled func(name string) string) (beside []member) {
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

// FormatFile is [Job.Format] with members after the definition, in the order of
// the names above. XML goes without.
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

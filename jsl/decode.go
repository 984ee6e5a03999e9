package jsl

import (
	"cmp"
	"slices"
	"strings"
)

// maxFaults is how many faults of one definition are reported.
const maxFaults = 100

// decoder fills the model from a tree and collects faults.
type decoder struct{ faults Errors }

// decodeJob returns the job in a tree, with all faults: those that the reader
// of the form found, those of the structure and those of the meaning.
func decodeJob(form Format, n *node, read Errors) (*Job, Errors) {
	j := &Job{}
	d := &decoder{faults: slices.Clip(read)}
	d.readObject(n, "", j.writtenFields())
	j.fillDefaults()
	v := newValidator(asWritten)
	v.drawn = form == BPMN
	v.checkJob(j)
	faults := slices.Clone(d.faults)
	for _, f := range v.faults {
		if !explainedByForm(d.faults[len(read):], f.Path) {
			f.Path = n.writtenPath(f.Path)
			f.Line, f.Column = n.placeOf(f.Path)
			faults = append(faults, f)
		}
	}
	slices.SortStableFunc(faults, func(a, b FieldError) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return j, faults[:min(len(faults), maxFaults)]
}

// explainedByForm reports whether a fault of the structure already explains a
// fault of the meaning at path: a value that could not be read is missing, too.
func explainedByForm(form Errors, path string) bool {
	return slices.ContainsFunc(form, func(f FieldError) bool {
		return path == f.Path || strings.HasPrefix(path, f.Path+"/")
	})
}

// fillDefaults sets the default of each dispatch attribute that is not given.
func (j *Job) fillDefaults() {
	j.Pool = cmp.Or(j.Pool, DefaultPool)
	j.Priority = cmp.Or(j.Priority, PriorityNormal)
	j.OnAgentLost = cmp.Or(j.OnAgentLost, LostFailed)
	j.MaxAttempts = cmp.Or(j.MaxAttempts, DefaultMaxAttempts)
	j.Log = cmp.Or(j.Log, LogComplete)
	j.Namespace = cmp.Or(j.Namespace, JavaEE)
}

func (d *decoder) addFault(f FieldError) {
	if len(d.faults) < maxFaults {
		d.faults = append(d.faults, f)
	}
}

// reportMismatch reports that n is not what belongs at path.
func (d *decoder) reportMismatch(n *node, path, want string) {
	d.addFault(FieldError{Path: path, Want: want, Got: n.shownValue(), Line: n.line, Column: n.col})
}

// readObject reads the members of n into the fields.
func (d *decoder) readObject(n *node, path string, fields []field) {
	if n.kind != object {
		d.reportMismatch(n, path, "an object")
		return
	}
	for m := range d.uniqueMembers(n, path) {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == m.name })
		if i < 0 {
			d.addFault(FieldError{memberPath(path, m.name), wantName(fields, m.name), quoteValue(m.name), m.line, m.col})
			continue
		}
		fields[i].read(d, m.value, memberPath(path, m.name))
	}
}

// uniqueMembers yields the members of n once for each name, and reports
// duplicates.
func (d *decoder) uniqueMembers(n *node, path string) func(yield func(member) bool) {
	return func(yield func(member) bool) {
		seen := make(map[string]bool, len(n.members))
		for _, m := range n.members {
			if seen[m.name] {
				d.addFault(FieldError{memberPath(path, m.name), "each name only once", quoteValue(m.name) + " again", m.line, m.col})
				continue
			}
			seen[m.name] = true
			if !yield(m) {
				return
			}
		}
	}
}

// wantName returns the allowed names, or only the one that was probably meant.
func wantName(fields []field, got string) string {
	var names []string
	meant := strings.ToLower(strings.ReplaceAll(got, "-", "_"))
	for _, f := range fields {
		if f.name == meant {
			return "the name " + f.name
		}
		names = append(names, f.name)
	}
	return "one of " + strings.Join(names, ", ")
}

// readArray calls read for each item of n.
func (d *decoder) readArray(n *node, path string, read func(n *node, path string)) {
	if n.kind != array {
		d.reportMismatch(n, path, "an array")
		return
	}
	for i, item := range n.items {
		read(item, itemPath(path, i))
	}
}

// readProperties reads an object of scalars. The value of a property is the
// text of its scalar.
func (d *decoder) readProperties(n *node, path string) Properties {
	if n.kind != object {
		d.reportMismatch(n, path, "an object")
		return nil
	}
	var p Properties
	for m := range d.uniqueMembers(n, path) {
		switch m.value.kind {
		case text, number, truth:
			p = append(p, Property{m.name, m.value.text})
		default:
			d.reportMismatch(m.value, memberPath(path, m.name), "a string, a number, true or false")
		}
	}
	return p
}

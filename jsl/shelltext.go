package jsl

import (
	"cmp"
	"strings"
)

// The properties of a [ShellBatchlet] that the shell runs.
var shellTexts = []string{"command", "script"}

// SubstitutesUnsafely reports whether the job passes parameters to a shell, or
// into SQL statements, without the permission to do so. A job that was stored
// before this was refused still runs.
func (j *Job) SubstitutesUnsafely() bool {
	v := newValidator(asWritten)
	v.checkShellTexts(j)
	return len(v.faults) > 0
}

// checkShellTexts refuses job parameters in the commands, scripts and SQL
// statements of a job, unless the job allows them. The text of a parameter
// becomes a part of the command before the shell reads it, so whoever may start
// the job could run any command, or any statement.
//
// It follows parameters through the properties and partition plans by which
// [Job.Resolve] would carry them into the text.
func (v *validator) checkShellTexts(j *Job) {
	if j.UnsafeSubstitution {
		return
	}
	outer := traceProperties(j.Properties, nil, nil)
	j.Walk(func(path string, e Element) {
		s, ok := e.(*Step)
		if !ok {
			return
		}
		if s.Batchlet != nil && canBecome(s.Batchlet.Ref, ShellBatchlet) {
			v.checkShellStep(path, s, outer)
		}
		v.checkSQLText(path+"/batchlet", s.Batchlet, SQLBatchlet, s, outer)
		if s.Chunk != nil {
			v.checkSQLText(path+"/chunk/reader", s.Chunk.Reader, SQLReader, s, outer)
			v.checkSQLText(path+"/chunk/writer", s.Chunk.Writer, SQLWriter, s, outer)
		}
	})
}

// checkShellStep checks the texts of a step. A property of the step stands for
// one that the batchlet does not have.
func (v *validator) checkShellStep(path string, s *Step, outer *traces) {
	plan := tracePlan(s, outer)
	step := traceProperties(s.Properties, outer, plan)
	batchlet := traceProperties(s.Batchlet.Properties, step, plan)
	ofStep, ofBatchlet := path+"/properties", path+"/batchlet/properties"
	for _, name := range shellTexts {
		if found, ok := batchlet.of[name]; ok {
			v.reportShellText(memberPath(ofBatchlet, name), found)
		} else {
			v.reportShellText(memberPath(ofStep, name), step.of[name])
		}
	}
	v.checkShellNames(ofStep, step)
	v.checkShellNames(ofBatchlet, batchlet)
}

// checkSQLText checks the statements of an artifact of a step, if it may be the
// one with a name.
func (v *validator) checkSQLText(path string, a *Artifact, name string, s *Step, outer *traces) {
	if a == nil || !canBecome(a.Ref, name) {
		return
	}
	plan := tracePlan(s, outer)
	properties := traceProperties(a.Properties, traceProperties(s.Properties, outer, plan), plan)
	path += "/properties"
	v.reportSQLText(memberPath(path, "sql"), properties.of["sql"])
	for _, p := range properties.named {
		if canBecome(p.name, "sql") {
			v.reportSQLText(memberPath(path, p.name), p.found)
		}
	}
}

func (v *validator) reportSQLText(path string, found *trace) {
	if found == nil {
		return
	}
	v.reportFault(path, "a name such as :value, with the parameter in the property bind.value, instead of the job parameter, "+
		"whose text the database would run as code, or unsafe_substitution: true", firstRunes(found.operator, maxGot))
}

// checkShellNames checks the properties with an operator in their name: they
// can become a command, a script or a variable such as PATH.
func (v *validator) checkShellNames(path string, t *traces) {
	for _, p := range t.named {
		if canBecome(p.name, "command") || canBecome(p.name, "script") || canBecome(p.name, "env.") || strings.HasPrefix(p.name, "env.") {
			v.reportShellText(memberPath(path, p.name), p.found)
		}
	}
}

// canBecome reports whether a text may be equal to want after a substitution. It
// compares only what is before the first operator.
func canBecome(value, want string) bool {
	for p := range splitOperators(value) {
		if p.operator != "" {
			return true
		}
		rest, found := strings.CutPrefix(want, p.text)
		if !found {
			return false
		}
		want = rest
	}
	return want == ""
}

func (v *validator) reportShellText(path string, found *trace) {
	if found == nil {
		return
	}
	v.reportFault(path, `"$`+parameterVariable(found.parameter)+
		`" instead of the job parameter, whose text the shell would run as code, or unsafe_substitution: true`, firstRunes(found.operator, maxGot))
}

// parameterVariable returns the environment variable in which agents pass a
// parameter to a process (subjects.ParameterVariable).
func parameterVariable(name string) string {
	return "JOBSTREAMER_PARAM_" + strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z':
			return c - 'a' + 'A'
		case c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			return c
		}
		return '_'
	}, name)
}

// trace is a way by which a job parameter gets into a text.
type trace struct {
	operator  string // as written in the text
	parameter string
}

// traces are the properties that one level defines, as far as parameters get
// into them.
type traces struct {
	of    map[string]*trace // by name; nil: no parameter
	named []namedTrace
	outer *traces
}

// namedTrace is a property with an operator in its name. A parameter gets into
// the name or the value.
type namedTrace struct {
	name  string
	found *trace
}

// traceProperties returns the traces of one level. As in a substitution, a
// property sees the properties before it and those of the levels around it.
func traceProperties(p Properties, outer, plan *traces) *traces {
	t := &traces{of: map[string]*trace{}, outer: outer}
	for _, prop := range p {
		found := t.traceText(prop.Value, plan)
		if !hasOperator(prop.Name, "") {
			t.of[prop.Name] = found
		} else if found = cmp.Or(t.traceText(prop.Name, plan), found); found != nil {
			t.named = append(t.named, namedTrace{prop.Name, found})
		}
	}
	return t
}

// tracePlan returns the traces of all partitions of a step together, nil if
// there is no plan.
func tracePlan(s *Step, outer *traces) *traces {
	if s.Partition == nil || s.Partition.Plan == nil {
		return nil
	}
	around := traceProperties(s.Properties, outer, nil)
	all := &traces{of: map[string]*trace{}}
	for _, p := range s.Partition.Plan.Properties {
		t := traceProperties(p.Properties, around, nil)
		for name, found := range t.of {
			all.of[name] = cmp.Or(all.of[name], found)
		}
		all.named = append(all.named, t.named...)
	}
	return all
}

// traceText returns a trace of a text, or nil if no parameter gets into it.
func (t *traces) traceText(value string, plan *traces) *trace {
	for p := range splitOperators(value) {
		var found *trace
		switch p.operator {
		case jobParameters:
			found = &trace{parameter: p.name}
		case jobProperties:
			found = t.traceProperty(p.name)
		case partitionPlan:
			found = plan.traceProperty(p.name)
		}
		if found != nil {
			return &trace{p.text, found.parameter}
		}
	}
	return nil
}

// traceProperty returns the trace of the property that a name refers to.
func (t *traces) traceProperty(name string) *trace {
	for ; t != nil; t = t.outer {
		if len(t.named) > 0 { // it may be the one
			return t.named[0].found
		}
		if found, ok := t.of[name]; ok {
			return found
		}
	}
	return nil
}

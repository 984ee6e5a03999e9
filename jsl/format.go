package jsl

import (
	"bytes"
	"fmt"
)

// Format is a written form of a job.
type Format string

// The forms. The package comment says what they look like.
const (
	JSON Format = "json"
	YAML Format = "yaml"
	EDN  Format = "edn"
	XML  Format = "xml" // the job XML of JSR-352

	BPMN Format = "bpmn" // a diagram, which is read only
)

// maxDepth is how deep objects and arrays may be nested in any form.
const maxDepth = 100

// maxValues is how many values a text may have in any form. Each costs some hundred bytes while it is read, and more if it is at fault.
const maxValues = 100_000

var (
	wantDepth  = fmt.Sprintf("at most %d levels", maxDepth)
	wantValues = fmt.Sprintf("at most %d values", maxValues)
)

// Parse reads a job. If the text is at fault the error is an [Errors] with all its faults.
func Parse(f Format, data []byte) (*Job, error) {
	n, faults, err := parseTree(f, data)
	if n == nil {
		return nil, firstError(faults, err)
	}
	j, faults := decode(n, faults)
	if len(faults) > 0 {
		return nil, faults
	}
	return j, nil
}

// parseTree returns the tree of a text, with the faults that its reader found; without a tree one of faults and err says why.
func parseTree(f Format, data []byte) (*node, Errors, error) {
	var read func([]byte) (*node, Errors)
	switch f {
	case JSON:
		read = readJSON
	case YAML:
		read = readYAML
	case EDN:
		read = readEDN
	case XML:
		read = readXML
	case BPMN:
		read = readBPMN
	default:
		return nil, nil, unknown(f, "json, yaml, edn, xml or bpmn")
	}
	n, faults := read(bytes.TrimPrefix(data, []byte("\ufeff")))
	return n, faults, nil
}

// Format writes a job, to be read by people. Reading it gives the same job. The error is an [Errors] if
// the job holds text that no form can hold. Diagrams are not written.
func (j *Job) Format(f Format) ([]byte, error) { return formatTree(f, write(j.fields())) }

func formatTree(f Format, n *node) ([]byte, error) {
	v := newValidator(asWritten)
	if v.characters("", n); len(v.faults) > 0 {
		return nil, v.faults
	}
	switch f {
	case JSON:
		return formatJSON(n)
	case YAML:
		return formatYAML(n), nil
	case EDN:
		return formatEDN(n), nil
	case XML:
		return formatXML(n), nil
	}
	return nil, unknown(f, "json, yaml, edn or xml")
}

func unknown(f Format, want string) error { return fmt.Errorf("format %q: want %s", string(f), want) }

package jsl

import (
	"fmt"
	"strconv"
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

// maxValues is how many values a job may have. They are those of its JSON, in
// whatever form it was written: each object, array and scalar is one. So what
// one form can hold the others can hold too.
const maxValues = 100_000

// maxTokens is how many parts a text may have: values, names, tags. It only
// bounds what a text costs before its job can be counted, some hundred bytes
// for each. No job within maxValues has as many in any form, even with all
// defaults written out.
const maxTokens = 3 * maxValues

var (
	wantDepth  = fmt.Sprintf("at most %d levels", maxDepth)
	wantValues = fmt.Sprintf("at most %d values", maxValues)
)

// Parse reads a job. If the text is at fault the error is an [Errors] with all
// its faults.
func Parse(f Format, data []byte) (*Job, error) { return ParseCharset(f, data, "") }

// ParseCharset is Parse of a text whose encoding is known from elsewhere, such
// as from a Content-Type. It outranks what an XML declaration says, but not a
// byte order mark. Forms other than XML are always in UTF-8. An empty charset
// is not known.
func ParseCharset(f Format, data []byte, charset string) (*Job, error) {
	t, err := ParseText(f, data, charset)
	if err != nil {
		return nil, err
	}
	n, faults := t.jobTree()
	j, faults := decodeJob(n, faults)
	if len(faults) == 0 {
		faults = checkValueCount(j, n)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return j, nil
}

// checkValueCount returns a fault if a job, whose text begins at n, has more
// values than a job may have.
func checkValueCount(j *Job, n *node) Errors {
	if got := objectFrom(j.writtenFields()).countValues(); got > maxValues {
		return Errors{{"", wantValues, strconv.Itoa(got), n.line, n.col}}
	}
	return nil
}

// Format writes a job, to be read by people. Reading it gives the same job. The
// error is an [Errors] if the job holds text that no form can hold. Diagrams
// are not written.
func (j *Job) Format(f Format) ([]byte, error) { return formatTree(f, objectFrom(j.writtenFields())) }

func formatTree(f Format, n *node) ([]byte, error) {
	v := newValidator(asWritten)
	if v.checkCharacters("", n); len(v.faults) > 0 {
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
	return nil, unknownFormat(f, "json, yaml, edn or xml")
}

func unknownFormat(f Format, want string) error {
	return fmt.Errorf("format %q: want %s", string(f), want)
}

package jsl

import (
	"fmt"
	"strconv"
	"strings"
)

// Format is a written form of a job.
type Format string

// The written forms, which the package comment describes.
const (
	JSON Format = "json"
	YAML Format = "yaml"
	EDN  Format = "edn"
	XML  Format = "xml" // the job XML of JSR-352

	BPMN Format = "bpmn" // a diagram; it can be read, but not written
)

// WantSyntax returns the [FieldError.Want] of a text that is not in the format
// at all. A text in the format that is no job has other faults.
func (f Format) WantSyntax() string { return "valid " + strings.ToUpper(string(f)) }

// maxDepth is the maximum nesting of objects and arrays, in any form.
const maxDepth = 100

// maxValues is the maximum number of values in a job. They are counted as in
// its JSON, whatever form it was written in: each object, array and scalar is
// one. So a job that fits in one form fits in all of them.
const maxValues = 100_000

// maxTokens is the maximum number of parts in a text: values, names and tags.
// It only limits what a text costs before its job can be counted, at some
// hundred bytes for each part. A job within maxValues never has as many in any
// form, even with all defaults written out.
const maxTokens = 3 * maxValues

var (
	wantDepth  = fmt.Sprintf("at most %d levels", maxDepth)
	wantValues = fmt.Sprintf("at most %d values", maxValues)
)

// Parse reads a job. If the text is invalid, the error is an [Errors] with all
// its faults.
func Parse(f Format, data []byte) (*Job, error) { return ParseCharset(f, data, "") }

// ParseCharset is [Parse] for a text whose encoding is known from elsewhere,
// such as a Content-Type. The charset overrides an XML declaration, but not a
// byte order mark. An empty charset means that it is unknown. Forms other than
// XML are always in UTF-8.
func ParseCharset(f Format, data []byte, charset string) (*Job, error) {
	t, err := ParseText(f, data, charset)
	if err != nil {
		return nil, err
	}
	n, faults := t.jobTree()
	j, faults := decodeJob(f, n, faults)
	if len(faults) == 0 {
		faults = checkValueCount(j, n)
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return j, nil
}

// checkValueCount returns a fault at n if a job has more than maxValues values.
func checkValueCount(j *Job, n *node) Errors {
	if got := objectFrom(j.writtenFields()).countValues(); got > maxValues {
		return Errors{{"", wantValues, strconv.Itoa(got), n.line, n.col}}
	}
	return nil
}

// Format writes a job for people to read. Reading the result gives the same
// job. The error is an [Errors] if the job holds text that no form can hold.
// Format cannot write diagrams.
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

package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// printValue writes what a command found out itself, in the format that is
// wanted.
func (inv *invocation) printValue(v any) error { return inv.printValueOn(inv.outPage(), v) }

func (inv *invocation) printValueOn(p *page, v any) error {
	data, err := inJSON(v)
	if err == nil {
		data, err = convertJSON(inv.output, data)
	}
	if err != nil {
		return err
	}
	return p.writeRaw(inv.output, data)
}

// inJSON is a value as JSON, as it would be in a file: < is no \u003c.
func inJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// indentJSON returns an answer of the control bus with a line for each value.
func indentJSON(answer []byte) ([]byte, error) {
	var lines bytes.Buffer
	if err := json.Indent(&lines, bytes.TrimSpace(answer), "", "  "); err != nil {
		return nil, fmt.Errorf("the response is not JSON: %w", err)
	}
	return lines.Bytes(), nil
}

// convertJSON is JSON in another format.
func convertJSON(format string, data []byte) ([]byte, error) {
	switch format {
	case "yaml":
		return jsl.ToYAML(data)
	case "edn":
		var b bytes.Buffer
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		err := writeEDN(&b, d)
		return b.Bytes(), err
	}
	return data, nil
}

// writeEDN writes the next value of d. Names become keywords as the control bus
// writes them, with - for _.
func writeEDN(b *bytes.Buffer, d *json.Decoder) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	switch t := t.(type) {
	case json.Delim:
		return writeEDNs(b, d, t)
	case string:
		quoted, err := inJSON(t) // the escapes are the same
		b.Write(quoted)
		return err
	case nil:
		b.WriteString("nil")
	default:
		fmt.Fprint(b, t)
	}
	return nil
}

// writeEDNs writes what a map or a vector has, and its end.
func writeEDNs(b *bytes.Buffer, d *json.Decoder, begin json.Delim) error {
	b.WriteString(begin.String())
	for sep := ""; d.More(); sep = " " {
		b.WriteString(sep)
		if begin == '{' {
			name, err := d.Token()
			if err != nil {
				return err
			}
			b.WriteString(":" + strings.ReplaceAll(fmt.Sprint(name), "_", "-") + " ")
		}
		if err := writeEDN(b, d); err != nil {
			return err
		}
	}
	end, err := d.Token()
	fmt.Fprint(b, end)
	return err
}

// definitionFault is one thing that is wrong with a definition.
type definitionFault struct {
	Line   int    `json:"line,omitzero"`
	Column int    `json:"column,omitzero"`
	Path   string `json:"path"`
	Want   string `json:"want"`
	Got    string `json:"got,omitempty"`
	text   string // in one line, without the place
}

// printFaults writes what is wrong with a file, as compilers do.
func (inv *invocation) printFaults(file string, errs []definitionFault, warnings []string) {
	for _, e := range errs {
		inv.printFault(file, e.Line, e.Column, faultError, e.text)
	}
	for _, w := range warnings {
		inv.printFault(file, 0, 0, faultWarning, w)
	}
}

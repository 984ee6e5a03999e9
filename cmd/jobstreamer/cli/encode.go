package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// printValue writes a value that the command itself has built, in the format of
// --output.
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

// inJSON returns a value as JSON without HTML escapes: < stays <.
func inJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// indentJSON returns an answer of the control bus with one value on each line.
func indentJSON(answer []byte) ([]byte, error) {
	var lines bytes.Buffer
	if err := json.Indent(&lines, bytes.TrimSpace(answer), "", "  "); err != nil {
		return nil, fmt.Errorf("the response is not JSON: %w", err)
	}
	return lines.Bytes(), nil
}

// convertJSON converts JSON to another format.
func convertJSON(format string, data []byte) ([]byte, error) {
	switch format {
	case "yaml":
		return jsl.ToYAML(data)
	case "edn":
		w, d := &jsl.EDNWriter{}, json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		err := writeEDN(w, d)
		return []byte(w.String()), err
	}
	return data, nil
}

// writeEDN writes the next value of d. Names become keywords with - for _, as in
// the EDN of the control bus, or strings if they cannot be keywords.
func writeEDN(w *jsl.EDNWriter, d *json.Decoder) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	switch t := t.(type) {
	case json.Delim:
		return writeEDNCollection(w, d, t)
	case string:
		w.WriteText(t)
	case nil:
		w.WriteLiteral("nil")
	default:
		w.WriteLiteral(fmt.Sprint(t))
	}
	return nil
}

// writeEDNCollection writes the rest of a map or a vector.
func writeEDNCollection(w *jsl.EDNWriter, d *json.Decoder, begin json.Delim) error {
	w.Open(begin.String())
	for d.More() {
		if begin == '{' {
			name, err := d.Token()
			if err != nil {
				return err
			}
			w.WriteLiteral(jsl.EDNKeyword(strings.ReplaceAll(fmt.Sprint(name), "_", "-")))
		}
		if err := writeEDN(w, d); err != nil {
			return err
		}
	}
	end, err := d.Token()
	w.Close(fmt.Sprint(end))
	return err
}

// definitionFault is one fault of a definition.
type definitionFault struct {
	Line   int    `json:"line,omitzero"`
	Column int    `json:"column,omitzero"`
	Path   string `json:"path"`
	Want   string `json:"want"`
	Got    string `json:"got,omitempty"`
	text   string // the fault in one line, without its place
}

// printFaults writes the faults of a file, in the style of compilers.
func (inv *invocation) printFaults(file string, errs []definitionFault, warnings []string) {
	for _, e := range errs {
		inv.printFault(file, e.Line, e.Column, faultError, e.text)
	}
	for _, w := range warnings {
		inv.printFault(file, 0, 0, faultWarning, w)
	}
}

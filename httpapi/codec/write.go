package codec

import (
	"bytes"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// WriteJSON writes a value as one line of JSON.
func WriteJSON(w io.Writer, v any) error {
	if err := json.MarshalWrite(w, v, json.Deterministic(true)); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// writeYAML writes a value as YAML, converted from its JSON.
func writeYAML(w io.Writer, v any) error {
	if done, err := writeDefinition(w, v, jsl.YAML); done {
		return err
	}
	var b bytes.Buffer
	err := WriteJSON(&b, v)
	if err == nil {
		var text []byte
		if text, err = jsl.ToYAML(b.Bytes()); err == nil {
			_, err = w.Write(text)
		}
	}
	return err
}

// writeXML writes a definition, or the definition in an answer, as job XML, and
// what is about calendars in a form of its own.
func writeXML(w io.Writer, v any) error {
	if done, err := writeCalendarXML(w, v); done {
		return err
	}
	if j, ok := v.(rest.Job); ok {
		v = *j.Definition.Parse()
	}
	if done, err := writeDefinition(w, v, jsl.XML); done {
		return err
	}
	return fmt.Errorf("no XML for %T", v)
}

// Formatter is a value with a text of its own in each format.
type Formatter interface {
	Format(f jsl.Format) ([]byte, error)
}

// writeDefinition writes v if it is a definition or a [Formatter].
func writeDefinition(w io.Writer, v any, f jsl.Format) (done bool, err error) {
	var text []byte
	switch v := v.(type) {
	case jsl.Job:
		text, err = v.Format(f)
	case Formatter:
		text, err = v.Format(f)
	default:
		return false, nil
	}
	if err == nil {
		_, err = w.Write(text)
	}
	return true, err
}

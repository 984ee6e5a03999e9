package codec

import (
	"bytes"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// WriteJSON writes a value as JSON in one line.
func WriteJSON(w io.Writer, v any) error {
	if err := json.MarshalWrite(w, v, json.Deterministic(true)); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// writeYAML writes a value as the YAML of its JSON.
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

// writeXML writes the job XML of a definition, or of the one in an answer.
func writeXML(w io.Writer, v any) error {
	if j, ok := v.(rest.Job); ok {
		v = *modelOf(&j)
	}
	if done, err := writeDefinition(w, v, jsl.XML); done {
		return err
	}
	return fmt.Errorf("no XML for %T", v)
}

// modelOf returns the parsed definition of a job in an answer, or as much of it
// as is understood.
func modelOf(j *rest.Job) *jsl.Job {
	parsed, _ := jsl.Restore(j.Definition)
	return parsed
}

// Formatter is a value that has a written form of its own in each format.
type Formatter interface {
	Format(f jsl.Format) ([]byte, error)
}

// writeDefinition writes a definition, if v is one or has a form of its own.
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

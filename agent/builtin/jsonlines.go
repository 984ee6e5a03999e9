package builtin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// jsonFormat reads files with a JSON object on each line.
type jsonFormat struct {
	in      bytes.Reader
	decoder *jsontext.Decoder
}

// newJSONLinesReader creates the reader [JSONLinesReader].
func (c Config) newJSONLinesReader(s *agent.StepContext) (agent.ItemReader[Record], error) {
	p := newProperties(s)
	f := c.newFileReader(p)
	f.comment = []byte(p.text("comment", ""))
	f.format = &jsonFormat{decoder: jsontext.NewDecoder(strings.NewReader(""))}
	return f, p.check()
}

func (j *jsonFormat) readHeader(*fileReader) error { return nil }

// readItem returns the next item.
func (j *jsonFormat) readItem(f *fileReader) (Record, error) {
	for {
		line, err := f.nextLine()
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimLeft(line, " \t\r")) == 0 {
			continue
		}
		j.in.Reset(line)
		j.decoder.Reset(&j.in)
		item, err := j.readObject()
		if err != nil {
			return nil, f.parseError(f.lines.number, jsonProblem(err))
		}
		return item, nil
	}
}

// jsonProblem returns what is wrong with a line.
func jsonProblem(err error) string {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return fmt.Sprintf("want one JSON object: %v", syntax.Err)
	}
	return "want one JSON object: " + err.Error()
}

// readObject reads the object that is the whole text of the decoder.
func (j *jsonFormat) readObject() (Record, error) {
	if kind := j.decoder.PeekKind(); kind != jsontext.KindBeginObject && kind != jsontext.KindInvalid {
		return nil, fmt.Errorf("got a %v", kind)
	}
	v, err := j.readValue()
	if err != nil {
		return nil, err
	}
	if _, err := j.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("got more after it")
	}
	return v.(Record), nil
}

// readValue reads a value. Numbers keep their digits.
func (j *jsonFormat) readValue() (any, error) {
	token, err := j.decoder.ReadToken()
	if err != nil {
		return nil, err
	}
	switch token.Kind() {
	case jsontext.KindNull:
		return nil, nil
	case jsontext.KindTrue, jsontext.KindFalse:
		return token.Bool(), nil
	case jsontext.KindString:
		return token.String(), nil
	case jsontext.KindNumber:
		return json.Number(token.String()), nil
	case jsontext.KindBeginArray:
		values := []any{}
		for j.decoder.PeekKind() != jsontext.KindEndArray {
			v, err := j.readValue()
			if err != nil {
				return nil, err
			}
			values = append(values, v)
		}
		_, err := j.decoder.ReadToken()
		return values, err
	}
	members := Record{}
	for j.decoder.PeekKind() != jsontext.KindEndObject {
		name, err := j.decoder.ReadToken()
		if err != nil {
			return nil, err
		}
		key := name.String()
		if members[key], err = j.readValue(); err != nil {
			return nil, err
		}
	}
	_, err = j.decoder.ReadToken()
	return members, err
}

// jsonOutput writes files with a JSON object on each line.
type jsonOutput struct {
	columnSet
	names []string // of the present item
}

// newJSONLinesWriter creates the writer [JSONLinesWriter].
func (c Config) newJSONLinesWriter(s *agent.StepContext) (agent.ItemWriter[Record], error) {
	p := newProperties(s)
	f := c.newFileWriter(p)
	f.format = &jsonOutput{columnSet: columnProperties(p)}
	return f, p.check()
}

func (j *jsonOutput) appendHeader(to []byte) ([]byte, error) { return to, nil }

func (j *jsonOutput) appendItem(to []byte, item Record) (_ []byte, err error) {
	names := j.columns
	if len(names) == 0 {
		j.names = slices.AppendSeq(j.names[:0], maps.Keys(item))
		slices.Sort(j.names)
		names = j.names
	} else if err := j.checkExtra(item); err != nil {
		return to, err
	}
	to = append(to, '{')
	for i, name := range names {
		if i > 0 {
			to = append(to, ',')
		}
		v, err := j.value(item, name)
		if err != nil {
			return to, err
		}
		if to, err = jsontext.AppendQuote(to, name); err != nil {
			return to, &FormatError{Field: name, Problem: err.Error()}
		}
		if to, err = appendJSON(append(to, ':'), v); err != nil {
			return to, &FormatError{Field: name, Problem: err.Error()}
		}
	}
	return append(to, '}'), nil
}

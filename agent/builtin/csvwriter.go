package builtin

import (
	"bytes"
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// csvOutput writes CSV files.
type csvOutput struct {
	csvDialect
	columnSet
	header bool
	field  []byte
}

// newCSVWriter creates the writer [CSVWriter].
func (c Config) newCSVWriter(s *agent.StepContext) (agent.ItemWriter[Record], error) {
	p := newProperties(s)
	f := c.newFileWriter(p)
	format := &csvOutput{
		csvDialect: csvDialectProperties(p),
		columnSet:  columnProperties(p),
		header:     p.choice("header", "yes", "no") == "yes",
	}
	if len(format.columns) == 0 {
		p.fault("columns", "the names of the columns, joined by commas", "")
	}
	f.format = format
	return f, p.check()
}

func (c *csvOutput) appendHeader(to []byte) ([]byte, error) {
	if !c.header {
		return to, nil
	}
	for i, name := range c.columns {
		if i > 0 {
			to = append(to, c.delimiter...)
		}
		var err error
		if to, err = c.appendField(to, []byte(name)); err != nil {
			return to, fmt.Errorf("column %q: %w", name, err)
		}
	}
	return to, nil
}

func (c *csvOutput) appendItem(to []byte, item Record) ([]byte, error) {
	if err := c.checkExtra(item); err != nil {
		return to, err
	}
	for i, column := range c.columns {
		if i > 0 {
			to = append(to, c.delimiter...)
		}
		v, err := c.value(item, column)
		if err != nil {
			return to, err
		}
		if v == nil {
			if c.null != nil {
				to = append(to, *c.null...)
			}
			continue
		}
		if c.field, err = appendText(c.field[:0], v); err == nil {
			to, err = c.appendField(to, c.field)
		}
		if err != nil {
			return to, &FormatError{Field: column, Problem: err.Error()}
		}
	}
	if len(to) == 0 {
		return to, errors.New("the line would be empty, and readers pass over it: want the property null_text, or a second column")
	}
	return to, nil
}

// appendField appends a text that is not nil, with quotes if it needs them.
func (c *csvOutput) appendField(to, text []byte) ([]byte, error) {
	needs := bytes.Contains(text, c.delimiter) || bytes.ContainsAny(text, "\r\n")
	if len(c.quote) == 0 {
		if needs {
			return to, fmt.Errorf("want no delimiter and no line break, since quote is none, got %.60q", text)
		}
		return append(to, text...), nil
	}
	first, _ := utf8.DecodeRune(text)
	needs = needs || bytes.Contains(text, c.quote) || unicode.IsSpace(first) || first == '\ufeff' ||
		c.null != nil && string(text) == *c.null || len(text) == 0 && len(c.columns) == 1
	if !needs {
		return append(to, text...), nil
	}
	to = append(to, c.quote...)
	for {
		part, rest, found := bytes.Cut(text, c.quote)
		to = append(to, part...)
		to = append(to, c.quote...)
		if !found {
			return to, nil
		}
		to = append(to, c.quote...)
		text = rest
	}
}

package builtin

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// csvFormat reads CSV files (RFC 4180). encoding/csv does not suffice: it keeps
// a quoted field without an end in memory up to the end of the file, loses \r
// in fields, and cannot tell an empty field from a quoted empty text.
type csvFormat struct {
	csvDialect
	header    string   // yes, no or skip
	columns   []string // of the property
	trim      bool
	multiline bool
	types     map[string]fieldType

	// What the header has decided.
	names      []string // of all columns; empty for those that are not read
	valueTypes []fieldType

	// Of the present line. Field i is text[ends[i-1]:ends[i]].
	text       []byte
	ends       []int
	quoted     []bool
	lineBreaks int // in quoted fields
}

// csvDialect is what the reader and the writer of CSV files have in common.
type csvDialect struct {
	delimiter, quote []byte // one character; no quote: nothing is quoted
	null             *string
}

func csvDialectProperties(p *properties) csvDialect {
	d := csvDialect{delimiter: characterProperty(p, "delimiter", ",", "tab", "\t"), quote: characterProperty(p, "quote", `"`, "none", "")}
	if bytes.Equal(d.delimiter, d.quote) {
		p.fault("quote", "another character than delimiter", string(d.quote))
	}
	null := p.text("null_text", "")
	d.null = &null
	if null == "none" {
		d.null = nil
	}
	if bytes.Contains([]byte(null), d.delimiter) || strings.ContainsAny(null, "\r\n") || len(d.quote) > 0 && bytes.Contains([]byte(null), d.quote) {
		p.fault("null_text", "none, or a text without delimiter, quote and line breaks", null)
	}
	return d
}

// characterProperty returns a property that is one character or a word that
// stands for one.
func characterProperty(p *properties, name, fallback, word, meaning string) []byte {
	text := p.text(name, fallback)
	switch {
	case text == word:
		return []byte(meaning)
	case utf8.RuneCountInString(text) != 1 || strings.ContainsAny(text, "\r\n\ufeff\ufffd"):
		p.fault(name, "one character, or "+word, text)
		return []byte(fallback)
	}
	return []byte(text)
}

// newCSVReader creates the reader [CSVReader].
func (c Config) newCSVReader(s *agent.StepContext) (agent.ItemReader[Record], error) {
	p := newProperties(s)
	f := c.newFileReader(p)
	f.skipLines = p.number("skip_lines", 0, 0, 1_000_000)
	f.comment = []byte(p.text("comment", ""))
	format := &csvFormat{
		csvDialect: csvDialectProperties(p),
		header:     p.choice("header", "yes", "no", "skip"),
		columns:    p.names("columns"),
		trim:       p.choice("trim", "no", "yes") == "yes",
		multiline:  p.choice("multiline", "yes", "no") == "yes",
		types:      typeProperties(p),
	}
	if format.header != "yes" && len(format.columns) == 0 {
		p.fault("columns", "the names of the columns, joined by commas, unless header is yes", "")
	}
	f.format = format
	return f, p.check()
}

// readHeader decides on the names of the columns.
func (c *csvFormat) readHeader(f *fileReader) (err error) {
	c.names = c.columns
	if c.header != "no" {
		if err := c.readFields(f); errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: want a header (property header), got the end of the file", f.path)
		} else if err != nil {
			return err
		}
	}
	if c.header == "yes" {
		if c.names, err = c.selectColumns(f.path); err != nil {
			return err
		}
	}
	read := slices.DeleteFunc(slices.Clone(c.names), func(name string) bool { return name == "" })
	if _, err = typesOf(c.types, read); err == nil {
		c.valueTypes, _ = typesOf(c.types, c.names)
	}
	return err
}

// selectColumns returns the names of the header, but nothing for the columns
// that the property does not name.
func (c *csvFormat) selectColumns(path string) ([]string, error) {
	names := make([]string, len(c.ends))
	for i := range c.ends {
		name := string(c.field(i))
		switch {
		case len(c.columns) > 0 && !slices.Contains(c.columns, name):
			continue
		case name == "":
			return nil, fmt.Errorf("%s: the header has no name for column %d", path, i+1)
		case slices.Contains(names, name):
			return nil, fmt.Errorf("%s: the header has column %q twice", path, name)
		}
		names[i] = name
	}
	for _, want := range c.columns {
		if !slices.Contains(names, want) {
			return nil, fmt.Errorf("%s: the header has no column %q", path, want)
		}
	}
	return names, nil
}

// readItem returns the next item.
func (c *csvFormat) readItem(f *fileReader) (Record, error) {
	if err := c.readFields(f); err != nil {
		return nil, err
	}
	first := f.lines.number - int64(c.lineBreaks)
	if len(c.ends) != len(c.names) {
		return nil, f.parseError(first, fmt.Sprintf("want %d fields, got %d", len(c.names), len(c.ends)))
	}
	// One string for all fields is faster than one for each.
	text, at := string(c.text), 0
	item := make(Record, len(c.names))
	for i, name := range c.names {
		field := text[at:c.ends[i]]
		at = c.ends[i]
		switch {
		case name == "":
		case c.null != nil && field == *c.null && !c.quoted[i]:
			item[name] = nil
		case c.valueTypes[i] == nil:
			item[name] = field
		default:
			v, err := c.valueTypes[i](field)
			if err != nil {
				e := f.parseError(first, err.Error())
				e.Field, e.Got = name, field
				return nil, e
			}
			item[name] = v
		}
	}
	return item, nil
}

func (c *csvFormat) field(i int) []byte {
	if i == 0 {
		return c.text[:c.ends[0]]
	}
	return c.text[c.ends[i-1]:c.ends[i]]
}

// readFields reads the fields of the next line that is not empty.
func (c *csvFormat) readFields(f *fileReader) error {
	var line []byte
	for len(line) == 0 {
		var err error
		if line, err = f.nextLine(); err != nil {
			return err
		}
	}
	c.text, c.ends, c.quoted, c.lineBreaks = c.text[:0], c.ends[:0], c.quoted[:0], 0
	for more := true; more; {
		if c.trim {
			line = c.trimLeft(line)
		}
		var err error
		isQuoted := len(c.quote) > 0 && bytes.HasPrefix(line, c.quote)
		if isQuoted {
			line, more, err = c.readQuoted(f, line[len(c.quote):])
		} else {
			line, more, err = c.readPlain(f, line)
		}
		if err != nil {
			return err
		}
		c.ends, c.quoted = append(c.ends, len(c.text)), append(c.quoted, isQuoted)
	}
	return nil
}

// readPlain reads a field without quotes. It returns the rest of the line, and
// whether there is a further field.
func (c *csvFormat) readPlain(f *fileReader, line []byte) (rest []byte, more bool, err error) {
	field, rest, more := bytes.Cut(line, c.delimiter)
	if len(c.quote) > 0 && bytes.Contains(field, c.quote) {
		return nil, false, f.parseError(f.lines.number-int64(c.lineBreaks),
			fmt.Sprintf("field %d: want %s around a field that contains it", len(c.ends)+1, c.quote))
	}
	if c.trim {
		field = bytes.TrimRight(field, blanks)
	}
	c.text = append(c.text, field...)
	return rest, more, nil
}

// blanks are what the property trim removes.
const blanks = " \t"

// trimLeft removes blanks, but not delimiters.
func (c *csvFormat) trimLeft(line []byte) []byte {
	for len(line) > 0 && (line[0] == ' ' || line[0] == '\t') && line[0] != c.delimiter[0] {
		line = line[1:]
	}
	return line
}

// readQuoted reads a field after its opening quote.
func (c *csvFormat) readQuoted(f *fileReader, line []byte) (rest []byte, more bool, err error) {
	for {
		text, after, closed := bytes.Cut(line, c.quote)
		c.text = append(c.text, text...)
		if !closed {
			if line, err = c.continueField(f); err != nil {
				return nil, false, err
			}
			continue
		}
		if bytes.HasPrefix(after, c.quote) { // two stand for one
			c.text = append(c.text, c.quote...)
			line = after[len(c.quote):]
			continue
		}
		if c.trim {
			after = c.trimLeft(after)
		}
		if len(after) == 0 {
			return nil, false, nil
		}
		if rest, more = bytes.CutPrefix(after, c.delimiter); !more {
			return nil, false, f.parseError(f.lines.number-int64(c.lineBreaks),
				fmt.Sprintf("field %d: want a delimiter after the closing %s", len(c.ends)+1, c.quote))
		}
		return rest, true, nil
	}
}

// continueField returns the next line of a quoted field. Where a field without
// an end was meant to end is unknown. So this is no [ParseError]: a job that
// skips bad lines must not skip the rest of the file.
func (c *csvFormat) continueField(f *fileReader) ([]byte, error) {
	first := f.lines.number - int64(c.lineBreaks)
	if !c.multiline {
		return nil, f.parseError(first, fmt.Sprintf("field %d: want a closing %s", len(c.ends)+1, c.quote))
	}
	c.text = append(c.text, f.lines.end...)
	line, err := f.lines.next()
	c.lineBreaks++
	if err == nil && len(c.text)+len(line) <= f.limit {
		return line, nil
	}
	if errors.Is(err, errBadLine) {
		return nil, fmt.Errorf("%s line %d: %s", f.path, f.lines.number, badLineProblem(err))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return nil, fmt.Errorf("%s line %d: field %d: want a closing %s within %d bytes (property line_bytes); if no field has line breaks, set the property multiline to no",
		f.path, first, len(c.ends)+1, c.quote, f.limit)
}

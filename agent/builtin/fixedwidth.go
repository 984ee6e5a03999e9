package builtin

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// fixedField is a field of a line with fields of fixed width.
type fixedField struct {
	name   string // - for characters that are no field
	length int    // in characters
	right  bool   // aligned
	pad    rune   // fills the field
	typ    fieldType
}

// isFiller reports whether the field is only there for its place.
func (f *fixedField) isFiller() bool { return f.name == "-" }

// wantFields says what the property fields should be.
const wantFields = "fields such as name:10, amount:8:right:0, -:2 (name, length, left or right, padding)"

// maxFieldLength is the limit of the length of a field.
const maxFieldLength = 1 << 20

// fixedFields returns the fields of the property fields, and their names.
func fixedFields(p *properties) (fields []fixedField, names []string) {
	text := p.requiredText("fields", wantFields)
	for one := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '\n' }) {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		f, ok := parseFixedField(one)
		if !ok || slices.Contains(names, f.name) {
			p.fault("fields", wantFields, one)
			continue
		}
		fields = append(fields, f)
		if !f.isFiller() {
			names = append(names, f.name)
		}
	}
	return fields, names
}

// parseFixedField parses NAME:LENGTH:ALIGNMENT:PADDING. The last two may be
// missing.
func parseFixedField(text string) (fixedField, bool) {
	words := strings.SplitN(text, ":", 4)
	f := fixedField{name: strings.TrimSpace(words[0]), pad: ' '}
	if len(words) < 2 || f.name == "" {
		return f, false
	}
	var err error
	f.length, err = strconv.Atoi(strings.TrimSpace(words[1]))
	if err != nil || f.length < 1 || f.length > maxFieldLength {
		return f, false
	}
	if len(words) > 2 {
		switch strings.TrimSpace(words[2]) {
		case "right":
			f.right = true
		case "left":
		default:
			return f, false
		}
	}
	if len(words) > 3 {
		if utf8.RuneCountInString(words[3]) != 1 {
			return f, false
		}
		f.pad, _ = utf8.DecodeRuneInString(words[3])
	}
	// Digits after a number would change it.
	isNumeric := f.pad >= '0' && f.pad <= '9'
	return f, f.pad != utf8.RuneError && f.pad != '\r' && f.pad != '\ufeff' && (!isNumeric || f.pad == '0' && f.right)
}

// fixedFormat reads files with fields of fixed width.
type fixedFormat struct {
	fields []fixedField
	length int // of a line, in characters
	types  map[string]fieldType
}

// newFixedWidthReader creates the reader [FixedWidthReader].
func (c Config) newFixedWidthReader(s *agent.StepContext) (agent.ItemReader[Record], error) {
	p := newProperties(s)
	f := c.newFileReader(p)
	f.skipLines = p.number("skip_lines", 0, 0, 1_000_000)
	f.comment = []byte(p.text("comment", ""))
	format := &fixedFormat{types: typeProperties(p)}
	var names []string
	format.fields, names = fixedFields(p)
	if types, err := typesOf(format.types, names); err != nil && len(names) > 0 {
		p.faults = append(p.faults, err.Error())
	} else if err == nil {
		for i := range format.fields {
			if at := slices.Index(names, format.fields[i].name); at >= 0 {
				format.fields[i].typ = types[at]
			}
			format.length += format.fields[i].length
		}
	}
	f.format = format
	return f, p.check()
}

func (x *fixedFormat) readHeader(*fileReader) error { return nil }

// readItem returns the next item.
func (x *fixedFormat) readItem(f *fileReader) (Record, error) {
	line, err := f.nextLine()
	for err == nil && len(line) == 0 {
		line, err = f.nextLine()
	}
	if err != nil {
		return nil, err
	}
	if n := utf8.RuneCount(line); n != x.length {
		return nil, f.parseError(f.lines.number, fmt.Sprintf("want %d characters, got %d", x.length, n))
	}
	text := string(line)
	item := make(Record, len(x.fields))
	for i := range x.fields {
		field := &x.fields[i]
		var part string
		part, text = cutCharacters(text, field.length)
		if field.isFiller() {
			continue
		}
		if item[field.name], err = field.parse(part); err != nil {
			e := f.parseError(f.lines.number, err.Error())
			e.Field, e.Got = field.name, part
			return nil, e
		}
	}
	return item, nil
}

// cutCharacters returns the first n characters of a text, and the rest.
func cutCharacters(text string, n int) (first, rest string) {
	at := 0
	for ; n > 0; n-- {
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
	return text[:at], text[at:]
}

// parse returns the value of a field without its padding. Blanks are nil.
func (f *fixedField) parse(text string) (any, error) {
	if strings.Trim(text, " ") == "" {
		return nil, nil
	}
	switch {
	case f.pad == '0':
		number, ok := withoutZeros(text)
		if !ok {
			return nil, wantError("a number with zeros before it")
		}
		text = number
	case f.right:
		text = strings.TrimLeft(text, string(f.pad))
	default:
		text = strings.TrimRight(text, string(f.pad))
	}
	if f.typ == nil {
		return text, nil
	}
	return f.typ(text)
}

// withoutZeros returns a number without the zeros that fill its field. They
// stand after its sign. A plus is left out.
func withoutZeros(text string) (string, bool) {
	sign := ""
	if text[0] == '-' || text[0] == '+' {
		sign, text = strings.TrimPrefix(text[:1], "+"), text[1:]
	}
	for len(text) > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9' {
		text = text[1:]
	}
	return sign + text, text != "" && text[0] != '-' && isNumber(text)
}

// fixedOutput writes files with fields of fixed width.
type fixedOutput struct {
	columnSet
	fields []fixedField
	field  []byte
}

// newFixedWidthWriter creates the writer [FixedWidthWriter].
func (c Config) newFixedWidthWriter(s *agent.StepContext) (agent.ItemWriter[Record], error) {
	p := newProperties(s)
	f := c.newFileWriter(p)
	format := &fixedOutput{columnSet: missingProperties(p)}
	format.fields, format.columns = fixedFields(p)
	f.format = format
	return f, p.check()
}

func (x *fixedOutput) appendHeader(to []byte) ([]byte, error) { return to, nil }

func (x *fixedOutput) appendItem(to []byte, item Record) ([]byte, error) {
	if err := x.checkExtra(item); err != nil {
		return to, err
	}
	for i := range x.fields {
		f := &x.fields[i]
		if f.isFiller() {
			to = appendPadding(to, f.pad, f.length)
			continue
		}
		v, err := x.value(item, f.name)
		if err != nil {
			return to, err
		}
		if v == nil {
			to = appendPadding(to, ' ', f.length)
			continue
		}
		if x.field, err = appendText(x.field[:0], v); err == nil {
			to, err = f.append(to, x.field)
		}
		if err != nil {
			return to, &FormatError{Field: f.name, Problem: err.Error()}
		}
	}
	if bytes.HasPrefix(to, byteOrderMark) {
		return to, fmt.Errorf("want no U+FEFF at the beginning of a line")
	}
	return to, nil
}

// append appends a text that is not nil, with its padding.
func (f *fixedField) append(to, text []byte) ([]byte, error) {
	missing := f.length - utf8.RuneCount(text)
	switch {
	case missing < 0:
		return to, fmt.Errorf("want at most %d characters, got %.60q", f.length, text)
	case bytes.ContainsAny(text, "\r\n"):
		return to, fmt.Errorf("want no line break, got %.60q", text)
	case len(text) == 0: // zeros would be a number
		return appendPadding(to, ' ', f.length), nil
	case !f.right:
		return appendPadding(append(to, text...), f.pad, missing), nil
	case f.pad == '0':
		if _, ok := withoutZeros(string(text)); !ok {
			return to, fmt.Errorf("want a number, since its padding is 0, got %.60q", text)
		}
		if text[0] == '-' || text[0] == '+' {
			to, text = append(to, text[0]), text[1:]
		}
	}
	return append(appendPadding(to, f.pad, missing), text...), nil
}

func appendPadding(to []byte, pad rune, n int) []byte {
	for range n {
		to = utf8.AppendRune(to, pad)
	}
	return to
}

package jsl

import (
	"bytes"
	"unicode/utf8"
)

// position is a line and a column, from 1, columns in characters.
type position struct{ line, col int }

// place tracks a position in a text.
type place struct {
	text   []byte
	offset int
	position
}

func newPlace(text []byte) place { return place{text: text, position: position{1, 1}} }

// moveTo moves to a later offset. It ignores an earlier one.
func (p *place) moveTo(offset int) {
	offset = min(offset, len(p.text))
	if offset <= p.offset {
		return
	}
	passed := p.text[p.offset:offset]
	if n := bytes.Count(passed, []byte("\n")); n > 0 {
		p.line += n
		p.col = 1
		passed = passed[bytes.LastIndexByte(passed, '\n')+1:]
	}
	p.col += utf8.RuneCount(passed)
	p.offset = offset
}

package jsl

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// readString reads a string, which may span several lines.
func (r *ednReader) readString() (string, *FieldError) {
	r.pos++
	var b strings.Builder
	for {
		end := strings.IndexAny(r.data[r.pos:], `"\`)
		if end < 0 {
			r.pos = len(r.data)
			return "", r.faultHere(`a string that ends with "`, "the end of the text")
		}
		b.WriteString(r.data[r.pos : r.pos+end])
		r.pos += end
		if r.data[r.pos] == '"' {
			r.pos++
			return b.String(), nil
		}
		c, err := r.readEscape()
		if err != nil {
			return "", err
		}
		b.WriteRune(c)
	}
}

var ednEscapes = map[byte]rune{'t': '\t', 'r': '\r', 'n': '\n', 'b': '\b', 'f': '\f', '\\': '\\', '"': '"'}

// readEscape reads an escape sequence. Two \u escapes may stand for one
// character, as a pair of surrogates.
func (r *ednReader) readEscape() (rune, *FieldError) {
	rest := r.data[r.pos+1:]
	if rest != "" && rest[0] != 'u' {
		if c, ok := ednEscapes[rest[0]]; ok {
			r.pos += 2
			return c, nil
		}
	}
	c, ok := hex4(rest)
	if !ok {
		_, size := utf8.DecodeRuneInString(rest)
		return 0, r.faultHere(`one of the escapes \t \r \n \\ \" \u0000`, quoteValue(`\`+rest[:size]))
	}
	size := len(`\u0000`)
	if utf16.IsSurrogate(c) {
		next, ok := strings.CutPrefix(rest[5:], `\`)
		low, _ := hex4(next)
		if c = utf16.DecodeRune(c, low); !ok || c == utf8.RuneError {
			return 0, r.faultHere("a surrogate pair", quoteValue(`\`+rest[:5]))
		}
		size *= 2
	}
	r.pos += size
	return c, nil
}

// hex4 parses u and four hexadecimal digits.
func hex4(s string) (rune, bool) {
	if len(s) < 5 || s[0] != 'u' {
		return 0, false
	}
	c, err := strconv.ParseUint(s[1:5], 16, 16)
	return rune(c), err == nil
}

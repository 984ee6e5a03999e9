package jsl

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode/utf32"
)

// utf8Name is the encoding of all texts inside the bus, in the spelling of the
// IANA.
const utf8Name = "UTF-8"

// wantEncoding names examples of the encodings that XML may have. There are
// some sixty.
const wantEncoding = "a known encoding, such as UTF-8, UTF-16, Shift_JIS, Windows-31J, EUC-JP or ISO-8859-1"

// KnownEncoding reports whether XML can be read in an encoding of that name.
func KnownEncoding(name string) bool {
	_, known := encodingNamed(name)
	return known
}

// encodingFamily returns the family of an encoding, if the first bytes of a
// text tell that family from others. It returns an empty string for encodings
// that begin like ASCII.
func encodingFamily(name string) string {
	switch strings.ToLower(name) {
	case "utf-8", "utf8":
		return utf8Name
	case "utf-16", "utf-16le", "utf-16be", "iso-10646-ucs-2":
		return "UTF-16"
	case "utf-32", "utf-32le", "utf-32be", "iso-10646-ucs-4":
		return "UTF-32"
	}
	return ""
}

// spellings are names that Java programs write and that neither index knows.
var spellings = map[string]string{"cp932": "windows-31j", "cp943": "windows-31j", "eucjp": "euc-jp", "euc_jp": "euc-jp", "utf8": "utf-8"}

// encodingNamed returns an encoding by any of its names. The encoding is nil
// for UTF-8, UTF-16 and UTF-32, which this package decodes by itself.
func encodingNamed(name string) (e encoding.Encoding, known bool) {
	if other := spellings[strings.ToLower(name)]; other != "" {
		name = other
	}
	if encodingFamily(name) != "" {
		return nil, true
	}
	// The index of the IANA comes first: in the index for HTML, ISO-8859-1 is
	// another name of Windows-1252.
	if e, err := ianaindex.IANA.Encoding(name); err == nil && e != nil {
		return e, true
	}
	e, err := htmlindex.Get(name)
	return e, err == nil && e != encoding.Replacement
}

// xmlDeclaration finds the encoding in an XML declaration (XML 1.0 section
// 2.8).
var xmlDeclaration = regexp.MustCompile(`^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"[^"]*"|'[^']*')[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"([^"]*)"|'([^']*)')`)

// maxDeclaration is how many bytes an XML declaration may have, in UTF-8.
const maxDeclaration = 1000

// declaredEncoding returns the encoding that an XML declaration names, and its
// position. The name is empty if there is none.
func declaredEncoding(text []byte) (name string, at position) {
	head := text[:min(len(text), maxDeclaration)]
	m := xmlDeclaration.FindSubmatchIndex(head)
	if m == nil {
		return "", position{1, 1}
	}
	from, to := max(m[2], m[4]), max(m[3], m[5])
	p := newPlace(head)
	p.moveTo(from)
	return string(head[from:to]), p.position
}

// bytePattern is the beginning of a text in an encoding that does not begin
// like ASCII (XML 1.0 appendix F.1).
type bytePattern struct {
	begins string
	mark   int // length of the byte order mark
	family string
	// faulty is the offset in text of what could not be decoded, or -1.
	decode func([]byte) (text []byte, faulty int)
}

var bytePatterns = []bytePattern{ // the longer first: a mark of UTF-16 begins one of UTF-32
	{"\x00\x00\xfe\xff", 4, "UTF-32", decodeBy(utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM))},
	{"\xff\xfe\x00\x00", 4, "UTF-32", decodeBy(utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM))},
	{"\x00\x00\x00<", 0, "UTF-32", decodeBy(utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM))},
	{"<\x00\x00\x00", 0, "UTF-32", decodeBy(utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM))},
	{"\xef\xbb\xbf", 3, utf8Name, asUTF8},
	{"\xfe\xff", 2, "UTF-16", decodeUTF16(binary.BigEndian)},
	{"\xff\xfe", 2, "UTF-16", decodeUTF16(binary.LittleEndian)},
	{"\x00<", 0, "UTF-16", decodeUTF16(binary.BigEndian)},
	{"<\x00", 0, "UTF-16", decodeUTF16(binary.LittleEndian)},
}

// LooksEncoded reports whether a text begins as XML does in an encoding that
// does not begin like ASCII, such as UTF-16.
func LooksEncoded(data []byte) bool {
	return bytes.HasPrefix(data, []byte(ebcdic)) || slices.ContainsFunc(bytePatterns, func(p bytePattern) bool {
		return p.family != utf8Name && bytes.HasPrefix(data, []byte(p.begins))
	})
}

// ebcdic is "<?xm" in EBCDIC. The declaration names the code page of the text,
// in characters that all code pages of EBCDIC share.
const ebcdic = "\x4c\x6f\xa7\x94"

// decodeXML returns an XML text in UTF-8, without a byte order mark. The
// encoding comes from the first of these that is known (RFC 7303 sections 3.2
// and 3.3, XML 1.0 section 4.3.3 and appendix F): the first bytes, the charset
// that the caller passes, the declaration. Otherwise it is UTF-8. Without a
// charset, a declaration that contradicts the first bytes is a fault.
func decodeXML(data []byte, charset string) ([]byte, *FieldError) {
	for _, p := range bytePatterns {
		if bytes.HasPrefix(data, []byte(p.begins)) {
			text, faulty := p.decode(data[p.mark:])
			if faulty >= 0 {
				return nil, undecodedFault(text, faulty, p.family)
			}
			if name, at := declaredEncoding(text); charset == "" && name != "" && encodingFamily(name) != p.family {
				return nil, &FieldError{"", "the encoding that the first bytes indicate, " + p.family, quoteValue(name), at.line, at.col}
			}
			return text, nil
		}
	}
	name, at := charset, position{}
	if name == "" {
		head := data
		if bytes.HasPrefix(data, []byte(ebcdic)) {
			head, _ = decodeBy(charmap.CodePage037)(data[:min(len(data), maxDeclaration)])
		}
		name, at = declaredEncoding(head)
	}
	e, known := encodingNamed(name)
	switch {
	case name == "" || encodingFamily(name) == utf8Name:
		return data, nil
	case !known:
		return nil, &FieldError{"", wantEncoding, quoteValue(name), at.line, at.col}
	case e == nil && charset != "":
		// UTF-16 that begins with neither a mark nor markup is big-endian (RFC
		// 2781 section 4.3).
		return nil, &FieldError{"", "text that begins with < or a byte order mark in " + encodingFamily(name), "other bytes", 1, 1}
	case e == nil:
		return nil, &FieldError{"", "the encoding that the first bytes indicate", quoteValue(name), at.line, at.col}
	}
	text, faulty := decodeBy(e)(data)
	if faulty >= 0 {
		return nil, undecodedFault(text, faulty, name)
	}
	return text, nil
}

// DecodeXML returns an XML text in UTF-8, from any encoding that job XML may
// have. Its error is an [Errors].
func DecodeXML(data []byte) ([]byte, error) {
	text, fault := decodeXML(data, "")
	if fault != nil {
		return nil, Errors{*fault}
	}
	return text, nil
}

// undecodedFault returns the fault of a text whose bytes at an offset are
// invalid in its encoding.
func undecodedFault(text []byte, offset int, name string) *FieldError {
	p := newPlace(text)
	p.moveTo(offset)
	return &FieldError{"", "text in " + firstRunes(name, maxGot), "invalid bytes", p.line, p.col}
}

func asUTF8(data []byte) ([]byte, int) { return data, -1 }

// decodeBy returns a decoder made of a library's encoding, which writes U+FFFD
// for invalid bytes.
func decodeBy(e encoding.Encoding) func([]byte) ([]byte, int) {
	return func(data []byte) ([]byte, int) {
		text, err := e.NewDecoder().Bytes(data)
		if err != nil {
			return text, len(text)
		}
		return text, bytes.IndexRune(text, utf8.RuneError)
	}
}

// decodeUTF16 returns a decoder for UTF-16 in one byte order.
func decodeUTF16(order binary.ByteOrder) func([]byte) ([]byte, int) {
	return func(data []byte) ([]byte, int) {
		text := make([]byte, 0, len(data))
		for len(data) >= 2 {
			r := rune(order.Uint16(data))
			data = data[2:]
			if utf16.IsSurrogate(r) {
				if len(data) < 2 {
					return text, len(text)
				}
				if r = utf16.DecodeRune(r, rune(order.Uint16(data))); r == utf8.RuneError {
					return text, len(text)
				}
				data = data[2:]
			}
			text = utf8.AppendRune(text, r)
		}
		if len(data) > 0 {
			return text, len(text)
		}
		return text, -1
	}
}

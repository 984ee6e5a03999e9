package jsl

import "bytes"

// attributeText is an XML text in which each literal tab or line break in an
// attribute is replaced by a space, as XML 1.0 section 3.3.3 requires.
// encoding/xml does not do that. It cannot be done after decoding, because a
// character reference, which must stay, looks the same then.
type attributeText struct {
	text   []byte
	gaps   []int // offsets in text before which a byte of the original is missing: CR LF becomes one space
	passed int   // gaps before the last offset that was converted
	count  int   // of attributes
}

// originalOffset converts an offset in the text to one in the original. Offsets
// must not decrease from call to call.
func (a *attributeText) originalOffset(offset int) int {
	for a.passed < len(a.gaps) && a.gaps[a.passed] <= offset {
		a.passed++
	}
	return offset + a.passed
}

// normalizeAttributes does not change original. It leaves malformed XML to the
// decoder.
func normalizeAttributes(original []byte) *attributeText {
	a := &attributeText{text: original}
	s := attributeScanner{in: original, a: a}
	for s.nextTag() {
		s.scanTag()
	}
	if s.copied > 0 {
		a.text = append(s.out, original[s.copied:]...)
	}
	return a
}

// attributeScanner scans the tags of a text.
type attributeScanner struct {
	in     []byte
	at     int    // offset of the next byte to scan
	out    []byte // the text so far, from the first change on
	copied int    // how much of in is in out
	a      *attributeText
}

// notTags are the constructs that may contain < or quotes without being a start
// tag, each with its end.
var notTags = []struct{ begin, end string }{{"<!--", "-->"}, {"<![CDATA[", "]]>"}, {"<?", "?>"}, {"</", ">"}, {"<!", ">"}}

// nextTag moves behind the < of the next start tag.
func (s *attributeScanner) nextTag() bool {
next:
	for {
		i := bytes.IndexByte(s.in[s.at:], '<')
		if i < 0 {
			return false
		}
		s.at += i
		for _, other := range notTags {
			if !bytes.HasPrefix(s.in[s.at:], []byte(other.begin)) {
				continue
			}
			s.at += len(other.begin)
			end := bytes.Index(s.in[s.at:], []byte(other.end))
			if end < 0 {
				return false
			}
			s.at += end + len(other.end)
			continue next
		}
		s.at++
		return true
	}
}

// scanTag scans a tag up to its end.
func (s *attributeScanner) scanTag() {
	for ; s.at < len(s.in); s.at++ {
		switch s.in[s.at] {
		case '>':
			return
		case '=':
			s.a.count++
		case '"', '\'':
			length := bytes.IndexByte(s.in[s.at+1:], s.in[s.at])
			if length < 0 {
				s.at = len(s.in)
				return
			}
			end := s.at + 1 + length
			s.scanValue(end)
			s.at = end
		}
	}
}

// scanValue replaces the white space up to the offset end by spaces.
func (s *attributeScanner) scanValue(end int) {
	for {
		i := bytes.IndexAny(s.in[s.at:end], "\t\r\n")
		if i < 0 {
			return
		}
		s.at += i
		s.out = append(append(s.out, s.in[s.copied:s.at]...), ' ')
		if s.in[s.at] == '\r' && s.in[s.at+1] == '\n' { // end is the offset of a quote
			s.at++
			s.a.gaps = append(s.a.gaps, len(s.out))
		}
		s.at++
		s.copied = s.at
	}
}

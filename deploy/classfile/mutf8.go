package classfile

import "unicode/utf8"

// decodeUTF8 decodes the modified UTF-8 of class files (JVMS 4.4.7): NUL has
// two bytes, and a character beyond U+FFFF is a pair of surrogates of three
// bytes each. A lone surrogate, which a JVM accepts, becomes U+FFFD.
func decodeUTF8(b []byte) (string, bool) {
	for _, c := range b {
		if c == 0 || c >= 0x80 {
			return decodeRunes(b)
		}
	}
	return string(b), true
}

func decodeRunes(b []byte) (string, bool) {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		r, n := decodeUnit(b)
		if n == 0 {
			return "", false
		}
		b = b[n:]
		if r >= 0xd800 && r < 0xdc00 {
			if low, n := decodeUnit(b); n > 0 && low >= 0xdc00 && low < 0xe000 {
				r, b = 0x10000+(r-0xd800)<<10+(low-0xdc00), b[n:]
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out), true
}

// decodeUnit decodes one UTF-16 unit of n bytes; n is 0 if b is malformed or
// empty.
func decodeUnit(b []byte) (r rune, n int) {
	switch {
	case len(b) == 0 || b[0] == 0:
		return 0, 0
	case b[0] < 0x80:
		return rune(b[0]), 1
	case b[0]&0xe0 == 0xc0 && len(b) >= 2 && isContinuation(b[1]):
		return rune(b[0]&0x1f)<<6 | rune(b[1]&0x3f), 2
	case b[0]&0xf0 == 0xe0 && len(b) >= 3 && isContinuation(b[1]) && isContinuation(b[2]):
		return rune(b[0]&0x0f)<<12 | rune(b[1]&0x3f)<<6 | rune(b[2]&0x3f), 3
	}
	return 0, 0
}

func isContinuation(c byte) bool { return c&0xc0 == 0x80 }

package jsl

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode/utf32"
)

// asUTF16 encodes a text in the given byte order. The text itself contains the
// byte order mark, if any.
func asUTF16(order binary.AppendByteOrder, text string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(text)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

func encodeText(t *testing.T, e encoding.Encoding, text string) string {
	t.Helper()
	s, err := e.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// XML is read in the encoding given by its bytes, its Content-Type or its
// declaration (XML 1.0 section 4.3.3, appendix F).
func TestEncodings(t *testing.T) {
	const body = `<job id="J"><step id="夜間バッチ"/></job>`
	declared := func(name string) string { return `<?xml version="1.0" encoding="` + name + `"?>` + "\n" + body }
	latin := `<?xml version='1.0' encoding='iso-8859-1'?><job id="J"><step id="é"/></job>`
	for _, c := range []struct {
		name, charset, text, want string
	}{
		{"Shift_JIS", "", encodeText(t, japanese.ShiftJIS, declared("Shift_JIS")), "夜間バッチ"},
		{"Windows-31J", "", encodeText(t, japanese.ShiftJIS, declared("Windows-31J")), "夜間バッチ"},
		{"MS932", "", encodeText(t, japanese.ShiftJIS, declared("MS932")), "夜間バッチ"},
		{"Cp932, as Java calls it", "", encodeText(t, japanese.ShiftJIS, declared("Cp932")), "夜間バッチ"},
		{"EUC-JP", "", encodeText(t, japanese.EUCJP, declared("EUC-JP")), "夜間バッチ"},
		{"ISO-2022-JP", "", encodeText(t, japanese.ISO2022JP, declared("ISO-2022-JP")), "夜間バッチ"},
		{"GB18030", "", encodeText(t, simplifiedchinese.GB18030, declared("gb18030")), "夜間バッチ"},
		{"ISO-8859-1", "", encodeText(t, charmap.ISO8859_1, latin), "é"},
		{"US-ASCII", "", strings.Replace(declared("us-ascii"), "夜間バッチ", "&#x591C;", 1), "夜"},
		{"EBCDIC", "", encodeText(t, charmap.CodePage037, `<?xml version="1.0" encoding="IBM037"?><job id="J"><step id="é"/></job>`), "é"},
		{"UTF-8 of that name", "", declared("utf-8"), "夜間バッチ"},
		{"UTF-8 with a byte order mark", "", "\ufeff" + declared("UTF-8"), "夜間バッチ"},
		{"UTF-16, big-endian, with a byte order mark", "", asUTF16(binary.BigEndian, "\ufeff"+declared("UTF-16")), "夜間バッチ"},
		{"UTF-16, little-endian, with a byte order mark", "", asUTF16(binary.LittleEndian, "\ufeff"+declared("UTF-16")), "夜間バッチ"},
		{"UTF-16, big-endian, without", "", asUTF16(binary.BigEndian, declared("UTF-16BE")), "夜間バッチ"},
		{"UTF-16, little-endian, without", "", asUTF16(binary.LittleEndian, declared("UTF-16LE")), "夜間バッチ"},
		{"UTF-16 without a declaration", "", asUTF16(binary.LittleEndian, "\ufeff"+body), "夜間バッチ"},
		{"UTF-16 with surrogates", "", asUTF16(binary.BigEndian, strings.Replace(body, "夜間バッチ", "𠮷", 1)), "𠮷"},
		{"UTF-32", "", encodeText(t, utf32.UTF32(utf32.LittleEndian, utf32.UseBOM), declared("UTF-32")), "夜間バッチ"},
		{"a charset before the declaration", "UTF-8", declared("Shift_JIS"), "夜間バッチ"},
		{"a charset without a declaration", "shift_jis", encodeText(t, japanese.ShiftJIS, body), "夜間バッチ"},
		{"a byte order mark before the charset", "Shift_JIS", "\ufeff" + body, "夜間バッチ"},
		{"the charset UTF-16", "utf-16", asUTF16(binary.BigEndian, body), "夜間バッチ"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j, err := ParseCharset(XML, []byte(c.text), c.charset)
			if err != nil {
				t.Fatal(err)
			}
			if got := j.Elements[0].ElementID(); got != c.want {
				t.Errorf("step %q, want %q", got, c.want)
			}
		})
	}
}

// A text that cannot be decoded is refused, with a place counted in characters.
func TestEncodingFaults(t *testing.T) {
	for _, c := range []struct {
		name, charset, text, want string
	}{
		{"an encoding that nobody knows", "", `<?xml version="1.0" encoding="klingon"?><job id="J"/>`,
			`the definition: want ` + wantEncoding + `, got "klingon" (line 1, column 31)`},
		{"one that must not be read", "", `<?xml version="1.0" encoding="iso-2022-kr"?><job id="J"/>`, `the definition: want ` + wantEncoding + `, got "iso-2022-kr" (line 1, column 31)`},
		{"an unknown charset", "klingon", `<job id="J"/>`, `the definition: want ` + wantEncoding + `, got "klingon"`},
		{"UTF-8 that says it was UTF-16", "", `<?xml version="1.0" encoding="UTF-16"?><job id="J"/>`, `the definition: want the encoding that the first bytes indicate, got "UTF-16" (line 1, column 31)`},
		{"a mark of UTF-8 and a declaration of Shift_JIS", "", "\ufeff<?xml version=\"1.0\" encoding=\"Shift_JIS\"?><job id=\"J\"/>",
			`the definition: want the encoding that the first bytes indicate, UTF-8, got "Shift_JIS" (line 1, column 31)`},
		{"the charset UTF-16 of a text in UTF-8", "utf-16", `<job id="J"/>`, ""},
		{"bytes that are no Shift_JIS", "", "<?xml version='1.0' encoding='Shift_JIS'?>\n<job id='\x82\xa0\x82\xa0\xff'/>", "the definition: want text in Shift_JIS, got invalid bytes (line 2, column 12)"},
		{"half a surrogate", "", asUTF16(binary.BigEndian, "<job id='") + "\xd8\x00\x00'", "the definition: want text in UTF-16, got invalid bytes (line 1, column 10)"},
		{"half a character", "", asUTF16(binary.BigEndian, "<a/>") + "\x00", "the definition: want text in UTF-16, got invalid bytes (line 1, column 5)"},
		{"a fault in a text that was decoded", "", encodeText(t, japanese.ShiftJIS, "<?xml version=\"1.0\" encoding=\"Shift_JIS\"?>\n<job id=\"J\"><step id=\"夜間\" start-limit=\"x\"/></job>"),
			`/steps/0/start_limit: want a whole number of at least 0, got "x" (line 2, column 39)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseCharset(XML, []byte(c.text), c.charset)
			var errs Errors
			if !errors.As(err, &errs) || c.want != "" && err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// A literal tab or line break in an attribute becomes a space; a character
// reference stays (XML 1.0 section 3.3.3).
func TestAttributesAreNormalized(t *testing.T) {
	value := func(t *testing.T, written string) string {
		t.Helper()
		j, err := Parse(XML, []byte("<job id='J'>\r\n<properties><property name='p' value=\""+written+"\"/></properties><step id='s'/></job>"))
		if err != nil {
			t.Fatalf("%q: %v", written, err)
		}
		return j.Properties[0].Value
	}
	for written, want := range map[string]string{
		"a\nb":                    "a b",
		"a\r\nb":                  "a b",
		"a\rb\r\rc":               "a b  c",
		"\ta\n\n":                 " a  ",
		"a&#10;b":                 "a\nb",
		"a&#13;&#xA;&#9;\tb":      "a\r\n\t b",
		"echo 1\necho 2 '>' &gt;": "echo 1 echo 2 '>' >",
		"<!--\n-->":               "",
	} {
		if strings.Contains(written, "<") {
			continue
		}
		if got := value(t, written); got != want {
			t.Errorf("%q is read as %q, want %q", written, got, want)
		}
	}
	// Places are those of the original text, and only attributes change.
	_, err := Parse(XML, []byte("<!-- \" -->\n<job\r\n id='J' \r\n restartable='a\r\nb\tc'\r\n><step id='s'\r\n start-limit='x'/></job>"))
	const want = `/restartable: want true or false, got "a b c" (line 4, column 14); /steps/0/start_limit: want a whole number of at least 0, got "x" (line 7, column 14)`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	j, err := Parse(BPMN, []byte(`<jsr352:job id="J"><jsr352:step id="s"><jsr352:batchlet ref="a`+"\n"+`b"/></jsr352:step></jsr352:job>`))
	if err != nil || j.Elements[0].(*Step).Batchlet.Ref != "a b" {
		t.Errorf("a diagram: %v", err)
	}
}

// A job read in the namespace of Jakarta Batch is written in it again, also by
// way of another form.
func TestNamespaceIsRemembered(t *testing.T) {
	for space, want := range map[string]string{
		`xmlns="https://jakarta.ee/xml/ns/jakartaee" version="2.0"`: `<job xmlns="https://jakarta.ee/xml/ns/jakartaee" version="2.0" id="J">`,
		`xmlns="http://xmlns.jcp.org/xml/ns/javaee" version="1.0"`:  `<job xmlns="http://xmlns.jcp.org/xml/ns/javaee" version="1.0" id="J">`,
		``: `<job xmlns="http://xmlns.jcp.org/xml/ns/javaee" version="1.0" id="J">`,
	} {
		j, err := Parse(XML, []byte(`<job `+space+` id="J"><step id="s"/></job>`))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range formats {
			text, err := j.Format(f)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Parse(f, text)
			if err != nil {
				t.Fatal(err)
			}
			if text, _ := again.Format(XML); !strings.Contains(string(text), want) {
				t.Errorf("through %s:\n%s\nwant %s", f, text, want)
			}
		}
	}
	for _, wrong := range []string{`"other"`, `"#{jobParameters['n']}"`, `5`} {
		if _, err := ParseJSON([]byte(`{"id":"J","namespace":` + wrong + `,"steps":[{"id":"s"}]}`)); err == nil || !strings.Contains(err.Error(), "/namespace: want ") {
			t.Errorf("namespace %s: %v", wrong, err)
		}
	}
}

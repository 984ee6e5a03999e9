package builtin_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/job-streamer/job-streamer-control-bus/agent/builtin"
)

func TestFixedWidthReader(t *testing.T) {
	const fields = "id:4:right:0, name:6, -:1, note:3:left:*"
	checkReads(t, builtin.FixedWidthReader, []readTest{
		{"fields", map[string]string{"fields": fields}, "0012Müller|ab*\r\n\n0000 x    |***\n", "id=\"12\" name=\"Müller\" note=\"ab\"\nid=\"0\" name=\" x\" note=\"\"", ""},
		{"blanks are nil", map[string]string{"fields": fields}, strings.Repeat(" ", 14), "id=<nil>(<nil>) name=<nil>(<nil>) note=<nil>(<nil>)", ""},
		{"zeros", map[string]string{"fields": "a:6:right:0\nb:6:right:0", "type.a": "number"}, "-00.50+00007\n000000000.00\n", "a=json.Number(-0.50) b=\"7\"\na=json.Number(0) b=\"0.00\"", ""},
		{"no number", map[string]string{"fields": "a:3:right:0"}, "0x1\n-00\n--1\n0 1\n", "line 1: field a: want a number with zeros before it, got \"0x1\"\na=\"-0\"\n" +
			"line 3: field a: want a number with zeros before it, got \"--1\"\nline 4: field a: want a number with zeros before it, got \"0 1\"", ""},
		{"types", map[string]string{"fields": "a:3:right,b:1", "type.a": "integer", "type.b": "boolean"}, " -1t\n  xf\n", "a=int64(-1) b=bool(true)\nline 2: field a: want a whole number of up to 64 bits, got \"  x\"", ""},
		{"length", map[string]string{"fields": "a:2", "comment": "H", "skip_lines": "1"}, "x\nHEADER\nü\nüü\nabc\n", "line 3: want 2 characters, got 1\na=\"üü\"\nline 5: want 2 characters, got 3", ""},
		{"windows-1252", map[string]string{"fields": "a:2", "encoding": "windows-1252"}, "\x80\xfc", `a="€ü"`, ""},
		{"no fields", nil, "", "", "property fields: want fields such as name:10"},
		{"a type of no field", map[string]string{"fields": "a:2", "type.b": "text"}, "", "", "property type.b: want one of the fields a"},
	})
	for _, bad := range []string{"a", "a:0", "a:x", "a:1:middle", "a:1:left:0", "a:1:right:1", "a:1:left:ab", "a:1:left:", ":1", "a:1,a:2"} {
		if _, err := readText(t, builtin.FixedWidthReader, "", map[string]string{"fields": bad}); err == nil || !strings.Contains(err.Error(), "property fields: want fields such as") {
			t.Errorf("fields %q: %v", bad, err)
		}
	}
}

func TestFixedWidthWriter(t *testing.T) {
	checkWrites(t, builtin.FixedWidthWriter, []writeTest{
		{"fields", map[string]string{"fields": "id:4:right:0, name:6, -:1, note:3:left:*, sum:6:right", "line_end": "crlf"},
			[]builtin.Record{{"id": int64(-12), "name": "Müller", "note": "ab", "sum": json.Number("1.50")}, {"id": nil, "name": "", "note": "", "sum": true}},
			"-012Müller ab*  1.50\r\n" + strings.Repeat(" ", 14) + "  true\r\n", ""},
		{"a value that is too long", map[string]string{"fields": "a:2"}, []builtin.Record{{"a": "üü"}, {"a": "abc"}}, "", `item 2 of the chunk: field a: want at most 2 characters, got "abc"`},
		{"a line break", map[string]string{"fields": "a:2"}, []builtin.Record{{"a": "\n"}}, "", "field a: want no line break"},
		{"no number", map[string]string{"fields": "a:2:right:0"}, []builtin.Record{{"a": "x"}}, "", "field a: want a number, since its padding is 0"},
		{"a missing field", map[string]string{"fields": "a:2,b:2"}, []builtin.Record{{"a": "x"}}, "", "field b: the item does not have it"},
		{"a missing field that is allowed", map[string]string{"fields": "a:2,b:2", "missing": "empty"}, []builtin.Record{{"a": "x"}}, "x   \n", ""},
		{"another field", map[string]string{"fields": "a:2", "extra": "refuse"}, []builtin.Record{{"a": "x", "b": 1}}, "", "field b: it is not one of the columns"},
	})
}

func TestFixedWidthRestarts(t *testing.T) {
	checkReaderRestarts(t, builtin.FixedWidthReader, "x\nab\n\nabc\nüü\r\ncd", map[string]string{"fields": "a:2", "skip_lines": "1"})
}

// What is written is read again, but for padding.
func FuzzFixedWidthRoundTrip(f *testing.F) {
	f.Add("Ann", "ü\r", int64(-7))
	f.Add("\ufeff", " ", int64(0))
	f.Fuzz(func(t *testing.T, a, b string, i int64) {
		properties := map[string]string{"file": filepath.Join(t.TempDir(), "file"), "fields": "a:9,b:7:right:*,-:2:left:|,i:20:right:0,n:8:right:0"}
		number := json.Number(strconv.FormatFloat(float64(i%1000)/100, 'f', 2, 64))
		item := builtin.Record{"a": a, "b": b, "i": i, "n": number}
		if err := writeFile(t, builtin.FixedWidthWriter, properties["file"], properties, []builtin.Record{item, {"a": nil, "b": nil, "i": nil, "n": nil}}); err != nil {
			var e *builtin.FormatError
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
			return
		}
		r, err := newFileReader(t, builtin.FixedWidthReader, with(properties, "type.i", "integer", "type.n", "number"))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Open(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		defer r.Close(t.Context()) //nolint:errcheck // it was only read
		want := builtin.Record{"a": strings.TrimRight(a, " "), "b": strings.TrimLeft(b, "*"), "i": i, "n": number}
		if want["a"] == "" {
			want["a"] = nil
		}
		if b == "" || strings.Trim(b, " ") == "" && len(b) == 7 {
			want["b"] = nil
		}
		for _, want := range []builtin.Record{want, {"a": nil, "b": nil, "i": nil, "n": nil}} {
			got, err := r.ReadItem(t.Context())
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Fatalf("%v %s\nin %q", err, diff, fileText(t, properties["file"]))
			}
		}
		if _, err := r.ReadItem(t.Context()); err != io.EOF {
			t.Errorf("after the last item: %v", err)
		}
	})
}

// Any bytes end without a panic, and a restart at each item reads the same.
func FuzzFixedWidthReader(f *testing.F) {
	f.Add([]byte("ab001\n\r\n -02\xff\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		properties := map[string]string{"fields": "a:2,b:3:right:0", "type.b": "number"}
		got, err := readText(t, builtin.FixedWidthReader, string(text), properties)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) > bytes.Count(text, []byte("\n"))+1 {
			t.Fatalf("%d items and errors of %q", len(got), text)
		}
		if len(text) < 100 {
			checkReaderRestarts(t, builtin.FixedWidthReader, string(text), properties)
		}
	})
}

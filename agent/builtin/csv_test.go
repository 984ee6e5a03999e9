package builtin_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/job-streamer/job-streamer-control-bus/agent/builtin"
)

func TestCSVReader(t *testing.T) {
	checkReads(t, builtin.CSVReader, []readTest{
		{"a header", nil, "id,name\n1,Ann\n2,Bob\n", "id=\"1\" name=\"Ann\"\nid=\"2\" name=\"Bob\"", ""},
		{"no line break at the end", nil, "id\r\n1\r\n2", "id=\"1\"\nid=\"2\"", ""},
		{"empty lines", nil, "\n\nid\n\n1\n\n", "id=\"1\"", ""},
		{"a byte order mark", nil, "\ufeffid\n1\n", "id=\"1\"", ""},
		{"an empty field is nil, a quoted one a text", nil, "a,b\n,\"\"\n", "a=<nil>(<nil>) b=\"\"", ""},
		{"null_text", map[string]string{"null_text": "NULL"}, "a,b,c\nNULL,\"NULL\",\n", `a=<nil>(<nil>) b="NULL" c=""`, ""},
		{"no null_text", map[string]string{"null_text": "none"}, "a,b\n,\"\"\n", `a="" b=""`, ""},
		{"quotes", nil, "a,b\n\"x,\"\"y\"\"\",\"1\r\n2\n\"\n", `a="x,\"y\"" b="1\r\n2\n"`, ""},
		{"no header", map[string]string{"header": "no", "columns": "a, b"}, "1,2\n", `a="1" b="2"`, ""},
		{"a header that is passed over", map[string]string{"header": "skip", "columns": "a\nb"}, "\"x\ny\",z\n1,2\n", `a="1" b="2"`, ""},
		{"some columns", map[string]string{"columns": "c,a"}, "a,b,c,\n1,2,3,4\n", `a="1" c="3"`, ""},
		{"a column that the header lacks", map[string]string{"columns": "d"}, "a,b\n", "", `the header has no column "d"`},
		{"a column twice", nil, "a,b,a\n", "", `the header has column "a" twice`},
		{"a column without a name", nil, "a,\n", "", `the header has no name for column 2`},
		{"no header in an empty file", nil, "", "", "want a header (property header), got the end of the file"},
		{"a bad header", nil, "a,b\"\n", "", `line 1: field 2: want " around`},
		{"delimiter and quote", map[string]string{"delimiter": ";", "quote": "'"}, "a;b\n'x;''';\"\n", `a="x;'" b="\""`, ""},
		{"tabs without quotes", map[string]string{"delimiter": "tab", "quote": "none"}, "a\tb\n\"\t5\" pipe\n", `a="\"" b="5\" pipe"`, ""},
		{"comments", map[string]string{"comment": "#"}, "# x\na\n#1\n\"#2\"\n", `a="#2"`, ""},
		{"skipped lines", map[string]string{"skip_lines": "2"}, "Report\n\"\na\n1\n", `a="1"`, ""},
		{"trim", map[string]string{"trim": "yes"}, " a , b\n x , \" y \" \n", `a="x" b=" y "`, ""},
		{"types", map[string]string{"type.i": "integer", "type.n": "number", "type.b": "boolean", "type.t": "text"},
			"i,n,b,t\n-7,12.50,T,1\n,,,\n", "b=bool(true) i=int64(-7) n=json.Number(12.50) t=\"1\"\nb=<nil>(<nil>) i=<nil>(<nil>) n=<nil>(<nil>) t=<nil>(<nil>)", ""},
		{"a type of no column", map[string]string{"type.x": "integer"}, "a,b\n", "", "property type.x: want one of the fields a, b"},
		{"latin1", map[string]string{"encoding": "iso-8859-1"}, "a\nM\xfcller\n", `a="Müller"`, ""},
		{"windows-1252", map[string]string{"encoding": "windows-1252"}, "a\n5 \x80\n", `a="5 €"`, ""},

		// Errors that can be skipped: the reader goes on with the next line.
		{"bad lines", map[string]string{"type.a": "integer"}, "a,b\n1\nx,2\n1,2,3\n1,5\" pipe\n\"1\"2,3\n\xff,1\n4,5\n",
			`line 2: want 2 fields, got 1
line 3: field a: want a whole number of up to 64 bits, got "x"
line 4: want 2 fields, got 3
line 5: field 2: want " around a field that contains it
line 6: field 1: want a delimiter after the closing "
line 7: want UTF-8; other encodings need the property encoding
a=int64(4) b="5"`, ""},
		{"a bad field after line breaks", nil, "a,b\n\"1\n2\n3\"x,4\n5,6\n\"7\n8\"\n9,10\n",
			"lines 2 to 4: field 1: want a delimiter after the closing \"\na=\"5\" b=\"6\"\nlines 6 to 7: want 2 fields, got 1\na=\"9\" b=\"10\"", ""},
		{"a quote without an end is not skippable", nil, "a\n\"1\n2\n", "! line 2: field 1: want a closing \" within 1048576 bytes (property line_bytes); if no field has line breaks, set the property multiline to no", ""},
		{"no line breaks in fields", map[string]string{"multiline": "no"}, "a\n\"1\n2\n", "line 2: field 1: want a closing \"\na=\"2\"", ""},
		{"a long line", map[string]string{"line_bytes": "5"}, "a,b\n123,4\n123,45\n1,2\n" + strings.Repeat("x", 200_000) + "\n3,4\n",
			"a=\"123\" b=\"4\"\nline 3: want at most 5 bytes (property line_bytes)\na=\"1\" b=\"2\"\nline 5: want at most 5 bytes (property line_bytes)\na=\"3\" b=\"4\"", ""},
		{"a long line whose kept part ends with \\r", map[string]string{"line_bytes": "65535"}, strings.Repeat("x", 65_535) + "\ry\na\n1\n",
			"", "line 1: want at most 65535 bytes"},
		{"long lines", nil, "a\n" + strings.Repeat("x", 70_000) + "\nb\n", "a=\"" + strings.Repeat("x", 70_000) + "\"\na=\"b\"", ""},

		{"wrong properties", map[string]string{"header": "none", "delimiter": "ab", "quote": ",", "type.a": "int", "columns": "a,a", "encoding": "ebcdic", "file_name": "x"}, "", "",
			`property encoding: want one of utf-8, iso-8859-1, iso-8859-15, windows-1252, got "ebcdic"; property delimiter: want one character, or tab, got "ab"; property quote: want another character than delimiter`},
		{"no columns", map[string]string{"header": "no"}, "", "", "property columns: want the names of the columns"},
	})
}

func TestCSVWriter(t *testing.T) {
	at := time.Date(2026, 11, 30, 6, 0, 0, 500, time.UTC)
	checkWrites(t, builtin.CSVWriter, []writeTest{
		{"a header", map[string]string{"columns": "b, a"}, []builtin.Record{{"a": "1", "b": "2", "c": 3}}, "b,a\n2,1\n", ""},
		{"no items", map[string]string{"columns": "a", "header": "no"}, nil, "", ""},
		{"values", map[string]string{"columns": "a,b,c,d,e,f,g,h,i,j", "header": "no"},
			[]builtin.Record{{"a": nil, "b": true, "c": int64(-1), "d": 0.1, "e": json.Number("12.50"), "f": []byte{255}, "g": at, "h": []any{"x", nil}, "i": 1e21, "j": ""}},
			",true,-1,0.1,12.50,/w==,2026-11-30T06:00:00.0000005Z,\"[\"\"x\"\",null]\",1e+21,\"\"\n", ""},
		{"quotes", map[string]string{"columns": "a,b"}, []builtin.Record{{"a": "x\"y\n", "b": " z"}}, "a,b\n\"x\"\"y\n\",\" z\"\n", ""},
		{"the dialect", map[string]string{"columns": "a,b", "delimiter": "tab", "quote": "'", "null_text": "NULL", "line_end": "crlf"},
			[]builtin.Record{{"a": nil, "b": "NULL"}, {"a": "", "b": "x,y"}}, "a\tb\r\nNULL\t'NULL'\r\n\tx,y\r\n", ""},
		{"latin1", map[string]string{"columns": "ä", "encoding": "iso-8859-1"}, []builtin.Record{{"ä": "ü"}}, "\xe4\n\xfc\n", ""},
		{"a missing field that is allowed", map[string]string{"columns": "a,b", "missing": "empty"}, []builtin.Record{{"b": 1}}, "a,b\n,1\n", ""},

		// An error: none of the items is written.
		{"a missing field", map[string]string{"columns": "a,b"}, []builtin.Record{{"a": 1, "b": 2}, {"a": 1}}, "a,b\n", "item 2 of the chunk: field b: the item does not have it"},
		{"another field", map[string]string{"columns": "a", "extra": "refuse"}, []builtin.Record{{"a": 1, "b": 2}}, "a\n", "item 1 of the chunk: field b: it is not one of the columns"},
		{"a character that the encoding lacks", map[string]string{"columns": "a", "encoding": "iso-8859-1"}, []builtin.Record{{"a": "€"}}, "a\n", `item 1 of the chunk: '€' is not in the encoding ISO 8859-1`},
		{"not UTF-8", map[string]string{"columns": "a"}, []builtin.Record{{"a": "\xff"}}, "a\n", "item 1 of the chunk: want UTF-8"},
		{"a delimiter without quotes", map[string]string{"columns": "a", "quote": "none"}, []builtin.Record{{"a": "x,y"}}, "a\n", "field a: want no delimiter and no line break, since quote is none"},
		{"an empty line", map[string]string{"columns": "a"}, []builtin.Record{{"a": nil}}, "a\n", "the line would be empty"},
	})
}

// A restart, and a rollback, begin after the last commit: the item after it is
// read again.
func TestCSVReaderRestarts(t *testing.T) {
	const text = "\ufeff# of today\r\nid,name\r\n1,Ann\r\n\r\n# x\r\n2,\"Bob\r\nBuilder\"\r\nbad\r\n3,\"\"\"\"\r\n4,"
	checkReaderRestarts(t, builtin.CSVReader, text, map[string]string{"comment": "#", "type.id": "integer"})
	checkReaderRestarts(t, builtin.CSVReader, text, map[string]string{"comment": "#", "header": "no", "columns": "a,b"})
	checkReaderRestarts(t, builtin.CSVReader, "x\n"+text, map[string]string{"comment": "#", "skip_lines": "1", "encoding": "windows-1252"})
}

// A checkpoint is not used on another file.
func TestCSVReaderChangedFile(t *testing.T) {
	file := putFile(t, "a\n1\n2\n")
	r, err := newFileReader(t, builtin.CSVReader, map[string]string{"file": file})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Open(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	readFileItems(t, r, 1)
	at := fileCheckpoint(t, r)
	_ = r.Close(t.Context())
	for _, test := range []struct{ name, text, err string }{
		{"it has grown", "a\n1\n2\n3\n", ""},
		{"it is shorter", "a\n", "has changed since the last commit: want at least 4 bytes, got 2"},
		{"it is another one", "b\n1\n2\n", "has changed since the last commit: want the file that was read up to line 2"},
	} {
		if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := r.Open(t.Context(), at)
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v, want %q", test.name, err, test.err)
		}
		if err == nil {
			_ = r.Close(t.Context())
		}
	}
	if err := r.Open(t.Context(), []byte("[]")); err == nil {
		t.Error("a checkpoint of something else was taken")
	}
}

// Open truncates to the checkpoint; without one it begins the file again.
func TestFileWriterOpen(t *testing.T) {
	properties := map[string]string{"columns": "a", "file": putFile(t, "what was there before")}
	file := properties["file"]
	w := newFileWriter(t, builtin.CSVWriter, properties)
	write := func(values ...string) {
		t.Helper()
		var items []builtin.Record
		for _, v := range values {
			items = append(items, builtin.Record{"a": v})
		}
		if err := w.WriteItems(t.Context(), items); err != nil {
			t.Fatal(err)
		}
	}
	open := func(at []byte) {
		t.Helper()
		if err := w.Open(t.Context(), at); err != nil {
			t.Fatal(err)
		}
	}
	open(nil)
	write("1", "2")
	at := fileCheckpoint(t, w)
	write("3")
	_ = w.Close(t.Context())
	open(at)
	write("4")
	_ = w.Close(t.Context())
	if got := fileText(t, file); got != "a\n1\n2\n4\n" {
		t.Errorf("the file holds %q", got)
	}
	open(nil)
	write("5")
	if err := newFileWriter(t, builtin.CSVWriter, properties).Open(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "another writer has the file open") {
		t.Errorf("a second writer: %v", err)
	}
	_ = w.Close(t.Context())
	if got := fileText(t, file); got != "a\n5\n" {
		t.Errorf("the file holds %q", got)
	}
	if err := w.Open(t.Context(), at); err == nil || !strings.Contains(err.Error(), "want at least 6 bytes, got 4") {
		t.Errorf("a file that is too short: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := w.Open(t.Context(), at); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is gone: %v", err)
	}
	if err := newFileWriter(t, builtin.CSVWriter, with(properties, "file", t.TempDir())).Open(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "want a regular file") {
		t.Errorf("a folder: %v", err)
	}
}

// existing=refuse keeps the file of another, but a rollback before the first
// commit begins the file again.
func TestFileWriterRefusesExisting(t *testing.T) {
	properties := map[string]string{"columns": "a", "existing": "refuse", "file": putFile(t, "precious")}
	if err := newFileWriter(t, builtin.CSVWriter, properties).Open(t.Context(), nil); !errors.Is(err, os.ErrExist) {
		t.Errorf("it was opened: %v", err)
	}
	if got := fileText(t, properties["file"]); got != "precious" {
		t.Errorf("the file holds %q", got)
	}
	w := newFileWriter(t, builtin.CSVWriter, with(properties, "file", filepath.Join(t.TempDir(), "new")))
	for range 2 {
		if err := w.Open(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		_ = w.Close(t.Context())
	}
}

func TestFilesAreRefused(t *testing.T) {
	c := builtin.Config{NoFiles: "this agent runs jobs as ann"}
	for ref, f := range c.Readers() {
		if _, err := f(stepWith(map[string]string{"file": "x"})); strings.HasPrefix(ref, "org.jobstreamer.batch.Sql") == (err != nil && strings.Contains(err.Error(), c.NoFiles)) {
			t.Errorf("%s: %v", ref, err)
		}
	}
	for ref, f := range c.Writers() {
		if _, err := f(stepWith(map[string]string{"file": "x"})); strings.HasPrefix(ref, "org.jobstreamer.batch.Sql") == (err != nil && strings.Contains(err.Error(), c.NoFiles)) {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

// What is written is read again.
func FuzzCSVRoundTrip(f *testing.F) {
	f.Add("a", "b", "1", "x,\"y\"\n", byte(0), false)
	f.Add("\ufeff", "\\N", " ", "\r", byte(1), true)
	f.Add("", "#", "'", "\t|;", byte(2), false)
	f.Fuzz(func(t *testing.T, a, b, c, d string, dialect byte, crlf bool) {
		properties := [4]map[string]string{{}, {"delimiter": "tab", "null_text": "\\N"}, {"delimiter": "é", "quote": "'"}, {"delimiter": "|", "header": "no", "null_text": "none"}}[dialect%4]
		properties["file"] = filepath.Join(t.TempDir(), "file")
		items := []builtin.Record{{"x": a, "y": b}, {"x": nil, "y": c}, {"x": d, "y": nil}, {"x": b, "y": ""}}
		if properties["null_text"] == "none" {
			items = items[:1]
		}
		end := "lf"
		if crlf {
			end = "crlf"
		}
		err := writeFile(t, builtin.CSVWriter, properties["file"], with(properties, "columns", "x,y", "line_end", end), items)
		if err != nil {
			var e *builtin.FormatError
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
			return // not UTF-8
		}
		r, err := newFileReader(t, builtin.CSVReader, with(properties, "columns", "x,y", "line_bytes", "67108864"))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Open(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		defer r.Close(t.Context()) //nolint:errcheck // it was only read
		for _, want := range items {
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

// Any bytes end without a panic, and a restart at each item reads the same. What
// encoding/csv takes is read as it reads it.
func FuzzCSVReader(f *testing.F) {
	f.Add([]byte("a,b\n1,\"x\n\"\"y\"\n\n2,3"), true)
	f.Add([]byte("\"\n\r\r\n,\xff\n\"a\"b\n"), false)
	f.Fuzz(func(t *testing.T, text []byte, multiline bool) {
		properties := map[string]string{"header": "no", "columns": "a,b", "null_text": "none"}
		if !multiline {
			properties["multiline"] = "no"
		}
		got, err := readText(t, builtin.CSVReader, string(text), properties)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) > bytes.Count(text, []byte("\n"))+1 {
			t.Fatalf("%d items and errors of %q", len(got), text)
		}
		if len(text) < 100 {
			checkReaderRestarts(t, builtin.CSVReader, string(text), properties)
		}
		if !multiline || bytes.Contains(text, []byte("\r")) || bytes.HasPrefix(text, []byte("\ufeff")) || strings.ToValidUTF8(string(text), "") != string(text) {
			return // encoding/csv changes \r\n in fields
		}
		r := csv.NewReader(bytes.NewReader(text))
		r.FieldsPerRecord = 2
		all, err := r.ReadAll()
		if err != nil {
			return
		}
		var want []string
		for _, fields := range all {
			want = append(want, showItem(builtin.Record{"a": fields[0], "b": fields[1]}))
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

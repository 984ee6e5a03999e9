package builtin_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/job-streamer/job-streamer-control-bus/agent/builtin"
)

func TestJSONLinesReader(t *testing.T) {
	checkReads(t, builtin.JSONLinesReader, []readTest{
		{"objects", nil, "\ufeff{\"a\": 1.50, \"b\": \"x\"}\r\n\n \t\n{\"a\": null, \"b\": true}\n{}", "a=json.Number(1.50) b=\"x\"\na=<nil>(<nil>) b=bool(true)\n", ""},
		{"values in values", nil, `{"a": [1, {"b": "\u00fc"}, []]}`, "a=[]interface {}([1 map[b:ü] []])", ""},
		{"comments", map[string]string{"comment": "//"}, "// x\n{\"a\": false}\n", "a=bool(false)", ""},
		{"latin1", map[string]string{"encoding": "iso-8859-1"}, "{\"a\": \"M\xfcller\"}\n", `a="Müller"`, ""},
		{"bad lines", map[string]string{"line_bytes": "16"}, "[1]\n{\"a\": 1\n{\"a\": 1} {}\n\"\xff\"\n{\"a\": 1, \"a\": 2}\n{\"a\": 1, \"b\": \"0123456\"}\n{\"a\": 01}\n{\"a\":1,\"a\":2}\nnull\n{\"a\": 1}\n",
			`line 1: want one JSON object: got a [
line 2: want one JSON object: unexpected EOF
line 3: want one JSON object: got more after it
line 4: want UTF-8; other encodings need the property encoding
line 5: want one JSON object: duplicate object member name
line 6: want at most 16 bytes (property line_bytes)
line 7: want one JSON object: invalid character '1' after object value (expecting ',' or '}')
line 8: want one JSON object: duplicate object member name
line 9: want one JSON object: got a null
a=json.Number(1)`, ""},
		{"an unknown property", map[string]string{"columns": "a"}, "", "", "property columns: unknown, want comment, encoding, file, line_bytes"},
	})
}

func TestJSONLinesWriter(t *testing.T) {
	at := time.Date(2026, 11, 30, 6, 0, 0, 0, time.UTC)
	checkWrites(t, builtin.JSONLinesWriter, []writeTest{
		{"all fields", nil, []builtin.Record{{"b": "<ü\n", "a": nil}, {}}, "{\"a\":null,\"b\":\"<ü\\n\"}\n{}\n", ""},
		{"values", nil, []builtin.Record{{"a": true, "b": int64(-1), "c": 0.5, "d": json.Number("1.50"), "e": []byte{1}, "f": at, "g": []any{1, map[string]any{"x": nil, "b": ""}}}},
			`{"a":true,"b":-1,"c":0.5,"d":1.50,"e":"AQ==","f":"2026-11-30T06:00:00Z","g":[1,{"b":"","x":null}]}` + "\n", ""},
		{"columns", map[string]string{"columns": "b,a", "missing": "empty"}, []builtin.Record{{"a": 1, "c": 2}}, "{\"b\":null,\"a\":1}\n", ""},
		{"a missing field", map[string]string{"columns": "b,a"}, []builtin.Record{{"a": 1}}, "", "field b: the item does not have it"},
		{"another field", map[string]string{"columns": "b", "extra": "refuse"}, []builtin.Record{{"a": 1, "b": 2}}, "", "field a: it is not one of the columns"},
		{"no number", nil, []builtin.Record{{"a": math.NaN()}}, "", "item 1 of the chunk: field a: want a number, got NaN"},
		{"a bad number", nil, []builtin.Record{{"a": []any{json.Number("01")}}}, "", `field a: want a number, got "01"`},
		{"not UTF-8", nil, []builtin.Record{{"a": "\xff"}}, "", "field a: "},
	})
}

func TestJSONLinesRestarts(t *testing.T) {
	checkReaderRestarts(t, builtin.JSONLinesReader, "{\"a\":1}\n\nbad\n{\"a\":2}\r\n{\"a\":3}", nil)
}

// What is written is read again.
func FuzzJSONLinesRoundTrip(f *testing.F) {
	f.Add("a", "x\"\n\u2028", int64(-5), 0.1)
	f.Add("", "<", int64(math.MaxInt64), 1e300)
	f.Fuzz(func(t *testing.T, name, text string, i int64, number float64) {
		file := filepath.Join(t.TempDir(), "file")
		want := builtin.Record{name: text, name + "i": i, name + "n": number, name + "l": []any{nil, true, builtin.Record{text: []any{}}}}
		if err := writeFile(t, builtin.JSONLinesWriter, file, nil, []builtin.Record{want, want}); err != nil {
			var e *builtin.FormatError
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
			return
		}
		r, err := newFileReader(t, builtin.JSONLinesReader, map[string]string{"file": file, "line_bytes": "67108864"})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Open(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		defer r.Close(t.Context()) //nolint:errcheck // it was only read
		for range 2 {
			got, err := r.ReadItem(t.Context())
			if err != nil {
				t.Fatalf("%v in %q", err, fileText(t, file))
			}
			gotI, _ := got[name+"i"].(json.Number).Int64()
			gotN, _ := got[name+"n"].(json.Number).Float64()
			if gotI != i || gotN != number {
				t.Errorf("got %v %v, want %v %v", got[name+"i"], got[name+"n"], i, number)
			}
			got[name+"i"], got[name+"n"] = i, number
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s\nin %q", diff, fileText(t, file))
			}
		}
		if _, err := r.ReadItem(t.Context()); err != io.EOF {
			t.Errorf("after the last item: %v", err)
		}
	})
}

// Any bytes end without a panic, and a restart at each item reads the same. What
// is read is what encoding/json reads.
func FuzzJSONLinesReader(f *testing.F) {
	f.Add([]byte("{\"a\":[1,{}]}\n{\n\n\xff"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := readText(t, builtin.JSONLinesReader, string(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) > bytes.Count(text, []byte("\n"))+1 {
			t.Fatalf("%d items and errors of %q", len(got), text)
		}
		if len(text) < 100 {
			checkReaderRestarts(t, builtin.JSONLinesReader, string(text), nil)
		}
		if bytes.Contains(text, []byte("\n")) || len(got) != 1 || bytes.HasPrefix(text, []byte("\ufeff")) {
			return
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var want map[string]any
		if err := d.Decode(&want); err == nil && want != nil && !d.More() && got[0] != showItem(want) && got[0][:4] != "line" {
			t.Errorf("got %q, want %q", got[0], showItem(want))
		}
	})
}

package builtin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/agent/builtin"
)

func stepWith(properties map[string]string) *agent.StepContext {
	s := agent.NewStepContext(nil, nil)
	s.Properties = properties
	return s
}

func newFileReader(t testing.TB, ref string, properties map[string]string) (agent.ItemReader[builtin.Record], error) {
	t.Helper()
	return builtin.Config{}.Readers()[ref](stepWith(properties))
}

func newFileWriter(t testing.TB, ref string, properties map[string]string) agent.ItemWriter[builtin.Record] {
	t.Helper()
	w, err := builtin.Config{}.Writers()[ref](stepWith(properties))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// putFile creates a file in a folder of its own.
func putFile(t testing.TB, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func fileText(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// readFileItems reads a file to its end, or up to n items and errors. It returns the
// items, and in their place the errors that can be skipped; others are marked
// with !.
func readFileItems(t testing.TB, r agent.ItemReader[builtin.Record], n int) (all []string) {
	t.Helper()
	for range n {
		item, err := r.ReadItem(t.Context())
		var parseErr *builtin.ParseError
		switch {
		case err == io.EOF:
			return all
		case errors.As(err, &parseErr):
			_, text, _ := strings.Cut(err.Error(), "/file ")
			all = append(all, text)
		case err != nil:
			_, text, _ := strings.Cut(err.Error(), "/file ")
			all = append(all, "! "+text)
		default:
			all = append(all, showItem(item))
		}
	}
	return all
}

// showItem prints an item with its fields in order. A text is quoted if it might be
// another value.
func showItem(item builtin.Record) string {
	var b strings.Builder
	for i, name := range slices.Sorted(maps.Keys(item)) {
		if i > 0 {
			b.WriteByte(' ')
		}
		switch v := item[name].(type) {
		case string:
			fmt.Fprintf(&b, "%s=%q", name, v)
		default:
			fmt.Fprintf(&b, "%s=%T(%v)", name, v, v)
		}
	}
	return b.String()
}

// readText reads a text as a file by a reader.
func readText(t testing.TB, ref, text string, properties map[string]string) (all []string, err error) {
	t.Helper()
	r, err := newFileReader(t, ref, with(properties, "file", putFile(t, text)))
	if err != nil {
		return nil, err
	}
	if err := r.Open(t.Context(), nil); err != nil {
		return nil, err
	}
	all = readFileItems(t, r, 10_000)
	return all, r.Close(t.Context())
}

// fileCheckpoint returns a checkpoint as the next Open gets it.
func fileCheckpoint(t testing.TB, a interface {
	CheckpointInfo(context.Context) (any, error)
}) agent.Checkpoint {
	t.Helper()
	v, err := a.CheckpointInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return agent.Checkpoint(data)
}

type readTest struct {
	name       string
	properties map[string]string
	text       string
	want       string // items and errors, one a line
	err        string // of the properties or of Open
}

func checkReads(t *testing.T, ref string, tests []readTest) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := readText(t, ref, test.text, test.properties)
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Fatalf("error %v, want %q", err, test.err)
			}
			if text := strings.Join(got, "\n"); text != test.want {
				t.Errorf("got\n%s\nwant\n%s", text, test.want)
			}
		})
	}
}

type writeTest struct {
	name       string
	properties map[string]string
	items      []builtin.Record
	want       string
	err        string // of the properties or of WriteItems
}

func checkWrites(t *testing.T, ref string, tests []writeTest) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "file")
			err := writeFile(t, ref, file, test.properties, test.items)
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Fatalf("error %v, want %q", err, test.err)
			}
			if got := fileText(t, file); got != test.want {
				t.Errorf("the file holds %q, want %q", got, test.want)
			}
		})
	}
}

// writeFile writes items to a new file and returns the error of WriteItems.
func writeFile(t testing.TB, ref, file string, properties map[string]string, items []builtin.Record) error {
	t.Helper()
	w := newFileWriter(t, ref, with(properties, "file", file))
	if err := w.Open(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	failed := w.WriteItems(t.Context(), items)
	fileCheckpoint(t, w)
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return failed
}

// checkReaderRestarts reads a file again from the checkpoint after each of its
// items and errors.
func checkReaderRestarts(t *testing.T, ref, text string, properties map[string]string) {
	t.Helper()
	all, err := readText(t, ref, text, properties)
	if err != nil {
		t.Fatal(err)
	}
	file := putFile(t, text)
	for n := range len(all) + 1 {
		r, err := newFileReader(t, ref, with(properties, "file", file))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Open(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		got := readFileItems(t, r, n)
		at := fileCheckpoint(t, r)
		readFileItems(t, r, 1) // is rolled back
		if err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := r.Open(t.Context(), at); err != nil {
			t.Fatalf("open with %s: %v", at, err)
		}
		got = append(got, readFileItems(t, r, 10_000)...)
		_ = r.Close(t.Context())
		if !slices.Equal(got, all) {
			t.Fatalf("with a restart after %d: got %q, want %q", n, got, all)
		}
	}
}

// A restart goes on with the file that was written, and leaves another one as it
// is, also if that is longer.
func TestWriterRefusesAnotherFile(t *testing.T) {
	items := func(from, to int) (all []builtin.Record) {
		for n := from; n < to; n++ {
			all = append(all, builtin.Record{"n": int64(n)})
		}
		return all
	}
	for _, n := range []int{1, 3, 400, 900, 1100, 5000} { // around and behind 4,096 bytes
		file := filepath.Join(t.TempDir(), "file")
		properties := map[string]string{"file": file, "columns": "n", "existing": "refuse"}
		w := newFileWriter(t, builtin.CSVWriter, properties)
		write := func(from, to int) {
			t.Helper()
			if err := w.WriteItems(t.Context(), items(from, to)); err != nil {
				t.Fatal(err)
			}
		}
		open := func(at agent.Checkpoint) error {
			w = newFileWriter(t, builtin.CSVWriter, properties)
			return w.Open(t.Context(), at)
		}
		if err := open(nil); err != nil {
			t.Fatal(err)
		}
		write(0, n)
		at, want := fileCheckpoint(t, w), fileText(t, file)
		write(n, n+2) // is taken back
		_ = w.Close(t.Context())
		if err := open(at); err != nil || fileText(t, file) != want {
			t.Fatalf("%d items: opened again: %v, %d bytes, want %d", n, err, len(fileText(t, file)), len(want))
		}
		write(n, n+1)
		at, want = fileCheckpoint(t, w), fileText(t, file)
		_ = w.Close(t.Context())
		other := strings.Replace(want, fmt.Sprint(n), strings.Repeat("x", len(fmt.Sprint(n))), 1) + "precious\n"
		if err := os.WriteFile(file, []byte(other), 0o600); err != nil {
			t.Fatal(err)
		}
		err := open(at)
		if err == nil || !strings.Contains(err.Error(), "has changed since the last commit: want the file that was written up to byte") || fileText(t, file) != other {
			t.Errorf("%d items: another file: %v, %d bytes, want %d", n, err, len(fileText(t, file)), len(other))
		}
	}
}

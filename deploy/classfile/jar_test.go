package classfile

import (
	"archive/zip"
	"bytes"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// jarFile is an entry of a jar.
type jarFile struct {
	name  string
	body  []byte
	plain bool // stored, not deflated

	claims uint64 // if not 0: the length that the directory says
}

// fileAt is a class at its place in a jar, behind a prefix such as
// "WEB-INF/classes/".
func (s classSource) fileAt(prefix string) jarFile {
	return jarFile{name: prefix + s.name + ".class", body: s.assemble()}
}

func jarOf(files ...jarFile) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate}
		if f.plain {
			h.Method = zip.Store
		}
		create := z.CreateHeader
		if f.claims > 0 {
			f.body = deflateAll(bytes.NewReader(f.body))
			h.CompressedSize64, h.UncompressedSize64, create = uint64(len(f.body)), f.claims, z.CreateRaw
		}
		w, err := create(h)
		if err != nil {
			panic(err)
		}
		w.Write(f.body) //nolint:errcheck // into memory
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// jarInMemory returns a jar of the class path with these bytes.
func jarInMemory(name string, b []byte) Jar {
	return Jar{Name: name, Open: func() (io.ReaderAt, int64, func() error, error) {
		return bytes.NewReader(b), int64(len(b)), func() error { return nil }, nil
	}}
}

// tableLine formats a component as in the tables of tests.
func (c Component) tableLine() string {
	parts := []string{c.Class}
	for _, k := range c.Kinds {
		parts = append(parts, string(k))
	}
	for _, l := range c.Listens {
		parts = append(parts, "on:"+l)
	}
	if c.Ref != c.Class {
		parts = append(parts, "ref:"+c.Ref)
	}
	for _, a := range c.Aliases {
		parts = append(parts, "alias:"+a)
	}
	for _, s := range []string{c.Namespace, string(c.Constructor)} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, " ")
}

func (r *Report) componentLines() (lines []string) {
	for _, c := range r.Components {
		lines = append(lines, c.tableLine())
	}
	return lines
}

func (r *Report) warningLines() (lines []string) {
	for _, w := range r.Warnings {
		lines = append(lines, w.String())
	}
	return lines
}

func scanJars(t testing.TB, jars ...Jar) *Report {
	t.Helper()
	r, err := Scan(t.Context(), jars, "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// scanFiles scans jars by name.
func scanFiles(t testing.TB, jars map[string][]byte) *Report {
	t.Helper()
	var path []Jar
	for _, name := range slices.Sorted(maps.Keys(jars)) {
		path = append(path, jarInMemory(name, jars[name]))
	}
	return scanJars(t, path...)
}

func diffLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// jarOnDisk returns a jar of the class path that is a file.
func jarOnDisk(path string) Jar {
	return Jar{Name: filepath.Base(path), Open: func() (io.ReaderAt, int64, func() error, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, 0, nil, err
		}
		info, err := f.Stat()
		return f, info.Size(), f.Close, err
	}}
}

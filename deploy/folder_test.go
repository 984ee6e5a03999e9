package deploy

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// folderOf creates a folder with these files, in this order.
func folderOf(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		path := filepath.Join(dir, f)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = os.WriteFile(path, []byte("content of "+f), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func packFolder(t *testing.T, dir string) (jar []byte, warnings []string) {
	t.Helper()
	var b bytes.Buffer
	warnings, err := WriteFolder(t.Context(), &b, dir)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), warnings
}

// listEntries returns the names of a jar's entries, in order.
func listEntries(t *testing.T, jar []byte) string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(jar), int64(len(jar)))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range z.File {
		all = append(all, f.Name)
		if !f.Modified.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%s has the time %v", f.Name, f.Modified)
		}
		if !strings.HasSuffix(f.Name, "/") && f.Method != zip.Deflate {
			t.Errorf("%s has the method %d: streaming readers of Java cannot read it", f.Name, f.Method)
		}
	}
	return strings.Join(all, " ")
}

func TestTheSameFolderGivesTheSameJar(t *testing.T) {
	one := folderOf(t, "b/B.class", "a.txt", "META-INF/MANIFEST.MF", "META-INF/batch.xml", "b/a/A.class", "é.txt")
	two := folderOf(t, "é.txt", "b/a/A.class", "META-INF/batch.xml", "META-INF/MANIFEST.MF", "a.txt", "b/B.class")
	if err := os.Chtimes(two+"/a.txt", time.Now(), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(two+"/a.txt", 0o600); err != nil {
		t.Fatal(err)
	}
	a, warnings := packFolder(t, one)
	b, _ := packFolder(t, two)
	if !bytes.Equal(a, b) {
		t.Error("the same folder gave another jar")
	}
	want := "META-INF/ META-INF/MANIFEST.MF META-INF/batch.xml a.txt b/ b/B.class b/a/ b/a/A.class é.txt"
	if got := listEntries(t, a); got != want || len(warnings) != 0 {
		t.Errorf("entries %s, want %s; warnings %q", got, want, warnings)
	}
	if err := os.WriteFile(two+"/a.txt", []byte("content of A.txt"), 0o644); err != nil {
		t.Fatal(err)
	}
	if b, _ = packFolder(t, two); bytes.Equal(a, b) {
		t.Error("another content gave the same jar")
	}
}

func TestLinksInAFolder(t *testing.T) {
	for _, tc := range []struct {
		name, link, target, want, warning string
	}{
		{"a link to a file is the file", "b/l.txt", "../a.txt", "a.txt b/ b/B.class b/l.txt", ""},
		{"a link to a folder is the folder", "l", "b", "a.txt b/ b/B.class l/ l/B.class", ""},
		{"a link to its own folder is left out", "b/l", ".", "a.txt b/ b/B.class", "b/l/ is skipped: it is a link to a folder that contains it"},
		{"a link to the top is left out", "b/l", "..", "a.txt b/ b/B.class", "b/l/ is skipped: it is a link to a folder that contains it"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := folderOf(t, "a.txt", "b/B.class")
			if err := os.Symlink(tc.target, filepath.Join(dir, tc.link)); err != nil {
				t.Skip(err)
			}
			jar, warnings := packFolder(t, dir)
			if got := listEntries(t, jar); got != tc.want {
				t.Errorf("entries %s, want %s", got, tc.want)
			}
			if got := strings.Join(warnings, "; "); got != tc.warning {
				t.Errorf("warnings %q, want %q", got, tc.warning)
			}
		})
	}
}

func TestLinksThatMultiplyAreBounded(t *testing.T) {
	dir := t.TempDir() // each folder has two links to the next: 2^25 paths lead to the last
	for i := range 26 {
		if err := os.Mkdir(filepath.Join(dir, fmt.Sprint("d", i)), 0o755); err != nil {
			t.Fatal(err)
		}
		for _, l := range []string{"x", "y"} {
			if err := os.Symlink(fmt.Sprint("../d", i+1), filepath.Join(dir, fmt.Sprint("d", i), l)); err != nil && i < 25 {
				t.Skip(err)
			}
		}
	}
	for _, l := range []string{"x", "y"} {
		if err := os.Remove(filepath.Join(dir, "d25", l)); err != nil {
			t.Fatal(err)
		}
	}
	j := newFolderJar(t.Context(), io.Discard, everywhere{}, nil)
	j.entries = maxFiles - 1000 // otherwise the test takes half a minute
	if _, err := j.writeFolder(dir + "/d0"); !errors.Is(err, errLarge) {
		t.Errorf("error %v, want %v", err, errLarge)
	}
	j = newFolderJar(t.Context(), io.Discard, everywhere{}, nil)
	j.left = 10
	if _, err := j.writeFolder(folderOf(t, "a.txt")); !errors.Is(err, errLarge) {
		t.Errorf("a folder that is larger than a jar may be: %v, want %v", err, errLarge)
	}
	l := location{url: "file:/x", path: "/x"}
	if want, known := l.explainFault(errLarge); !known || !strings.HasPrefix(want, "at most") {
		t.Errorf("explainFault(errLarge) = %q, %v", want, known)
	}
}

package cli

import (
	"archive/zip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/deploy"
)

// makeTree writes files with their name as content.
func makeTree(t *testing.T, names ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "classes")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestClassFoldersBecomeTheSameJar(t *testing.T) {
	names := []string{"b/B.class", "A.class", "META-INF/MANIFEST.MF", "META-INF/batch.xml", "b/c/text.txt", "lib.jar"}
	one := makeTree(t, names...)
	slices.Reverse(names)
	two := makeTree(t, names...)
	if err := os.Chtimes(filepath.Join(two, "A.class"), time.Time{}, time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	a, err := jarsOf(t.Context(), []string{one}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b, err := jarsOf(t.Context(), []string{two + string(filepath.Separator)}, t.TempDir())
	if err != nil || len(a) != 1 || len(b) != 1 || a[0].sum != b[0].sum || a[0].name != "classes.jar" {
		t.Fatalf("%+v and %+v, %v; want the same", a, b, err)
	}
	z, err := zip.OpenReader(a[0].file)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close() //nolint:errcheck // only read from
	var got []string
	for _, f := range z.File {
		got = append(got, f.Name)
		if !f.Modified.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%s is of %v", f.Name, f.Modified)
		}
	}
	if want := "META-INF/ META-INF/MANIFEST.MF A.class META-INF/batch.xml b/ b/B.class b/c/ b/c/text.txt lib.jar"; strings.Join(got, " ") != want {
		t.Errorf("entries %s, want %s", strings.Join(got, " "), want)
	}
	if err := os.WriteFile(filepath.Join(two, "A.class"), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	if b, err := jarsOf(t.Context(), []string{two}, t.TempDir()); err != nil || b[0].sum == a[0].sum {
		t.Errorf("%+v, %v; want another sum", b, err)
	}
}

func TestAControlBusMakesTheSameJarOfAFolder(t *testing.T) {
	dir := makeTree(t, "a/A.class", "META-INF/MANIFEST.MF", "text.txt", "x/L.class")
	for _, link := range []struct{ target, name string }{{"x", "l"}, {"../text.txt", "a/link.txt"}, {"..", "a/up"}} {
		if err := os.Symlink(link.target, filepath.Join(dir, link.name)); err != nil {
			t.Skip(err)
		}
	}
	_, b := withBus(t)
	d, err := deploy.New(deploy.Config{Bus: b, Objects: bustest.Artifacts(t, b), TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	there, err := d.DeployPath(t.Context(), "shop", []string{dir})
	if err != nil {
		t.Fatal(err)
	}
	here, err := jarsOf(t.Context(), []string{dir}, t.TempDir())
	if err != nil || len(here) != 1 || here[0].sum != there.Artifacts[0].SHA256 || here[0].name != there.Artifacts[0].Name {
		t.Errorf("here it is %+v, %v, there %+v", here, err, there.Artifacts)
	}
	if want := []string{"classes.jar!/a/up/ is skipped: it is a link to a folder that contains it"}; !slices.Equal(here[0].warnings, want) {
		t.Errorf("warnings %q, want %q", here[0].warnings, want)
	}

	// The bus follows no link out of a folder.
	if err := os.Symlink(makeTree(t, "o/O.class"), filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.DeployPath(t.Context(), "shop", []string{dir}); err == nil || !strings.Contains(err.Error(), "links that lead out of it") {
		t.Errorf("with a link out of the folder: %v, want a refusal", err)
	}
}

func TestClassesBehindALinkMakeAClassFolder(t *testing.T) {
	dir := makeTree(t, "lib.jar")
	if err := os.Symlink(makeTree(t, "a/A.class"), filepath.Join(dir, "more")); err != nil {
		t.Skip(err)
	}
	if jars, err := jarsOf(t.Context(), []string{dir}, t.TempDir()); err != nil || len(jars) != 1 || jars[0].name != "classes.jar" {
		t.Errorf("%+v, %v, want classes.jar", jars, err)
	}
}

func TestPathsOfADeployment(t *testing.T) {
	lib := makeTree(t, "b.jar", "a.jar", "notes.txt", "sub/c.jar")
	other := makeTree(t, "x/a.jar", "a.jar", "s.ear", "t.zip", "w.WAR")
	same := makeTree(t, "x.jar")
	dangling := makeTree(t, "a.jar")
	if err := os.Symlink("gone", filepath.Join(dangling, "b.jar")); err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		name  string
		paths []string
		want  string // names, or a part of the error
	}{
		{"a folder of jars is its jars", []string{lib}, "a.jar b.jar"},
		{"the order is that of the paths", []string{filepath.Join(lib, "b.jar"), lib}, "b.jar a.jar"},
		{"the same jar twice is once", []string{lib, filepath.Join(other, "a.jar")}, "a.jar b.jar"},
		{"two jars of one name", []string{lib, filepath.Join(other, "x", "a.jar")}, "have the same name"},
		{"other archives are taken by name", []string{filepath.Join(other, "s.ear"), filepath.Join(other, "t.zip"), filepath.Join(other, "w.WAR")}, "s.ear t.zip w.WAR"},
		{"a folder of jars may have wars", []string{other}, "a.jar w.WAR"},
		{"a file that is no jar", []string{filepath.Join(lib, "notes.txt")}, "want a jar"},
		{"a folder that is not there", []string{filepath.Join(lib, "none")}, "none: no such file"},
		{"a folder without anything", []string{makeTree(t)}, "is empty"},
		{"a folder of resources", []string{makeTree(t, "META-INF/batch.xml")}, "classes.jar"},
		{"two class folders of one name", []string{makeTree(t, "A.class"), makeTree(t, "B.class")}, "have the same name"},
		{"a jar that leads nowhere", []string{dangling}, "b.jar: no such file"},
		{"a jar that is a folder's name", []string{same}, "x.jar"},
	} {
		t.Run(c.name, func(t *testing.T) {
			jars, err := jarsOf(t.Context(), c.paths, t.TempDir())
			var names []string
			for _, j := range jars {
				names = append(names, j.name)
			}
			got := strings.Join(names, " ")
			if err != nil {
				got = err.Error()
			}
			if err == nil && got != c.want || err != nil && !strings.Contains(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

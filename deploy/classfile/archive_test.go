package classfile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func manifestFile(lines ...string) jarFile {
	return jarFile{name: "META-INF/MANIFEST.MF", body: []byte("Manifest-Version: 1.0\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\nName: x\r\n")}
}

func plainFile(name string, body []byte) jarFile  { return jarFile{name: name, body: body, plain: true} }
func packedFile(name string, body []byte) jarFile { return jarFile{name: name, body: body} }

// batchletJar returns a jar with one batchlet.
func batchletJar(class string) []byte {
	return jarOfClasses(classSource{name: class, implements: []string{batchlet}})
}

func withoutEnd(b []byte, n int) []byte { return b[:len(b)-n] }

var archives = []struct {
	name string
	jars map[string][]byte
	want []string // with their origins
	said []string
}{
	{"a fat jar has its classes and its jars", map[string][]byte{"app.jar": jarOf(
		classSource{name: "launcher/Main"}.fileAt(""), plainFile("BOOT-INF/lib/orders.jar", batchletJar("o/O")),
		classSource{name: "a/B", implements: []string{batchlet}}.fileAt("BOOT-INF/classes/"),
	)}, []string{"a.B in app.jar", "o.O in app.jar!/BOOT-INF/lib/orders.jar"}, nil},
	{"a war has its classes and its jars", map[string][]byte{"app.war": jarOf(
		packedFile("WEB-INF/lib/orders.jar", batchletJar("o/O")), classSource{name: "a/B", super: "o/O"}.fileAt("WEB-INF/classes/"),
	)}, []string{"a.B in app.war", "o.O in app.war!/WEB-INF/lib/orders.jar"}, nil},
	{"the classes of a war come before its jars", map[string][]byte{"app.war": jarOf(
		packedFile("WEB-INF/lib/orders.jar", batchletJar("a/B")), classSource{name: "a/B"}.fileAt("WEB-INF/classes/"),
	)}, nil, nil},
	{"a jar in a war in a zip is read", map[string][]byte{"app.zip": jarOf(
		packedFile("app.war", jarOf(packedFile("WEB-INF/lib/orders.jar", batchletJar("o/O")))),
	)}, []string{"o.O in app.zip!/app.war!/WEB-INF/lib/orders.jar"}, nil},
	{"what is nested deeper is a warning", map[string][]byte{"app.zip": jarOf(
		packedFile("b.zip", jarOf(plainFile("c.zip", jarOf(packedFile("d.zip", batchletJar("o/O")))))),
	)}, nil, []string{"app.zip!/b.zip!/c.zip!/d.zip: is skipped: it is nested more than 2 levels deep"}},
	{"of a multi-release jar the highest version that runs counts", map[string][]byte{"a.jar": jarOf(manifestFile("Multi-Release: true"),
		classSource{name: "a/B"}.fileAt(""), classSource{name: "a/B"}.fileAt("META-INF/versions/9/"),
		classSource{name: "a/B", implements: []string{batchlet}}.fileAt("META-INF/versions/17/"), classSource{name: "a/B"}.fileAt("META-INF/versions/99/"),
	)}, []string{"a.B in a.jar"}, nil},
	{"a class that only a version has is found", map[string][]byte{"a.jar": jarOf(manifestFile("multi-release: TRUE"),
		classSource{name: "a/B", implements: []string{batchlet}}.fileAt("META-INF/versions/11/"),
	)}, []string{"a.B in a.jar"}, nil},
	{"without the manifest's word versions are nothing", map[string][]byte{"a.jar": jarOf(manifestFile("Multi-Release: false"),
		classSource{name: "a/B", implements: []string{batchlet}}.fileAt("META-INF/versions/11/"),
	)}, nil, nil},
	{"versions below 9 and odd ones are nothing", map[string][]byte{"a.jar": jarOf(manifestFile("Multi-Release: true"),
		classSource{name: "a/B", implements: []string{batchlet}}.fileAt("META-INF/versions/8/"),
		classSource{name: "a/C", implements: []string{batchlet}}.fileAt("META-INF/versions/+9/"), packedFile("META-INF/versions/.class", nil),
	)}, nil, nil},
	{"the manifest's word about one entry is not about the jar", map[string][]byte{"a.jar": jarOf(
		packedFile("META-INF/MANIFEST.MF", []byte("A: b\n\nMulti-Release: true\n")),
		classSource{name: "a/B", implements: []string{batchlet}}.fileAt("META-INF/versions/11/"),
	)}, nil, nil},
	{"module-info and package-info are passed over", map[string][]byte{"a.jar": jarOf(
		packedFile("module-info.class", []byte("x")), packedFile("a/package-info.class", []byte("x")),
	)}, nil, nil},
	{"a program may stand before the zip", map[string][]byte{"a.jar": append([]byte("#!/bin/sh\nexit 1\n"), batchletJar("a/B")...)},
		[]string{"a.B in a.jar"}, nil},
	{"a class in the wrong folder is a warning", map[string][]byte{"a.jar": jarOf(
		classSource{name: "a/B", implements: []string{batchlet}}.fileAt("target/classes/"),
	)}, nil, []string{"a.jar!/target/classes/a/B.class: cannot be found by a JVM: it defines the class a.B"}},
	{"a truncated class costs only itself", map[string][]byte{"a.jar": jarOf(
		packedFile("a/A.class", withoutEnd(classSource{name: "a/A"}.assemble(), 9)), classSource{name: "a/B", implements: []string{batchlet}}.fileAt(""),
	)}, []string{"a.B in a.jar"}, []string{"a.jar!/a/A.class: is truncated"}},
	{"a class with an unknown constant costs only itself", map[string][]byte{"a.jar": jarOf(
		packedFile("a/A.class", append(append(u4(0xcafebabe), u4(99)...), 0, 3, 2, 0, 0)), classSource{name: "a/B", implements: []string{batchlet}}.fileAt(""),
	)}, []string{"a.B in a.jar"}, []string{"a.jar!/a/A.class: has a constant of the unknown kind 2"}},
	{"what is no class is a warning", map[string][]byte{"a.jar": jarOf(packedFile("A.class", []byte("hello, world")))},
		nil, []string{"a.jar!/A.class: is not a class file"}},
	{"a class whose name has a dot is a warning", map[string][]byte{"a.jar": jarOfClasses(classSource{name: "a.B", implements: []string{batchlet}})},
		nil, []string{"a.jar!/a.B.class: has an invalid class name"}},
	{"a class that goes on is a warning", map[string][]byte{"a.jar": jarOf(packedFile("A.class", append(classSource{name: "A"}.assemble(), 0)))},
		nil, []string{"a.jar!/A.class: has extra bytes after its end"}},
	{"what is no zip is a warning", map[string][]byte{"a.jar": []byte("hello"), "b.jar": batchletJar("a/B")},
		[]string{"a.B in b.jar"}, []string{"a.jar: is not a zip file, or is truncated: it has no zip directory"}},
	{"a truncated jar is a warning", map[string][]byte{"a.jar": withoutEnd(batchletJar("a/A"), 30), "b.jar": batchletJar("a/B")},
		[]string{"a.B in b.jar"}, []string{"a.jar: is not a zip file, or is truncated: it has no zip directory"}},
	{"a jar whose beginning is lost is a warning", map[string][]byte{"a.jar": batchletJar("a/A")[40:]},
		nil, []string{"a.jar: has a broken zip directory"}},
	{"a nested jar that is none is a warning", map[string][]byte{"a.war": jarOf(packedFile("WEB-INF/lib/x.jar", []byte("no")), packedFile("y.jar", batchletJar("y/Y")))},
		[]string{"y.Y in a.war!/y.jar"}, []string{"a.war!/WEB-INF/lib/x.jar: is not a zip file, or is truncated: it has no zip directory"}},
	{"an entry that cannot be unpacked is a warning", map[string][]byte{"a.jar": withBrokenData(batchletJar("a/B"))},
		nil, []string{"a.jar!/a/B.class: cannot be unpacked: flate: corrupt input before offset 1"}},
	{"an entry of another length than listed is a warning", map[string][]byte{"a.jar": jarOf(
		jarFile{name: "A.class", body: []byte("xxxx"), claims: 5}, jarFile{name: "B.class", body: []byte("xxxx"), claims: 3},
	)}, nil, []string{
		"a.jar!/A.class: its unpacked length differs from that in the zip directory",
		"a.jar!/B.class: its unpacked length differs from that in the zip directory",
	}},
	{"an empty jar has nothing", map[string][]byte{"a.jar": jarOf()}, nil, nil},
}

// withBrokenData corrupts the compressed bytes of the first entry.
func withBrokenData(b []byte) []byte {
	b[localLen+int(le.Uint16(b[26:]))] = 0xff
	return b
}

func TestArchives(t *testing.T) {
	for _, row := range archives {
		t.Run(row.name, func(t *testing.T) {
			r := scanFiles(t, row.jars)
			var got []string
			for _, c := range r.Components {
				got = append(got, c.Class+" in "+c.Origin)
			}
			diffLines(t, "components", got, row.want)
			diffLines(t, "warnings", r.warningLines(), row.said)
		})
	}
}

func TestManyEntriesNeedTheLargerEndRecord(t *testing.T) {
	files := make([]jarFile, 0, 70_000)
	for range cap(files) {
		files = append(files, plainFile("x", nil))
	}
	jar := jarOf(append(files, classSource{name: "a/B", implements: []string{batchlet}}.fileAt(""))...)
	for _, before := range []string{"", "#!/bin/sh\nexit 1\n"} {
		r := scanFiles(t, map[string][]byte{"a.jar": append([]byte(before), jar...)})
		diffLines(t, "components", r.componentLines(), []string{"a.B batchlet javax public"})
		diffLines(t, "warnings", r.warningLines(), nil)
	}
}

func TestWhatWasUnpackedIsRemoved(t *testing.T) {
	dir := t.TempDir()
	r, err := Scan(t.Context(), []Jar{jarInMemory("a.war", jarOf(packedFile("x.jar", batchletJar("x/X")), packedFile("y.jar", []byte("no"))))}, dir)
	if err != nil || len(r.Components) != 1 {
		t.Errorf("%v and %v", r, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAFailureOfTheDiskIsAnError(t *testing.T) {
	inner := jarOf(packedFile("x.jar", batchletJar("x/X")), plainFile("y.jar", batchletJar("y/Y")))
	// a war in a zip is read where it is.
	for _, b := range [][]byte{inner, jarOf(plainFile("a.war", inner))} {
		_, err := Scan(t.Context(), []Jar{jarInMemory("a.zip", b)}, filepath.Join(t.TempDir(), "gone"))
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "x.jar: open ") {
			t.Errorf("without a place for files: %v", err)
		}
	}
	full := errors.New("no space left on device")
	_, err := io.Copy(diskWriter{failingWriter{full}}, strings.NewReader("x"))
	if disk := (*diskError)(nil); !errors.As(err, &disk) || !errors.Is(err, full) {
		t.Errorf("a full disk: %v", err)
	}
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }

func TestWarningsOfOneJarAreFew(t *testing.T) {
	var files []jarFile
	for i := range 100 {
		files = append(files, packedFile(strings.Repeat("x", i+1)+".class", nil))
	}
	r := scanFiles(t, map[string][]byte{"a.jar": jarOf(files...), "b.jar": []byte("x")})
	said := r.warningLines()
	if len(said) != maxWarnings+2 || said[maxWarnings] != "a.jar: 80 more warnings" {
		t.Errorf("%d warnings: %v", len(said), said)
	}
}

func TestWarningsAreFitForATerminal(t *testing.T) {
	r := scanFiles(t, map[string][]byte{"a.jar": jarOf(packedFile("\x1b[2J\xff"+strings.Repeat("ü", 1000)+".class", nil))})
	for _, s := range r.warningLines() {
		if strings.Contains(s, "\x1b") || len(s) > 2*maxShown || !strings.HasPrefix(s, "a.jar!/�[2J�ü") {
			t.Errorf("said %q", s)
		}
	}
}

// A size that an entry merely claims does not reduce the jar's budget.
func TestClaimsAreNoCosts(t *testing.T) {
	var files []jarFile
	for i := range 15 {
		files = append(files, jarFile{name: strings.Repeat("x", i+1) + ".class", body: []byte("x"), claims: maxClass})
	}
	r := scanFiles(t, map[string][]byte{"a.jar": jarOf(append(files, classSource{name: "a/B", implements: []string{batchlet}}.fileAt(""))...)})
	diffLines(t, "components", r.componentLines(), []string{"a.B batchlet javax public"})
	if len(r.Warnings) != 15 || r.Warnings[1].String() != "a.jar!/xx.class: its unpacked length differs from that in the zip directory" {
		t.Errorf("said %v", r.warningLines())
	}
}

// A file is read in place, without a copy in memory.
func TestScanOfFiles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.jar")
	if err := os.WriteFile(name, batchletJar("a/B"), 0o600); err != nil {
		t.Fatal(err)
	}
	diffLines(t, "components", scanJars(t, jarOnDisk(name)).componentLines(), []string{"a.B batchlet javax public"})
}

func TestWindowsSeeTheWholeFile(t *testing.T) {
	b := bytes.Repeat([]byte("0123456789"), 10)
	w := newWindow(bytes.NewReader(b), 100, 16)
	for _, r := range [][2]int64{{0, 4}, {2, 14}, {90, 10}, {0, 100}, {50, 1}, {99, 1}, {100, 0}} {
		got, err := w.bytesAt(r[0], r[1])
		if err != nil || !bytes.Equal(got, b[r[0]:r[0]+r[1]]) {
			t.Errorf("at(%d, %d) = %q, %v", r[0], r[1], got, err)
		}
	}
	for _, r := range [][2]int64{{-1, 1}, {0, 101}, {100, 1}, {1, -1}, {1 << 62, 1 << 62}} {
		if _, err := w.bytesAt(r[0], r[1]); err == nil {
			t.Errorf("at(%d, %d): no error", r[0], r[1])
		}
	}
}

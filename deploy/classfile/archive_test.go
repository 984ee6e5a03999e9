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

func manifest(lines ...string) file {
	return file{name: "META-INF/MANIFEST.MF", body: []byte("Manifest-Version: 1.0\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\nName: x\r\n")}
}

func plain(name string, body []byte) file  { return file{name: name, body: body, plain: true} }
func packed(name string, body []byte) file { return file{name: name, body: body} }

// job is a jar with a batchlet.
func job(class string) []byte { return classes(source{name: class, implements: []string{batchlet}}) }

func truncated(b []byte, n int) []byte { return b[:len(b)-n] }

var archives = []struct {
	name string
	jars map[string][]byte
	want []string // with their origins
	said []string
}{
	{"a fat jar has its classes and its jars", map[string][]byte{"app.jar": jarOf(
		source{name: "launcher/Main"}.at(""), plain("BOOT-INF/lib/orders.jar", job("o/O")),
		source{name: "a/B", implements: []string{batchlet}}.at("BOOT-INF/classes/"),
	)}, []string{"a.B in app.jar", "o.O in app.jar!/BOOT-INF/lib/orders.jar"}, nil},
	{"a war has its classes and its jars", map[string][]byte{"app.war": jarOf(
		packed("WEB-INF/lib/orders.jar", job("o/O")), source{name: "a/B", super: "o/O"}.at("WEB-INF/classes/"),
	)}, []string{"a.B in app.war", "o.O in app.war!/WEB-INF/lib/orders.jar"}, nil},
	{"the classes of a war come before its jars", map[string][]byte{"app.war": jarOf(
		packed("WEB-INF/lib/orders.jar", job("a/B")), source{name: "a/B"}.at("WEB-INF/classes/"),
	)}, nil, nil},
	{"a jar in a war in a zip is read", map[string][]byte{"app.zip": jarOf(
		packed("app.war", jarOf(packed("WEB-INF/lib/orders.jar", job("o/O")))),
	)}, []string{"o.O in app.zip!/app.war!/WEB-INF/lib/orders.jar"}, nil},
	{"what is nested deeper is a warning", map[string][]byte{"app.zip": jarOf(
		packed("b.zip", jarOf(plain("c.zip", jarOf(packed("d.zip", job("o/O")))))),
	)}, nil, []string{"app.zip!/b.zip!/c.zip!/d.zip: is not read: it is nested deeper than 2"}},
	{"of a multi-release jar the highest version that runs counts", map[string][]byte{"a.jar": jarOf(manifest("Multi-Release: true"),
		source{name: "a/B"}.at(""), source{name: "a/B"}.at("META-INF/versions/9/"),
		source{name: "a/B", implements: []string{batchlet}}.at("META-INF/versions/17/"), source{name: "a/B"}.at("META-INF/versions/99/"),
	)}, []string{"a.B in a.jar"}, nil},
	{"a class that only a version has is found", map[string][]byte{"a.jar": jarOf(manifest("multi-release: TRUE"),
		source{name: "a/B", implements: []string{batchlet}}.at("META-INF/versions/11/"),
	)}, []string{"a.B in a.jar"}, nil},
	{"without the manifest's word versions are nothing", map[string][]byte{"a.jar": jarOf(manifest("Multi-Release: false"),
		source{name: "a/B", implements: []string{batchlet}}.at("META-INF/versions/11/"),
	)}, nil, nil},
	{"versions below 9 and odd ones are nothing", map[string][]byte{"a.jar": jarOf(manifest("Multi-Release: true"),
		source{name: "a/B", implements: []string{batchlet}}.at("META-INF/versions/8/"),
		source{name: "a/C", implements: []string{batchlet}}.at("META-INF/versions/+9/"), packed("META-INF/versions/.class", nil),
	)}, nil, nil},
	{"the manifest's word about one entry is not about the jar", map[string][]byte{"a.jar": jarOf(
		packed("META-INF/MANIFEST.MF", []byte("A: b\n\nMulti-Release: true\n")),
		source{name: "a/B", implements: []string{batchlet}}.at("META-INF/versions/11/"),
	)}, nil, nil},
	{"module-info and package-info are passed over", map[string][]byte{"a.jar": jarOf(
		packed("module-info.class", []byte("x")), packed("a/package-info.class", []byte("x")),
	)}, nil, nil},
	{"a program may stand before the zip", map[string][]byte{"a.jar": append([]byte("#!/bin/sh\nexit 1\n"), job("a/B")...)},
		[]string{"a.B in a.jar"}, nil},
	{"a class in the wrong folder is a warning", map[string][]byte{"a.jar": jarOf(
		source{name: "a/B", implements: []string{batchlet}}.at("target/classes/"),
	)}, nil, []string{"a.jar!/target/classes/a/B.class: is not found by a JVM: it is the class a.B"}},
	{"a truncated class costs only itself", map[string][]byte{"a.jar": jarOf(
		packed("a/A.class", truncated(source{name: "a/A"}.bytes(), 9)), source{name: "a/B", implements: []string{batchlet}}.at(""),
	)}, []string{"a.B in a.jar"}, []string{"a.jar!/a/A.class: is truncated"}},
	{"a class with an unknown constant costs only itself", map[string][]byte{"a.jar": jarOf(
		packed("a/A.class", append(append(u4(0xcafebabe), u4(99)...), 0, 3, 2, 0, 0)), source{name: "a/B", implements: []string{batchlet}}.at(""),
	)}, []string{"a.B in a.jar"}, []string{"a.jar!/a/A.class: has a constant of the unknown kind 2"}},
	{"what is no class is a warning", map[string][]byte{"a.jar": jarOf(packed("A.class", []byte("hello, world")))},
		nil, []string{"a.jar!/A.class: is no class file"}},
	{"a class whose name has a dot is a warning", map[string][]byte{"a.jar": classes(source{name: "a.B", implements: []string{batchlet}})},
		nil, []string{"a.jar!/a.B.class: has a name that no class may have"}},
	{"a class that goes on is a warning", map[string][]byte{"a.jar": jarOf(packed("A.class", append(source{name: "A"}.bytes(), 0)))},
		nil, []string{"a.jar!/A.class: goes on after its end"}},
	{"what is no zip is a warning", map[string][]byte{"a.jar": []byte("hello"), "b.jar": job("a/B")},
		[]string{"a.B in b.jar"}, []string{"a.jar: is no zip file, or truncated: its directory is missing"}},
	{"a truncated jar is a warning", map[string][]byte{"a.jar": truncated(job("a/A"), 30), "b.jar": job("a/B")},
		[]string{"a.B in b.jar"}, []string{"a.jar: is no zip file, or truncated: its directory is missing"}},
	{"a jar whose beginning is lost is a warning", map[string][]byte{"a.jar": job("a/A")[40:]},
		nil, []string{"a.jar: its directory is broken"}},
	{"a nested jar that is none is a warning", map[string][]byte{"a.war": jarOf(packed("WEB-INF/lib/x.jar", []byte("no")), packed("y.jar", job("y/Y")))},
		[]string{"y.Y in a.war!/y.jar"}, []string{"a.war!/WEB-INF/lib/x.jar: is no zip file, or truncated: its directory is missing"}},
	{"an entry that cannot be unpacked is a warning", map[string][]byte{"a.jar": spoiled(job("a/B"))},
		nil, []string{"a.jar!/a/B.class: cannot be unpacked: flate: corrupt input before offset 1"}},
	{"an entry of another length than listed is a warning", map[string][]byte{"a.jar": jarOf(
		file{name: "A.class", body: []byte("xxxx"), claims: 5}, file{name: "B.class", body: []byte("xxxx"), claims: 3},
	)}, nil, []string{
		"a.jar!/A.class: unpacks to another length than its directory says",
		"a.jar!/B.class: unpacks to another length than its directory says",
	}},
	{"an empty jar has nothing", map[string][]byte{"a.jar": jarOf()}, nil, nil},
}

// spoiled breaks the packed bytes of the first entry.
func spoiled(b []byte) []byte {
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
			diff(t, "components", got, row.want)
			diff(t, "warnings", r.said(), row.said)
		})
	}
}

func TestManyEntriesNeedTheLargerEndRecord(t *testing.T) {
	files := make([]file, 0, 70_000)
	for range cap(files) {
		files = append(files, plain("x", nil))
	}
	jar := jarOf(append(files, source{name: "a/B", implements: []string{batchlet}}.at(""))...)
	for _, before := range []string{"", "#!/bin/sh\nexit 1\n"} {
		r := scanFiles(t, map[string][]byte{"a.jar": append([]byte(before), jar...)})
		diff(t, "components", r.lines(), []string{"a.B batchlet javax public"})
		diff(t, "warnings", r.said(), nil)
	}
}

func TestWhatWasUnpackedIsRemoved(t *testing.T) {
	dir := t.TempDir()
	r, err := Scan(t.Context(), []Jar{inMemory("a.war", jarOf(packed("x.jar", job("x/X")), packed("y.jar", []byte("no"))))}, dir)
	if err != nil || len(r.Components) != 1 {
		t.Errorf("%v and %v", r, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAFailureOfTheDiskIsAnError(t *testing.T) {
	inner := jarOf(packed("x.jar", job("x/X")), plain("y.jar", job("y/Y")))
	for _, b := range [][]byte{inner, jarOf(plain("a.war", inner))} { // a war in a zip is read where it is
		_, err := Scan(t.Context(), []Jar{inMemory("a.zip", b)}, filepath.Join(t.TempDir(), "gone"))
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "x.jar: open ") {
			t.Errorf("without a place for files: %v", err)
		}
	}
	full := errors.New("no space left on device")
	_, err := io.Copy(diskWriter{failing{full}}, strings.NewReader("x"))
	if disk := (*diskError)(nil); !errors.As(err, &disk) || !errors.Is(err, full) {
		t.Errorf("a full disk: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestWarningsOfOneJarAreFew(t *testing.T) {
	var files []file
	for i := range 100 {
		files = append(files, packed(strings.Repeat("x", i+1)+".class", nil))
	}
	r := scanFiles(t, map[string][]byte{"a.jar": jarOf(files...), "b.jar": []byte("x")})
	said := r.said()
	if len(said) != maxWarnings+2 || said[maxWarnings] != "a.jar: 80 more like these" {
		t.Errorf("%d warnings: %v", len(said), said)
	}
}

func TestWarningsAreFitForATerminal(t *testing.T) {
	r := scanFiles(t, map[string][]byte{"a.jar": jarOf(packed("\x1b[2J\xff"+strings.Repeat("ü", 1000)+".class", nil))})
	for _, s := range r.said() {
		if strings.Contains(s, "\x1b") || len(s) > 2*maxShown || !strings.HasPrefix(s, "a.jar!/�[2J�ü") {
			t.Errorf("said %q", s)
		}
	}
}

// What an entry only says it has is not taken from the jar's budget.
func TestClaimsAreNoCosts(t *testing.T) {
	var files []file
	for i := range 15 {
		files = append(files, file{name: strings.Repeat("x", i+1) + ".class", body: []byte("x"), claims: maxClass})
	}
	r := scanFiles(t, map[string][]byte{"a.jar": jarOf(append(files, source{name: "a/B", implements: []string{batchlet}}.at(""))...)})
	diff(t, "components", r.lines(), []string{"a.B batchlet javax public"})
	if len(r.Warnings) != 15 || r.Warnings[1].String() != "a.jar!/xx.class: unpacks to another length than its directory says" {
		t.Errorf("said %v", r.said())
	}
}

// A file is read as it is, without a copy in memory.
func TestScanOfFiles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.jar")
	if err := os.WriteFile(name, job("a/B"), 0o600); err != nil {
		t.Fatal(err)
	}
	diff(t, "components", scan(t, onDisk(name)).lines(), []string{"a.B batchlet javax public"})
}

func TestWindowsSeeTheWholeFile(t *testing.T) {
	b := bytes.Repeat([]byte("0123456789"), 10)
	w := newWindow(bytes.NewReader(b), 100, 16)
	for _, r := range [][2]int64{{0, 4}, {2, 14}, {90, 10}, {0, 100}, {50, 1}, {99, 1}, {100, 0}} {
		got, err := w.at(r[0], r[1])
		if err != nil || !bytes.Equal(got, b[r[0]:r[0]+r[1]]) {
			t.Errorf("at(%d, %d) = %q, %v", r[0], r[1], got, err)
		}
	}
	for _, r := range [][2]int64{{-1, 1}, {0, 101}, {100, 1}, {1, -1}, {1 << 62, 1 << 62}} {
		if _, err := w.at(r[0], r[1]); err == nil {
			t.Errorf("at(%d, %d): no error", r[0], r[1])
		}
	}
}

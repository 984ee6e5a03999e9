package classfile

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const oracleDir = "testdata/oracle"

// skipWithoutJDK skips a test where there is no JDK.
func skipWithoutJDK(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a JVM")
	}
	for _, program := range []string{"java", "mvn"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s here, so nothing to compare with", program)
		}
	}
}

// oracle is a JVM that compiles sources and loads class paths on request. One
// JVM answers all tests: it takes longer to start and warm up than to answer.
type oracle struct {
	requests io.Writer
	answers  *bufio.Scanner
	stderr   *bytes.Buffer
}

// startOracle starts the JVM, which ends with the test.
func startOracle(t *testing.T) *oracle {
	t.Helper()
	skipWithoutJDK(t)
	o := &oracle{stderr: &bytes.Buffer{}}
	// A JVM that runs for seconds should spend little on its compiler and its
	// garbage collector.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
		filepath.Join(oracleDir, "Oracle.java"))
	cmd.Stderr = o.stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the JVM ended with %v", err)
		}
	})
	o.requests, o.answers = in, bufio.NewScanner(out)
	return o
}

// sendRequest returns the lines of the answer to a request.
func (o *oracle) sendRequest(t *testing.T, request string, args ...string) (lines []string) {
	t.Helper()
	// If it fails, there is no answer.
	fmt.Fprintln(o.requests, strings.Join(append([]string{request}, args...), "\t"))
	for o.answers.Scan() {
		switch line := o.answers.Text(); line {
		case "end":
			return lines
		case "failed":
			t.Fatalf("%s %s\n%s", request, args, o.stderr)
		default:
			lines = append(lines, line)
		}
	}
	t.Fatalf("%s %s: the JVM does not answer: %v\n%s", request, args, o.answers.Err(), o.stderr)
	return nil
}

// fetchedArtifacts returns the jars that a pom names: the APIs of batch and
// injection, which a runtime provides, and the others. It fetches them once.
func fetchedArtifacts(t testing.TB, namespace string) (api, others []string) {
	t.Helper()
	skipWithoutJDK(t)
	pom := filepath.Join(oracleDir, namespace, "pom.xml")
	b, err := os.ReadFile(pom)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "jobstreamer-test", fmt.Sprintf("jars-%x", sha256.Sum256(b))[:21])
	if _, err := os.Stat(dir); err != nil {
		fetchArtifacts(t, pom, dir)
	}
	jars, _ := filepath.Glob(filepath.Join(dir, "*.jar"))
	for _, jar := range jars {
		if base := filepath.Base(jar); strings.Contains(base, "-api") || strings.Contains(base, "javax.inject") {
			api = append(api, jar)
		} else {
			others = append(others, jar)
		}
	}
	return api, others
}

func fetchArtifacts(t testing.TB, pom, dir string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), "jars-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temp)
	mvn := exec.CommandContext(t.Context(), "mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies", "-DexcludeTransitive=true", "-DoutputDirectory="+temp)
	if out, err := mvn.CombinedOutput(); err != nil {
		t.Skipf("the jars to compare with cannot be had from here: %v\n%s", err, out)
	}
	if err := os.Rename(temp, dir); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
}

// oracleAnswer is the oracle's result for a class path.
type oracleAnswer struct {
	lines       []string // components
	unsupported int      // classes that are too new for this JVM
	loaded      int
	java        int
}

func (o *oracle) loadClasses(t *testing.T, api, jars []string) (a oracleAnswer) {
	t.Helper()
	for _, line := range o.sendRequest(t, "scan", slices.Concat([]string{t.TempDir()}, api, []string{"--"}, jars)...) {
		switch first, rest, _ := strings.Cut(line, " "); first {
		case "unsupported":
			a.unsupported++
		case "loaded":
			a.loaded, _ = strconv.Atoi(rest)
		case "java":
			a.java, _ = strconv.Atoi(rest)
		default:
			a.lines = append(a.lines, line)
		}
	}
	slices.Sort(a.lines)
	return a
}

// compareWith compares a scan with what the oracle loads. They may differ only
// in a constructor, if the class of a parameter is missing.
func (o *oracle) compareWith(t *testing.T, api, jars []string) *Report {
	t.Helper()
	want := o.loadClasses(t, api, jars)
	var path []Jar
	for _, jar := range jars {
		path = append(path, jarOnDisk(jar))
	}
	r, err := newScanner(t.Context(), t.TempDir(), want.java).scanJars(path)
	if err != nil {
		t.Fatal(err)
	}
	got, doubts := r.componentLines(), 0
	slices.Sort(got)
	for i := range min(len(got), len(want.lines)) {
		if known, doubt := strings.CutSuffix(want.lines[i], "?"); doubt && strings.HasPrefix(got[i], known) {
			want.lines[i] = got[i]
			doubts++
		}
	}
	diffLines(t, "components", missingIn(got, want.lines), missingIn(want.lines, got))
	t.Logf("%d jars, %d classes read, %d loaded by Java %d; %d components, %d doubts, %d warnings",
		len(jars), r.Classes, want.loaded, want.java, len(got), doubts, len(r.Warnings))
	if want.unsupported > 0 {
		t.Errorf("%d classes are too new for this JVM", want.unsupported)
	}
	return r
}

// missingIn returns the lines of a that are not in b.
func missingIn(a, b []string) (lines []string) {
	for _, l := range a {
		if _, found := slices.BinarySearch(b, l); !found {
			lines = append(lines, l)
		}
	}
	return lines
}

func TestOracle(t *testing.T) {
	o := startOracle(t)
	t.Run("jars", func(t *testing.T) { compareJars(t, o) })
	t.Run("sources", func(t *testing.T) { compareSources(t, o) })
}

// compareJars checks that scans of published jars agree with a JVM, with the
// API on the class path and, as in an application, without it.
func compareJars(t *testing.T, o *oracle) {
	for _, namespace := range []string{"javax", "jakarta"} {
		t.Run(namespace, func(t *testing.T) {
			api, jars := fetchedArtifacts(t, namespace)
			for name, jars := range map[string][]string{"without the API": jars, "with the API": append(slices.Clone(api), jars...)} {
				t.Run(name, func(t *testing.T) {
					r := o.compareWith(t, api, jars)
					batch := 0
					for _, c := range r.Components {
						if c.Namespace == namespace {
							batch++
						}
					}
					if batch < 100 || len(r.Components) < 150 {
						t.Errorf("only %d batch components of %d", batch, len(r.Components))
					}
				})
			}
		})
	}
}

// compileSources compiles a folder of sources that are written for jakarta.
func (o *oracle) compileSources(t *testing.T, namespace, name, classPath string) string {
	t.Helper()
	out, src := t.TempDir(), t.TempDir()
	args := []string{"-encoding", "UTF-8", "-proc:none", "-parameters", "-cp", classPath, "-d", out}
	err := filepath.WalkDir(filepath.Join(oracleDir, "src", name), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		to := filepath.Join(src, d.Name())
		args = append(args, to)
		return os.WriteFile(to, bytes.ReplaceAll(b, []byte("jakarta."), []byte(namespace+".")), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	o.sendRequest(t, "compile", args...)
	return out
}

// filesOf returns the files of a folder as jar entries with a name prefix.
func filesOf(t *testing.T, dir, prefix string) (files []jarFile) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, path))
		files = append(files, packedFile(prefix+path, b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// compareSources does the same for compiled sources of difficult cases.
func compareSources(t *testing.T, o *oracle) {
	for _, namespace := range []string{"javax", "jakarta"} {
		t.Run(namespace, func(t *testing.T) {
			api, _ := fetchedArtifacts(t, namespace)
			classPath := strings.Join(api, string(os.PathListSeparator))
			dirs := map[string]string{}
			for _, name := range []string{"base", "app", "old", "new", "nested", "folder"} {
				dirs[name] = o.compileSources(t, namespace, name, classPath)
				classPath += string(os.PathListSeparator) + dirs[name]
			}
			app := filesOf(t, dirs["app"], "")
			app = append(app, batchXML(`<ref id="orders" class="shop.app.Orders"/><ref id="i" class="shop.app.Outer$Inner"/>`),
				packedFile("shop/app/Broken.class", withoutEnd(app[0].body, 40)))
			mr := append([]jarFile{manifestFile("Multi-Release: true")}, filesOf(t, dirs["old"], "")...)
			nested := jarOf(filesOf(t, dirs["nested"], "")...)
			jars := writeJars(t, map[string][]byte{
				"a.jar":    jarOf(app...),
				"base.jar": jarOf(filesOf(t, dirs["base"], "")...),
				"mr.jar":   jarOf(append(mr, filesOf(t, dirs["new"], "META-INF/versions/11/")...)...),
				"fat.jar":  jarOf(append(filesOf(t, dirs["folder"], "BOOT-INF/classes/"), plainFile("BOOT-INF/lib/n.jar", nested))...),
				"web.war":  jarOf(append(filesOf(t, dirs["folder"], "WEB-INF/classes/"), packedFile("WEB-INF/lib/n.jar", nested))...),
				"z.jar":    withoutEnd(nested, 25),
			})
			r := o.compareWith(t, api, jars)
			if len(r.Components) != 19 || len(r.Warnings) != 2 {
				t.Errorf("%d components, %d warnings:\n%s\n%s", len(r.Components), len(r.Warnings),
					strings.Join(r.componentLines(), "\n"), strings.Join(r.warningLines(), "\n"))
			}
		})
	}
}

func writeJars(t *testing.T, jars map[string][]byte) (paths []string) {
	t.Helper()
	dir := t.TempDir()
	for name, b := range jars {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

// BenchmarkScan scans published jars on one core.
func BenchmarkScan(b *testing.B) {
	var path []Jar
	for _, namespace := range []string{"javax", "jakarta"} {
		_, jars := fetchedArtifacts(b, namespace)
		for _, jar := range jars {
			path = append(path, jarOnDisk(jar))
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	classes := 0
	for b.Loop() {
		classes += scanJars(b, path...).Classes
	}
	b.ReportMetric(float64(classes)/b.Elapsed().Seconds(), "classes/s")
}

package deploy

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestMain(m *testing.M) { os.Exit(bustest.Main(m)) }

// world has a broker, a deployer connected to it, and a folder for jars.
type world struct {
	*testing.T
	*Deployer
	srv *server.Server
	dir string

	replicas int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, srv: bustest.Server(t), dir: t.TempDir()}
	w.Deployer = w.newDeployer()
	return w
}

// newDeployer returns another deployer on the same broker, as a second bus
// would have.
func (w *world) newDeployer() *Deployer {
	w.Helper()
	b := bustest.Open(w, w.srv, bus.Config{Replicas: w.replicas})
	d, err := New(Config{
		Bus: b, Objects: bustest.Artifacts(w, b), TempDir: w.TempDir(), Builtin: []Component{
			{Class: "shell", Ref: "shell", Kinds: []string{"batchlet"}},
			{Class: "cli", Ref: "cli", Kinds: []string{"batchlet"}},
		},
		Log: slog.New(slog.NewTextHandler(w.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		w.Fatal(err)
	}
	return d
}

// runDeployer runs d until the test ends.
func (w *world) runDeployer(d *Deployer) {
	w.Helper()
	bustest.RunBackground(w, d.Run)
	if err := d.WaitReady(w.Context()); err != nil {
		w.Fatal(err)
	}
}

// writeFile writes a file into the world's folder and returns its path.
func (w *world) writeFile(name string, data []byte) string {
	w.Helper()
	path := filepath.Join(w.dir, filepath.FromSlash(name))
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, data, 0o644)
	}
	if err != nil {
		w.Fatal(err)
	}
	return path
}

// fileURL returns the file URL of a path.
func fileURL(path string) string { return "file://" + path }

// mustDeploy deploys files, or fails the test.
func (w *world) mustDeploy(app string, paths ...string) *Deployment {
	w.Helper()
	dep, err := w.DeployPath(w.Context(), app, paths)
	if err != nil {
		w.Fatal(err)
	}
	return dep
}

// storeJar stores a jar and returns a reference to it.
func (w *world) storeJar(name string, data []byte) ArtifactRef {
	w.Helper()
	a, _, err := w.Store(w.Context(), ArtifactRef{Name: name}, bytes.NewReader(data))
	if err != nil {
		w.Fatal(err)
	}
	return a.ArtifactRef
}

// createApp creates an application.
func (w *world) createApp(name string) {
	w.Helper()
	if _, err := w.b.Apps.Create(w.Context(), name, bus.App{Name: name, CreateTime: subjects.Now()}); err != nil {
		w.Fatal(err)
	}
}

// ownClasses returns the classes of the application's components that are not
// built in.
func ownClasses(d *Deployer, app string) string {
	var all []string
	for _, c := range d.Components(app) {
		if c.Origin != BuiltIn {
			all = append(all, c.Class)
		}
	}
	return strings.Join(all, " ")
}

// currentRevision returns the number and the jars of the current revision.
func currentRevision(t *testing.T, d *Deployer, app string) (number int, jars string) {
	t.Helper()
	all, err := d.Revisions(t.Context(), app)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if r.Current {
			return r.Revision, artifactNames(r.Artifacts)
		}
	}
	return 0, ""
}

func artifactNames(all []Artifact) string {
	var s []string
	for _, a := range all {
		s = append(s, a.Name)
	}
	return strings.Join(s, " ")
}

// jarEntry is an entry of a jar.
type jarEntry struct {
	name string
	data []byte
}

// jarOf returns a jar with compressed entries.
func jarOf(entries ...jarEntry) []byte { return writeJar(zip.Deflate, entries) }

func writeJar(method uint16, entries []jarEntry) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		f, err := z.CreateHeader(&zip.FileHeader{Name: e.name, Method: method})
		if err == nil {
			_, err = f.Write(e.data)
		}
		if err != nil {
			panic(err)
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// batchletJar returns a jar with batchlets of these names.
func batchletJar(names ...string) []byte {
	var all []jarEntry
	for _, n := range names {
		all = append(all, classEntry(n, "javax/batch/api/Batchlet"))
	}
	return jarOf(all...)
}

// mavenJar returns a jar of a Maven artifact with one batchlet, whose name
// contains the version.
func mavenJar(group, id, version string, more ...jarEntry) []byte {
	name := "v" + strings.Map(func(r rune) rune {
		if strings.ContainsRune(".-", r) {
			return '_'
		}
		return r
	}, version)
	return jarOf(append(more, classEntry(id+"/"+name, "javax/batch/api/Batchlet"), pomEntry(group, id, version))...)
}

func pomEntry(group, id, version string) jarEntry {
	text := "#Created by Apache Maven 3.9.9\r\nartifactId=" + id + "\r\ngroupId=" + group + "\r\nversion=" + version + "\r\n"
	return jarEntry{"META-INF/maven/" + group + "/" + id + "/pom.properties", []byte(text)}
}

// classEntry assembles a public class that has a public constructor and
// implements the interfaces.
func classEntry(name string, interfaces ...string) jarEntry {
	var pool []byte
	count := uint16(1)
	utf8 := func(s string) uint16 {
		pool = append(binary.BigEndian.AppendUint16(append(pool, 1), uint16(len(s))), s...)
		count++
		return count - 1
	}
	ref := func(s string) uint16 {
		i := utf8(s)
		pool = binary.BigEndian.AppendUint16(append(pool, 7), i)
		count++
		return count - 1
	}
	var body []byte
	put := func(all ...uint16) {
		for _, v := range all {
			body = binary.BigEndian.AppendUint16(body, v)
		}
	}
	put(0x21, ref(name), ref("java/lang/Object"), uint16(len(interfaces)))
	for _, i := range interfaces {
		put(ref(i))
	}
	put(0, 1, 1, utf8("<init>"), utf8("()V"), 0, 0) // no fields, one method without code, no attributes
	head := []byte{0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 52}
	return jarEntry{name + ".class", slices.Concat(binary.BigEndian.AppendUint16(head, count), pool, body)}
}

package classfile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
	"time"
)

// watchMemory samples how much memory the process has, and returns by how much
// it grew at most.
func watchMemory() (peak func() uint64) {
	stop, most := make(chan struct{}), make(chan uint64)
	before := memoryInUse()
	go func() {
		top := before
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				top = max(top, memoryInUse())
			case <-stop:
				most <- max(top, memoryInUse())
				return
			}
		}
	}()
	return func() uint64 { close(stop); return <-most - before }
}

// memoryInUse returns the memory that the Go runtime holds from the system.
func memoryInUse() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() - s[1].Value.Uint64()
}

// manyJars writes 300 jars of 200 MB in all. They are copies of one
// uncompressed jar, with other class names of the same length: the scanner does
// not verify checksums.
func manyJars(t *testing.T) (path []Jar) {
	dir := t.TempDir()
	padding := strings.Repeat("what methods are made of ", 45)
	var sources []classSource
	for j := range 450 {
		s := classSource{name: fmt.Sprintf("com/example/shop/module000/orders/OrderService%04d", j), strings: []string{padding}}
		if s.super = "com/example/shop/Base"; j < 10 {
			s.super = "com/example/shop/BaseBatchlet"
		}
		sources = append(sources, s)
	}
	first := storedClasses(sources...)
	for i := range 300 {
		name := filepath.Join(dir, fmt.Sprintf("m%03d.jar", i))
		if err := os.WriteFile(name, bytes.ReplaceAll(first, []byte("module000"), fmt.Appendf(nil, "module%03d", i)), 0o600); err != nil {
			t.Fatal(err)
		}
		path = append(path, jarOnDisk(name))
	}
	return append(path, jarInMemory("base.jar", jarOfClasses(classSource{name: "com/example/shop/Base"},
		classSource{name: "com/example/shop/BaseBatchlet", access: accPublic | accAbstract, implements: []string{batchlet}})))
}

func TestMemoryOfALargeClassPath(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 200 MB")
	}
	path := manyJars(t)
	debug.FreeOSMemory()
	start, peak := time.Now(), watchMemory()
	r := scanJars(t, path...)
	took, used := time.Since(start), peak()
	t.Logf("%d classes, %d components in %v, %d MB", r.Classes, len(r.Components), took, used>>20)
	if r.Classes != 300*450+2 || len(r.Components) != 3000 || len(r.Warnings) != 0 {
		t.Errorf("%d classes, %d components, said %v", r.Classes, len(r.Components), r.warningLines())
	}
	if used > 64*raceMemory<<20 {
		t.Errorf("used %d MB, want at most 64", used>>20)
	}
}

func TestAFullIndexIsAWarning(t *testing.T) {
	dir := t.TempDir()
	var path []Jar
	for i := range 4 {
		files := []jarFile{classSource{name: fmt.Sprint("Job", i), implements: []string{batchlet}}.fileAt("")}
		for j := range 300 {
			files = append(files, plainFile(fmt.Sprintf("c%d-%d.class", i, j), classSource{
				name: fmt.Sprintf("c%d-%d", i, j), super: fmt.Sprintf("%060d", i*1000+j) + strings.Repeat("x", 60_000),
			}.assemble()))
		}
		name := filepath.Join(dir, fmt.Sprintf("%d.jar", i))
		if err := os.WriteFile(name, jarOf(files...), 0o600); err != nil {
			t.Fatal(err)
		}
		path = append(path, jarOnDisk(name))
	}
	debug.FreeOSMemory()
	peak := watchMemory()
	r := scanJars(t, path...)
	if used := peak(); used > 130*raceMemory<<20 {
		t.Errorf("used %d MB, want at most 130", used>>20)
	}
	diffLines(t, "warnings", r.warningLines(), []string{"2.jar: is read only in part: the class path has too many classes"})
	if len(r.Components) != 3 || r.Classes < 800 {
		t.Errorf("%d classes, components %v", r.Classes, r.componentLines())
	}
}

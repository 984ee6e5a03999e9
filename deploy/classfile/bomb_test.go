package classfile

import (
	"bytes"
	"compress/flate"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"runtime/debug"
	"strings"
	"testing"
)

// deflateZeros compresses size zeros, a multiple of zeroChunk. Compressed
// chunks that end with a flush may be concatenated, so it compresses only one.
func deflateZeros(size int) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	w.Write(make([]byte, zeroChunk)) //nolint:errcheck // into memory
	w.Flush()                        //nolint:errcheck // into memory
	chunk := bytes.Clone(b.Bytes())
	b.Reset()
	for range size / zeroChunk {
		b.Write(chunk)
	}
	w.Reset(&b)
	w.Close() //nolint:errcheck // into memory
	return b.Bytes()
}

const zeroChunk = 1 << 20

func deflateAll(r io.Reader) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	io.Copy(w, r) //nolint:errcheck // into memory
	w.Close()     //nolint:errcheck // into memory
	return b.Bytes()
}

// rawZip returns a zip that lists the same compressed bytes under count names.
// The unpacked size in it may be wrong.
func rawZip(packed []byte, unpacked uint32, count int, name func(i int) string) []byte {
	var out, dir bytes.Buffer
	local := make([]byte, localLen)
	copy(local, localSig)
	out.Write(local)
	out.Write(packed)
	for i := range count {
		n := name(i)
		b := make([]byte, listedLen)
		copy(b, listedSig)
		le.PutUint16(b[10:], deflated)
		le.PutUint32(b[16:], crc32.ChecksumIEEE(nil))
		le.PutUint32(b[20:], uint32(len(packed)))
		le.PutUint32(b[24:], unpacked)
		le.PutUint16(b[28:], uint16(len(n)))
		dir.Write(b)
		dir.WriteString(n)
	}
	return append(append(out.Bytes(), dir.Bytes()...), endRecord(count, dir.Len(), out.Len())...)
}

func endRecord(count, size, off int) []byte {
	b := make([]byte, end64Len+locatorLen+endLen)
	copy(b, end64Sig)
	le.PutUint64(b[32:], uint64(count))
	le.PutUint64(b[40:], uint64(size))
	le.PutUint64(b[48:], uint64(off))
	copy(b[end64Len:], locatorSig)
	le.PutUint64(b[end64Len+8:], uint64(off+size))
	end := b[end64Len+locatorLen:]
	copy(end, endSig)
	le.PutUint16(end[10:], math.MaxUint16)
	le.PutUint32(end[12:], math.MaxUint32)
	le.PutUint32(end[16:], math.MaxUint32)
	return b
}

// hugePool returns a class that has only a full constant pool, with n bytes in
// each text.
func hugePool(name string, n int) []byte {
	s := classSource{name: name}
	for i := range 65_000 {
		s.strings = append(s.strings, fmt.Sprintf("%0*d", n, i))
	}
	return s.assemble()
}

// jarOfCopies returns a jar with count copies of a class. Unpacked it is many
// times larger.
func jarOfCopies(class []byte, count int) []byte {
	return rawZip(deflateAll(bytes.NewReader(class)), uint32(len(class)), count, func(i int) string { return fmt.Sprint(i, ".class") })
}

// longNames returns a class whose parts all refer to one text of 65,535 bytes.
func longNames(attribute string) []byte {
	long := strings.Repeat("x", 65_535)
	s := classSource{name: long, notes: []annotationSource{}}
	switch attribute {
	case "interfaces":
		for range 65_000 {
			s.implements = append(s.implements, long)
		}
	case "annotations":
		for range 65_000 {
			s.notes = append(s.notes, annotationSource{kind: "x", text: long})
		}
	case "named":
		for range 10_000 {
			s.notes = append(s.notes, annotationSource{kind: named, text: long})
		}
	}
	return s.assemble()
}

func nestedJars(levels int) []byte {
	b := batchletJar("a/B")
	for range levels {
		b = jarOf(plainFile("x.jar", b), packedFile("y.jar", b))
	}
	return b
}

var bombs = []struct {
	name string
	make func() []byte
	said string
}{
	{"a class that says it has 4 GB", func() []byte { return rawZip(deflateZeros(256<<20), math.MaxUint32-1, 1, onlyClass) }, "more than the limit of 16777216"},
	{"zeros that say they are a small class", func() []byte { return rawZip(deflateZeros(256<<20), 1000, 1, onlyClass) }, "its unpacked length differs"},
	{"a nested jar of 400 MB of zeros", func() []byte { return rawZip(deflateZeros(400<<20), 400<<20, 1, onlyJar) }, "unpacks to more"},
	{"a nested jar that says it is small", func() []byte { return rawZip(deflateZeros(256<<20), 10<<20, 1, onlyJar) }, "its unpacked length differs"},
	{"the same 15 MB of zeros 30,000 times", func() []byte { return rawZip(deflateZeros(15<<20), 15<<20, 30_000, numberedNames(".class")) }, "unpacks to more"},
	{"the same nested jar 30,000 times", func() []byte { return rawZip(deflateZeros(1<<20), 1<<20, 30_000, numberedNames(".jar")) }, "is not a zip file"},
	{"300,000 entries", func() []byte { return rawZip(nil, 0, 300_000, numberedNames("")) }, "has 300000 entries"},
	{"400,000 entries in a nested jar", func() []byte {
		b := rawZip(nil, 0, 400_000, func(int) string { return "x" })
		return rawZip(deflateAll(bytes.NewReader(b)), uint32(len(b)), 1, onlyJar)
	}, "unpacks to more"},
	{"80,000 empty classes", func() []byte { return rawZip(deflateZeros(0), 0, 80_000, numberedNames(".class")) }, "is truncated"},
	{"80,000 manifests", func() []byte {
		return rawZip(deflateZeros(1<<20), 1<<20, 80_000, func(int) string { return "META-INF/MANIFEST.MF" })
	}, "unpacks to more"},
	{"80,000 versions of a class", func() []byte {
		return rawZip(nil, 0, 80_000, func(i int) string { return fmt.Sprint("META-INF/versions/9/", i, ".class") })
	}, ""},
	{"jars in jars in jars", func() []byte { return nestedJars(12) }, "nested more than 2 levels deep"},
	{"full constant pools", func() []byte { return jarOfCopies(hugePool("a/B", 200), 40_000) }, "unpacks to more"},
	{"small constant pools", func() []byte { return jarOfCopies(hugePool("a/B", 1), 40_000) }, "cannot be found by a JVM"},
	{"a class with 65,000 long interfaces", func() []byte { return jarOfCopies(longNames("interfaces"), 40_000) }, "too many interfaces"},
	{"a class with 65,000 long annotations", func() []byte { return jarOfCopies(longNames("annotations"), 40_000) }, "cannot be found by a JVM"},
	{"a class that is named 10,000 times", func() []byte { return jarOfCopies(longNames("named"), 40_000) }, "cannot be found by a JVM"},
	{"annotations in annotations", func() []byte {
		return jarOf(packedFile("B.class", classSource{name: "B", notes: []annotationSource{{kind: "x", value: nestedArrays(21_000)}}}.assemble()))
	}, "nested more than 32 levels deep"},
	{"a batch xml of 1 MB of elements", func() []byte { return jarOf(batchXML(strings.Repeat("<a>", 300_000))) }, "element <a> closed"},
	{"a batch xml of 20,000 ids", func() []byte {
		return jarOf(batchXML(strings.Repeat(`<ref id="a" class="b"/>`, 9_000) + manyRefs(11_000)))
	}, "more than 10000"},
	{"a batch xml of 100 MB", func() []byte {
		return rawZip(deflateZeros(100<<20), 100<<20, 1, func(int) string { return "META-INF/batch.xml" })
	}, "more than the limit of 1048576"},
	{"51,000 batchlets", func() []byte { return jarOfBatchlets(51_000) }, "the rest are skipped"},
	{"classes that extend one another, 40,000 deep", func() []byte { return classChain(40_000) }, ""},
}

func onlyClass(int) string { return "B.class" }
func onlyJar(int) string   { return "b.jar" }

func numberedNames(suffix string) func(int) string {
	return func(i int) string { return fmt.Sprint(i, suffix) }
}

func manyRefs(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `<ref id="i%d" class="b"/>`, i)
	}
	return b.String()
}

// storedClasses returns a jar of uncompressed classes: compressing very many
// takes longer than scanning them.
func storedClasses(sources ...classSource) []byte {
	var files []jarFile
	for _, s := range sources {
		files = append(files, plainFile(s.name+classSuffix, s.assemble()))
	}
	return jarOf(files...)
}

func jarOfBatchlets(n int) []byte {
	var sources []classSource
	for i := range n {
		sources = append(sources, classSource{name: fmt.Sprint("c", i), implements: []string{batchlet}})
	}
	return storedClasses(sources...)
}

func classChain(n int) []byte {
	sources := []classSource{{name: "c0", implements: []string{batchlet}}}
	for i := 1; i < n; i++ {
		sources = append(sources, classSource{name: fmt.Sprint("c", i), super: fmt.Sprint("c", i-1)})
	}
	return storedClasses(sources...)
}

// A zip bomb unpacks no more than its budget, takes at most 100 MB of memory,
// and results in a warning with the reason.
func TestBombs(t *testing.T) {
	for _, row := range bombs {
		t.Run(row.name, func(t *testing.T) {
			jars := map[string][]byte{"a.jar": row.make()}
			debug.FreeOSMemory()
			peak := watchMemory()
			r, c := costOf(t, jars)
			used := peak()
			if all := strings.Join(r.warningLines(), "\n"); !strings.Contains(all, row.said) {
				t.Errorf("said %s\nwant %s", all, row.said)
			}
			c.checkBudget(t)
			if c.reads > 500 || c.allocated > 200<<20 {
				t.Errorf("%d reads and %d MB allocated, want at most 500 and 200", c.reads, c.allocated>>20)
			}
			t.Logf("%d bytes, at most %d MB at a time", len(jars["a.jar"]), used>>20)
			if used > 100*raceMemory<<20 {
				t.Errorf("used %d MB, want at most 100", used>>20)
			}
		})
	}
}

package classfile

import (
	"bytes"
	"compress/flate"
	"io"
	"maps"
	"runtime/metrics"
	"slices"
	"testing"
	"time"
)

// scanCost is the work of a scan. Unlike its time it does not depend on the
// load of the machine.
type scanCost struct {
	budget    int64 // of all jars, in bytes
	reads     int64
	unpacked  int64         // bytes, of what is unpacked in memory
	allocated int64         // bytes
	took      time.Duration // for people
}

// costOf scans jars by name.
func costOf(t testing.TB, jars map[string][]byte) (*Report, scanCost) {
	t.Helper()
	var c scanCost
	var path []Jar
	for _, name := range slices.Sorted(maps.Keys(jars)) {
		b := jars[name]
		c.budget += newBudget(int64(len(b))).remaining
		path = append(path, Jar{Name: name, Open: func() (io.ReaderAt, int64, func() error, error) {
			return &countedReaderAt{bytes.NewReader(b), &c.reads}, int64(len(b)), func() error { return nil }, nil
		}})
	}
	s := newScanner(t.Context(), "", javaRelease)
	s.unpack.inflate = &countedInflate{flate.NewReader(nil), &c.unpacked}
	start, before := time.Now(), allocated()
	r, err := s.scanJars(path)
	c.took, c.allocated = time.Since(start), allocated()-before
	if err != nil {
		t.Fatal(err)
	}
	return r, c
}

// checkBudget compares the work with the budget. An entry reduces the budget
// before up to two reads, a nested jar before it gets its buffers.
func (c scanCost) checkBudget(t testing.TB) {
	t.Helper()
	t.Logf("%d reads, %d of %d kB unpacked, %d kB allocated, %v", c.reads, c.unpacked>>10, c.budget>>10, c.allocated>>10, c.took)
	if c.unpacked > c.budget {
		t.Errorf("unpacked %d bytes, want at most %d", c.unpacked, c.budget)
	}
	if most := c.budget * 2 / entryCost; c.reads > most {
		t.Errorf("%d reads, want at most %d", c.reads, most)
	}
	if most := c.budget / nestedCost * (512 << 10); c.allocated > most {
		t.Errorf("allocated %d bytes, want at most %d", c.allocated, most)
	}
}

// allocated returns how many bytes this process has allocated in all.
func allocated() int64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}

type countedReaderAt struct {
	io.ReaderAt
	n *int64
}

func (c *countedReaderAt) ReadAt(b []byte, off int64) (int, error) {
	*c.n++
	return c.ReaderAt.ReadAt(b, off)
}

type countedInflate struct {
	io.ReadCloser
	n *int64
}

func (c *countedInflate) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	*c.n += int64(n)
	return n, err
}

func (c *countedInflate) Reset(r io.Reader, dict []byte) error {
	return c.ReadCloser.(flate.Resetter).Reset(r, dict)
}

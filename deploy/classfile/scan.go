package classfile

import (
	"context"
	"fmt"
	"io"
)

// scanner reads the jars of one class path.
type scanner struct {
	ctx     context.Context
	java    int // newest Java release to use from multi-release jars
	parser  parser
	unpack  unpacker
	index   *classIndex
	refs    *batchRefs // of the first META-INF/batch.xml
	warn    warningList
	stopped bool // the index is full
	temp    string
	failed  error // disk error, which ends the scan
}

// Scan reads the jars one after the other, in the order of the class path. It
// unpacks nested jars into the folder temp, "" for the system's. An error comes
// from ctx, from an Open or from writing to temp. A fault inside a jar is a
// Warning.
func Scan(ctx context.Context, jars []Jar, temp string) (*Report, error) {
	return newScanner(ctx, temp, javaRelease).scanJars(jars)
}

func newScanner(ctx context.Context, temp string, java int) *scanner {
	return &scanner{ctx: ctx, java: java, index: newIndex(), temp: temp}
}

func (s *scanner) scanJars(jars []Jar) (*Report, error) {
	for _, j := range jars {
		if err := s.scanJar(j); err != nil {
			return nil, err
		}
		if err := s.ctx.Err(); err != nil {
			return nil, err
		}
	}
	return s.makeReport(), nil
}

func (s *scanner) scanJar(j Jar) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	r, size, release, err := j.Open()
	if err != nil {
		return fmt.Errorf("open %s: %w", j.Name, err)
	}
	defer release() //nolint:errcheck // it was only read from
	s.scanArchive(j.Name, r, size, 0, newBudget(size))
	return s.failed
}

// scanArchive reads a jar: its own classes first, then its nested jars.
func (s *scanner) scanArchive(name string, r io.ReaderAt, size int64, depth int, left *budget) {
	z, err := openZip(r, size)
	if err != nil {
		s.warn.addWarning(name, "", err)
		return
	}
	a := &jarScan{scanner: s, zip: z, name: name, depth: depth, left: left, newest: map[string]int{}}
	if a.readDirectory() {
		a.readClasses()
		a.readRefs()
		a.readNested()
	}
}

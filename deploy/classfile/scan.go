package classfile

import (
	"context"
	"fmt"
	"io"
)

// scanner reads the jars of one class path.
type scanner struct {
	ctx     context.Context
	java    int // the release whose versions in multi-release jars count
	parser  parser
	unpack  unpacker
	index   *index
	refs    *refs // of the first META-INF/batch.xml
	warn    warnings
	stopped bool // the index is full
	temp    string
	failed  error // of the disk; nothing is read after it
}

// Scan reads the jars in the order of the class path, one after the other. What
// is nested lies in the folder temp while it is read; "" is the system's. An
// error comes from ctx, from an Open or from writing to temp; whatever is wrong
// inside of a jar is a Warning.
func Scan(ctx context.Context, jars []Jar, temp string) (*Report, error) {
	return newScanner(ctx, temp, javaRelease).scan(jars)
}

func newScanner(ctx context.Context, temp string, java int) *scanner {
	return &scanner{ctx: ctx, java: java, index: newIndex(), temp: temp}
}

func (s *scanner) scan(jars []Jar) (*Report, error) {
	for _, j := range jars {
		if err := s.jar(j); err != nil {
			return nil, err
		}
		if err := s.ctx.Err(); err != nil {
			return nil, err
		}
	}
	return s.report(), nil
}

func (s *scanner) jar(j Jar) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	r, size, release, err := j.Open()
	if err != nil {
		return fmt.Errorf("open %s: %w", j.Name, err)
	}
	defer release() //nolint:errcheck // it was only read from
	s.archive(j.Name, r, size, 0, newBudget(size))
	return s.failed
}

// archive reads a jar: its own classes first, then the jars in it.
func (s *scanner) archive(name string, r io.ReaderAt, size int64, depth int, left *budget) {
	z, err := openZip(r, size)
	if err != nil {
		s.warn.add(name, "", err)
		return
	}
	a := &archive{scanner: s, zip: z, name: name, depth: depth, left: left, newest: map[string]int{}}
	if a.survey() {
		a.readClasses()
		a.readRefs()
		a.readNested()
	}
}

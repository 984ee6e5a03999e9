package deploy

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/objects"
)

const (
	maxJar       = 1 << 30  // bytes
	maxDirectory = 32 << 20 // bytes of a jar's directory, all of which is in memory for a moment
)

var errNoJar = errors.New("it is no jar")

// Store takes a jar in. Without a SHA-256 it is computed; with one, the content
// must have it. Of a jar that is stored already nothing is read. What is no jar
// is a [bus.FieldError].
func (d *Deployer) Store(ctx context.Context, ref ArtifactRef, r io.Reader) (a Artifact, created bool, err error) {
	var wrong Errors
	if checkName(&wrong, "/name", ref.Name); ref.SHA256 != "" {
		ref.SHA256 = checkSHA256(&wrong, "/sha256", ref.SHA256)
	}
	if err := wrong.err(); err != nil {
		return a, false, err
	}
	if ref.SHA256 != "" {
		obj, err := d.jar(ctx, ref.SHA256)
		if !errors.Is(err, bus.ErrNotFound) {
			return artifact(ref.Name, obj), false, err
		}
	}
	defer thrifty()()
	s, err := d.spool(func(w io.Writer) error {
		n, err := io.Copy(w, io.LimitReader(ctxReader{ctx, r}, maxJar+1))
		if n > maxJar {
			err = errLarge
		}
		return err
	})
	if err == nil {
		defer s.drop()
		if ref.SHA256 != "" && ref.SHA256 != s.sum {
			return a, false, &bus.FieldError{Path: "/sha256", Want: "the SHA-256 of the content, " + s.sum, Got: ref.SHA256}
		}
		a, created, err = d.put(ctx, ref.Name, s.sum, s.File, s.size)
	}
	switch {
	case errors.Is(err, errLarge):
		err = &bus.FieldError{Path: "/content", Want: "at most " + strconv.Itoa(maxJar) + " bytes", Got: ref.Name}
	case errors.Is(err, errNoJar):
		err = &bus.FieldError{Path: "/content", Want: "a jar", Got: ref.Name + ": " + err.Error()}
	}
	return a, created, wrap(err, "store %s", ref.Name)
}

// put stores a jar whose SHA-256 is known. If it has another by now, the error
// is a [objects.ErrContent].
func (d *Deployer) put(ctx context.Context, name, sum string, r io.ReaderAt, size int64) (Artifact, bool, error) {
	if obj, err := d.jar(ctx, sum); !errors.Is(err, bus.ErrNotFound) {
		return artifact(name, obj), false, err
	}
	poms, err := inspect(r, size)
	if err != nil {
		return Artifact{}, false, err
	}
	meta := jetstream.ObjectMeta{Name: sum, Description: name, Metadata: map[string]string{typeKey: typeJar}}
	if len(poms) > 0 {
		meta.Metadata[mavenKey] = joinPoms(poms)
	}
	obj, created, err := d.objects.Create(ctx, meta, ctxReader{ctx, io.NewSectionReader(r, 0, size)})
	if err != nil {
		return Artifact{}, false, err
	}
	return artifact(name, obj), created, nil
}

// jar looks for a stored jar and keeps it from being removed for some time.
func (d *Deployer) jar(ctx context.Context, sum string) (*objects.Object, error) {
	obj, err := d.objects.Touch(ctx, sum)
	if err == nil && obj.Metadata[typeKey] != typeJar {
		err = fmt.Errorf("object %s is no jar: %w", sum, bus.ErrNotFound)
	}
	return obj, err
}

func artifact(name string, obj *objects.Object) Artifact {
	c := own(name, splitPoms(obj.Metadata[mavenKey]))
	return Artifact{
		ArtifactRef: ArtifactRef{Name: name, SHA256: obj.Name}, Size: int64(obj.Size),
		Group: c.group, ID: c.id, Version: c.version,
	}
}

// inspect checks that something is a jar, and reads what it says of itself.
func inspect(r io.ReaderAt, size int64) ([]coordinates, error) {
	limited := &limitedReaderAt{r, maxDirectory}
	z, err := zip.NewReader(limited, size)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoJar, err)
	}
	limited.left = 1 << 62
	return readPoms(z), nil
}

// limitedReaderAt bounds how much of a file a reader of its directory takes in.
type limitedReaderAt struct {
	r    io.ReaderAt
	left int64
}

func (l *limitedReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if l.left -= int64(len(p)); l.left < 0 {
		return 0, errors.New("its directory is too large")
	}
	return l.r.ReadAt(p, off)
}

// spooled is a file that goes when it is dropped.
type spooled struct {
	*os.File
	size int64
	sum  string
}

// spool makes a file of what write writes, and its SHA-256.
func (d *Deployer) spool(write func(io.Writer) error) (*spooled, error) {
	f, err := os.CreateTemp(d.tempDir, "jobstreamer-*.jar")
	if err != nil {
		return nil, &spoolError{err}
	}
	s := &spooled{File: f}
	if runtime.GOOS != "windows" { // elsewhere an open file needs no name, and one without goes with a process that dies
		os.Remove(f.Name())
	}
	h := sha256.New()
	if err = write(io.MultiWriter(spoolWriter{f}, h)); err == nil {
		s.size, err = f.Seek(0, io.SeekCurrent)
	}
	if err != nil {
		s.drop()
		return nil, err
	}
	s.sum = hex.EncodeToString(h.Sum(nil))
	return s, nil
}

// spoolError is a failure of the bus's own disk, not of what is read.
type spoolError struct{ err error }

func (e *spoolError) Error() string { return e.err.Error() }
func (e *spoolError) Unwrap() error { return e.err }

type spoolWriter struct{ f *os.File }

func (w spoolWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	if err != nil {
		err = &spoolError{err}
	}
	return n, err
}

func (s *spooled) drop() {
	s.Close()
	os.Remove(s.Name())
}

// ctxReader ends with its context.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// Open returns a stored jar's content and its size. ctx ends the reading.
func (d *Deployer) Open(ctx context.Context, sum string) (io.ReadCloser, int64, error) {
	r, obj, err := d.objects.Open(ctx, sum)
	if err == nil && obj.Metadata[typeKey] != typeJar {
		err = fmt.Errorf("object %s is no jar: %w", sum, bus.ErrNotFound)
	}
	if err != nil {
		return nil, 0, err
	}
	return r, int64(obj.Size), nil
}
